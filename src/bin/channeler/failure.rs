//! How the program ends when not all is well: what it says, and its exit status.

use std::io;
use std::process::ExitCode;

use channeler::daemon::Malformed;
use channeler::error::Error;

/// Why the program ends.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It was called wrongly.
    Usage(String),
    /// What it should do could not be done.
    Failed(String),
    /// The daemon could not do it: the number of its error, and its words.
    Refused(u32, String),
    /// No message came in time.
    Nothing,
    /// A signal asked for the end before the work was done.
    Interrupted(i32),
    /// Whoever read the output is gone, and wants no more.
    OutputGone,
}

impl Failure {
    /// Says on standard error what is to be said, and returns the exit status.
    pub(crate) fn report(self) -> ExitCode {
        let (code, text) = match self {
            Failure::Usage(text) => (2, text + "\n`channeler --help` says how it is used"),
            Failure::Failed(text) => (1, text),
            Failure::Refused(code, text) => (1, refusal_text(code, &text)),
            Failure::Nothing => (3, String::new()),
            Failure::Interrupted(signal) => {
                (u8::try_from(128 + signal).unwrap_or(1), String::new())
            }
            Failure::OutputGone => (0, String::new()),
        };
        if !text.is_empty() {
            eprintln!("channeler: {text}");
        }
        ExitCode::from(code)
    }

    /// What came from the socket is nothing that a daemon says.
    pub(crate) fn garbage(error: Malformed) -> Failure {
        Failure::Failed(format!(
            "what answers at the socket is no channelerd, or a newer one: {error}"
        ))
    }

    /// Standard output does not take any more.
    pub(crate) fn output(error: &io::Error) -> Failure {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Failure::OutputGone;
        }
        Failure::Failed(format!("standard output: {error}"))
    }

    /// The socket does not work any more.
    pub(crate) fn socket(error: &io::Error) -> Failure {
        if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) {
            return Failure::gone();
        }
        Failure::Failed(format!("the socket of the daemon: {error}"))
    }

    /// The daemon closed the socket.
    pub(crate) fn gone() -> Failure {
        Failure::Failed(String::from(
            "the daemon has gone; its log (journalctl -u channelerd) says why",
        ))
    }
}

/// What the daemon said, the name of the error, and what to do about it.
fn refusal_text(code: u32, text: &str) -> String {
    let error = i32::try_from(code).ok().and_then(Error::from_code);
    let name = error.map_or_else(|| format!("error {code}"), |error| error.name().to_owned());
    let hint = match error {
        Some(Error::Identity | Error::Refused) if text.contains("our `peers`") => {
            "name the peer with --peer, or add it to `peers` in channelerd.toml and reload the \
             daemon (systemctl reload channelerd)"
        }
        Some(Error::Timeout) => "is channelerd running there, and does a firewall let UDP through?",
        Some(Error::TooLarge) => {
            "send it in pieces (--chunk 1M), or raise `message_bytes_max` in channelerd.toml on \
             both sides"
        }
        Some(Error::InvalidReference) => "`channeler status` lists the connections",
        _ => "",
    };
    let text = if text.is_empty() { error.map_or("", Error::text) } else { text };
    if hint.is_empty() { format!("{text} ({name})") } else { format!("{text} ({name})\n{hint}") }
}
