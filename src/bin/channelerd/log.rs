//! The log: lines on stderr, as journald reads them.

use std::fmt::Arguments;
use std::io::{IsTerminal, Write};
use std::str::FromStr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

/// Lines in a second, at most: what peers do must not fill a disk.
const LINES_PER_SECOND_MAX: u32 = 100;

/// How much a line matters; the number is syslog's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Level {
    Error = 3,
    Warning = 4,
    Notice = 5,
    Info = 6,
    Debug = 7,
}

impl Level {
    /// As the configuration spells them.
    pub(crate) const NAMES: [(&'static str, Level); 5] = [
        ("error", Level::Error),
        ("warning", Level::Warning),
        ("notice", Level::Notice),
        ("info", Level::Info),
        ("debug", Level::Debug),
    ];
}

impl FromStr for Level {
    type Err = ();

    fn from_str(text: &str) -> Result<Level, ()> {
        Level::NAMES.iter().find(|(name, _)| *name == text).map(|(_, level)| *level).ok_or(())
    }
}

static LEVEL: AtomicU8 = AtomicU8::new(Level::Info as u8);
static LIMIT: Mutex<Option<Limit>> = Mutex::new(None);

/// Lines above this level are left out from now on.
pub(crate) fn set_level(level: Level) {
    LEVEL.store(level as u8, Ordering::Relaxed);
}

pub(crate) fn error(text: Arguments<'_>) {
    line(Level::Error, text);
}

pub(crate) fn warning(text: Arguments<'_>) {
    line(Level::Warning, text);
}

pub(crate) fn notice(text: Arguments<'_>) {
    line(Level::Notice, text);
}

pub(crate) fn info(text: Arguments<'_>) {
    line(Level::Info, text);
}

pub(crate) fn debug(text: Arguments<'_>) {
    line(Level::Debug, text);
}

fn line(level: Level, text: Arguments<'_>) {
    if level as u8 > LEVEL.load(Ordering::Relaxed) {
        return;
    }
    let left_out = match LIMIT.lock() {
        Ok(mut limit) => {
            limit.get_or_insert_with(|| Limit::new(Instant::now())).take(Instant::now())
        }
        Err(_) => Some(0),
    };
    match left_out {
        Some(0) => write(level, &text.to_string()),
        Some(count) => {
            write(Level::Warning, &format!("{count} lines were left out: too many in a second"));
            write(level, &text.to_string());
        }
        None => {}
    }
}

/// One line, whatever is in it. Nobody is helped when stderr is gone.
fn write(level: Level, text: &str) {
    let mut stderr = std::io::stderr().lock();
    let mark = if stderr.is_terminal() { String::new() } else { format!("<{}>", level as u8) };
    let _gone = stderr.write_all(format!("{mark}{}\n", escaped(text)).as_bytes());
}

/// Texts of peers and clients cannot begin a line of their own.
fn escaped(text: &str) -> String {
    let one = |letter: char| match letter.is_control() {
        true => letter.escape_default().to_string(),
        false => letter.to_string(),
    };
    text.chars().map(one).collect()
}

/// How many lines this second had.
struct Limit {
    began: Instant,
    lines: u32,
    left_out: u32,
}

impl Limit {
    fn new(now: Instant) -> Limit {
        Limit { began: now, lines: 0, left_out: 0 }
    }

    /// Whether a line may be written, and how many were not since the last one.
    fn take(&mut self, now: Instant) -> Option<u32> {
        if now.duration_since(self.began) >= Duration::from_secs(1) {
            (self.began, self.lines) = (now, 0);
        }
        if self.lines >= LINES_PER_SECOND_MAX {
            self.left_out += 1;
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_several_lines_stays_one_line() {
        assert_eq!(escaped("a\n<3>b\u{1b}[2J é"), "a\\n<3>b\\u{1b}[2J é");
    }

    #[test]
    fn a_flood_of_lines_is_cut_and_counted() {
        let now = Instant::now();
        let mut limit = Limit::new(now);
        for _ in 0..LINES_PER_SECOND_MAX {
            assert_eq!(limit.take(now), Some(0));
        }
        assert_eq!((limit.take(now), limit.take(now)), (None, None));
        assert_eq!(limit.take(now + Duration::from_secs(1)), Some(2));
        assert_eq!(limit.take(now + Duration::from_secs(1)), Some(0));
    }

    #[test]
    fn levels_are_spelled_as_the_page_has_them() {
        let page = include_str!("../../../docs/daemon.md");
        for (name, level) in Level::NAMES {
            assert_eq!(name.parse(), Ok(level));
            assert!(page.contains(&format!("`{name}`")), "{name}");
        }
        assert_eq!("loud".parse::<Level>(), Err(()));
    }
}
