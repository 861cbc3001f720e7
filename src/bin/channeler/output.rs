//! What is printed: messages as text, as bytes, as JSON.

use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

use base64ct::{Base64, Encoding};
use channeler::daemon::Answer;
use channeler::id::PeerId;
use serde_json::{Value, json};

use crate::failure::Failure;

/// Written at once.
const BUFFER_BYTES: usize = 64 << 10;

/// How messages are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// The message and a line end.
    Text {
        /// Before it, where it came from.
        is_verbose: bool,
    },
    /// Its bytes.
    Raw,
    /// An object a line.
    Json,
}

/// Prints a text that is all there is to print.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut output = Output::new(Format::Raw);
    output.bytes(text.as_bytes())?;
    output.flush()
}

/// Standard output.
pub(crate) struct Output {
    format: Format,
    is_terminal: bool,
    out: BufWriter<StdoutLock<'static>>,
}

impl Output {
    pub(crate) fn new(format: Format) -> Output {
        let out = io::stdout().lock();
        let is_terminal = out.is_terminal();
        Output { format, is_terminal, out: BufWriter::with_capacity(BUFFER_BYTES, out) }
    }

    /// Prints a message, or sync message.
    pub(crate) fn message(&mut self, answer: &Answer<'_>, bytes: &[u8]) -> Result<(), Failure> {
        match self.format {
            Format::Raw => self.bytes(bytes),
            Format::Json => self.json(&message_json(answer, bytes)),
            Format::Text { is_verbose } => {
                if is_verbose {
                    self.text(origin(answer).as_bytes())?;
                }
                self.text(bytes)?;
                self.bytes(b"\n")
            }
        }
    }

    /// Prints an object on a line.
    pub(crate) fn json(&mut self, value: &Value) -> Result<(), Failure> {
        self.bytes(format!("{value}\n").as_bytes())
    }

    /// Prints what somebody sent: on a terminal without what would repaint it.
    pub(crate) fn text(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if self.is_terminal { self.bytes(printable(bytes).as_bytes()) } else { self.bytes(bytes) }
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.out.write_all(bytes).map_err(|error| Failure::output(&error))
    }

    /// Hands over what is buffered.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.out.flush().map_err(|error| Failure::output(&error))
    }
}

/// 32 bytes, or 16, as digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn printable(bytes: &[u8]) -> String {
    let is_harmless = |letter: &char| !letter.is_control() || matches!(letter, '\n' | '\t');
    let text = String::from_utf8_lossy(bytes);
    text.chars().map(|letter| if is_harmless(&letter) { letter } else { '?' }).collect()
}

fn origin(answer: &Answer<'_>) -> String {
    match parts(answer) {
        Some((address, _, Some((team, label)))) => {
            format!("{address} {} {label}: ", hexadecimal(team))
        }
        Some((address, _, None)) => format!("{address}: "),
        None => String::new(),
    }
}

fn message_json(answer: &Answer<'_>, bytes: &[u8]) -> Value {
    let Some((address, peer, channel)) = parts(answer) else { return Value::Null };
    let mut object = json!({ "address": address, "peer": PeerId(*peer).to_string() });
    if let Some((team, label)) = channel {
        object["team"] = hexadecimal(team).into();
        object["label"] = label.into();
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => object["text"] = text.into(),
        Err(_) => object["base64"] = Base64::encode_string(bytes).into(),
    }
    object
}

type Parts<'a> = (&'a str, &'a [u8; 16], Option<(&'a [u8; 32], &'a str)>);

/// Address, peer and channel.
fn parts<'a>(answer: &'a Answer<'_>) -> Option<Parts<'a>> {
    match answer {
        Answer::Message { address, peer, team, label } => {
            Some((address, peer, Some((team, label))))
        }
        Answer::Sync { address, peer } => Some((address, peer, None)),
        Answer::Done
        | Answer::Error { .. }
        | Answer::Nothing
        | Answer::Status(_)
        | Answer::Event(_)
        | Answer::Closed { .. }
        | Answer::Connected { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: Answer<'_> =
        Answer::Message { address: "192.0.2.1:1", peer: [1; 16], team: [2; 32], label: "chat" };

    #[test]
    fn bytes_that_are_no_text_are_base64_in_json() {
        let peer = PeerId([1; 16]).to_string();
        let team = "02".repeat(32);
        let expected = json!({ "address": "192.0.2.1:1", "peer": peer, "team": team,
            "label": "chat", "text": "a\u{1b}\n" });
        assert_eq!(message_json(&MESSAGE, b"a\x1b\n"), expected);
        let expected = json!({ "address": "192.0.2.1:1", "peer": peer, "base64": "/wA=" });
        let sync = Answer::Sync { address: "192.0.2.1:1", peer: [1; 16] };
        assert_eq!(message_json(&sync, b"\xff\0"), expected);
    }

    #[test]
    fn a_terminal_gets_nothing_that_repaints_it() {
        assert_eq!(printable("ä\t\n\x1b[2J\r\u{9b}".as_bytes()), "ä\t\n?[2J??");
        assert_eq!(printable(b"\xff"), "\u{fffd}");
    }
}
