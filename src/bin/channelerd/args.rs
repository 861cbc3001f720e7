//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

pub(crate) const USAGE: &str = "\
usage: channelerd [--config FILE] [--check | --peer-id | --version | --help]

Serves QUIC channels to the programs of this machine over a Unix socket.

  --config FILE  the configuration (default /etc/channeler/channelerd.toml)
  --check        read the configuration and the keys that it names, and end
  --peer-id      print the peer id that others must know, making the key if there is none, and end
  --version      print the version, and end
  --help         print this, and end

docs/daemon.md says what can be configured and what the socket speaks.";

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    Serve,
    Check,
    PeerId,
    Version,
    Help,
}

/// The command line, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Args {
    pub(crate) task: Task,
    /// None: the default, which need not be there.
    pub(crate) config: Option<PathBuf>,
}

/// Reads the words after the program's name.
///
/// # Errors
///
/// What is wrong, in a sentence.
pub(crate) fn read(words: impl Iterator<Item = OsString>) -> Result<Args, String> {
    let mut args = Args { task: Task::Serve, config: None };
    let mut words = words;
    while let Some(word) = words.next() {
        match word.to_str() {
            Some("--config") => {
                args.config = Some(words.next().ok_or("--config needs a FILE")?.into());
            }
            Some("--check") => args.task = Task::Check,
            Some("--peer-id") => args.task = Task::PeerId,
            Some("--version" | "-V") => args.task = Task::Version,
            Some("--help" | "-h") => args.task = Task::Help,
            Some(_) | None => return Err(format!("{} is not understood", word.display())),
        }
    }
    Ok(args)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(words: &[&str]) -> Result<Args, String> {
        read(words.iter().map(OsString::from))
    }

    #[test]
    fn words_are_understood_or_named() {
        let serve = Args { task: Task::Serve, config: None };
        assert_eq!(read_all(&[]), Ok(serve.clone()));
        let config = Some("a.toml".into());
        assert_eq!(read_all(&["--config", "a.toml"]), Ok(Args { config, ..serve }));
        assert_eq!(read_all(&["--check"]).map(|args| args.task), Ok(Task::Check));
        assert_eq!(read_all(&["--config"]), Err("--config needs a FILE".to_owned()));
        assert_eq!(read_all(&["serve"]), Err("serve is not understood".to_owned()));
    }
}
