//! Messages about paths: tokens, status, ends, addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Malformed, path_len, read_path, write_path};
use crate::id::{PathId, Token};
use crate::wire::varint::encoded_len;
use crate::wire::{Reader, WireError, Writer};

/// Bytes of the value by which a stateless reset is known.
pub const RESET_LEN: usize = 16;

/// Bytes of a path challenge.
pub const CHALLENGE_LEN: usize = 8;

const FAMILY_IPV4: u8 = 4;
const FAMILY_IPV6: u8 = 6;

/// Gives the peer the token for its packets on a path.
// spec: 8.17 NEW_TOKEN
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct NewToken {
    /// The path.
    pub path: PathId,
    /// The token.
    pub token: Token,
    /// By which a stateless reset for that token is known.
    pub reset: [u8; RESET_LEN],
}

impl NewToken {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<NewToken, Malformed> {
        let path = read_path(reader)?;
        Ok(NewToken { path, token: Token(reader.array()?), reset: reader.array()? })
    }

    pub(super) const fn body_len(&self) -> usize {
        path_len(self.path) + Token::SIZE + RESET_LEN
    }

    pub(super) fn write_body(&self, writer: &mut Writer<'_>) -> Result<(), WireError> {
        write_path(writer, self.path)?;
        writer.bytes(&self.token.0)?;
        writer.bytes(&self.reset)
    }
}

impl std::fmt::Debug for NewToken {
    /// Without the reset value, which is for the two sides alone.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("NewToken");
        debug.field("path", &self.path).field("token", &self.token).finish_non_exhaustive()
    }
}

/// Whether the peer should send on a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Yes.
    Available,
    /// Only when no available one is active.
    Backup,
}

/// Tells the peer whether to send on a path.
// spec: 8.19 PATH_STATUS
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathStatus {
    /// The path.
    pub path: PathId,
    /// Tells newer from older.
    pub sequence: u64,
    /// Whether to.
    pub status: Status,
}

impl PathStatus {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<PathStatus, Malformed> {
        let (path, sequence) = (read_path(reader)?, reader.varint()?);
        let status = match reader.u8()? {
            0 => Status::Available,
            1 => Status::Backup,
            _ => return Err(Malformed),
        };
        Ok(PathStatus { path, sequence, status })
    }

    pub(super) const fn body_len(&self) -> usize {
        path_len(self.path) + encoded_len(self.sequence) + 1
    }

    pub(super) fn write_body(&self, writer: &mut Writer<'_>) -> Result<(), WireError> {
        write_path(writer, self.path)?;
        writer.varint(self.sequence)?;
        writer.u8(self.status as u8)
    }
}

/// Ends a path.
// spec: 8.20 PATH_ABANDON
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathAbandon {
    /// The path.
    pub path: PathId,
    /// A [`PathCode`](crate::wire::codes::PathCode), or one of a later version.
    pub code: u64,
}

impl PathAbandon {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<PathAbandon, Malformed> {
        Ok(PathAbandon { path: read_path(reader)?, code: reader.varint()? })
    }

    pub(super) const fn body_len(&self) -> usize {
        path_len(self.path) + encoded_len(self.code)
    }

    pub(super) fn write_body(&self, writer: &mut Writer<'_>) -> Result<(), WireError> {
        write_path(writer, self.path)?;
        writer.varint(self.code)
    }
}

/// Says where the sender sees the receiver's packets of a path come from.
// spec: 8.21 OBSERVED_ADDRESS
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObservedAddress {
    /// The path.
    pub path: PathId,
    /// Tells newer from older.
    pub sequence: u64,
    /// From there.
    pub address: SocketAddr,
}

impl ObservedAddress {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<ObservedAddress, Malformed> {
        let (path, sequence) = (read_path(reader)?, reader.varint()?);
        Ok(ObservedAddress { path, sequence, address: read_address(reader)? })
    }

    pub(super) const fn body_len(&self) -> usize {
        path_len(self.path) + encoded_len(self.sequence) + address_len(&self.address)
    }

    pub(super) fn write_body(&self, writer: &mut Writer<'_>) -> Result<(), WireError> {
        write_path(writer, self.path)?;
        writer.varint(self.sequence)?;
        write_address(writer, &self.address)
    }
}

/// Says where the sender may be reached.
// spec: 8.22 ADDRESS_OFFER
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressOffer {
    /// Tells newer from older.
    pub sequence: u64,
    /// There.
    pub address: SocketAddr,
}

impl AddressOffer {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<AddressOffer, Malformed> {
        Ok(AddressOffer { sequence: reader.varint()?, address: read_address(reader)? })
    }

    pub(super) const fn body_len(&self) -> usize {
        encoded_len(self.sequence) + address_len(&self.address)
    }

    pub(super) fn write_body(&self, writer: &mut Writer<'_>) -> Result<(), WireError> {
        writer.varint(self.sequence)?;
        write_address(writer, &self.address)
    }
}

fn read_address(reader: &mut Reader<'_>) -> Result<SocketAddr, Malformed> {
    let ip: IpAddr = match reader.u8()? {
        FAMILY_IPV4 => Ipv4Addr::from(reader.array::<4>()?).into(),
        FAMILY_IPV6 => Ipv6Addr::from(reader.array::<16>()?).into(),
        _ => return Err(Malformed),
    };
    Ok(SocketAddr::new(ip, reader.u16()?))
}

const fn address_len(address: &SocketAddr) -> usize {
    let ip_len = if address.is_ipv4() { 4 } else { 16 };
    1 + ip_len + 2
}

/// The scope and flow of an IPv6 address have no meaning elsewhere and are left out.
fn write_address(writer: &mut Writer<'_>, address: &SocketAddr) -> Result<(), WireError> {
    match address.ip() {
        IpAddr::V4(ip) => {
            writer.u8(FAMILY_IPV4)?;
            writer.bytes(&ip.octets())?;
        }
        IpAddr::V6(ip) => {
            writer.u8(FAMILY_IPV6)?;
            writer.bytes(&ip.octets())?;
        }
    }
    writer.u16(address.port())
}
