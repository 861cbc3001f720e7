//! What one engine drives: a node, QUIC channels, or both on one port.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use super::dispatch::Events;
use crate::error::Error;
use crate::id::PeerId;
use crate::io::{Receive, SendError, Transmit};
use crate::node::Node;
use crate::quic::{Quic, QuicEvent};
use crate::time::Time;

/// The five verbs, for whichever parts there are.
pub(super) struct Parts {
    node: Option<Node>,
    quic: Option<Quic>,
    /// Whose transmits are asked for first next time.
    is_quics_turn: bool,
}

/// What happened, of both kinds.
#[derive(Default)]
pub(super) struct Happened {
    pub(super) node: Events,
    pub(super) quic: VecDeque<QuicEvent>,
}

impl Happened {
    /// Whether there is nothing to report.
    pub(super) fn is_empty(&self) -> bool {
        self.node.is_empty() && self.quic.is_empty()
    }
}

impl Parts {
    /// At least one of them must be there.
    pub(super) fn new(node: Option<Node>, quic: Option<Quic>) -> Result<Parts, Error> {
        if node.is_none() && quic.is_none() {
            return Err(Error::InvalidArgument);
        }
        Ok(Parts { node, quic, is_quics_turn: false })
    }

    /// The node, or `Unsupported`.
    pub(super) fn node(&mut self) -> Result<&mut Node, Error> {
        self.node.as_mut().ok_or(Error::Unsupported)
    }

    /// QUIC channels, or `Unsupported`.
    pub(super) fn quic(&mut self) -> Result<&mut Quic, Error> {
        self.quic.as_mut().ok_or(Error::Unsupported)
    }

    /// Adds QUIC channels; `State` when there are some.
    pub(super) fn add_quic(&mut self, quic: Quic) -> Result<(), Error> {
        if self.quic.is_some() {
            return Err(Error::State);
        }
        let mut quic = quic;
        if let Some(bans) = self.node.as_ref().and_then(Node::bans) {
            quic.inherit_bans(bans);
        }
        self.quic = Some(quic);
        Ok(())
    }

    /// Bans a peer id at whatever is there.
    pub(super) fn ban_peer(
        &mut self,
        now: Time,
        peer: PeerId,
        span: Duration,
    ) -> Result<(), Error> {
        if let Some(node) = &mut self.node {
            node.ban_peer(now, peer, span)?;
        }
        self.quic.as_mut().map_or(Ok(()), |quic| quic.ban_peer(now, peer, span))
    }

    /// Bans an IP address at whatever is there.
    pub(super) fn ban_address(
        &mut self,
        now: Time,
        ip: IpAddr,
        span: Duration,
    ) -> Result<(), Error> {
        if let Some(node) = &mut self.node {
            node.ban_address(now, ip, span)?;
        }
        self.quic.as_mut().map_or(Ok(()), |quic| quic.ban_address(now, ip, span))
    }

    /// Lifts a ban; whether there was one.
    pub(super) fn lift_ban_peer(&mut self, peer: PeerId) -> bool {
        let node = self.node.as_mut().is_some_and(|node| node.lift_ban_peer(peer));
        let quic = self.quic.as_mut().is_some_and(|quic| quic.lift_ban_peer(peer));
        node || quic
    }

    /// Lifts a ban; whether there was one.
    pub(super) fn lift_ban_address(&mut self, ip: IpAddr) -> bool {
        let node = self.node.as_mut().is_some_and(|node| node.lift_ban_address(ip));
        let quic = self.quic.as_mut().is_some_and(|quic| quic.lift_ban_address(ip));
        node || quic
    }

    /// How many of the first bytes of `data` belong together: datagrams for QUIC, or none of them.
    // spec: 2.1 first byte
    pub(super) fn run(&self, from: &Receive, data: &[u8]) -> usize {
        if self.node.is_none() || self.quic.is_none() {
            return data.len();
        }
        let mut datagrams = data.chunks(from.stride.max(1));
        let is_quic = datagrams.next().is_some_and(Quic::is_quic);
        let same = datagrams.take_while(|datagram| Quic::is_quic(datagram) == is_quic).count();
        ((1 + same) * from.stride.max(1)).min(data.len())
    }

    /// Takes datagrams that belong together; see `run`.
    pub(super) fn handle_datagram(&mut self, now: Time, from: &Receive, data: &mut [u8]) {
        match (&mut self.node, &mut self.quic) {
            (_, Some(quic)) if Quic::is_quic(data) => quic.handle_datagram(now, from, data),
            (Some(node), _) => node.handle_datagram(now, from, data),
            // QUIC alone, and this is none.
            (None, _) => {}
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Time) {
        if let Some(node) = &mut self.node {
            node.handle_timeout(now);
        }
        if let Some(quic) = &mut self.quic {
            quic.handle_timeout(now);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Time> {
        let node = self.node.as_ref().and_then(Node::poll_timeout);
        let quic = self.quic.as_ref().and_then(Quic::poll_timeout);
        node.into_iter().chain(quic).min()
    }

    pub(super) fn poll_transmit(&mut self, now: Time, buf: &mut Vec<u8>) -> Option<Transmit> {
        for _ in 0..2 {
            let is_quics_turn = self.is_quics_turn;
            self.is_quics_turn = !is_quics_turn;
            let transmit = match is_quics_turn {
                true => self.quic.as_mut().and_then(|quic| quic.poll_transmit(now, buf)),
                false => self.node.as_mut().and_then(|node| node.poll_transmit(now, buf)),
            };
            if transmit.is_some() {
                return transmit;
            }
        }
        None
    }

    pub(super) fn collect(&mut self, happened: &mut Happened) {
        if let Some(node) = &mut self.node {
            happened.node.collect(node);
        }
        if let Some(quic) = &mut self.quic {
            quic.take_events(&mut happened.quic);
        }
    }

    pub(super) fn has_events(&self) -> bool {
        self.node.as_ref().is_some_and(Node::has_events)
            || self.quic.as_ref().is_some_and(Quic::has_events)
    }

    pub(super) fn has_transmits(&self) -> bool {
        self.node.as_ref().is_some_and(Node::has_transmits)
            || self.quic.as_ref().is_some_and(Quic::has_transmits)
    }

    pub(super) fn has_handshakes(&self) -> bool {
        self.node.as_ref().is_some_and(Node::has_handshakes)
    }

    /// A transmit failed; `limit` is what the interface takes, if it is known. QUIC finds out by
    /// itself.
    pub(super) fn handle_send_error(
        &mut self,
        now: Time,
        transmit: &Transmit,
        error: SendError,
        limit: Option<usize>,
    ) {
        let Some(node) = &mut self.node else { return };
        if let Some(limit) = limit {
            node.limit_packet_size(now, transmit, limit);
        }
        node.handle_send_error(now, transmit, error);
    }

    pub(super) fn set_segments_max(&mut self, segments: usize) {
        if let Some(node) = &mut self.node {
            node.set_segments_max(segments);
        }
        if let Some(quic) = &mut self.quic {
            quic.set_segments_max(segments);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::NodeConfig;
    use crate::crypto::Identity;
    use crate::io::{EcnMark, Local};
    use crate::quic::{QuicConfig, Trust};

    fn parts() -> Parts {
        let identity = Identity::from_seed([1; 32]);
        let config = NodeConfig::new(PeerId([1; 16]));
        let node = Node::new(config, Some(identity.clone()), [1; 32], Time::ZERO);
        let config = QuicConfig::new(Trust::RawKeys { identity, peers: Vec::new() });
        let quic = Quic::new(config, [2; 32], Time::ZERO, Duration::ZERO);
        Parts::new(Some(node.expect("settings")), Some(quic.expect("settings"))).expect("two parts")
    }

    // spec: 2.1 first byte
    #[test]
    fn datagrams_of_one_buffer_are_told_apart_by_their_first_bytes() {
        let mut parts = parts();
        let from = Receive {
            from: ([10, 0, 0, 1], 7).into(),
            local: Local::default(),
            stride: 10,
            ecn: EcnMark::None,
        };
        let mut data = [0; 57];
        for (index, first) in [0x40, 0xff, 0x80, 0x00, 0x7f, 0x0c].into_iter().enumerate() {
            data[index * 10] = first;
        }
        let mut rest = &mut data[..];
        let mut runs = Vec::new();
        while !rest.is_empty() {
            let (run, behind) = rest.split_at_mut(parts.run(&from, rest));
            parts.handle_datagram(Time::ZERO, &from, run);
            runs.push(run.len());
            rest = behind;
        }
        assert_eq!(runs, [20, 20, 10, 7]);
        assert_eq!(parts.quic().map(|quic| quic.stats().datagrams_received), Ok(3));
        assert_eq!(parts.node().map(|node| node.stats().datagrams_received), Ok(3));
    }
}
