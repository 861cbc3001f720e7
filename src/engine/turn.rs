//! One turn of the loop: send, wait, receive, do what is due, send.

use std::io::{ErrorKind, IoSliceMut};
use std::time::Duration;

use mio::Poll;
use quinn_udp::{BATCH_SIZE, RecvMeta};

use super::dispatch::Owner as _;
use super::parts::Happened;
use super::shared::{ALARM, Plan, Progress, Shared};
use super::spin::Spin;
use super::{Handler, SOCKETS_MAX, os};
use crate::crypto;
use crate::error::Error;
use crate::time::Time;

/// The largest datagram, or batch of joined ones, that the system delivers.
const BUFFER_BYTES: usize = 65_536;

/// From one buffer to the next. Not a power of two: first bytes of all buffers would compete for
/// the same cache lines.
const BUFFER_STRIDE: usize = BUFFER_BYTES + 2_112;

/// Received bytes after which waiting transmits go out within a turn, so that an application that
/// answers everything does not fill its send queues meanwhile.
const RECEIVED_BEFORE_SENDING: usize = 128 * 1024;

/// What one call should receive at most: filled buffers are to be read while the processor's cache
/// still has them, and joined datagrams (GRO) fill whole buffers.
const RECEIVED_PER_CALL: usize = 128 * 1024;

/// Receiving that failed so often in a row waits for the next packet: else the loop would never
/// sleep.
const FAILURES_MAX: u32 = 16;

/// Looks for packets after which the core is offered to other threads.
const LOOKS_PER_YIELD: u32 = 4;

/// An offer that took longer than this was taken by somebody who computes. Who gave the core away
/// waits until that one's time is over, milliseconds; who sleeps is woken by a packet at once.
const CORE_TAKEN: Duration = Duration::from_micros(200);

/// How long to look for the next flight of a handshake: the peer's signatures and key exchange take
/// a few hundred microseconds, and waking up from sleeping so long as much again as a fast link.
const HANDSHAKE_SPIN: Duration = Duration::from_micros(600);

/// What the thread inside `process` needs for itself.
pub(super) struct Turn {
    poll: Poll,
    ready: mio::Events,
    alarm: Option<os::Alarm>,
    /// When the alarm goes off.
    alarm_at: Time,
    /// None once the engine was closed.
    handler: Option<Box<dyn Handler>>,
    /// `BATCH_SIZE` receive buffers.
    storage: Vec<u8>,
    meta: [RecvMeta; BATCH_SIZE],
    /// How many of them the next call gets; follows what arrives.
    buffers: usize,
    tally: Tally,
    happened: Happened,
    send_buffer: Vec<u8>,
    /// Sockets that may have more to read, a bit each. The poll reports changes only.
    undrained: u32,
    /// Calls that failed, one after the other, for another reason than that nothing was there.
    failures: u32,
    /// A socket that filled the only buffer it was given.
    unsure: Option<usize>,
    /// A socket that was read already, while looking for packets, and how many buffers it filled.
    filled: Option<(usize, usize)>,
    /// Before sleeping, when no handshake is under way.
    spin: Spin,
    /// When one is.
    handshake_spin: Spin,
}

const _: () = assert!(SOCKETS_MAX <= u32::BITS as usize, "`undrained` has a bit for each socket");

impl Turn {
    pub(super) fn new(poll: Poll, handler: Box<dyn Handler>, spin: Duration) -> Turn {
        let alarm = os::Alarm::new(poll.registry(), ALARM);
        Turn {
            poll,
            ready: mio::Events::with_capacity(SOCKETS_MAX + 2),
            alarm,
            alarm_at: Time::ZERO,
            handler: Some(handler),
            storage: vec![0; BATCH_SIZE * BUFFER_STRIDE],
            meta: [RecvMeta::default(); BATCH_SIZE],
            buffers: 1,
            tally: Tally::default(),
            happened: Happened::default(),
            send_buffer: Vec::new(),
            undrained: 0,
            failures: 0,
            unsure: None,
            filled: None,
            spin: Spin::new(spin),
            handshake_spin: Spin::new(if spin.is_zero() { spin } else { HANDSHAKE_SPIN }),
        }
    }

    /// One turn. Waits `limit` at most, and only when there is nothing to do.
    pub(super) fn run(&mut self, shared: &Shared, limit: Option<Duration>) -> Result<(), Error> {
        shared.counters.turns.add(1);
        shared.note_awake();
        let progress = shared.send_queued(&mut self.send_buffer)?;
        let plan = match progress {
            Progress::Rests if !self.has_input() => shared.plan_sleep(shared.now(), limit)?,
            Progress::Rests | Progress::HasMore => Plan::NO_WAIT,
        };
        if plan.awaits_handshake {
            // What the next one needs, while the peer works on this one.
            crypto::make_ahead();
        }
        let waited = self.wait(shared, &plan);
        shared.note_awake();
        waited?;
        let now = shared.now();
        let mut unread = self.undrained;
        if let Some((index, count)) = self.filled.take() {
            self.handle_filled(shared, index, count, now)?;
            unread &= !(1 << index);
        }
        for index in 0..SOCKETS_MAX {
            if unread & 1 << index != 0
                && let Some(count) = self.fill(shared, index)
            {
                self.handle_filled(shared, index, count, now)?;
            }
        }
        // Answers leave first, and with them what timers would only say later.
        let mut progress = shared.send_queued(&mut self.send_buffer)?;
        self.tally.pour(shared);
        if self.do_what_is_due(shared, now)? && progress == Progress::Rests {
            progress = shared.send_queued(&mut self.send_buffer)?;
        }
        self.look_for_more(shared);
        shared.set_has_more(progress == Progress::HasMore || self.has_input());
        if let Some(handler) = &mut self.handler {
            handler.turn_ended();
        }
        Ok(())
    }

    /// Lets go of the handler: it is never called again.
    pub(super) fn drop_handler(&mut self) {
        self.handler = None;
    }

    /// Whether the poll reports anything within `wait`.
    #[cfg(test)]
    pub(super) fn is_woken(&mut self, wait: Duration) -> bool {
        self.poll(Some(wait)).expect("the poll works");
        self.has_ready()
    }

    /// Waits for sockets, a wake or the planned time, and notes which sockets have something.
    fn wait(&mut self, shared: &Shared, plan: &Plan) -> Result<(), Error> {
        let wait = plan.wait();
        if wait == Some(Duration::ZERO) || shared.config.spin.is_zero() {
            return self.sleep(plan.now, plan.until);
        }
        let length = self.spin_of(plan).length();
        let length = wait.map_or(length, |wait| wait.min(length));
        let began = shared.now();
        let mut spun = Duration::ZERO;
        let mut looks: u32 = 0;
        while spun < length {
            if self.look(shared)? {
                self.spin_of(plan).note_answer(spun);
                return Ok(());
            }
            looks = looks.wrapping_add(1);
            spun = shared.now().since(began);
            if looks.is_multiple_of(LOOKS_PER_YIELD) {
                // On a machine with more to do than cores, the packet may need this one.
                std::thread::yield_now();
                let before = std::mem::replace(&mut spun, shared.now().since(began));
                if spun.saturating_sub(before) > CORE_TAKEN {
                    self.spin_of(plan).note_crowded();
                    break;
                }
            }
        }
        self.spin_of(plan).note_missed();
        self.sleep(began + spun, plan.until)?;
        if self.has_ready() {
            self.spin_of(plan).note_answer(shared.now().since(began));
        }
        Ok(())
    }

    /// Whether there is anything to do. Of one socket that is a try to read: with something there,
    /// a call less than asking first.
    fn look(&mut self, shared: &Shared) -> Result<bool, Error> {
        let is_alone = shared.socket(0).is_some() && shared.socket(1).is_none();
        if is_alone && !shared.is_roused() {
            self.undrained |= 1;
            self.filled = self.fill(shared, 0).map(|count| (0, count));
            // After an error there may be more behind it.
            return Ok(self.filled.is_some() || self.undrained & 1 != 0);
        }
        self.poll(Some(Duration::ZERO))?;
        Ok(self.has_ready())
    }

    /// A call that was given one buffer, and filled it, does not say whether that was all. That is
    /// asked when the answer has left.
    fn look_for_more(&mut self, shared: &Shared) {
        let Some(index) = self.unsure.take() else { return };
        self.filled = self.fill(shared, index).map(|count| (index, count));
        if self.undrained == 0 {
            self.buffers = 1;
        }
    }

    /// Whether there is or may be more to read.
    fn has_input(&self) -> bool {
        self.undrained != 0 || self.filled.is_some()
    }

    /// Whether the poll reported more than the time.
    fn has_ready(&self) -> bool {
        self.ready.iter().any(|event| event.token() != ALARM)
    }

    fn spin_of(&mut self, plan: &Plan) -> &mut Spin {
        if plan.awaits_handshake { &mut self.handshake_spin } else { &mut self.spin }
    }

    /// Polls from `now` until then, or until the alarm goes off that was set for an earlier time:
    /// what is due then is mostly put off meanwhile, by packets that came, and the alarm is not set
    /// for each.
    fn sleep(&mut self, now: Time, until: Option<Time>) -> Result<(), Error> {
        let wait = until.map(|until| until.since(now));
        let (Some(alarm), Some(until)) = (&self.alarm, until.filter(|until| *until > now)) else {
            return self.poll(wait);
        };
        let is_set = now < self.alarm_at && self.alarm_at <= until;
        if !is_set {
            if !alarm.set(until.since(now)) {
                return self.poll(wait);
            }
            self.alarm_at = until;
        }
        self.poll(None)
    }

    fn poll(&mut self, wait: Option<Duration>) -> Result<(), Error> {
        self.ready.clear();
        match self.poll.poll(&mut self.ready, wait) {
            Ok(()) => {}
            // A signal: the caller may want to look at what its handler did.
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return Err(Error::Socket),
        }
        for event in &self.ready {
            // Writable sockets are tried again in every turn anyway.
            let is_socket = event.token().0 < SOCKETS_MAX;
            if is_socket && (event.is_readable() || event.is_error()) {
                self.undrained |= 1 << event.token().0;
            }
        }
        Ok(())
    }

    /// Receives one batch from a socket: bounded, so that a flood starves neither the other sockets
    /// nor timers. Returns how many buffers have something, if any.
    fn fill(&mut self, shared: &Shared, index: usize) -> Option<usize> {
        // None: reported before `bind` had put it in its place. It stays noted for the next turn.
        let socket = shared.socket(index)?;
        let offered = self.buffers;
        let received = if offered == 1 {
            let [meta, ..] = &mut self.meta;
            socket.receive_one(&mut self.storage[..BUFFER_BYTES], meta).map(|()| 1)
        } else {
            let (chunks, _) = self.storage.as_chunks_mut::<BUFFER_STRIDE>();
            let mut chunks = chunks.iter_mut();
            let mut buffers: [IoSliceMut<'_>; BATCH_SIZE] = std::array::from_fn(|_| {
                let chunk = chunks.next().expect("storage holds BATCH_SIZE buffers");
                IoSliceMut::new(&mut chunk[..BUFFER_BYTES])
            });
            socket.receive(&mut buffers[..offered], &mut self.meta)
        };
        let count = match received {
            Ok(count) => count,
            Err(error) => {
                // An error is reported once, and what is behind it not again: so look once more,
                // unless this was the end, or it comes again and again.
                let is_end = error.kind() == ErrorKind::WouldBlock;
                self.failures = if is_end { 0 } else { self.failures + 1 };
                if is_end || self.failures >= FAILURES_MAX {
                    self.failures = 0;
                    self.undrained &= !(1 << index);
                }
                if !is_end {
                    shared.counters.note_error(&error);
                    shared.counters.socket_errors.add(1);
                }
                return None;
            }
        };
        self.failures = 0;
        if os::SHORT_BATCH_IS_THE_LAST && count < offered {
            self.undrained &= !(1 << index);
        }
        self.unsure = (offered == 1).then_some(index);
        self.tally.receives += 1;
        let received = self.meta[..count].iter().map(|meta| meta.len).sum();
        self.buffers = buffers_for_next(offered, count, received);
        Some(count)
    }

    /// Gives what a socket filled the buffers with to the node, and what that says to the handler.
    fn handle_filled(
        &mut self,
        shared: &Shared,
        index: usize,
        count: usize,
        now: Time,
    ) -> Result<(), Error> {
        let Some(socket) = shared.socket(index) else { return Ok(()) };
        let mut unanswered = 0;
        for buffer in 0..count {
            let meta = &self.meta[buffer];
            let len = meta.len;
            let start = buffer * BUFFER_STRIDE;
            let from = socket.origin(meta);
            self.tally.note(len, from.stride);
            let mut rest = &mut self.storage[start..start + len];
            while !rest.is_empty() {
                let mut core = shared.core()?;
                let now = core.advance(now);
                // What API calls caused comes first, since it happened first.
                core.parts.collect(&mut self.happened);
                let (data, behind) = rest.split_at_mut(core.parts.run(&from, rest));
                core.parts.handle_datagram(now, &from, data);
                core.parts.collect(&mut self.happened);
                drop(core);
                dispatch(&mut self.happened, &mut self.handler, data, shared)?;
                rest = behind;
            }
            unanswered += len;
            if unanswered >= RECEIVED_BEFORE_SENDING {
                unanswered = 0;
                shared.send_queued(&mut self.send_buffer)?;
            }
        }
        Ok(())
    }

    /// Timers, and the events that API calls and timers caused. Whether there was anything.
    fn do_what_is_due(&mut self, shared: &Shared, now: Time) -> Result<bool, Error> {
        let mut core = shared.core()?;
        let now = core.advance(now);
        let is_due = core.parts.poll_timeout().is_some_and(|due| due <= now);
        if is_due {
            core.parts.handle_timeout(now);
        }
        core.parts.collect(&mut self.happened);
        drop(core);
        let has_events = !self.happened.is_empty();
        dispatch(&mut self.happened, &mut self.handler, &[], shared)?;
        Ok(is_due || has_events)
    }
}

/// What was received and is not among the counters yet: those are shared with other threads, so
/// they are raised when the answers have left.
#[derive(Default)]
struct Tally {
    receives: usize,
    buffers: usize,
    datagrams: usize,
    bytes: usize,
}

impl Tally {
    fn note(&mut self, len: usize, stride: usize) {
        self.buffers += 1;
        // Mostly there is one, and to divide takes long.
        self.datagrams += if len <= stride { 1 } else { len.div_ceil(stride) };
        self.bytes += len;
    }

    fn pour(&mut self, shared: &Shared) {
        let Tally { receives, buffers, datagrams, bytes } = std::mem::take(self);
        if receives > 0 {
            shared.counters.receives.add(receives);
        }
        if buffers > 0 {
            shared.counters.buffers_received.add(buffers);
            shared.counters.datagrams_received.add(datagrams);
            shared.counters.bytes_received.add(bytes);
        }
    }
}

/// How many buffers the next call gets after one that filled `count` of `offered` with `received`
/// bytes: twice as many while they all fill, else one more than came.
fn buffers_for_next(offered: usize, count: usize, received: usize) -> usize {
    let wanted = if count == offered { 2 * offered } else { count + 1 };
    let affordable = RECEIVED_PER_CALL * count / received.max(1);
    wanted.min(affordable).clamp(1, BATCH_SIZE)
}

fn dispatch(
    happened: &mut Happened,
    handler: &mut Option<Box<dyn Handler>>,
    bytes: &[u8],
    shared: &Shared,
) -> Result<(), Error> {
    if happened.is_empty() {
        return Ok(());
    }
    let handler = handler.as_mut().ok_or(Error::Closed)?;
    happened.node.dispatch(handler.as_mut(), bytes, shared)?;
    while let Some(event) = happened.quic.pop_front() {
        if !shared.is_closed() {
            handler.quic_event(&event);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_small_datagrams_gets_every_buffer() {
        let mut buffers = 1;
        for _ in 0..8 {
            buffers = buffers_for_next(buffers, buffers, buffers * 1_000);
        }
        assert_eq!(buffers, BATCH_SIZE);
    }

    #[test]
    fn joined_datagrams_and_lone_ones_get_few_buffers() {
        assert_eq!(buffers_for_next(BATCH_SIZE, BATCH_SIZE, BATCH_SIZE * 65_000), 2);
        assert_eq!(buffers_for_next(BATCH_SIZE, 5, 5 * 100), 6);
        assert_eq!(buffers_for_next(BATCH_SIZE, 1, 0), 2);
    }
}
