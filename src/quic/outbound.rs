//! From connections to datagrams.

use std::ops::Bound;

use quinn_proto::EcnCodepoint;

use super::Quic;
use super::events::QuicConnection;
use super::member::Member;
use crate::config::BATCH_BYTES_MAX;
use crate::io::{EcnMark, Local, Transmit, canonical};
use crate::time::Time;

impl Quic {
    /// The next datagrams to send, as the first `len` bytes of `buf`, which may be swapped for
    /// another buffer; pass it again as it is.
    pub fn poll_transmit(&mut self, now: Time, buf: &mut Vec<u8>) -> Option<Transmit> {
        if let Some((transmit, bytes)) = self.replies.pop_front() {
            *buf = bytes;
            self.count_sent(&transmit);
            return Some(transmit);
        }
        // Connections take turns, a batch each.
        while let Some(id) = self.next_sender() {
            self.turn = id;
            let Some(member) = self.members.get_mut(&id) else { continue };
            member.flush(&mut self.shared);
            let at = self.clock.instant(now);
            let made = transmit_of(member, now, at, self.shared.config.segments_max, buf);
            if let Some(transmit) = made {
                self.count_sent(&transmit);
                return Some(transmit);
            }
            member.wants_transmit = false;
            // Sending what was left may have ended a connection that drains.
            self.finish_drive(now, id);
        }
        None
    }

    /// Whether `poll_transmit` may have something right now.
    pub fn has_transmits(&self) -> bool {
        !self.replies.is_empty() || self.members.values().any(|member| member.wants_transmit)
    }

    fn next_sender(&self) -> Option<QuicConnection> {
        let after = (Bound::Excluded(self.turn), Bound::Unbounded);
        let mut all = self.members.range(after).chain(self.members.range(..=self.turn));
        all.find(|(_, member)| member.wants_transmit).map(|(id, _)| *id)
    }

    fn count_sent(&mut self, transmit: &Transmit) {
        let datagrams = transmit.len.div_ceil(transmit.segment_size.max(1));
        self.shared.stats.datagrams_sent += datagrams as u64;
        self.shared.stats.datagram_bytes_sent += transmit.len as u64;
    }
}

/// A batch of one connection, as far as its gate lets it.
fn transmit_of(
    member: &mut Member,
    now: Time,
    at: std::time::Instant,
    segments_max: usize,
    buf: &mut Vec<u8>,
) -> Option<Transmit> {
    let mtu = usize::from(member.connection.current_mtu());
    // In bits a second; controllers that only have a window leave pacing to QUIC.
    let rate = member.connection.congestion_state().metrics().pacing_rate.map(|bits| bits / 8);
    let allowed = match rate {
        Some(rate) => member.gate.open(now, rate, mtu as u64, member.is_urgent),
        None => usize::MAX,
    };
    if allowed == 0 {
        return None;
    }
    let datagrams = allowed.min(segments_max).min(BATCH_BYTES_MAX / mtu).max(1);
    buf.clear();
    let Some(transmit) = member.connection.poll_transmit(at, datagrams, buf) else {
        member.note_rest(at);
        return None;
    };
    member.is_urgent = false;
    if let Some(rate) = rate {
        member.gate.note_sent(transmit.size as u64, rate);
    }
    Some(Transmit {
        to: canonical(transmit.destination),
        local: Local { socket: member.local.socket, ip: transmit.src_ip.or(member.local.ip) },
        len: transmit.size,
        segment_size: transmit.segment_size.unwrap_or(transmit.size),
        ecn: match transmit.ecn {
            None => EcnMark::None,
            Some(EcnCodepoint::Ect0) => EcnMark::Ect0,
            Some(EcnCodepoint::Ect1) => EcnMark::Ect1,
            Some(EcnCodepoint::Ce) => EcnMark::Ce,
        },
        connection: None,
    })
}
