//! The configuration: every setting of the daemon, its default, and the file that changes it.

mod read;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use channeler::config::Congestion;
use channeler::crypto::Identity;
use channeler::engine::SOCKETS_MAX;
use channeler::id::PeerId;
use channeler::quic::{QuicConfig, SettingError, StreamPolicy, Trust};
use toml::de::DeValue;

use crate::log::Level;
pub(crate) use read::Wrong;
use read::{Document, Lines, Section};

/// Where the configuration is, unless the command line says something else.
pub(crate) const FILE_DEFAULT: &str = "/etc/channeler/channelerd.toml";

/// What a message costs beside its bytes: its label, addresses and places in queues.
pub(crate) const MESSAGE_OVERHEAD: usize = 320;

const TABLES: [&str; 6] = ["certificates", "socket", "clients", "messages", "quic", "log"];
/// What other limits follow from.
const MESSAGE_KEY: &str = "quic.message_bytes_max";
const HOUR_MS: u64 = 3_600_000;
/// As good as no limit, and far from where sums would overflow.
const HUGE: u64 = 1 << 48;

/// Settings of the daemon.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) listen: Vec<SocketAddr>,
    pub(crate) identity: PathBuf,
    pub(crate) peers: Vec<PeerId>,
    pub(crate) accept_any: bool,
    pub(crate) stop_timeout: Duration,
    pub(crate) certificates: Option<CertificateFiles>,
    pub(crate) socket: SocketConfig,
    pub(crate) clients: ClientsConfig,
    pub(crate) messages: MessagesConfig,
    /// All but whom to believe, which takes files: `keys::quic_config`.
    pub(crate) quic: QuicConfig,
    pub(crate) log_level: Level,
    lines: Lines,
}

/// Where certificates are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CertificateFiles {
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) authorities: PathBuf,
    pub(crate) server_name: Option<String>,
}

/// The Unix socket, and who may come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SocketConfig {
    pub(crate) path: PathBuf,
    pub(crate) mode: u32,
    pub(crate) users: Vec<u32>,
    pub(crate) any_user: bool,
}

/// Limits of clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClientsConfig {
    pub(crate) max: usize,
    pub(crate) buffer_bytes: usize,
    pub(crate) stall_timeout: Duration,
    pub(crate) request_timeout: Duration,
    pub(crate) requests_max: usize,
    pub(crate) input_bytes_max: usize,
}

/// Limits of messages that wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MessagesConfig {
    pub(crate) bytes_max: usize,
    pub(crate) count_max: usize,
    pub(crate) when_full: WhenFull,
}

/// What happens when messages that wait reach a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhenFull {
    /// Peers are held back.
    Hold,
    /// The oldest that nobody asked for goes.
    DropOldest,
}

impl Default for Config {
    fn default() -> Config {
        // A key that is never used: `keys::quic_config` puts ours in its place.
        let trust = Trust::RawKeys { identity: Identity::from_seed([0; 32]), peers: Vec::new() };
        Config {
            listen: vec![SocketAddr::from(([0_u16; 8], 4433))],
            identity: PathBuf::from("/var/lib/channeler/identity.pem"),
            peers: Vec::new(),
            accept_any: false,
            stop_timeout: Duration::from_secs(5),
            certificates: None,
            socket: SocketConfig {
                path: PathBuf::from(channeler::daemon::SOCKET_DEFAULT),
                mode: 0o600,
                users: Vec::new(),
                any_user: false,
            },
            clients: ClientsConfig {
                max: 4_096,
                buffer_bytes: 4 << 20,
                stall_timeout: Duration::from_secs(5),
                request_timeout: Duration::from_secs(10),
                requests_max: 256,
                input_bytes_max: 256 << 20,
            },
            messages: MessagesConfig {
                bytes_max: 64 << 20,
                count_max: 65_536,
                when_full: WhenFull::Hold,
            },
            quic: QuicConfig::new(trust),
            log_level: Level::Info,
            lines: Lines::default(),
        }
    }
}

impl Config {
    /// Reads a file; `None`: the default one, without which the defaults hold.
    pub(crate) fn load(file: Option<&Path>) -> Result<Config, Wrong> {
        let path = file.unwrap_or(Path::new(FILE_DEFAULT));
        match std::fs::read_to_string(path) {
            Ok(text) => Config::parse(&path.display().to_string(), &text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && file.is_none() => {
                Ok(Config::default())
            }
            Err(error) => {
                let text = format!("cannot be read: {error}");
                Err(Wrong { file: path.display().to_string(), line: None, text })
            }
        }
    }

    /// Reads the text of a file.
    pub(crate) fn parse(file: &str, text: &str) -> Result<Config, Wrong> {
        let mut config = Config::default();
        let mut document = Document::parse(file, text)?;
        config.read_root(document.root())?;
        if let Some(section) = document.section("certificates") {
            config.certificates = Some(read_certificates(section)?);
        }
        if let Some(section) = document.section("socket") {
            config.socket.read(section)?;
        }
        if let Some(section) = document.section("clients") {
            config.clients.read(section)?;
        }
        if let Some(section) = document.section("messages") {
            config.messages.read(section)?;
        }
        if let Some(section) = document.section("quic") {
            read_quic(&mut config.quic, section)?;
        }
        if let Some(mut section) = document.section("log") {
            let level = section.word("level", &names_of(&Level::NAMES), |text| text.parse().ok());
            set(&mut config.log_level, level?);
            section.finish()?;
        }
        config.lines = document.finish(&TABLES)?;
        config.check()?;
        Ok(config)
    }

    /// Something turned out wrong with a key.
    pub(crate) fn wrong(&self, key: &str, text: impl std::fmt::Display) -> Wrong {
        self.lines.wrong(key, key, text)
    }

    /// The settings that a reload cannot change, as texts.
    pub(crate) fn fixed(&self) -> Vec<(&'static str, String)> {
        let text = |value: &dyn std::fmt::Debug| format!("{value:?}");
        vec![
            ("listen", text(&self.listen)),
            ("identity", text(&self.identity)),
            ("stop_timeout_ms", text(&self.stop_timeout)),
            ("[certificates]", text(&self.certificates)),
            ("socket.path", text(&self.socket.path)),
            ("socket.mode", text(&self.socket.mode)),
            ("clients.input_bytes_max", text(&self.clients.input_bytes_max)),
            ("accept_any", text(&self.accept_any)),
            ("accept_incoming or [quic]", text(&self.quic)),
        ]
    }

    fn read_root(&mut self, mut root: Section<'_, '_>) -> Result<(), Wrong> {
        let address = |value: &DeValue<'_>| value.as_str()?.parse().ok();
        set(&mut self.listen, root.list("listen", "a text like \"192.0.2.1:4433\"", address)?);
        set(&mut self.identity, root.text("identity")?.map(PathBuf::from));
        let peer = |value: &DeValue<'_>| value.as_str()?.parse().ok();
        let allowed = "a text of 32 hexadecimal digits, a peer id";
        set(&mut self.peers, root.list("peers", allowed, peer)?);
        set(&mut self.accept_any, root.flag("accept_any")?);
        set(&mut self.quic.accept_incoming, root.flag("accept_incoming")?);
        set(&mut self.stop_timeout, millis(&mut root, "stop_timeout_ms", 0)?);
        root.finish()
    }

    /// What no key alone can tell.
    fn check(&self) -> Result<(), Wrong> {
        let wrong = |key, text: String| Err(self.lines.wrong(key, MESSAGE_KEY, text));
        if self.listen.is_empty() || self.listen.len() > SOCKETS_MAX {
            let text = format!("{} addresses; allowed are 1 to {SOCKETS_MAX}", self.listen.len());
            return wrong("listen", text);
        }
        let message = self.quic.message_bytes_max;
        for (key, value, least) in [
            ("messages.bytes_max", self.messages.bytes_max, message + MESSAGE_OVERHEAD),
            (
                "clients.input_bytes_max",
                self.clients.input_bytes_max,
                message + channeler::daemon::REQUEST_HEAD_BYTES_MAX,
            ),
        ] {
            if value < least {
                let text = format!(
                    "{value} is not allowed; allowed is {least} and more, with \
                     quic.message_bytes_max {message}"
                );
                return wrong(key, text);
            }
        }
        self.quic.check().map_err(|error| self.wrong_setting(error))
    }

    fn wrong_setting(&self, error: SettingError) -> Wrong {
        let SettingError { name, value, least, most } = error;
        let is_time =
            ["idle_timeout", "keep_alive", "dial_timeout", "drain_timeout"].contains(&name);
        let unit = if is_time { 1_000_000 } else { 1 };
        let key = match name {
            "alpn" => "quic.application_protocol".to_owned(),
            name if is_time => format!("quic.{name}_ms"),
            name => format!("quic.{name}"),
        };
        let of = if name == "alpn" { " bytes" } else { "" };
        let (value, least, most) = (value / unit, least.div_ceil(unit), most / unit);
        let text = format!("{value}{of} is not allowed; allowed is {least} to {most}");
        self.lines.wrong(&key, MESSAGE_KEY, text)
    }
}

impl SocketConfig {
    fn read(&mut self, mut section: Section<'_, '_>) -> Result<(), Wrong> {
        set(&mut self.path, section.text("path")?.map(PathBuf::from));
        let octal = |text: &str| u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777);
        set(&mut self.mode, section.word("mode", "a text like \"0660\"", octal)?);
        let user = |value: &DeValue<'_>| value.as_integer()?.as_str().parse().ok();
        set(&mut self.users, section.list("users", "the number of a user", user)?);
        set(&mut self.any_user, section.flag("any_user")?);
        section.finish()
    }
}

impl ClientsConfig {
    fn read(&mut self, mut section: Section<'_, '_>) -> Result<(), Wrong> {
        set(&mut self.max, size(&mut section, "max", 1, 65_536)?);
        set(&mut self.buffer_bytes, size(&mut section, "buffer_bytes", 4_096, HUGE)?);
        set(&mut self.stall_timeout, millis(&mut section, "stall_timeout_ms", 0)?);
        set(&mut self.request_timeout, millis(&mut section, "request_timeout_ms", 1)?);
        set(&mut self.requests_max, size(&mut section, "requests_max", 1, 65_536)?);
        set(&mut self.input_bytes_max, size(&mut section, "input_bytes_max", 1, HUGE)?);
        section.finish()
    }
}

impl MessagesConfig {
    fn read(&mut self, mut section: Section<'_, '_>) -> Result<(), Wrong> {
        set(&mut self.bytes_max, size(&mut section, "bytes_max", 1, HUGE)?);
        set(&mut self.count_max, size(&mut section, "count_max", 1, HUGE)?);
        let names = [("hold", WhenFull::Hold), ("drop_oldest", WhenFull::DropOldest)];
        set(&mut self.when_full, choice(&mut section, "when_full", &names)?);
        section.finish()
    }
}

fn read_certificates(mut section: Section<'_, '_>) -> Result<CertificateFiles, Wrong> {
    let mut needed = |key| match section.text(key)? {
        Some(path) => Ok(PathBuf::from(path)),
        None => Err(section.missing(key)),
    };
    let (chain, key, authorities) = (needed("chain")?, needed("key")?, needed("authorities")?);
    let server_name = section.text("server_name")?;
    section.finish()?;
    Ok(CertificateFiles { chain, key, authorities, server_name })
}

fn read_quic(quic: &mut QuicConfig, mut section: Section<'_, '_>) -> Result<(), Wrong> {
    let section = &mut section;
    let names = [
        ("bbr2", Congestion::Bbr2),
        ("cubic", Congestion::Cubic),
        ("newreno", Congestion::NewReno),
    ];
    set(&mut quic.congestion, choice(section, "congestion", &names)?);
    let percent = section.integer("loss_tolerance_percent", 2..=50)?;
    set(&mut quic.loss_tolerance_percent, percent.map(|percent| percent as u8));
    let names = [("ordered", StreamPolicy::Ordered), ("per_channel", StreamPolicy::PerChannel)];
    set(&mut quic.streams, choice(section, "streams", &names)?);
    let protocol = section.text("application_protocol")?;
    set(&mut quic.alpn, protocol.map(String::into_bytes));
    for (key, place) in [
        ("message_bytes_max", &mut quic.message_bytes_max),
        ("send_queue_bytes_max", &mut quic.send_queue_bytes_max),
        ("receive_bytes_max", &mut quic.receive_bytes_max),
        ("receive_messages_max", &mut quic.receive_messages_max),
        ("connection_receive_bytes_max", &mut quic.connection_receive_bytes_max),
        ("connection_receive_messages_max", &mut quic.connection_receive_messages_max),
    ] {
        set(place, size(section, key, 0, HUGE)?);
    }
    for (key, place) in [
        ("idle_timeout_ms", &mut quic.idle_timeout),
        ("keep_alive_ms", &mut quic.keep_alive),
        ("dial_timeout_ms", &mut quic.dial_timeout),
        ("drain_timeout_ms", &mut quic.drain_timeout),
    ] {
        set(place, millis(section, key, 0)?);
    }
    section.finish()
}

/// Changes a default where the file says something else.
fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

fn millis(
    section: &mut Section<'_, '_>,
    key: &'static str,
    least: u64,
) -> Result<Option<Duration>, Wrong> {
    Ok(section.integer(key, least..=24 * HOUR_MS)?.map(Duration::from_millis))
}

fn size(
    section: &mut Section<'_, '_>,
    key: &'static str,
    least: u64,
    most: u64,
) -> Result<Option<usize>, Wrong> {
    let value = section.integer(key, least..=most)?;
    Ok(value.map(|value| usize::try_from(value).unwrap_or(usize::MAX)))
}

fn choice<T: Copy>(
    section: &mut Section<'_, '_>,
    key: &'static str,
    names: &[(&str, T)],
) -> Result<Option<T>, Wrong> {
    let found = |text: &str| names.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
    section.word(key, &names_of(names), found)
}

fn names_of<T>(names: &[(&str, T)]) -> String {
    let names: Vec<String> = names.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests;
