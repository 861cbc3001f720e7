//! `channeler receive`: prints messages, one, so many, or all as they come.

use std::io;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread;

use channeler::daemon::{self, Answer, Filter, Request, WAIT_FOR_EVER};
use channeler::error::Error;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::arguments::{Label, Receive};
use crate::connection::{Connection, OUTSTANDING_MAX, unexpected};
use crate::failure::Failure;
use crate::output::Output;

/// Prints what was asked for.
pub(crate) fn run(mut connection: Connection, receive: &Receive) -> Result<(), Failure> {
    let interrupt = Interrupt::watch(connection.writer.stream()?)?;
    let mut output = Output::new(receive.format);
    let result = match receive.count {
        None => follow(&mut connection, receive, &interrupt, &mut output),
        Some(count) => take(&mut connection, receive, count, &interrupt, &mut output),
    };
    // What came before it went wrong is printed all the same.
    output.flush().and(result)
}

/// All messages until a signal.
fn follow(
    connection: &mut Connection,
    receive: &Receive,
    interrupt: &Interrupt,
    output: &mut Output,
) -> Result<(), Failure> {
    let request = Request::Follow { filter: filter(receive) };
    // A daemon that closes at once says why.
    let written = connection.writer.write(1, &request, b"");
    loop {
        if !connection.reader.has_next() {
            output.flush()?;
        }
        match connection.reader.next()? {
            None if interrupt.signal().is_some() => return Ok(()),
            None => {
                written.map_err(|error| Failure::socket(&error))?;
                return Err(Failure::gone());
            }
            Some((_, Answer::Done, _)) => {}
            Some((_, answer @ (Answer::Message { .. } | Answer::Sync { .. }), message)) => {
                output.message(&answer, message)?;
            }
            Some((_, Answer::Error { code, text, .. }, _)) => {
                if !interrupt.explains(code) {
                    return Err(Failure::Refused(code, text.to_owned()));
                }
            }
            Some((_, answer, _)) => return Err(unexpected(&answer)),
        }
    }
}

/// So many messages: each is asked for alone, so that the daemon keeps what is not wanted.
fn take(
    connection: &mut Connection,
    receive: &Receive,
    count: u64,
    interrupt: &Interrupt,
    output: &mut Output,
) -> Result<(), Failure> {
    let wait_ms = receive
        .wait
        .map_or(WAIT_FOR_EVER, |wait| u32::try_from(wait.as_millis()).unwrap_or(WAIT_FOR_EVER - 1));
    let request = Request::Receive { filter: filter(receive), capacity: u32::MAX, wait_ms };
    let (mut asked, mut outstanding, mut printed, mut is_over) = (0_u64, 0, 0_u64, false);
    while printed < count {
        while !is_over && asked < count && outstanding < OUTSTANDING_MAX {
            asked += 1;
            outstanding += 1;
            let number = u32::try_from(asked % u64::from(u32::MAX)).unwrap_or(0) + 1;
            if let Err(error) = connection.writer.write(number, &request, b"") {
                // What the daemon said before it closed explains more; after a signal it is us.
                if interrupt.signal().is_none() && connection.reader.next()?.is_none() {
                    return Err(Failure::socket(&error));
                }
                is_over = true;
            }
        }
        if outstanding == 0 {
            return Err(interrupt.signal().map_or(Failure::Nothing, Failure::Interrupted));
        }
        if !connection.reader.has_next() {
            output.flush()?;
        }
        match connection.reader.next()? {
            None => {
                return Err(interrupt.signal().map_or_else(Failure::gone, Failure::Interrupted));
            }
            Some((_, answer @ (Answer::Message { .. } | Answer::Sync { .. }), message)) => {
                output.message(&answer, message)?;
                printed += 1;
            }
            Some((_, Answer::Nothing, _)) => is_over = true,
            Some((_, Answer::Error { code, text, .. }, _)) => {
                if !interrupt.explains(code) {
                    return Err(Failure::Refused(code, text.to_owned()));
                }
                is_over = true;
            }
            Some((_, answer, _)) => return Err(unexpected(&answer)),
        }
        outstanding -= 1;
    }
    Ok(())
}

fn filter(receive: &Receive) -> Filter<'_> {
    let address = receive.address.as_deref();
    if receive.is_sync {
        return Filter::Syncs { address };
    }
    let label = match &receive.label {
        Label::Any => daemon::Label::Any,
        Label::Is(label) => daemon::Label::Is(label),
        Label::StartsWith(label) => daemon::Label::StartsWith(label),
    };
    Filter::Messages { address, team: receive.team, label }
}

/// Ctrl-C and SIGTERM: no more is asked for; what the daemon gave to us already still comes.
pub(crate) struct Interrupt {
    signal: Arc<AtomicI32>,
}

impl Interrupt {
    /// Shuts down the writing side of `socket` at the first signal; ends the program at the second.
    pub(crate) fn watch(socket: UnixStream) -> Result<Interrupt, Failure> {
        let fail = |error: io::Error| Failure::Failed(format!("signals: {error}"));
        let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(fail)?;
        let signal = Arc::new(AtomicI32::new(0));
        let seen = Arc::clone(&signal);
        thread::spawn(move || {
            for number in signals.forever() {
                if seen.swap(number, Ordering::SeqCst) != 0 {
                    std::process::exit(128 + number);
                }
                // A daemon that is gone is noticed where its answers are read.
                let _ = socket.shutdown(Shutdown::Write);
            }
        });
        Ok(Interrupt { signal })
    }

    /// The signal that came.
    pub(crate) fn signal(&self) -> Option<i32> {
        Some(self.signal.load(Ordering::SeqCst)).filter(|signal| *signal != 0)
    }

    /// Whether this error says no more than that we have asked for the end.
    pub(crate) fn explains(&self, code: u32) -> bool {
        self.signal().is_some() && code == Error::Closed.code().cast_unsigned()
    }
}
