//! Ours: two nodes through the C API, one thread and one core a side, each in `process`.

#![allow(unsafe_code, reason = "it calls the C functions, as a C program does")]

use std::net::SocketAddr;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use channeler::error::Error;
use channeler::ffi::address::channeler_address;
use channeler::ffi::node::{
    channeler_node, channeler_node_bind, channeler_node_free, channeler_node_local_address,
    channeler_node_new, channeler_node_peer_id, channeler_node_process,
};
use channeler::ffi::options::{channeler_options, channeler_options_init};
use channeler::ffi::peer_id::channeler_peer_id;
use channeler::ffi::quic::{
    channeler_quic_channel, channeler_quic_connect, channeler_quic_message, channeler_quic_open,
    channeler_quic_receive, channeler_quic_receive_many, channeler_quic_send,
    channeler_quic_send_many, channeler_quic_trust, channeler_team_id,
};

use channeler::ffi::quic_stats::{channeler_quic_details, channeler_quic_info};

use super::{LABEL, TEAM};
use crate::alloc::allocations;
use crate::bare::{Meter, PATIENCE};
use crate::harness::{core_time, median, pin};

/// How the application calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Calls {
    /// `channeler_quic_send` and `_receive`.
    Single,
    /// `channeler_quic_send_many` and `_receive_many`, with up to so many messages.
    Many(usize),
}

/// Messages of `size` bytes that the receiver's application gets a second.
pub(super) fn messages(size: usize, time: Duration, calls: Calls) -> f64 {
    let [sender, receiver] = pair(None);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // The name is for profilers.
        let thread = std::thread::Builder::new().name(String::from("receiver"));
        let receiving = thread.spawn_scoped(scope, || {
            pin(1);
            let (began, allocated) = (core_time(), allocations());
            let since = Instant::now();
            let mut meter = Meter::new(time);
            let count = calls.count();
            let (mut target, mut lengths) = (vec![0; count * size], vec![0; count]);
            loop {
                receiver.process(PATIENCE);
                let mut messages = 0;
                while let Some(got) = receiver.take(calls, &mut target, &mut lengths) {
                    std::hint::black_box((&target, &lengths));
                    messages += got;
                }
                if !meter.add(messages) {
                    break;
                }
            }
            is_over.store(true, Ordering::Relaxed);
            let total = meter.total as f64;
            let allocated = (allocations() - allocated) as f64 / total;
            let (cost, busy) = spent(core_time() - began, total, since);
            eprintln!(
                "  received at {cost:.0} ns of core a message, {allocated:.2} allocations; busy \
                 {busy:.0} %"
            );
            meter.rate()
        });
        let receiving = receiving.expect("the system has a thread for us");
        pin(0);
        let message = vec![0x5a; size];
        let (began, allocated) = (core_time(), allocations());
        let since = Instant::now();
        let mut sent: u64 = 0;
        let one = channeler_quic_message { data: message.as_ptr(), length: size };
        let batch = vec![one; calls.count()];
        while !is_over.load(Ordering::Relaxed) {
            loop {
                let (taken, has_room) = match calls {
                    Calls::Single => {
                        let is_taken = sender.send(&receiver.address, &message);
                        (usize::from(is_taken), is_taken)
                    }
                    Calls::Many(_) => sender.send_many(&receiver.address, &batch),
                };
                sent += taken as u64;
                if !has_room {
                    break;
                }
            }
            sender.process(PATIENCE);
        }
        let (cost, busy) = spent(core_time() - began, sent as f64, since);
        let allocated = (allocations() - allocated) as f64 / sent as f64;
        eprintln!(
            "  sent at {cost:.0} ns of core a message, {allocated:.2} allocations; busy {busy:.0} %"
        );
        sender.tell(&receiver.address);
        receiving.join().expect("the receiver does not panic")
    })
}

/// Round trips of messages of `size` bytes: the median, in microseconds.
pub(super) fn pings(size: usize, time: Duration, spin: Duration) -> f64 {
    let [ours, theirs] = pair(Some(spin));
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            pin(1);
            let mut target = vec![0; size];
            while !is_over.load(Ordering::Relaxed) {
                theirs.process(PATIENCE);
                while let Some(from) = theirs.receive(&mut target) {
                    assert!(theirs.send(&from, &target), "there is room");
                }
            }
        });
        pin(0);
        let mut message = vec![0x5a; size];
        let mut trips = Vec::new();
        let began = Instant::now();
        while began.elapsed() < time {
            let sent_at = Instant::now();
            assert!(ours.send(&theirs.address, &message), "there is room");
            while ours.receive(&mut message).is_none() {
                ours.process(PATIENCE);
            }
            trips.push(sent_at.elapsed().as_secs_f64() * 1e6);
        }
        is_over.store(true, Ordering::Relaxed);
        median(trips)
    })
}

/// Nanoseconds of core a message, and for which part of the time the thread had one, in per cent.
pub(super) fn spent(core: Duration, messages: f64, since: Instant) -> (f64, f64) {
    let core = core.as_secs_f64();
    (core * 1e9 / messages, core * 100.0 / since.elapsed().as_secs_f64())
}

impl Calls {
    fn count(self) -> usize {
        match self {
            Calls::Single => 1,
            Calls::Many(count) => count,
        }
    }
}

/// Two nodes with a connection.
fn pair(spin: Option<Duration>) -> [Node; 2] {
    let nodes = [Node::new(spin), Node::new(spin)];
    let [ours, theirs] = &nodes;
    // SAFETY: both nodes live, and what is pointed to lives until the call returns.
    check(unsafe { channeler_quic_trust(theirs.node, &raw const ours.peer) });
    let (address, peer) = (&raw const theirs.address, &raw const theirs.peer);
    // SAFETY: as above.
    check(unsafe { channeler_quic_connect(ours.node, address, peer, null_mut()) });
    assert!(ours.send(&theirs.address, b"hello"), "there is room");
    let until = Instant::now() + Duration::from_secs(5);
    let mut target = [0; 5];
    while theirs.receive(&mut target).is_none() {
        assert!(Instant::now() < until, "no message after five seconds");
        ours.process(Duration::from_millis(1));
        theirs.process(Duration::from_millis(1));
    }
    nodes
}

/// A node on the loopback.
struct Node {
    node: *mut channeler_node,
    peer: channeler_peer_id,
    address: channeler_address,
}

// SAFETY: every function of the C API that is used here may be called from any thread.
unsafe impl Sync for Node {}

impl Node {
    fn new(spin: Option<Duration>) -> Node {
        // SAFETY: all fields are numbers or pointers, for which zeros are values.
        let mut options: channeler_options = unsafe { std::mem::zeroed() };
        // SAFETY: `options` is as large as is said.
        check(unsafe { channeler_options_init(&raw mut options, size_of::<channeler_options>()) });
        if let Some(spin) = spin {
            options.spin_ns = spin.as_nanos() as u64;
        }
        let mut node = null_mut();
        // SAFETY: options live until the call returns; `node` is writable.
        check(unsafe { channeler_node_new(&raw const options, null(), &raw mut node) });
        let address = channeler_address::from(SocketAddr::from(([127, 0, 0, 1], 0)));
        // SAFETY: the node lives, and so does the address.
        check(unsafe { channeler_node_bind(node, &raw const address) });
        let mut address = channeler_address::default();
        // SAFETY: as above.
        check(unsafe { channeler_node_local_address(node, 0, &raw mut address) });
        let mut peer = channeler_peer_id::default();
        // SAFETY: as above.
        check(unsafe { channeler_node_peer_id(node, &raw mut peer) });
        // SAFETY: as above; defaults, and nobody listens.
        check(unsafe { channeler_quic_open(node, null(), None, null_mut()) });
        Node { node, peer, address }
    }

    /// False when the queue is full.
    fn send(&self, to: &channeler_address, message: &[u8]) -> bool {
        let team = channeler_team_id { bytes: TEAM };
        // SAFETY: the node lives, and what is pointed to has the bytes that are said.
        let status = unsafe {
            channeler_quic_send(
                self.node,
                to,
                &raw const team,
                LABEL.as_ptr().cast(),
                LABEL.len(),
                message.as_ptr(),
                message.len(),
            )
        };
        if status == Error::WouldBlock.code() {
            return false;
        }
        check(status);
        true
    }

    /// How many were taken, and whether there is room for more.
    fn send_many(
        &self,
        to: &channeler_address,
        messages: &[channeler_quic_message],
    ) -> (usize, bool) {
        let team = channeler_team_id { bytes: TEAM };
        let mut sent = 0;
        // SAFETY: the node lives, and what is pointed to has the bytes that are said.
        let status = unsafe {
            channeler_quic_send_many(
                self.node,
                to,
                &raw const team,
                LABEL.as_ptr().cast(),
                LABEL.len(),
                messages.as_ptr(),
                messages.len(),
                &raw mut sent,
            )
        };
        if status != Error::WouldBlock.code() {
            check(status);
        }
        (sent, status == 0)
    }

    /// As many messages as one call gives, if any.
    fn take(&self, calls: Calls, target: &mut [u8], lengths: &mut [usize]) -> Option<u64> {
        let count = match calls {
            Calls::Single => usize::from(self.receive(target).is_some()),
            Calls::Many(_) => self.receive_many(target, lengths),
        };
        (count > 0).then_some(count as u64)
    }

    /// How many messages of one channel were there.
    fn receive_many(&self, target: &mut [u8], lengths: &mut [usize]) -> usize {
        let mut channel = std::mem::MaybeUninit::<channeler_quic_channel>::uninit();
        let mut count = 0;
        // SAFETY: the node lives, and what is pointed to has the bytes and entries that are said;
        // the others are writable.
        let status = unsafe {
            channeler_quic_receive_many(
                self.node,
                target.as_mut_ptr(),
                target.len(),
                lengths.as_mut_ptr(),
                lengths.len(),
                channel.as_mut_ptr(),
                &raw mut count,
            )
        };
        if status != Error::DataUnavailable.code() {
            check(status);
        }
        count
    }

    /// Where the oldest message came from, if there is one.
    fn receive(&self, target: &mut [u8]) -> Option<channeler_address> {
        let mut channel = std::mem::MaybeUninit::<channeler_quic_channel>::uninit();
        let mut length = 0;
        // SAFETY: the node lives, and `target` has the bytes that are said; the others are
        // writable.
        let status = unsafe {
            channeler_quic_receive(
                self.node,
                target.as_mut_ptr(),
                target.len(),
                channel.as_mut_ptr(),
                &raw mut length,
            )
        };
        if status == Error::DataUnavailable.code() {
            return None;
        }
        check(status);
        // SAFETY: written, since a message was taken; what is behind its label is not.
        Some(unsafe { (*channel.as_ptr()).address })
    }

    /// Says on standard error how the connection did.
    fn tell(&self, to: &channeler_address) {
        // SAFETY: all fields are numbers, for which zeros are values.
        let mut details: channeler_quic_details = unsafe { std::mem::zeroed() };
        details.struct_size = size_of::<channeler_quic_details>();
        // SAFETY: the node lives, and `details` is as large as it says.
        check(unsafe { channeler_quic_info(self.node, to, &raw mut details) });
        eprintln!(
            "  {} of {} packets lost; {} datagrams here; rtt {} us, least {} us, window {} kB, \
             rate {} kB/s",
            details.packets_lost,
            details.packets_sent,
            details.datagrams_received,
            details.rtt_ns / 1_000,
            details.rtt_min_ns / 1_000,
            details.congestion_window_bytes / 1_000,
            details.pacing_rate_bytes / 1_000,
        );
    }

    fn process(&self, timeout: Duration) {
        // SAFETY: the node lives.
        check(unsafe { channeler_node_process(self.node, timeout.as_nanos() as i64) });
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // SAFETY: it was not freed, and nobody uses it after this.
        check(unsafe { channeler_node_free(self.node) });
    }
}

fn check(status: i32) {
    assert_eq!(status, 0, "a status that is no error");
}
