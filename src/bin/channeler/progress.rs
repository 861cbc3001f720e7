//! How far a long send is, drawn on a terminal.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Sends that are quicker draw nothing.
const FIRST_AFTER: Duration = Duration::from_secs(1);

/// Between two drawings.
const EVERY: Duration = Duration::from_millis(100);

/// Places of the bar.
const PLACES: u64 = 30;

/// A bar; elsewhere than on a terminal, nothing.
pub(crate) struct Progress {
    is_on: bool,
    total: Option<u64>,
    began: Instant,
    drawn: Option<Instant>,
}

impl Progress {
    /// `total` is how many bytes there are, if that is known.
    pub(crate) fn new(total: Option<u64>) -> Progress {
        let is_on = io::stderr().is_terminal();
        Progress { is_on, total, began: Instant::now(), drawn: None }
    }

    /// So many bytes were taken by the daemon so far.
    pub(crate) fn draw(&mut self, done: u64) {
        if !self.is_on {
            return;
        }
        let (now, began) = (Instant::now(), self.began);
        let is_due = match self.drawn {
            None => now - began >= FIRST_AFTER,
            Some(drawn) => now - drawn >= EVERY,
        };
        if is_due {
            self.drawn = Some(now);
            self.print(done, now - began);
        }
    }

    /// All is done; a bar that is there becomes full.
    pub(crate) fn end(&mut self, done: u64) {
        if self.drawn.take().is_some() {
            self.print(done, self.began.elapsed());
            eprintln!();
        }
    }

    /// It ends before all is done: what is said next has a line of its own.
    pub(crate) fn break_off(&mut self) {
        if self.drawn.take().is_some() {
            eprintln!();
        }
    }

    fn print(&self, done: u64, took: Duration) {
        // What cannot be drawn is not missed.
        let _ = write!(io::stderr(), "\r{} ", line(done, self.total, took));
    }
}

fn line(done: u64, total: Option<u64>, took: Duration) -> String {
    let rate = done as f64 / took.as_secs_f64().max(1e-9);
    let sizes = format!("{:.1} MB, {:.1} MB/s", done as f64 / 1e6, rate / 1e6);
    // What is read while it grows may be more than it was.
    let Some(total) = total.filter(|total| *total >= done && *total > 0) else { return sizes };
    let full = "#".repeat(usize::try_from(PLACES * done / total).unwrap_or(0));
    let left = ((total - done) as f64 / rate.max(1.0)).ceil();
    let percent = 100 * done / total;
    format!("[{full:.<30}] {percent:3} %  {sizes}, {left:.0} s left  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_what_is_done() {
        let second = Duration::from_secs(1);
        let line = |done, total| line(done, total, second);
        let bar =
            format!("[{}{}]  50 %  1.0 MB, 1.0 MB/s, 1 s left", "#".repeat(15), ".".repeat(15));
        assert_eq!(line(1_000_000, Some(2_000_000)).trim_end(), bar);
        assert!(
            line(2_000_000, Some(2_000_000)).starts_with(&format!("[{}] 100 %", "#".repeat(30)))
        );
        assert_eq!(line(2_000_000, None), "2.0 MB, 2.0 MB/s");
        assert_eq!(line(2_000_000, Some(1)), "2.0 MB, 2.0 MB/s");
        assert_eq!(line(0, Some(0)), "0.0 MB, 0.0 MB/s");
    }
}
