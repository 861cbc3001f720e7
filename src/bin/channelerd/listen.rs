//! The Unix socket: made, taken over from systemd, or from a daemon that is gone.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{
    DirBuilderExt as _, FileTypeExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use listenfd::ListenFd;
use rustix::fs::Mode;

use crate::config::SocketConfig;
use crate::log;

/// A listening socket, and what keeps it ours.
pub(crate) struct Listening {
    pub(crate) listener: UnixListener,
    /// Of a socket that we made: to be removed at the end.
    made: Option<Made>,
}

/// Dropped, it removes the socket file, then gives the lock back. The file of the lock stays:
/// whoever removed it could remove the one that another has just locked.
struct Made {
    path: PathBuf,
    _lock: File,
}

impl Listening {
    /// Where the socket is, for the log.
    pub(crate) fn place(&self) -> String {
        match &self.made {
            Some(made) => made.path.display().to_string(),
            None => "the socket that systemd made".to_owned(),
        }
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            log::warning(format_args!("cannot remove {}: {error}", self.path.display()));
        }
    }
}

/// Takes the socket that systemd hands over, or makes one.
///
/// # Errors
///
/// What is in the way, in a sentence.
pub(crate) fn listen(config: &SocketConfig) -> Result<Listening, String> {
    let mut given = ListenFd::from_env();
    if given.len() > 1 {
        return Err(format!("systemd hands over {} sockets; one is expected", given.len()));
    }
    let listening = match given.take_unix_listener(0) {
        Ok(Some(listener)) => Listening { listener, made: None },
        Ok(None) => make(config)?,
        Err(error) => {
            return Err(format!("what systemd hands over is no listening Unix socket: {error}"));
        }
    };
    let set = listening.listener.set_nonblocking(true);
    set.map_err(|error| format!("the socket cannot be used: {error}"))?;
    Ok(listening)
}

fn make(config: &SocketConfig) -> Result<Listening, String> {
    let path = &config.path;
    let wrong = |what: &str, error: io::Error| format!("{}: {what}: {error}", path.display());
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        let made = DirBuilder::new().recursive(true).mode(0o755).create(folder);
        made.map_err(|error| wrong("its folder cannot be made", error))?;
    }
    let lock = lock(path)?;
    remove_stale(path)?;
    // Nobody may come in between its making and its permissions.
    let before = rustix::process::umask(Mode::from_raw_mode(0o177));
    let listener = UnixListener::bind(path);
    rustix::process::umask(before);
    let listener = listener.map_err(|error| wrong("the socket cannot be made", error))?;
    let made = Some(Made { path: path.clone(), _lock: lock });
    let listening = Listening { listener, made };
    let set = std::fs::set_permissions(path, Permissions::from_mode(config.mode));
    set.map_err(|error| wrong("its permissions cannot be set", error))?;
    Ok(listening)
}

/// Two daemons that start at once must not take the socket from each other.
fn lock(path: &Path) -> Result<File, String> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let opened =
        OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&name);
    let file = opened.map_err(|error| format!("{}: cannot be opened: {error}", name.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(is_served(path)),
        Err(TryLockError::Error(error)) => {
            Err(format!("{}: cannot be locked: {error}", name.display()))
        }
    }
}

fn is_served(path: &Path) -> String {
    format!(
        "{}: another daemon serves this socket; stop it, or give this one a socket.path of its own",
        path.display()
    )
}

/// Removes the file of a socket that nobody serves.
fn remove_stale(path: &Path) -> Result<(), String> {
    let metadata = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(format!("{}: {error}", path.display())),
    };
    if !metadata.file_type().is_socket() {
        return Err(format!("{}: is there and is no socket; it was left alone", path.display()));
    }
    // Not the standard library's: that waits where many wait already.
    match mio::net::UnixStream::connect(path) {
        Ok(_) => Err(is_served(path)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Err(is_served(path)),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            log::notice(format_args!(
                "{}: nobody serves this socket; replacing it",
                path.display()
            ));
            std::fs::remove_file(path).map_err(|error| format!("{}: {error}", path.display()))
        }
        Err(error) => Err(format!("{}: cannot tell whether it is served: {error}", path.display())),
    }
}
