//! Where the messages come from that are to be sent, and how the input is cut into them.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::AsFd;
use std::path::PathBuf;

use crate::failure::Failure;

/// The longest message that a daemon can be configured for.
const MESSAGE_BYTES_MAX: usize = 1 << 30;

/// Read at once.
const READ_BYTES: usize = 256 << 10;

/// Where the bytes come from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The command line.
    Argument(Vec<u8>),
    /// Standard input.
    Input,
    File(PathBuf),
}

/// What of the bytes is a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// All of them.
    Whole,
    /// Each line, without its line end.
    Lines,
    /// Each so many, and what is left at the end.
    Chunks(usize),
}

/// An input, its name, and how many bytes there are, where that is known.
type Opened = (Box<dyn BufRead>, String, Option<u64>);

/// The messages of a source, one after the other.
pub(crate) struct Messages {
    input: Box<dyn BufRead>,
    /// What the input is called in messages to people.
    name: String,
    cut: Cut,
    /// Whether a whole was read already; a whole may be empty.
    is_over: bool,
    /// How many bytes there are in all, where that is known.
    pub(crate) total: Option<u64>,
}

impl Messages {
    /// Opens the source.
    pub(crate) fn open(source: Source, cut: Cut) -> Result<Messages, Failure> {
        let (input, name, total): Opened = match source {
            Source::Argument(bytes) => {
                let total = bytes.len() as u64;
                (Box::new(io::Cursor::new(bytes)), "the argument".to_owned(), Some(total))
            }
            Source::Input => {
                let file = io::stdin().as_fd().try_clone_to_owned().map(File::from);
                Self::of_file(file, "standard input".to_owned())?
            }
            Source::File(path) => Self::of_file(File::open(&path), path.display().to_string())?,
        };
        Ok(Messages { input, name, cut, is_over: false, total })
    }

    /// Reads the next message into `message`. False: there is none.
    pub(crate) fn next(&mut self, message: &mut Vec<u8>) -> Result<bool, Failure> {
        message.clear();
        let result = match self.cut {
            Cut::Whole if self.is_over => return Ok(false),
            Cut::Whole => {
                self.is_over = true;
                self.read(message, MESSAGE_BYTES_MAX + 1).map(|_| true)
            }
            Cut::Chunks(bytes) => self.read(message, bytes).map(|count| count > 0),
            Cut::Lines => self.read_line(message),
        };
        let is_there =
            result.map_err(|error| Failure::Failed(format!("{}: {error}", self.name)))?;
        if message.len() > MESSAGE_BYTES_MAX {
            return Err(Failure::Failed(format!(
                "{}: a message has 1 GiB at most; --chunk 1M cuts it",
                self.name
            )));
        }
        Ok(is_there)
    }

    /// A regular file has a length; what else may be a file has none.
    fn of_file(file: io::Result<File>, name: String) -> Result<Opened, Failure> {
        let file = file.and_then(|file| file.metadata().map(|metadata| (file, metadata)));
        let (file, metadata) = file.map_err(|error| Failure::Failed(format!("{name}: {error}")))?;
        let total = metadata.is_file().then_some(metadata.len());
        Ok((Box::new(BufReader::with_capacity(READ_BYTES, file)), name, total))
    }

    fn read(&mut self, message: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        self.input.by_ref().take(most as u64).read_to_end(message)
    }

    fn read_line(&mut self, message: &mut Vec<u8>) -> io::Result<bool> {
        let most = MESSAGE_BYTES_MAX as u64 + 2;
        let count = self.input.by_ref().take(most).read_until(b'\n', message)?;
        if message.last() == Some(&b'\n') {
            message.pop();
        }
        Ok(count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(bytes: &[u8], cut: Cut) -> Vec<Vec<u8>> {
        let source = Source::Argument(bytes.to_vec());
        let mut messages = Messages::open(source, cut).expect("nothing to open");
        let (mut all, mut message) = (Vec::new(), Vec::new());
        while messages.next(&mut message).expect("memory can be read") {
            all.push(message.clone());
        }
        all
    }

    #[test]
    fn input_is_cut_as_asked() {
        assert_eq!(messages(b"a\n\nbc", Cut::Whole), [b"a\n\nbc"]);
        assert_eq!(messages(b"", Cut::Whole), [b""]);
        assert_eq!(messages(b"a\n\nbc", Cut::Lines), [&b"a"[..], b"", b"bc"]);
        assert_eq!(messages(b"a\r\n", Cut::Lines), [b"a\r"]);
        assert_eq!(messages(b"", Cut::Lines), [b""; 0]);
        assert_eq!(messages(b"abcde", Cut::Chunks(2)), [&b"ab"[..], b"cd", b"e"]);
        assert_eq!(messages(b"abcd", Cut::Chunks(2)), [b"ab", b"cd"]);
    }
}
