//! One UDP socket: how it is made, how a node's transmits leave it, where received bytes came to.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr, SocketAddrV6, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use mio::{Interest, Registry, Token};
use quinn_udp::{EcnCodepoint, RecvMeta, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, Type};

use super::stats::Counters;
use super::{EngineConfig, os};
use crate::io::{EcnMark, Local, Receive, SendError, Transmit, canonical};

/// A bound socket. Sending and receiving need no lock: the kernel has its own.
pub(super) struct Socket {
    index: u16,
    io: UdpSocket,
    /// The same socket as the poll knows it; changing what it waits for needs `&mut`.
    registered: Mutex<mio::net::UdpSocket>,
    /// Whether the poll reports room for sending.
    watches_writable: AtomicBool,
    state: UdpSocketState,
    family: Family,
    /// Bound to no particular address, so that answers must name the one they leave from.
    is_wildcard: bool,
    address: SocketAddr,
    /// Datagrams one call may hold. Ours, since quinn-udp also lowers its own for reasons that have
    /// nothing to do with segmentation.
    segments_max: AtomicUsize,
    /// The ECN bits of what is sent without naming any.
    default_mark: AtomicU8,
    /// How many datagrams in a row had another mark.
    marked_otherwise: AtomicU8,
}

/// After so many datagrams in a row with another mark, that becomes the socket's own.
const MARKED_OTHERWISE_MAX: u8 = 32;

/// Which addresses a socket can send to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    V4,
    V6,
    Both,
}

/// How sending went.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// All of it left, or was lost in a way that only counters tell.
    Done,
    /// The socket's buffer is full; so many bytes left before.
    Full(usize),
    /// The system refused, for a reason that the node should know.
    Failed(SendError),
}

impl Socket {
    /// Makes, binds and registers a socket.
    pub(super) fn bind(
        index: u16,
        address: SocketAddr,
        config: &EngineConfig,
        registry: &Registry,
    ) -> io::Result<Socket> {
        let address = canonical(address);
        let (io, family) = open(address)?;
        let state = UdpSocketState::new(UdpSockRef::from(&io))?;
        os::disable_timestamps(&io);
        // As much as the system gives: less than asked for is normal, and no error.
        let _ = state.set_send_buffer_size(UdpSockRef::from(&io), config.send_buffer_bytes);
        let _ = state.set_recv_buffer_size(UdpSockRef::from(&io), config.receive_buffer_bytes);
        let segments_max = state.max_gso_segments().clamp(1, config.segments_max);
        let address = io.local_addr()?;
        let is_wildcard = address.ip().is_unspecified();
        if !is_wildcard {
            os::disable_packet_info(&io, address.is_ipv4());
        }
        let mut registered = mio::net::UdpSocket::from_std(io.try_clone()?);
        registry.register(&mut registered, Token(usize::from(index)), Interest::READABLE)?;
        Ok(Socket {
            index,
            io,
            registered: Mutex::new(registered),
            watches_writable: AtomicBool::new(false),
            state,
            family,
            is_wildcard,
            address,
            segments_max: AtomicUsize::new(segments_max),
            default_mark: AtomicU8::new(0),
            marked_otherwise: AtomicU8::new(0),
        })
    }

    /// Asks to be told of room for sending, or no longer. Only while needed: otherwise each sent
    /// packet would wake the loop once more.
    pub(super) fn watch_writable(&self, registry: &Registry, watch: bool) {
        if self.watches_writable.load(Ordering::Relaxed) == watch {
            return;
        }
        let mut interest = Interest::READABLE;
        if watch {
            interest |= Interest::WRITABLE;
        }
        let mut registered = self.registered.lock().unwrap_or_else(PoisonError::into_inner);
        let result =
            registry.reregister(&mut *registered, Token(usize::from(self.index)), interest);
        // When that fails the loop still tries again after `BLOCKED_RETRY`.
        self.watches_writable.store(watch && result.is_ok(), Ordering::Relaxed);
    }

    /// Sends `bytes`, in as few calls as the system allows. `has_turn`: the caller is the thread
    /// that has the turn, and no other is.
    pub(super) fn send(
        &self,
        transmit: &Transmit,
        bytes: &[u8],
        has_turn: bool,
        counters: &Counters,
    ) -> Outcome {
        let size = transmit.segment_size.max(1);
        let mut sent = 0;
        // What `segments_max` was before a batch of this call was refused.
        let mut lowered = None;
        while sent < bytes.len() {
            let segments = self.segments_max();
            let piece = &bytes[sent..bytes.len().min(sent + size * segments)];
            let Err(error) = self.send_piece(transmit, piece, has_turn, counters) else {
                counters.sends.add(1);
                counters.datagrams_sent.add(piece.len().div_ceil(size));
                counters.bytes_sent.add(piece.len());
                sent += piece.len();
                lowered = None;
                continue;
            };
            if error.kind() == io::ErrorKind::WouldBlock {
                counters.would_blocks.add(1);
                return Outcome::Full(sent);
            }
            if piece.len() > size && is_invalid(&error) {
                // Perhaps no segmentation here; perhaps only datagrams larger than the interface
                // takes, which says the same. Sending one alone tells.
                counters.segmentation_failures.add(1);
                lowered = Some(segments);
                self.segments_max.store(1, Ordering::Relaxed);
                continue;
            }
            if let Some(segments) = lowered {
                self.segments_max.store(segments, Ordering::Relaxed);
            }
            return note_failure(&error, counters);
        }
        Outcome::Done
    }

    /// Fills buffers with what arrived; `WouldBlock` when nothing did.
    pub(super) fn receive(
        &self,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> io::Result<usize> {
        self.state.recv(UdpSockRef::from(&self.io), buffers, meta)
    }

    /// As `receive`, with one buffer.
    pub(super) fn receive_one(&self, buffer: &mut [u8], meta: &mut RecvMeta) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        let received = os::receive_one(&self.io, buffer, meta);
        #[cfg(not(target_os = "linux"))]
        let received =
            self.receive(&mut [IoSliceMut::new(buffer)], std::slice::from_mut(meta)).map(|_| ());
        received
    }

    /// Where a filled buffer came from, as the node wants it.
    pub(super) fn origin(&self, meta: &RecvMeta) -> Receive {
        let bound = (!self.is_wildcard).then(|| self.address.ip());
        let to = meta.dst_ip.or(bound);
        let ip = to.map(|ip| ip.to_canonical()).filter(|ip| can_be_source(*ip));
        Receive {
            from: canonical(meta.addr),
            local: Local { socket: self.index, ip },
            stride: meta.stride.max(1),
            ecn: mark_of(meta.ecn),
        }
    }

    /// Whether `address` is of a family that this socket can send to.
    pub(super) fn reaches(&self, address: SocketAddr) -> bool {
        match self.family {
            Family::V4 => address.is_ipv4(),
            Family::V6 => address.is_ipv6(),
            Family::Both => true,
        }
    }

    /// Datagrams that one call may hold now.
    pub(super) fn segments_max(&self) -> usize {
        self.segments_max.load(Ordering::Relaxed)
    }

    /// The address it is bound to.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    fn send_piece(
        &self,
        transmit: &Transmit,
        bytes: &[u8],
        has_turn: bool,
        counters: &Counters,
    ) -> io::Result<()> {
        // The socket's own mark must not change between the look at it and the call: one thread
        // alone does both.
        if has_turn && bytes.len() <= transmit.segment_size && self.is_plain(transmit) {
            // A fifth cheaper than the call that has room for more words about it.
            return self.io.send_to(bytes, self.destination(transmit.to)).map(|_| ());
        }
        let mut datagrams = quinn_udp::Transmit {
            destination: self.destination(transmit.to),
            ecn: codepoint(transmit.ecn),
            contents: bytes,
            segment_size: Some(transmit.segment_size),
            src_ip: self.source(transmit),
        };
        let result = self.state.try_send(UdpSockRef::from(&self.io), &datagrams);
        let Err(error) = result else { return Ok(()) };
        let is_about_size =
            error.kind() == io::ErrorKind::WouldBlock || quinn_udp::is_msg_size_err(&error);
        if datagrams.src_ip.is_none() || is_about_size {
            return Err(error);
        }
        // Perhaps the address we were spoken to at is ours no more, or never could be a source;
        // systems say so in different ways.
        datagrams.src_ip = None;
        self.state.try_send(UdpSockRef::from(&self.io), &datagrams)?;
        counters.source_failures.add(1);
        Ok(())
    }

    /// Whether all that is to be said of a datagram is its receiver. Marks differ from path to path
    /// and rarely within one, so the socket's own follows them.
    fn is_plain(&self, transmit: &Transmit) -> bool {
        let bits = codepoint(transmit.ecn).map_or(0, |codepoint| codepoint as u8);
        if self.source(transmit).is_some() {
            return false;
        }
        if bits == self.default_mark.load(Ordering::Relaxed) {
            self.marked_otherwise.store(0, Ordering::Relaxed);
            return true;
        }
        if self.marked_otherwise.fetch_add(1, Ordering::Relaxed) == MARKED_OTHERWISE_MAX {
            self.marked_otherwise.store(0, Ordering::Relaxed);
            let (is_v4, is_v6) = (self.family != Family::V6, self.family != Family::V4);
            if os::set_default_mark(&self.io, bits, is_v4, is_v6) {
                self.default_mark.store(bits, Ordering::Relaxed);
            }
        }
        false
    }

    /// The receiver's address in this socket's family.
    fn destination(&self, to: SocketAddr) -> SocketAddr {
        match to {
            SocketAddr::V4(v4) if self.family == Family::Both => {
                SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0).into()
            }
            SocketAddr::V4(_) | SocketAddr::V6(_) => to,
        }
    }

    /// The source to name, where the kernel could choose another.
    fn source(&self, transmit: &Transmit) -> Option<IpAddr> {
        let ours = self.is_wildcard && transmit.local.socket == self.index;
        transmit.local.ip.filter(|ip| ours && ip.is_ipv4() == transmit.to.is_ipv4())
    }
}

fn open(address: SocketAddr) -> io::Result<(UdpSocket, Family)> {
    let socket =
        socket2::Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    let family = match address {
        SocketAddr::V4(_) => Family::V4,
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => Family::Both,
        SocketAddr::V6(_) => Family::V6,
    };
    if family != Family::V4 {
        socket.set_only_v6(family == Family::V6)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok((socket.into(), family))
}

fn codepoint(mark: EcnMark) -> Option<EcnCodepoint> {
    match mark {
        EcnMark::None => None,
        EcnMark::Ect1 => Some(EcnCodepoint::Ect1),
        EcnMark::Ect0 => Some(EcnCodepoint::Ect0),
        EcnMark::Ce => Some(EcnCodepoint::Ce),
    }
}

fn mark_of(codepoint: Option<EcnCodepoint>) -> EcnMark {
    match codepoint {
        None => EcnMark::None,
        Some(EcnCodepoint::Ect1) => EcnMark::Ect1,
        Some(EcnCodepoint::Ect0) => EcnMark::Ect0,
        Some(EcnCodepoint::Ce) => EcnMark::Ce,
    }
}

/// Counts a failure and says what the node should know of it.
fn note_failure(error: &io::Error, counters: &Counters) -> Outcome {
    counters.note_error(error);
    if quinn_udp::is_msg_size_err(error) {
        counters.too_large.add(1);
        return Outcome::Failed(SendError::TooLarge);
    }
    let unreachable = [
        io::ErrorKind::NetworkUnreachable,
        io::ErrorKind::HostUnreachable,
        io::ErrorKind::ConnectionRefused,
        io::ErrorKind::NetworkDown,
    ];
    if unreachable.contains(&error.kind()) {
        counters.unreachable.add(1);
        return Outcome::Failed(SendError::Unreachable);
    }
    counters.socket_errors.add(1);
    Outcome::Done
}

/// The errors by which systems refuse to segment a batch, among other reasons.
fn is_invalid(error: &io::Error) -> bool {
    #[cfg(unix)]
    let is_device_refusal = error.raw_os_error() == Some(libc::EIO);
    #[cfg(not(unix))]
    let is_device_refusal = false;
    is_device_refusal || error.kind() == io::ErrorKind::InvalidInput
}

/// Whether a packet can leave from the address that another came to.
fn can_be_source(ip: IpAddr) -> bool {
    let is_broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    !(is_broadcast || ip.is_multicast() || ip.is_unspecified())
}

#[cfg(test)]
mod tests;
