//! `channeler send`: messages to a peer, many on their way to the daemon at once.

use std::collections::VecDeque;
use std::process::ExitCode;
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
    let answers = thread::spawn(move || read_answers(reader, progress, &to_be_taken, &taken));
    let result = write_all(&mut writer, &request, &mut messages, &sent, &room);
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
) -> Result<(), Option<Failure>> {
    let mut message = Vec::new();
    let mut outstanding = 0;
    let mut number: u32 = 0;
    while messages.next(&mut message).map_err(Some)? {
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
) -> Result<(), Failure> {
    let mut lengths = VecDeque::new();
    let (mut messages, mut bytes) = (0_u64, 0_u64);
    while let Some(length) = lengths.pop_front().or_else(|| to_be_taken.recv().ok()) {
        let result = match reader.next() {
            Ok(Some((_, Answer::Done, _))) => Ok(()),
            Ok(Some((_, Answer::Error { code, text, .. }, _))) => {
                Err(Failure::Refused(code, text.to_owned()))
            }
            Ok(Some((_, answer, _))) => Err(unexpected(&answer)),
            Ok(None) => Err(Failure::gone()),
            Err(failure) => Err(failure),
        };
        if let Err(failure) = result {
            progress.break_off();
            end(failure, messages);
        }
        messages += 1;
        bytes += length as u64;
        lengths.extend(to_be_taken.try_iter());
        progress.draw(bytes);
        // Nobody waits for room any more when all is written.
        let _ = taken.send(());
    }
    progress.end(bytes);
    Ok(())
}

/// Ends the program although its input has not ended.
fn end(failure: Failure, messages: u64) -> ! {
    let code = failure.report();
    if messages > 0 {
        eprintln!("{messages} messages before it were sent");
    }
    // `ExitCode` cannot be given to `exit`; all that ends here is a failure.
    debug_assert_ne!(code, ExitCode::SUCCESS);
    std::process::exit(1)
}
