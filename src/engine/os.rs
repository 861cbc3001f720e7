//! What only the operating system knows, and the few calls that need `unsafe`.

#![expect(unsafe_code, reason = "system calls that no crate of ours wraps")]

#[cfg(target_os = "linux")]
use std::io;
use std::net::{SocketAddr, UdpSocket};

#[cfg(target_os = "linux")]
use quinn_udp::{EcnCodepoint, RecvMeta};

use crate::error::Error;

/// Whether a batch of fewer datagrams than asked for was all there was: so with `recvmmsg`, and not
/// where each call receives one.
pub(super) const SHORT_BATCH_IS_THE_LAST: bool =
    cfg!(any(target_os = "linux", target_os = "android"));

/// 32 bytes of the system's randomness, for a node's seed.
pub(super) fn seed() -> Result<[u8; 32], Error> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|_| Error::Unexpected)?;
    Ok(seed)
}

/// The descriptor that becomes readable when `poll` has something to report.
#[cfg(unix)]
pub(super) fn poll_fd(poll: &mio::Poll) -> Option<i32> {
    use std::os::fd::AsRawFd;
    Some(poll.as_raw_fd())
}

/// Elsewhere there is none.
#[cfg(not(unix))]
pub(super) fn poll_fd(_poll: &mio::Poll) -> Option<i32> {
    None
}

/// A timer of the system that makes a poll report it. Unlike a poll's own time limit it stays set
/// from one wait to the next: setting and clearing one for each costs microseconds, in a virtual
/// machine several.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub(super) struct Alarm(std::os::fd::OwnedFd);

#[cfg(target_os = "linux")]
impl Alarm {
    /// An alarm that is not set, in `registry`; none where the system gives none.
    pub(super) fn new(registry: &mio::Registry, token: mio::Token) -> Option<Alarm> {
        use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
        let flags = libc::TFD_NONBLOCK | libc::TFD_CLOEXEC;
        // SAFETY: the call takes no pointers.
        let fd = unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, flags) };
        if fd < 0 {
            return None;
        }
        // SAFETY: the descriptor was just opened, and nobody else has it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        let raw = fd.as_raw_fd();
        let mut source = mio::unix::SourceFd(&raw);
        registry.register(&mut source, token, mio::Interest::READABLE).ok()?;
        Some(Alarm(fd))
    }

    /// Has it go off once, so long from now; whether the system took it.
    pub(super) fn set(&self, after: std::time::Duration) -> bool {
        use std::os::fd::AsRawFd;
        let Ok(seconds) = libc::time_t::try_from(after.as_secs()) else { return false };
        let never = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // All zeros would clear it.
        let nanos = libc::c_long::from(after.subsec_nanos()).max(1);
        let at = libc::timespec { tv_sec: seconds, tv_nsec: nanos };
        let new = libc::itimerspec { it_interval: never, it_value: at };
        let (fd, old) = (self.0.as_raw_fd(), std::ptr::null_mut());
        // SAFETY: the descriptor is open while `self` lives; the kernel reads `new`, which lives
        // until the call returns, and no old value is asked for.
        unsafe { libc::timerfd_settime(fd, 0, &raw const new, old) == 0 }
    }
}

/// Elsewhere a poll's own time limit has to do.
#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
pub(super) struct Alarm(std::convert::Infallible);

#[cfg(not(target_os = "linux"))]
impl Alarm {
    /// None.
    pub(super) fn new(_registry: &mio::Registry, _token: mio::Token) -> Option<Alarm> {
        None
    }

    /// Never called.
    pub(super) fn set(&self, _after: std::time::Duration) -> bool {
        match self.0 {}
    }
}

/// Turns off the time stamps that quinn-udp asks for: we do not read them, and while any socket of
/// the machine wants them the kernel reads its clock for each packet.
#[cfg(target_os = "linux")]
pub(super) fn disable_timestamps(socket: &UdpSocket) {
    disable(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS);
}

/// Nothing to turn off.
#[cfg(not(target_os = "linux"))]
pub(super) fn disable_timestamps(_socket: &UdpSocket) {}

/// Turns off that each packet tells to which address of ours it came, for a socket that is bound to
/// one: the kernel looks the address up in its routes for each packet.
#[cfg(target_os = "linux")]
pub(super) fn disable_packet_info(socket: &UdpSocket, is_ipv4: bool) {
    let (level, name) = match is_ipv4 {
        true => (libc::IPPROTO_IP, libc::IP_PKTINFO),
        false => (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO),
    };
    disable(socket, level, name);
}

/// It costs little, or nothing is known of it.
#[cfg(not(target_os = "linux"))]
pub(super) fn disable_packet_info(_socket: &UdpSocket, _is_ipv4: bool) {}

/// Receives into one buffer: cheaper than the call for several, which is what quinn-udp has.
#[cfg(target_os = "linux")]
pub(super) fn receive_one(
    socket: &UdpSocket,
    buffer: &mut [u8],
    meta: &mut RecvMeta,
) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let mut name = Name([0; NAME_SIZE]);
    let mut control = Control([0; CONTROL_SIZE]);
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: `msghdr` is plain data, for which all zeros is a value.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_name = name.0.as_mut_ptr().cast();
    header.msg_namelen = NAME_SIZE as libc::socklen_t;
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    header.msg_control = control.0.as_mut_ptr().cast();
    // Not of one type in all C libraries.
    header.msg_controllen = CONTROL_SIZE as _;
    let len = loop {
        // SAFETY: the descriptor is open while `socket` is borrowed; the header points to `name`,
        // `part`, `control` and through `part` to `buffer`, with their sizes, all of which live
        // until the call returns and which nothing else uses meanwhile.
        let len = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, 0) };
        match usize::try_from(len) {
            Ok(len) => break len,
            Err(_) => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
        }
    };
    *meta = RecvMeta::default();
    (meta.len, meta.stride) = (len, len);
    meta.addr = address_of(&name.0).ok_or(io::ErrorKind::InvalidData)?;
    let told: usize = header.msg_controllen as _;
    read_control(&control.0[..told.min(CONTROL_SIZE)], meta);
    Ok(())
}

/// Where the kernel puts a sender, of either family.
#[cfg(target_os = "linux")]
#[repr(align(8))]
struct Name([u8; NAME_SIZE]);

#[cfg(target_os = "linux")]
const NAME_SIZE: usize = size_of::<libc::sockaddr_in6>();

/// Where it puts what else it tells: GRO's size, the ECN bits and our address, of both families.
#[cfg(target_os = "linux")]
#[repr(align(8))]
struct Control([u8; CONTROL_SIZE]);

#[cfg(target_os = "linux")]
const CONTROL_SIZE: usize = 160;

/// A `sockaddr_in` or `sockaddr_in6`.
#[cfg(target_os = "linux")]
#[inline]
fn address_of(name: &[u8; NAME_SIZE]) -> Option<SocketAddr> {
    use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV6};
    let (family, rest) = name.split_first_chunk()?;
    let (port, rest) = rest.split_first_chunk()?;
    let (first, rest) = rest.split_first_chunk::<4>()?;
    let port = u16::from_be_bytes(*port);
    match libc::c_int::from(libc::sa_family_t::from_ne_bytes(*family)) {
        libc::AF_INET => Some(SocketAddr::new(Ipv4Addr::from(*first).into(), port)),
        libc::AF_INET6 => {
            let (ip, rest) = rest.split_first_chunk::<16>()?;
            let (flow, scope) = (u32::from_ne_bytes(*first), rest.first_chunk()?);
            let scope = u32::from_ne_bytes(*scope);
            Some(SocketAddrV6::new(Ipv6Addr::from(*ip), port, flow, scope).into())
        }
        _ => None,
    }
}

/// Reads control messages, each a `cmsghdr` and its data, padded to a word.
#[cfg(target_os = "linux")]
#[inline]
fn read_control(mut control: &[u8], meta: &mut RecvMeta) {
    const WORD: usize = size_of::<usize>();
    const HEADER: usize = size_of::<libc::cmsghdr>();
    while let Some((len, rest)) = control.split_first_chunk::<WORD>() {
        let len = usize::from_ne_bytes(*len);
        let Some(kind) = rest.first_chunk::<8>() else { return };
        let Some(data) = control.get(HEADER..len) else { return };
        let [a, b, c, d, e, f, g, h] = *kind;
        let level = libc::c_int::from_ne_bytes([a, b, c, d]);
        let kind = libc::c_int::from_ne_bytes([e, f, g, h]);
        let number = || data.first_chunk().map(|data| libc::c_int::from_ne_bytes(*data));
        match (level, kind) {
            (libc::IPPROTO_IP, libc::IP_TOS) => {
                meta.ecn = data.first().and_then(|bits| EcnCodepoint::from_bits(*bits));
            }
            (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) => {
                meta.ecn = number().and_then(|bits| EcnCodepoint::from_bits(bits as u8));
            }
            (libc::SOL_UDP, libc::UDP_GRO) => {
                let stride = number().and_then(|size| usize::try_from(size).ok());
                meta.stride = stride.unwrap_or(meta.stride);
            }
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                // Behind the interface's index and the local address stands where it went.
                let ip = data.get(8..).and_then(|data| data.first_chunk::<4>());
                meta.dst_ip = ip.map(|ip| (*ip).into());
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                meta.dst_ip = data.first_chunk::<16>().map(|ip| (*ip).into());
            }
            _ => {}
        }
        let Some(rest) = control.get(len.next_multiple_of(WORD)..) else { return };
        control = rest;
    }
}

/// Sets the ECN bits of packets that are sent without naming any; whether the system took that.
#[cfg(target_os = "linux")]
pub(super) fn set_default_mark(socket: &UdpSocket, bits: u8, is_v4: bool, is_v6: bool) -> bool {
    let bits = bits.into();
    (!is_v4 || set_option(socket, libc::IPPROTO_IP, libc::IP_TOS, bits))
        && (!is_v6 || set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_TCLASS, bits))
}

/// Not tried elsewhere.
#[cfg(not(target_os = "linux"))]
pub(super) fn set_default_mark(_socket: &UdpSocket, _bits: u8, _is_v4: bool, _is_v6: bool) -> bool {
    false
}

/// Turns an option off that is on.
#[cfg(target_os = "linux")]
fn disable(socket: &UdpSocket, level: libc::c_int, name: libc::c_int) {
    let is_off = set_option(socket, level, name, 0);
    debug_assert!(is_off, "turning an option off that was just turned on");
}

/// Whether the system took it.
#[cfg(target_os = "linux")]
fn set_option(
    socket: &UdpSocket,
    level: libc::c_int,
    name: libc::c_int,
    value: libc::c_int,
) -> bool {
    use std::os::fd::AsRawFd;
    // SAFETY: the descriptor is open while `socket` is borrowed, and the kernel reads
    // `size_of::<c_int>()` bytes of `value`, which lives until the call returns.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    result == 0
}

/// What the interface towards `to` takes, in bytes of UDP payload.
// spec: 12.11 MTU
#[cfg(target_os = "linux")]
pub(super) fn packet_size_max(to: SocketAddr) -> Option<usize> {
    use std::net::{Ipv4Addr, Ipv6Addr};
    use std::os::fd::AsRawFd;
    let (any, level, name, headers) = match to {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED.into(), libc::IPPROTO_IP, libc::IP_MTU, 28),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED.into(), libc::IPPROTO_IPV6, libc::IPV6_MTU, 48),
    };
    // Only a connected socket knows. Connecting sends nothing.
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).ok()?;
    socket.connect(to).ok()?;
    let mut mtu: libc::c_int = 0;
    let mut len = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the descriptor is open while `socket` lives, and the kernel writes at most `len`
    // bytes to `mtu`, which has that many, and to `len`.
    let result = unsafe {
        libc::getsockopt(socket.as_raw_fd(), level, name, (&raw mut mtu).cast(), &raw mut len)
    };
    let mtu = usize::try_from(mtu).ok().filter(|_| result == 0)?;
    mtu.checked_sub(headers)
}

/// Elsewhere the search has to find it.
#[cfg(not(target_os = "linux"))]
pub(super) fn packet_size_max(_to: SocketAddr) -> Option<usize> {
    None
}

/// Keeps signals away from the calling thread: they belong to the application's own threads.
#[cfg(unix)]
pub(super) fn block_signals() {
    let mut set = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `set` is writable memory of the right type, which the call initialises.
    unsafe { libc::sigfillset(set.as_mut_ptr()) };
    // SAFETY: `set` was initialised above and is only read; no old mask is asked for.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut()) };
}

/// No signals here.
#[cfg(not(unix))]
pub(super) fn block_signals() {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    // spec: 12.11 MTU
    #[test]
    fn the_loopback_says_what_it_takes() {
        for (address, headers) in [("127.0.0.1:9", 28), ("[::1]:9", 48)] {
            let size = packet_size_max(address.parse().expect("address")).expect("it says so");
            assert!((1_200..=65_536 - headers).contains(&size), "{address}: {size}");
        }
    }
}
