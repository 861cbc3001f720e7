//! The v1 half of a node: every peer and channel of protocol v1 behind one port.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use rand_chacha::rand_core::Rng;

use super::admission::Admission;
use super::attempts::Attempts;
use super::reply::Reply;
use super::reset::Resets;
use super::table::Table;
use crate::bans::Bans;
use crate::config::{BATCH_SEGMENTS_MAX, NodeConfig};
use crate::connection::{Notice, Shared};
use crate::crypto::{Identity, KeyLog, TlsContext, TlsOptions};
use crate::error::Error;
use crate::id::{ConnectionHandle, PeerId};
use crate::io::{Event, EventQueue, SendError, Transmit};
use crate::stats::DropReason;
use crate::time::Time;
use crate::wire::codes::ConnectionCode;

/// See the law of the loop at the top of the crate.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) shared: Shared,
    pub(super) table: Table,
    pub(super) attempts: Attempts,
    pub(super) admission: Admission,
    pub(super) resets: Resets,
    pub(super) bans: Bans,
    /// For strangers.
    replies: VecDeque<Reply>,
    /// Whether the next transmit is a reply, if there is one.
    is_reply_turn: bool,
    /// Kept only for its memory: whose timers have fired.
    due: Vec<ConnectionHandle>,
}

impl Endpoint {
    pub(super) fn new(
        config: NodeConfig,
        identity: Identity,
        seed: [u8; 32],
        now: Time,
    ) -> Endpoint {
        let options = TlsOptions {
            early_data: config.early_data,
            tickets_issued_max: config.tickets_max,
            tickets_received_max: config.tickets_max,
            ..TlsOptions::default()
        };
        let tls = TlsContext::new(&identity, options);
        let tag = config.tag;
        let mut shared = Shared::new(config, &identity, tls, seed);
        let mut cookie_seed = [0; 32];
        shared.rng.fill_bytes(&mut cookie_seed);
        Endpoint {
            shared,
            table: Table::new(tag),
            attempts: Attempts::default(),
            admission: Admission::new(cookie_seed, now),
            resets: Resets::new(now),
            bans: Bans::default(),
            replies: VecDeque::new(),
            is_reply_turn: true,
            due: Vec::new(),
        }
    }

    pub(super) fn set_key_log(&self, key_log: KeyLog) {
        self.shared.tls.set_key_log(key_log);
    }

    pub(super) fn peer_id(&self) -> PeerId {
        self.shared.config.peer_id
    }

    /// Does what is due at `now`.
    pub(super) fn handle_timeout(&mut self, now: Time) {
        self.table.arm_changed(&self.shared);
        let mut due = std::mem::take(&mut self.due);
        due.extend(std::iter::from_fn(|| self.table.pop_timer(now)));
        for handle in due.drain(..) {
            let Some(member) = self.table.get_mut(handle) else { continue };
            if member.connection.poll_timeout(&self.shared).is_some_and(|due| due <= now) {
                member.connection.handle_timeout(&mut self.shared, now);
            }
            self.handle_dial_timeout(now, handle);
            self.handle_probe_timeout(now, handle);
            self.settle(now, handle);
        }
        self.due = due;
    }

    /// When `handle_timeout` wants to be called next.
    pub(super) fn poll_timeout(&self) -> Option<Time> {
        self.table.next_timer(&self.shared)
    }

    pub(super) fn has_transmits(&self) -> bool {
        !self.replies.is_empty() || !self.shared.ready.is_empty()
    }

    pub(super) fn has_handshakes(&self) -> bool {
        self.attempts.has_any()
    }

    /// The next datagrams to send: strangers and connections take turns.
    pub(super) fn poll_transmit(&mut self, now: Time, buf: &mut Vec<u8>) -> Option<Transmit> {
        if std::mem::take(&mut self.is_reply_turn)
            && let Some(transmit) = self.transmit_reply(buf)
        {
            return Some(transmit);
        }
        while let Some(handle) = self.shared.ready.pop_front() {
            let Some(member) = self.table.get_mut(handle) else { continue };
            let transmit = member.connection.poll_transmit(&mut self.shared, now, buf);
            if transmit.is_some() {
                // Its turn comes again after all others.
                self.shared.ready.push_back(handle);
            } else {
                member.connection.is_ready = false;
            }
            self.settle(now, handle);
            if let Some(transmit) = transmit {
                self.is_reply_turn = true;
                self.count_sent(&transmit);
                self.shared.report_room();
                return Some(transmit);
            }
        }
        self.shared.report_room();
        // What was ready had nothing.
        self.is_reply_turn = true;
        let reply = self.transmit_reply(buf);
        if reply.is_none() {
            self.table.arm_changed(&self.shared);
        }
        reply
    }

    fn transmit_reply(&mut self, buf: &mut Vec<u8>) -> Option<Transmit> {
        let transmit = self.replies.pop_front()?.transmit(buf);
        self.count_sent(&transmit);
        Some(transmit)
    }

    /// Tells that a transmit failed: what was in it is as good as lost on the way.
    pub(super) fn handle_send_error(&mut self, now: Time, transmit: &Transmit, error: SendError) {
        let Some(handle) = transmit.connection else { return };
        let Some(member) = self.table.get_mut(handle) else { return };
        let connection = &mut member.connection;
        if member.is_closed {
            return;
        }
        match error {
            SendError::TooLarge => {
                if let Some(path) = connection.path_to(transmit.to) {
                    let size = transmit.segment_size;
                    connection.handle_too_large(&mut self.shared, now, path, size);
                }
            }
            SendError::Unreachable => {
                if self.shared.events.len() < self.shared.config.events_max {
                    let (connection, address) = (handle, transmit.to);
                    let event = Event::PathUnreachable { connection, address };
                    self.shared.events.push_back(event);
                }
            }
        }
        self.settle(now, handle);
    }

    /// Tells what the interface takes on the way of a transmit, in bytes of UDP payload.
    pub(super) fn limit_packet_size(&mut self, now: Time, transmit: &Transmit, size: usize) {
        let Some(handle) = transmit.connection else { return };
        let Some(member) = self.table.get_mut(handle) else { return };
        if member.is_closed {
            return;
        }
        if let Some(path) = member.connection.path_to(transmit.to) {
            member.connection.limit_packet_size(&mut self.shared, now, path, size);
            self.settle(now, handle);
        }
    }

    pub(super) fn set_segments_max(&mut self, segments: usize) {
        self.shared.config.segments_max = segments.clamp(1, BATCH_SEGMENTS_MAX);
    }

    pub(super) fn events_mut(&mut self) -> &mut EventQueue {
        &mut self.shared.events
    }

    pub(super) fn has_events(&self) -> bool {
        !self.shared.events.is_empty()
    }

    /// Takes back the buffer of a message.
    pub(super) fn recycle(&mut self, buffer: Vec<u8>) {
        self.shared.spares.buffers.put(buffer, 0);
    }

    pub(super) fn config(&self) -> &NodeConfig {
        &self.shared.config
    }

    /// Queues an answer to somebody unknown; returns whether there was room.
    pub(super) fn reply(&mut self, reply: Reply) -> bool {
        let has_room = self.replies.len() < self.shared.config.replies_max;
        if has_room {
            self.replies.push_back(reply);
        } else {
            self.shared.count_drop(DropReason::ReplyQueueFull);
        }
        has_room
    }

    /// After every call into a connection: does what it told the node, and notes that its timers
    /// may have changed. They are set when there is nothing more to send: before that they still
    /// change.
    #[inline]
    pub(super) fn settle(&mut self, now: Time, handle: ConnectionHandle) {
        while let Some((of, notice)) = self.shared.notices.pop_front() {
            self.handle_notice(now, of, notice);
            if of != handle {
                self.table.note_changed(of);
            }
        }
        let is_superseded = self.table.get(handle).is_some_and(|member| member.is_superseded);
        if is_superseded {
            self.end_superseded(now, handle);
        }
        self.table.note_changed(handle);
    }

    fn handle_notice(&mut self, now: Time, handle: ConnectionHandle, notice: Notice) {
        match notice {
            Notice::Identified { key, is_resumed: _, is_early } => {
                self.identify(now, handle, &key, is_early);
            }
            Notice::Confirmed => self.handle_confirmed(now, handle),
            Notice::TokenIssued(token, path) => self.table.issue(token, handle, path),
            Notice::TokenRetired(token) => self.table.retire(token, handle),
            Notice::Moved(address) => self.table.list_address(handle, address),
            Notice::AttemptFailed { reason, code, may_retry } => {
                self.handle_attempt_failed(now, handle, reason, code, may_retry);
            }
            Notice::Overfull(channel) => {
                if let Some(member) = self.table.get_mut(handle) {
                    member.connection.reset_overfull(&mut self.shared, now, channel);
                }
            }
            Notice::Closed => self.handle_closed(handle),
            Notice::Gone => self.forget(now, handle),
        }
    }

    /// Both sides are there: what only a handshake needs goes.
    fn handle_confirmed(&mut self, now: Time, handle: ConnectionHandle) {
        self.finish_attempt(now, handle);
        let Some(member) = self.table.get_mut(handle) else { return };
        let beginning = member.beginning.take();
        if let Some(number) = beginning.and_then(|beginning| beginning.half_open) {
            self.admission.confirm(number);
        }
        let connection = &member.connection;
        let (peer, remote) = (connection.peer, connection.remote());
        self.table.list_address(handle, remote);
        if let Some(peer) = peer {
            self.table.list_peer(handle, peer);
            self.judge_duels(now, handle, peer);
        }
    }

    /// A connection is over for the application. If no other with that peer was to stay, those that
    /// were not stay now.
    // spec: 7.14 both sides dial
    fn handle_closed(&mut self, handle: ConnectionHandle) {
        let Some(peer) = self.table.close(handle) else { return };
        if self.table.by_peer(peer).is_some() {
            return;
        }
        let left: Vec<ConnectionHandle> = self.table.with_peer(peer).collect();
        for handle in left {
            if let Some(member) = self.table.get_mut(handle) {
                member.is_superseded = false;
            }
        }
    }

    /// Long packets are of no use to the connection any more.
    pub(super) fn finish_attempt(&mut self, now: Time, handle: ConnectionHandle) {
        let Some(member) = self.table.get_mut(handle) else { return };
        let Some(beginning) = &mut member.beginning else { return };
        if let Some(listed) = beginning.listed.take() {
            self.attempts.finish(now, self.shared.config.attempt_timeout, listed);
        }
    }

    /// Nothing is left of a connection.
    fn forget(&mut self, now: Time, handle: ConnectionHandle) {
        self.finish_attempt(now, handle);
        if let Some(mut member) = self.table.remove(handle) {
            member.connection.forget_windows(&mut self.shared);
        }
    }

    /// Ends a connection at once, and tells the peer a code.
    pub(super) fn abort(
        &mut self,
        now: Time,
        handle: ConnectionHandle,
        code: ConnectionCode,
        reason: Error,
    ) {
        if let Some(member) = self.table.get_mut(handle) {
            member.connection.abort(&mut self.shared, now, code, reason);
        }
    }

    /// Ends the connections of everybody that `is_meant` says, as banned.
    pub(super) fn end_banned(
        &mut self,
        now: Time,
        is_meant: impl Fn(Option<PeerId>, SocketAddr) -> bool,
    ) {
        for handle in self.table.handles() {
            let Ok(member) = self.table.live(handle) else { continue };
            let connection = &member.connection;
            if is_meant(connection.peer, connection.remote()) {
                self.abort(now, handle, ConnectionCode::Refused, Error::Banned);
                self.settle(now, handle);
            }
        }
    }

    pub(super) fn has_banned(&self, now: Time, ip: IpAddr) -> bool {
        self.bans.has_address(now, ip)
    }

    fn count_sent(&mut self, transmit: &Transmit) {
        let count = transmit.len.div_ceil(transmit.segment_size.max(1)) as u64;
        self.shared.stats.datagrams_sent += count;
        self.shared.stats.bytes_sent += transmit.len as u64;
    }
}
