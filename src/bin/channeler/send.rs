//! `channeler send`: messages to a peer, many on their way to the daemon at once.

use std::collections::VecDeque;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use channeler::daemon::{Answer, Request};

use crate::arguments::Send;
use crate::connection::{Connection, OUTSTANDING_MAX, Reader, Writer, unexpected};
use crate::failure::Failure;
use crate::messages::Messages;
use crate::progress::Progress;

/// Sends all that there is, and waits until the daemon has taken it.
pub(crate) fn run(mut connection: Connection, send: Send) -> Result<(), Failure> {
    // A source that is not there is said before anybody is dialled.
    let mut messages = Messages::open(send.source, send.cut)?;
    if let Some(peer) = send.peer {
        connection.connect(&send.address, Some(peer))?;
    }
    let request = match &send.channel {
        Some((team, label)) => Request::Send { address: &send.address, team: *team, label },
        None => Request::SendSync { address: &send.address },
    };
    let Connection { mut writer, reader } = connection;
    let (sent, to_be_taken) = mpsc::channel();
    let (taken, room) = mpsc::channel();
    let progress = Progress::new(messages.total);
    // A thread of its own, so that an error is told while the input keeps us waiting.
    let is_over = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&is_over);
    let answers =
        thread::spawn(move || read_answers(reader, progress, &to_be_taken, &taken, &is_over));
    let result = write_all(&mut writer, &request, &mut messages, &sent, &room, &seen);
    drop(sent);
    match result {
        Ok(()) => answers.join().expect("the thread does not panic"),
        // The daemon closed; its answers say why, and end the program.
        Err(None) => answers.join().expect("the thread does not panic").and(Err(Failure::gone())),
        Err(Some(failure)) => Err(failure),
    }
}

/// Writes each message as it comes. The error None: the socket does not take any more.
fn write_all(
    writer: &mut Writer,
    request: &Request<'_>,
    messages: &mut Messages,
    sent: &Sender<usize>,
    room: &Receiver<()>,
    is_over: &AtomicBool,
) -> Result<(), Option<Failure>> {
    let mut message = Vec::new();
    let mut outstanding = 0;
    let mut number: u32 = 0;
    while !is_over.load(Ordering::Relaxed) && messages.next(&mut message).map_err(Some)? {
        if outstanding == OUTSTANDING_MAX {
            room.recv().map_err(|_| None)?;
            outstanding -= 1;
        }
        // Numbers may come again: there are not so many answers to wait for.
        number = number.wrapping_add(1).max(1);
        // Told first: the answer may be quicker than we are.
        sent.send(message.len()).map_err(|_| None)?;
        writer.write(number, request, &message).map_err(|_| None)?;
        outstanding += 1;
    }
    Ok(())
}

/// Reads the answers to all that was sent. What goes wrong ends the program from here while there
/// is still input.
fn read_answers(
    mut reader: Reader,
    mut progress: Progress,
    to_be_taken: &Receiver<usize>,
    taken: &Sender<()>,
    is_over: &AtomicBool,
) -> Result<(), Failure> {
    let mut lengths = VecDeque::new();
    let mut failure = None;
    let (mut messages, mut bytes) = (0_u64, 0_u64);
    loop {
        lengths.extend(to_be_taken.try_iter());
        // After a failure there is an answer yet to all that was asked, and no more is.
        let wait = || to_be_taken.recv().ok().filter(|_| failure.is_none());
        let Some(length) = lengths.pop_front().or_else(wait) else { break };
        match answer(&mut reader) {
            Ok(()) => {
                messages += 1;
                bytes += length as u64;
                progress.draw(bytes);
            }
            Err(refused @ Failure::Refused(..)) => {
                is_over.store(true, Ordering::Relaxed);
                failure.get_or_insert(refused);
            }
            Err(other) => end(other, messages, &mut progress),
        }
        // Nobody waits for room any more when all is written.
        let _ = taken.send(());
    }
    if let Some(failure) = failure {
        end(failure, messages, &mut progress);
    }
    progress.end(bytes);
    Ok(())
}

/// The answer to one message.
fn answer(reader: &mut Reader) -> Result<(), Failure> {
    match reader.next()? {
        Some((_, Answer::Done, _)) => Ok(()),
        Some((_, Answer::Error { code, text, .. }, _)) => {
            Err(Failure::Refused(code, text.to_owned()))
        }
        Some((_, answer, _)) => Err(unexpected(&answer)),
        None => Err(Failure::gone()),
    }
}

/// Ends the program although its input has not ended.
fn end(failure: Failure, messages: u64, progress: &mut Progress) -> ! {
    progress.break_off();
    let code = failure.report();
    if messages > 0 {
        eprintln!("{messages} messages were sent");
    }
    // `ExitCode` cannot be given to `exit`; all that ends here is a failure.
    debug_assert_ne!(code, ExitCode::SUCCESS);
    std::process::exit(1)
}
