//! Addresses: a fixed struct, text, and the system's `sockaddr`.

use std::ffi::{CString, c_char, c_void};
use std::mem::{offset_of, size_of};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use super::guard::{self, Failure, Out, fail, guard};
use crate::error::Error;

/// No address.
pub const CHANNELER_FAMILY_NONE: u16 = 0;
/// An IPv4 address: the first 4 bytes of `ip`.
pub const CHANNELER_FAMILY_IPV4: u16 = 4;
/// An IPv6 address: all 16 bytes of `ip`.
pub const CHANNELER_FAMILY_IPV6: u16 = 6;
/// Room that the text of any address needs, its ending zero byte included.
pub const CHANNELER_ADDRESS_TEXT_MAX: usize = 64;

/// A UDP address: the same on every system, unlike `sockaddr`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct channeler_address {
    /// `CHANNELER_FAMILY_IPV4` or `CHANNELER_FAMILY_IPV6` (`CHANNELER_FAMILY_NONE`: no address).
    pub family: u16,
    /// The port, in the byte order of this machine.
    pub port: u16,
    /// Interface index of a link-local IPv6 address, else 0.
    pub scope_id: u32,
    /// The address in network order, as text has it; what IPv4 leaves over is 0.
    pub ip: [u8; 16],
}

/// Reads an address from text: `192.0.2.1:7000`, `[2001:db8::1]:7000`, `[fe80::1%eth0]:7000`.
///
/// Names of hosts are not looked up. An IPv6 scope is a number or the name of an interface.
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `CHANNELER_ERR_INVALID_ADDRESS`.
/// Thread: any.
///
/// # Safety
/// `text` is NULL or ends with a zero byte; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_address_parse(
    text: *const c_char,
    out: *mut channeler_address,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `text` is null or ends with a zero byte.
        let text = unsafe { guard::text(text, "text") }?;
        // SAFETY: the caller promises that `out` is null or writable.
        let out = unsafe { Out::new(out, "out") }?;
        out.set(parse(text)?.into());
        Ok(())
    })
}

/// Writes an address as `channeler_address_parse` reads it, ended by a zero byte.
///
/// `capacity` is the size of `buffer` in bytes; `CHANNELER_ADDRESS_TEXT_MAX` is enough.
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `CHANNELER_ERR_INVALID_ADDRESS`
/// (no such family), `CHANNELER_ERR_INSUFFICIENT_BUFFER_SIZE` (nothing was written). Thread: any.
///
/// # Safety
/// `address` is NULL or readable; `buffer` is NULL or has `capacity` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_address_format(
    address: *const channeler_address,
    buffer: *mut c_char,
    capacity: usize,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `address` is null or readable.
        let address = unsafe { guard::read(address, "address") }?;
        let text = SocketAddr::try_from(address)?.to_string();
        // SAFETY: the caller promises `capacity` writable bytes.
        unsafe { guard::write_text(buffer, capacity, &text) }
    })
}

/// Takes an address from the system's form: `sockaddr` is a `struct sockaddr_in` or
/// `struct sockaddr_in6` of `length` bytes, as `recvfrom` or `getaddrinfo` give it.
///
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `CHANNELER_ERR_INVALID_ADDRESS`
/// (another family, or too short for its own). Thread: any.
///
/// # Safety
/// `sockaddr` is NULL or has `length` readable bytes (no alignment is asked of it); `out` is NULL
/// or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_address_from_sockaddr(
    sockaddr: *const c_void,
    length: usize,
    out: *mut channeler_address,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises `length` readable bytes.
        let bytes = unsafe { guard::bytes(sockaddr.cast(), length, "sockaddr") }?;
        // SAFETY: the caller promises that `out` is null or writable.
        let out = unsafe { Out::new(out, "out") }?;
        out.set(from_sockaddr(bytes)?.into());
        Ok(())
    })
}

/// Writes an address in the system's form, for `sendto` and its like.
///
/// `capacity` is the size of `sockaddr` in bytes; that of `struct sockaddr_storage` is enough.
/// `*length` becomes the bytes written.
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `CHANNELER_ERR_INVALID_ADDRESS`
/// (no such family), `CHANNELER_ERR_INSUFFICIENT_BUFFER_SIZE` (nothing was written). Thread: any.
///
/// # Safety
/// `address` is NULL or readable; `sockaddr` is NULL or has `capacity` writable bytes; `length` is
/// NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_address_to_sockaddr(
    address: *const channeler_address,
    sockaddr: *mut c_void,
    capacity: usize,
    length: *mut usize,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `address` is null or readable.
        let address = unsafe { guard::read(address, "address") }?;
        // SAFETY: the caller promises `capacity` writable bytes.
        let buffer = unsafe { guard::bytes_mut(sockaddr.cast(), capacity, "sockaddr") }?;
        // SAFETY: the caller promises that `length` is null or writable.
        let length = unsafe { Out::new(length, "length") }?;
        let system = socket2::SockAddr::from(SocketAddr::try_from(address)?);
        let written = system.len() as usize;
        let Some(buffer) = buffer.get_mut(..written) else {
            return Err(guard::too_small("sockaddr", capacity, written));
        };
        // SAFETY: a `SockAddr` owns at least `len` initialised bytes at its pointer.
        buffer.copy_from_slice(unsafe {
            std::slice::from_raw_parts(system.as_ptr().cast::<u8>(), written)
        });
        length.set(written);
        Ok(())
    })
}

impl channeler_address {
    /// Whether this is what `SocketAddr::try_from` makes `other` of, which takes longer.
    #[inline]
    pub(super) fn is(&self, other: &SocketAddr) -> bool {
        match other {
            SocketAddr::V4(other) => {
                self.family == CHANNELER_FAMILY_IPV4
                    && self.port == other.port()
                    && self.ip.starts_with(&other.ip().octets())
            }
            SocketAddr::V6(other) => {
                self.family == CHANNELER_FAMILY_IPV6
                    && self.port == other.port()
                    && self.scope_id == other.scope_id()
                    && self.ip == other.ip().octets()
            }
        }
    }
}

impl From<SocketAddr> for channeler_address {
    fn from(address: SocketAddr) -> channeler_address {
        let mut ip = [0; 16];
        match address {
            SocketAddr::V4(v4) => {
                ip[..4].copy_from_slice(&v4.ip().octets());
                channeler_address {
                    family: CHANNELER_FAMILY_IPV4,
                    port: v4.port(),
                    scope_id: 0,
                    ip,
                }
            }
            SocketAddr::V6(v6) => channeler_address {
                family: CHANNELER_FAMILY_IPV6,
                port: v6.port(),
                scope_id: v6.scope_id(),
                ip: v6.ip().octets(),
            },
        }
    }
}

impl TryFrom<channeler_address> for SocketAddr {
    type Error = Failure;

    fn try_from(address: channeler_address) -> Result<SocketAddr, Failure> {
        let channeler_address { family, port, scope_id, ip } = address;
        match family {
            CHANNELER_FAMILY_IPV4 => {
                let ip = Ipv4Addr::new(ip[0], ip[1], ip[2], ip[3]);
                Ok(SocketAddr::new(IpAddr::V4(ip), port))
            }
            CHANNELER_FAMILY_IPV6 => {
                Ok(SocketAddr::V6(SocketAddrV6::new(Ipv6Addr::from(ip), port, 0, scope_id)))
            }
            other => Err(fail(
                Error::InvalidAddress,
                format!("the address family is {other}; allowed are 4 (IPv4) and 6 (IPv6)"),
            )),
        }
    }
}

/// Parses as the standard library does, and looks up the interface that a scope names.
fn parse(text: &str) -> Result<SocketAddr, Failure> {
    let wrong = || {
        fail(
            Error::InvalidAddress,
            format!(
                "\"{text}\" is no address; allowed are 192.0.2.1:port and [2001:db8::1%scope]:port"
            ),
        )
    };
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let inside = text.strip_prefix('[').ok_or_else(wrong)?;
    let (inside, port) = inside.rsplit_once("]:").ok_or_else(wrong)?;
    let (ip, interface) = inside.split_once('%').ok_or_else(wrong)?;
    let ip: Ipv6Addr = ip.parse().map_err(|_| wrong())?;
    let port: u16 = port.parse().map_err(|_| wrong())?;
    let name = CString::new(interface).map_err(|_| wrong())?;
    // SAFETY: `name` ends with a zero byte and lives through the call, which only reads it.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(fail(
            Error::InvalidAddress,
            format!("\"{interface}\" is neither a number nor an interface of this machine"),
        )),
        scope => Ok(SocketAddr::V6(SocketAddrV6::new(ip, port, 0, scope))),
    }
}

fn from_sockaddr(bytes: &[u8]) -> Result<SocketAddr, Failure> {
    let short = || {
        fail(
            Error::InvalidAddress,
            format!("the sockaddr has {} bytes, too few for its family", bytes.len()),
        )
    };
    let at = |offset: usize, len: usize| bytes.get(offset..offset + len).ok_or_else(short);
    let family_at = offset_of!(libc::sockaddr, sa_family);
    let family_bytes = at(family_at, size_of::<libc::sa_family_t>())?;
    let family = family_bytes.try_into().map(libc::sa_family_t::from_ne_bytes);
    let family = i32::from(family.map_err(|_| short())?);
    let port = |offset| at(offset, 2).map(|port| u16::from_be_bytes([port[0], port[1]]));
    match family {
        libc::AF_INET => {
            let ip = at(offset_of!(libc::sockaddr_in, sin_addr), 4)?;
            let ip = Ipv4Addr::new(ip[0], ip[1], ip[2], ip[3]);
            let port = port(offset_of!(libc::sockaddr_in, sin_port))?;
            Ok(SocketAddr::V4(SocketAddrV4::new(ip, port)))
        }
        libc::AF_INET6 => {
            let ip: [u8; 16] = at(offset_of!(libc::sockaddr_in6, sin6_addr), 16)?
                .try_into()
                .map_err(|_| short())?;
            let scope: [u8; 4] = at(offset_of!(libc::sockaddr_in6, sin6_scope_id), 4)?
                .try_into()
                .map_err(|_| short())?;
            let port = port(offset_of!(libc::sockaddr_in6, sin6_port))?;
            let scope = u32::from_ne_bytes(scope);
            Ok(SocketAddr::V6(SocketAddrV6::new(Ipv6Addr::from(ip), port, 0, scope)))
        }
        other => Err(fail(
            Error::InvalidAddress,
            format!(
                "the sockaddr has family {other}; allowed are AF_INET ({}) and AF_INET6 ({})",
                libc::AF_INET,
                libc::AF_INET6
            ),
        )),
    }
}
