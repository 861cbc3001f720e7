//! Keys and certificates from their files, and the settings of QUIC with them.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use channeler::crypto::Identity;
use channeler::id::PeerId;
use channeler::quic::{Certificates, Quic, QuicConfig, QuicError, Trust};
use channeler::time::Time;
use zeroize::Zeroizing;

use crate::config::{CertificateFiles, Config, Wrong};
use crate::log;

/// No PEM file that is meant for us is larger.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Reads what the configuration names, making the identity if it is not there; returns the settings
/// of QUIC, proved to work, and who we are with them.
pub(crate) fn quic_config(config: &Config) -> Result<(QuicConfig, PeerId), Wrong> {
    let mut quic = config.quic.clone();
    quic.trust = match &config.certificates {
        Some(files) => Trust::Certificates(certificates(config, files)?),
        None => Trust::RawKeys { identity: identity(config)?, peers: config.peers.clone() },
    };
    quic.ask_before_accept = config.accept_any && config.certificates.is_none();
    // The engine makes its own, and would not say what is wrong.
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    match Quic::new(quic.clone(), [0; 32], Time::ZERO, unix) {
        Ok(made) => Ok((quic, made.peer_id())),
        Err(error) => Err(config.wrong(&key_of(&error), error)),
    }
}

/// Which key of the configuration an error is about.
fn key_of(error: &QuicError) -> String {
    match error {
        QuicError::Pem { what, .. } => format!("certificates.{what}"),
        QuicError::Certificate(_) => "certificates.chain".to_owned(),
        QuicError::Authority(_) => "certificates.authorities".to_owned(),
        // Settings were checked before; an error that is not known yet is about any of them.
        _ => "quic".to_owned(),
    }
}

fn certificates(config: &Config, files: &CertificateFiles) -> Result<Certificates, Wrong> {
    let read = |key: &str, path: &Path| match read(path) {
        Ok(text) => Ok(text),
        Err(error) => Err(config.wrong(key, format!("{}: {error}", path.display()))),
    };
    Ok(Certificates {
        chain: read("certificates.chain", &files.chain)?.to_vec(),
        key: read("certificates.key", &files.key)?,
        authorities: read("certificates.authorities", &files.authorities)?.to_vec(),
        server_name: files.server_name.clone(),
    })
}

fn identity(config: &Config) -> Result<Identity, Wrong> {
    let path = &config.identity;
    let wrong = |text: String| config.wrong("identity", format!("{}: {text}", path.display()));
    let pem = match read(path) {
        Ok(pem) => pem,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let made = Identity::generate().map_err(|error| wrong(error.to_string()))?;
            write(path, made.to_pem().as_bytes()).map_err(|error| wrong(error.to_string()))?;
            log::notice(format_args!(
                "made a new identity, {}, in {}",
                made.peer_id(),
                path.display()
            ));
            return Ok(made);
        }
        Err(error) => return Err(wrong(error.to_string())),
    };
    Identity::from_pem(&pem).map_err(|error| wrong(error.to_string()))
}

/// The bytes of a file, erased from memory later.
fn read(path: &Path) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    let file = File::open(path)?;
    let others = file.metadata()?.mode() & 0o077;
    file.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    if others != 0 && bytes.windows(11).any(|word| word == b"PRIVATE KEY") {
        log::warning(format_args!("{}: others than its owner can read the key", path.display()));
    }
    Ok(bytes)
}

/// Writes a new file, and the folder it stands in, for its owner alone.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
