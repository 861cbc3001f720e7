//! What is said to strangers: a few bytes, without an allocation.

use std::net::SocketAddr;

use crate::io::{EcnMark, Local, Transmit};

/// A datagram for somebody that we have no connection with: a cookie or a stateless reset.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    to: SocketAddr,
    local: Local,
    len: u8,
    bytes: [u8; Reply::SIZE_MAX],
}

impl Reply {
    /// Bytes of the largest one: a long header with a cookie of ours is 65.
    pub(super) const SIZE_MAX: usize = 68;

    /// `len` zeros, at most `SIZE_MAX`.
    pub(super) fn new(to: SocketAddr, local: Local, len: usize) -> Reply {
        debug_assert!(len <= Reply::SIZE_MAX, "replies are small");
        let len = len.min(Reply::SIZE_MAX) as u8;
        Reply { to, local, len, bytes: [0; Reply::SIZE_MAX] }
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..usize::from(self.len)]
    }

    /// Puts it at the front of `buf`.
    pub(super) fn transmit(&self, buf: &mut Vec<u8>) -> Transmit {
        let bytes = &self.bytes[..usize::from(self.len)];
        if buf.len() < bytes.len() {
            buf.resize(bytes.len(), 0);
        }
        buf[..bytes.len()].copy_from_slice(bytes);
        let (to, local, len) = (self.to, self.local, bytes.len());
        Transmit { to, local, len, segment_size: len, ecn: EcnMark::None, connection: None }
    }
}
