//! One link to a peer: where it is, whether it proved that, and how large packets may be.

use std::net::SocketAddr;
use std::time::Duration;

use crate::config::PACKET_SIZE_MIN;
use crate::io::Local;
use crate::time::Time;

/// The address that we send to. It changes only by proof: a cookie exchange from the new one.
#[derive(Debug)]
pub(crate) struct Path {
    pub(crate) remote: SocketAddr,
    pub(crate) local: Local,
    /// Whether the peer answered from there; before, it is what the application said.
    pub(crate) is_proven: bool,
    /// Most bytes of a packet.
    pub(crate) packet_size: usize,
    /// A cookie exchange with an address that packets came from.
    pub(crate) probe: Option<Probe>,
}

/// A NEW that only asks for proof of an address: its ACKNOWLEDGE is the end of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Probe {
    pub(crate) address: SocketAddr,
    pub(crate) local: Local,
    pub(crate) half: u16,
    pub(crate) cookie: u32,
    pub(crate) sent_at: Time,
}

/// Packet sizes to fall back to: Ethernet, then IPv6's least MTU, then what every IPv4 host takes;
/// all less IPv6 and UDP headers.
const FALLBACK_SIZES: [usize; 4] = [1452, 1232, 528, PACKET_SIZE_MIN];

impl Path {
    pub(crate) fn new(
        remote: SocketAddr,
        local: Local,
        is_proven: bool,
        packet_size: usize,
    ) -> Path {
        Path { remote, local, is_proven, packet_size, probe: None }
    }

    /// Whether a packet from `address` may start a probe: not before the last one had its time.
    pub(crate) fn may_probe(&self, now: Time, wait: Duration) -> bool {
        self.probe.is_none_or(|probe| now.since(probe.sent_at) >= wait)
    }

    /// The peer proved that it is at `remote`. Whether that is news.
    pub(crate) fn prove(&mut self, remote: SocketAddr, local: Local) -> bool {
        let is_new = self.remote != remote;
        (self.remote, self.local, self.is_proven, self.probe) = (remote, local, true, None);
        is_new
    }

    /// A packet of `size` bytes was too large for the path. Whether the packet size shrank for it.
    pub(crate) fn shrink(&mut self, size: usize) -> bool {
        if size > self.packet_size {
            return false;
        }
        match FALLBACK_SIZES.into_iter().find(|smaller| *smaller < size) {
            Some(smaller) => {
                self.packet_size = smaller;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packet_size_steps_down_to_the_least_and_stays() {
        let remote = "192.0.2.1:9".parse().expect("valid");
        let mut path = Path::new(remote, Local::default(), true, 9000);
        let mut sizes = Vec::new();
        while path.shrink(path.packet_size) {
            sizes.push(path.packet_size);
        }
        assert_eq!(sizes, FALLBACK_SIZES);
        assert!(!path.shrink(9000), "news of an old, larger packet changes nothing");
    }
}
