//! The command line: what is asked for, and the texts of `--help`.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::Duration;

use channeler::daemon::Team;
use channeler::id::PeerId;
use lexopt::Arg::{Long, Short, Value};
use lexopt::{Parser, ValueExt};

use crate::connection::socket_default;
use crate::failure::Failure;
use crate::help;
use crate::messages::{Cut, Source};
use crate::output::Format;

/// The command line as it was read.
pub(crate) struct Arguments {
    pub(crate) socket: PathBuf,
    pub(crate) command: Command,
}

/// What to do.
pub(crate) enum Command {
    /// Say something of this program, and end.
    Print(String),
    Send(Send),
    Receive(Receive),
    Connect {
        address: String,
        peer: Option<PeerId>,
    },
    Close {
        address: String,
    },
    Status {
        is_json: bool,
    },
    Watch {
        is_json: bool,
    },
}

/// What to send, and where to.
pub(crate) struct Send {
    pub(crate) address: String,
    /// None: it is a sync message.
    pub(crate) channel: Option<(Team, String)>,
    pub(crate) peer: Option<PeerId>,
    pub(crate) source: Source,
    pub(crate) cut: Cut,
}

/// Which messages to print, and how.
pub(crate) struct Receive {
    pub(crate) is_sync: bool,
    pub(crate) address: Option<String>,
    pub(crate) team: Option<Team>,
    pub(crate) label: Label,
    /// None: all, until somebody stops it.
    pub(crate) count: Option<u64>,
    /// None: without end.
    pub(crate) wait: Option<Duration>,
    pub(crate) format: Format,
}

/// Which labels.
pub(crate) enum Label {
    Any,
    Is(String),
    StartsWith(String),
}

/// Reads the command line.
pub(crate) fn parse(mut parser: Parser) -> Result<Arguments, Failure> {
    let mut words = Words::default();
    while let Some(argument) = parser.next().map_err(usage)? {
        match argument {
            Short('h') | Long("help") => return Ok(printed(help::of(words.command()).to_owned())),
            Short('V') | Long("version") => {
                return Ok(printed(format!("channeler {}\n", env!("CARGO_PKG_VERSION"))));
            }
            Long("socket") => words.socket = Some(parser.value().map_err(usage)?.into()),
            Value(word) if words.command.is_none() => words.command = Some(text(word)?),
            Value(word) => words.values.push(word),
            Short(letter) => words.option(&long_name(letter), &mut parser)?,
            Long(name) => {
                let name = name.to_owned();
                words.option(&name, &mut parser)?;
            }
        }
    }
    let socket = words.socket.take().unwrap_or_else(socket_default);
    Ok(Arguments { socket, command: words.into_command()? })
}

fn printed(text: String) -> Arguments {
    Arguments { socket: PathBuf::new(), command: Command::Print(text) }
}

fn long_name(letter: char) -> String {
    match letter {
        'f' => "follow".into(),
        'l' => "lines".into(),
        'n' => "count".into(),
        'r' => "raw".into(),
        'v' => "verbose".into(),
        'w' => "wait".into(),
        other => other.into(),
    }
}

/// Everything on the command line, before it is known to make sense together.
#[derive(Default)]
struct Words {
    socket: Option<PathBuf>,
    command: Option<String>,
    values: Vec<OsString>,
    /// Options without a value that were given.
    flags: Vec<String>,
    file: Option<PathBuf>,
    chunk: Option<usize>,
    peer: Option<PeerId>,
    from: Option<String>,
    team: Option<Team>,
    label: Option<Label>,
    count: Option<u64>,
    wait: Option<Duration>,
}

impl Words {
    fn command(&self) -> &str {
        self.command.as_deref().unwrap_or_default()
    }

    /// Takes an option, where this command has it.
    fn option(&mut self, name: &str, parser: &mut Parser) -> Result<(), Failure> {
        let known: &[&str] = match self.command() {
            "send" => &["file", "chunk", "lines", "peer", "sync"],
            "receive" => &[
                "from",
                "team",
                "label",
                "label-prefix",
                "sync",
                "follow",
                "count",
                "wait",
                "verbose",
                "json",
                "raw",
            ],
            "connect" => &["peer"],
            "status" | "watch" => &["json"],
            _ => &[],
        };
        if !known.contains(&name) {
            let dashes = if name.len() == 1 { "-" } else { "--" };
            let of = match self.command() {
                "" => "before a command".to_owned(),
                command => format!("of `{command}`"),
            };
            return Err(Failure::Usage(format!("{dashes}{name} is no option {of}")));
        }
        let mut value = || parser.value().map_err(usage).and_then(text);
        match name {
            "file" => self.file = Some(value()?.into()),
            "chunk" => self.chunk = Some(bytes(&value()?)?),
            "peer" => self.peer = Some(peer(&value()?)?),
            "from" => self.from = Some(value()?),
            "team" => self.team = Some(team(&value()?)?),
            "label" => self.label = Some(Label::Is(value()?)),
            "label-prefix" => self.label = Some(Label::StartsWith(value()?)),
            "count" => self.count = Some(count(&value()?)?),
            "wait" => self.wait = Some(seconds(&value()?)?),
            flag => self.flags.push(flag.to_owned()),
        }
        Ok(())
    }

    fn into_command(mut self) -> Result<Command, Failure> {
        let has = |flag: &str| self.flags.iter().any(|given| given == flag);
        let is_json = has("json");
        let peer = self.peer;
        match self.command() {
            "" => Err(Failure::Usage("say what to do: send, receive, status, close".into())),
            "send" => self.into_send().map(Command::Send),
            "receive" => self.into_receive().map(Command::Receive),
            "connect" => self.only_address().map(|address| Command::Connect { address, peer }),
            "close" => self.only_address().map(|address| Command::Close { address }),
            "status" => self.no_values().map(|()| Command::Status { is_json }),
            "watch" => self.no_values().map(|()| Command::Watch { is_json }),
            other => Err(Failure::Usage(format!("`{other}` is no command"))),
        }
    }

    fn into_send(mut self) -> Result<Send, Failure> {
        let is_sync = self.flags.iter().any(|flag| flag == "sync");
        let is_lines = self.flags.iter().any(|flag| flag == "lines");
        let wanted = if is_sync { "ADDRESS" } else { "ADDRESS TEAM LABEL" };
        let mut values = self.values.drain(..);
        let mut word = || {
            let missing = || Failure::Usage(format!("send wants {wanted} [MESSAGE]"));
            values.next().ok_or_else(missing).and_then(text)
        };
        let address = word()?;
        let channel = if is_sync { None } else { Some((team(&word()?)?, word()?)) };
        let message = values.next();
        if let Some(more) = values.next() {
            let more = more.to_string_lossy().into_owned();
            return Err(Failure::Usage(format!("`{more}` is too much; quote the message: 'a b'")));
        }
        drop(values);
        let source = match (message, self.file) {
            (None, None) => Source::Input,
            (Some(message), None) if message == "-" => Source::Input,
            (Some(message), None) => Source::Argument(message.into_vec()),
            (None, Some(file)) => Source::File(file),
            (Some(_), Some(_)) => {
                return Err(Failure::Usage("a MESSAGE or --file, not both".into()));
            }
        };
        let cut = match (self.chunk, is_lines) {
            (None, false) => Cut::Whole,
            (None, true) => Cut::Lines,
            (Some(bytes), false) => Cut::Chunks(bytes),
            (Some(_), true) => return Err(Failure::Usage("--lines or --chunk, not both".into())),
        };
        Ok(Send { address, channel, peer: self.peer, source, cut })
    }

    fn into_receive(mut self) -> Result<Receive, Failure> {
        self.no_values()?;
        let has = |flag: &str| self.flags.iter().any(|given| given == flag);
        let refuse = |text: &str| Err(Failure::Usage(text.to_owned()));
        let (is_sync, is_follow) = (has("sync"), has("follow"));
        if is_sync && (self.team.is_some() || self.label.is_some()) {
            return refuse("sync messages have no team and no label");
        }
        if is_follow && self.count.is_some() {
            return refuse("--follow or --count, not both");
        }
        if is_follow && self.wait.is_some() {
            return refuse("--follow does not end by itself; --wait goes with --count");
        }
        let format = match (has("raw"), has("json"), has("verbose")) {
            (true, false, false) => Format::Raw,
            (false, true, false) => Format::Json,
            (false, false, is_verbose) => Format::Text { is_verbose },
            (..) => return refuse("--raw, --json or --verbose, not two of them"),
        };
        Ok(Receive {
            is_sync,
            address: self.from.take(),
            team: self.team,
            label: self.label.take().unwrap_or(Label::Any),
            count: if is_follow { None } else { Some(self.count.unwrap_or(1)) },
            wait: self.wait,
            format,
        })
    }

    fn only_address(&mut self) -> Result<String, Failure> {
        let command = self.command().to_owned();
        let wanted = || Failure::Usage(format!("{command} wants one ADDRESS: 192.0.2.1:4433"));
        let address = self.values.pop().ok_or_else(wanted)?;
        if self.values.is_empty() { text(address) } else { Err(wanted()) }
    }

    fn no_values(&self) -> Result<(), Failure> {
        let command = self.command();
        self.values.first().map_or(Ok(()), |value| {
            let value = value.to_string_lossy();
            Err(Failure::Usage(format!("{command} does not know what `{value}` is")))
        })
    }
}

fn usage(error: lexopt::Error) -> Failure {
    Failure::Usage(error.to_string())
}

fn text(word: OsString) -> Result<String, Failure> {
    word.string().map_err(usage)
}

fn team(text: &str) -> Result<Team, Failure> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let wrong = || {
        Failure::Usage(format!("`{text}` is no team: 64 hexadecimal digits, which are 32 bytes"))
    };
    let mut team = Team::default();
    if digits.len() != 2 * team.len() || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(wrong());
    }
    for (index, byte) in team.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&digits[2 * index..][..2], 16).map_err(|_| wrong())?;
    }
    Ok(team)
}

fn peer(text: &str) -> Result<PeerId, Failure> {
    text.parse().map_err(|error| Failure::Usage(format!("`{text}`: {error}")))
}

fn count(text: &str) -> Result<u64, Failure> {
    let wrong = || Failure::Usage(format!("`{text}` is no number of messages, from 1 on"));
    text.parse().ok().filter(|count| *count > 0).ok_or_else(wrong)
}

/// The longest wait is a second short of what the daemon takes for one without end.
fn seconds(text: &str) -> Result<Duration, Failure> {
    let wrong = || Failure::Usage(format!("`{text}` is no number of seconds from 0 to 4294966"));
    let seconds: f64 = text.parse().map_err(|_| wrong())?;
    let most = f64::from(u32::MAX / 1000 - 1);
    if (0.0..=most).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err(wrong())
    }
}

fn bytes(text: &str) -> Result<usize, Failure> {
    let wrong = || Failure::Usage(format!("`{text}` is no number of bytes from 1 to 1G"));
    let (digits, shift) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 10),
        Some((at, 'm' | 'M')) => (&text[..at], 20),
        Some((at, 'g' | 'G')) => (&text[..at], 30),
        _ => (text, 0),
    };
    let number: usize = digits.parse().map_err(|_| wrong())?;
    let bytes = number.checked_mul(1 << shift).filter(|bytes| (1..=1 << 30).contains(bytes));
    bytes.ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEAM: &str = "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a";

    fn command(words: &[&str]) -> Command {
        parse(Parser::from_args(words)).unwrap_or_else(|failure| panic!("{failure:?}")).command
    }

    fn refused(words: &[&str]) -> String {
        match parse(Parser::from_args(words)) {
            Err(Failure::Usage(text)) => text,
            Err(failure) => panic!("{words:?}: {failure:?}"),
            Ok(_) => panic!("{words:?} was taken"),
        }
    }

    #[test]
    fn a_message_comes_from_its_argument_from_a_file_or_from_standard_input() {
        for (words, source) in [
            (&["good day"][..], Source::Argument(b"good day".to_vec())),
            (&["-"], Source::Input),
            (&[], Source::Input),
            (&["--", "-"], Source::Input),
            (&["--", "-n"], Source::Argument(b"-n".to_vec())),
            (&["--file", "-"], Source::File("-".into())),
            (&[""], Source::Argument(Vec::new())),
        ] {
            let words = [&["send", "192.0.2.1:1", TEAM, "chat"], words].concat();
            let Command::Send(send) = command(&words) else { panic!("{words:?}") };
            assert_eq!(send.source, source, "{words:?}");
            assert_eq!(send.channel, Some(([0x0a; 32], "chat".to_owned())));
        }
    }

    #[test]
    fn options_may_stand_anywhere_behind_the_command_and_the_socket_everywhere() {
        let words = ["--socket", "/a", "receive", "-vw0.5", "--count=3"];
        let arguments = parse(Parser::from_args(words)).expect("it is good");
        assert_eq!(arguments.socket, PathBuf::from("/a"));
        let Command::Receive(receive) = arguments.command else { panic!("it is a receive") };
        assert_eq!((receive.count, receive.wait), (Some(3), Some(Duration::from_millis(500))));
        assert_eq!(receive.format, Format::Text { is_verbose: true });
        let words = ["send", "a", TEAM, "l", "--chunk", "64K", "--socket=/b"];
        let arguments = parse(Parser::from_args(words)).expect("it is good");
        assert_eq!(arguments.socket, PathBuf::from("/b"));
        assert!(matches!(arguments.command, Command::Send(Send { cut: Cut::Chunks(65_536), .. })));
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_what_would() {
        for (words, text) in [
            (&[][..], "say what to do"),
            (&["fetch"], "`fetch` is no command"),
            (&["--json", "status"], "--json is no option before a command"),
            (&["status", "--raw"], "--raw is no option of `status`"),
            (&["status", "-x"], "-x is no option of `status`"),
            (&["status", "more"], "does not know what `more` is"),
            (&["close"], "close wants one ADDRESS"),
            (&["close", "a", "b"], "close wants one ADDRESS"),
            (&["send", "a", TEAM], "send wants ADDRESS TEAM LABEL [MESSAGE]"),
            (&["send", "a", &TEAM[1..], "l"], "is no team: 64 hexadecimal digits"),
            (&["send", "a", &TEAM.replace('a', "g"), "l"], "is no team"),
            (&["send", "a", TEAM, "l", "good", "day"], "`day` is too much; quote"),
            (&["send", "a", TEAM, "l", "x", "--file", "y"], "not both"),
            (&["send", "a", TEAM, "l", "--lines", "--chunk", "1"], "not both"),
            (&["send", "a", TEAM, "l", "--chunk", "0"], "is no number of bytes"),
            (&["send", "a", TEAM, "l", "--chunk", "2G"], "is no number of bytes"),
            (&["send", "a", TEAM, "l", "--peer", "12"], "32 hexadecimal digits"),
            (&["send", "a", TEAM, "l", "--follow"], "--follow is no option of `send`"),
            (&["receive", "--count", "0"], "is no number of messages"),
            (&["receive", "--wait", "-1"], "is no number of seconds"),
            (&["receive", "--wait", "nan"], "is no number of seconds"),
            (&["receive", "--follow", "--wait", "1"], "does not end by itself"),
            (&["receive", "--follow", "--count", "1"], "not both"),
            (&["receive", "--raw", "--json"], "not two"),
            (&["receive", "--sync", "--label", "x"], "have no team"),
            (&["receive", "--team"], "missing argument"),
        ] {
            let told = refused(words);
            assert!(told.contains(text), "{words:?}: {told}");
        }
    }

    #[test]
    fn help_fits_a_terminal() {
        for command in ["", "send", "receive", "connect", "close", "status", "watch"] {
            let wide = help::of(command).lines().find(|line| line.len() > 100);
            assert_eq!(wide, None, "{command}");
        }
    }

    #[test]
    fn help_is_that_of_the_command_before_it() {
        let told = |words: &[&str]| {
            let Command::Print(text) = command(words) else { panic!("{words:?} does not print") };
            text
        };
        assert!(told(&["--help"]).starts_with("channeler - "));
        assert!(told(&["send", "--help"]).starts_with("Send messages"));
        assert!(told(&["receive", "--json", "-h"]).starts_with("Print a message"));
        assert!(told(&["--version"]).starts_with("channeler 0."));
    }
}
