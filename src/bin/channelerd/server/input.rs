//! From the bytes of a client to its requests, within limits of bytes and time.

use std::time::{Duration, Instant};

use channeler::daemon::{LENGTH_BYTES, Malformed, NO_REQUEST, REQUEST_HEAD_BYTES_MAX};
use channeler::error::Error;

use super::client::{Client, Front, Kind, Open, READ_BYTES, Read, SHORT_BYTES};
use super::requests::Handled;
use super::timers::{TICK, Timer};
use super::{ClientId, Fatal, Server};
use crate::log;

/// What one client may have handled before the others have their turn.
const HEAR_BUDGET: usize = 1 << 20;

/// A timer that goes off so late says that the daemon itself, or the machine, was stopped.
const STOOD_STILL: Duration = Duration::from_millis(500);

/// Why hearing a client stops.
enum Stop {
    /// More bytes must be read: so many are missing of the next request.
    Wants(usize),
    /// It is not heard now, or gone.
    Later,
}

impl Server {
    /// Reads and handles requests of a client, until there are none or it must wait.
    pub(super) fn hear(&mut self, id: ClientId) -> Result<(), Fatal> {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.resize(READ_BYTES, 0);
        let result = self.hear_with(id, &mut scratch);
        self.scratch = scratch;
        result?;
        let now = Instant::now();
        if let Some(client) = self.clients.get_mut(&id) {
            let is_waited_for = client.is_heard(self.config.clients.buffer_bytes)
                && !client.is_starved
                && client.has_input();
            client.began = is_waited_for.then(|| client.began.unwrap_or(now));
        }
        self.to_write.insert(id);
        self.arm(id, now);
        Ok(())
    }

    fn hear_with(&mut self, id: ClientId, scratch: &mut [u8]) -> Result<(), Fatal> {
        let mut budget = HEAR_BUDGET;
        let mut count = 0;
        while let Stop::Wants(missing) = self.handle_input(id, &scratch[..count])? {
            let Some(client) = self.clients.get_mut(&id) else { break };
            if !client.is_readable {
                break;
            }
            if budget == 0 {
                self.to_hear.insert(id);
                break;
            }
            count = match client.read(missing, scratch) {
                Read::Bytes(count) => count,
                Read::Drained => break,
                Read::End => {
                    self.note_end(id);
                    break;
                }
                Read::Gone => {
                    self.remove(id);
                    break;
                }
            };
            budget = budget.saturating_sub(count);
        }
        Ok(())
    }

    /// Handles the requests that came whole, the last of it in `fresh`; keeps the rest.
    fn handle_input(&mut self, id: ClientId, fresh: &[u8]) -> Result<Stop, Fatal> {
        let Some(client) = self.clients.get_mut(&id) else { return Ok(Stop::Later) };
        let mut kept = client.take_input();
        if kept.is_empty() {
            let (at, stop) = self.handle_frames(id, fresh)?;
            if let Some(client) = self.clients.get_mut(&id) {
                let missing = if let Stop::Wants(missing) = stop { missing } else { 0 };
                client.keep(&fresh[at..], missing);
            }
            return Ok(stop);
        }
        kept.extend_from_slice(fresh);
        let (at, stop) = self.handle_frames(id, &kept)?;
        if let Some(client) = self.clients.get_mut(&id) {
            client.put_back(kept, at);
        }
        Ok(stop)
    }

    /// Handles the requests at the front of `input`; how many bytes these had, and why no more.
    fn handle_frames(&mut self, id: ClientId, input: &[u8]) -> Result<(usize, Stop), Fatal> {
        let most = self.config.quic.message_bytes_max + REQUEST_HEAD_BYTES_MAX;
        let mut at = 0;
        let stop = loop {
            if !self.is_heard(id) {
                break Stop::Later;
            }
            match Client::front(&input[at..], most) {
                Ok(Front::Whole(length)) => {
                    let start = at + LENGTH_BYTES;
                    match self.handle(id, &input[start..start + length])? {
                        Handled::Done => at = start + length,
                        Handled::Waits => break Stop::Later,
                    }
                }
                Ok(Front::Part { missing }) => {
                    let length = input.len() - at + missing;
                    break if self.may_grow(id, length) {
                        Stop::Wants(missing)
                    } else {
                        Stop::Later
                    };
                }
                Err(error) => {
                    self.refuse_frame(id, error);
                    break Stop::Later;
                }
            }
        };
        if at > 0
            && let Some(client) = self.clients.get_mut(&id)
        {
            client.began = None;
        }
        Ok((at, stop))
    }

    /// What came is no request: the client hears it, and is closed.
    pub(super) fn refuse_frame(&mut self, id: ClientId, error: Malformed) {
        let code = match error {
            Malformed::TooLong { .. } => Error::TooLarge,
            Malformed::NoNumber
            | Malformed::UnknownKind { .. }
            | Malformed::Head { .. }
            | Malformed::TooMuch { .. } => Error::Decode,
        };
        log::info(format_args!("client {} sent what is no request: {error}", id.0));
        self.say_last(id, error.number(), code, &error.to_string());
    }

    /// Tells a client why it is closed, and closes it once that is written.
    pub(super) fn say_last(&mut self, id: ClientId, number: u32, error: Error, text: &str) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        client.tell_error(number, error, text);
        client.is_closing = true;
        client.began = None;
        self.end_requests(id);
        self.counts.clients_dropped += 1;
        self.to_write.insert(id);
    }

    /// A client sends nothing more: what it waits for without end, ends.
    fn note_end(&mut self, id: ClientId) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        client.is_finished = true;
        let ends = |open: &&Open| matches!(open.kind, Kind::Receive | Kind::Follow | Kind::Watch);
        let numbers = client.open_numbers(ends);
        for number in numbers {
            self.end_request(id, number);
        }
    }

    fn is_heard(&self, id: ClientId) -> bool {
        let buffer_bytes = self.config.clients.buffer_bytes;
        self.clients.get(&id).is_some_and(|client| client.is_heard(buffer_bytes))
    }

    /// Whether a client may collect a request of `length` bytes: a long one needs memory that all
    /// share, for the whole of it, so that what was begun can be finished.
    fn may_grow(&mut self, id: ClientId, length: usize) -> bool {
        let Some(client) = self.clients.get_mut(&id) else { return false };
        let wanted = if length > SHORT_BYTES { length } else { 0 };
        if client.reserved == wanted && !client.is_starved {
            return true;
        }
        let before = std::mem::take(&mut client.reserved);
        let is_granted =
            self.input_reserved - before + wanted <= self.config.clients.input_bytes_max;
        client.is_starved = !is_granted;
        if is_granted {
            client.reserved = wanted;
            self.input_reserved += wanted;
        }
        self.give_up_input(before);
        if !is_granted {
            self.starved.push(id);
        }
        is_granted
    }

    /// Gives back what a client had of the memory for long requests: others may have it.
    pub(super) fn give_up_input(&mut self, reserved: usize) {
        self.input_reserved -= reserved;
        if reserved > 0 {
            self.to_hear.extend(self.starved.drain(..));
        }
    }

    /// Sets the timer of a client for what it may be late with.
    pub(super) fn arm(&mut self, id: ClientId, now: Instant) {
        let limits = &self.config.clients;
        let Some(client) = self.clients.get_mut(&id) else { return };
        let request = client.began.map(|began| began + limits.request_timeout);
        let reads = client.reads_nothing_since().map(|since| since + limits.stall_timeout);
        let Some(due) = request.into_iter().chain(reads).min() else { return };
        // One that has passed already was looked at, and nobody minded.
        let due = due.max(now + TICK);
        if client.alarm.is_some_and(|alarm| alarm <= due) {
            return;
        }
        if let Some(later) = client.alarm.replace(due) {
            self.timers.cancel(later, Timer::Client(id));
        }
        self.timers.add(due, Timer::Client(id));
    }

    /// A client's timer went off: is it late?
    pub(super) fn check_client(&mut self, id: ClientId, now: Instant, late_by: Duration) {
        let limits = &self.config.clients;
        let is_full = self.held.is_some_and(|length| !self.has_room(length));
        let Some(client) = self.clients.get_mut(&id) else { return };
        client.alarm = None;
        if late_by > STOOD_STILL {
            client.forgive(late_by);
        }
        let late = |since: Instant, timeout| now.saturating_duration_since(since) >= timeout;
        if client.began.is_some_and(|began| late(began, limits.request_timeout)) {
            let text = "half a request, and no more in time";
            log::info(format_args!("client {} sent {text}", id.0));
            self.say_last(id, NO_REQUEST, Error::Timeout, text);
            return;
        }
        let waits = client.output_bytes();
        let is_in_the_way = is_full || waits > limits.buffer_bytes || client.is_closing;
        let reads_nothing = client.reads_nothing_since();
        if is_in_the_way && reads_nothing.is_some_and(|since| late(since, limits.stall_timeout)) {
            self.drop_stalled(id);
            return;
        }
        self.arm(id, now);
    }

    /// A client does not read what it is given.
    pub(super) fn drop_stalled(&mut self, id: ClientId) {
        let waits = self.clients.get(&id).map_or(0, Client::output_bytes);
        log::warning(format_args!(
            "client {} is dropped: it does not read, and {waits} bytes wait for it",
            id.0
        ));
        self.counts.clients_dropped += 1;
        self.remove(id);
    }
}
