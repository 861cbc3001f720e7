//! ACK, ACK_ECN and ACK_RATE: what was received, and how often to say so.

use std::ops::RangeInclusive;

use super::{Kind, Malformed, body_max, path_len, read_path, write_path};
use crate::id::PathId;
use crate::wire::ranges::{self, AckRanges};
use crate::wire::varint::{self, encoded_len};
use crate::wire::{Reader, WireError, Writer};

/// Which packets of a path, or of a level, were opened.
// spec: 8.5 ACK, ACK_ECN
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ack<'a> {
    /// The path; 0 in a long packet, where it means the space of that level.
    pub path: PathId,
    /// Microseconds between the receipt of the largest number and sending this.
    pub delay_us: u64,
    /// Packets opened in this space with each mark of the network, if the sender can tell.
    pub ecn: Option<EcnCounts>,
    /// The numbers.
    pub ranges: AckRanges<'a>,
}

/// How many packets came with each ECN mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct EcnCounts {
    /// ECT(0).
    pub ect0: u64,
    /// ECT(1).
    pub ect1: u64,
    /// CE: the network says that it is congested.
    pub ce: u64,
}

impl EcnCounts {
    fn body_len(self) -> usize {
        encoded_len(self.ect0) + encoded_len(self.ect1) + encoded_len(self.ce)
    }

    fn write(self, writer: &mut Writer<'_>) -> Result<(), WireError> {
        writer.varint(self.ect0)?;
        writer.varint(self.ect1)?;
        writer.varint(self.ce)
    }
}

impl<'a> Ack<'a> {
    #[inline]
    pub(super) fn read(reader: &mut Reader<'a>, has_ecn: bool) -> Result<Ack<'a>, Malformed> {
        let path = read_path(reader)?;
        let largest = reader.varint()?;
        let delay_us = reader.varint()?;
        let ecn = if has_ecn {
            let (ect0, ect1) = (reader.varint()?, reader.varint()?);
            Some(EcnCounts { ect0, ect1, ce: reader.varint()? })
        } else {
            None
        };
        Ok(Ack { path, delay_us, ecn, ranges: AckRanges::read(largest, reader)? })
    }

    pub(super) fn body_len(&self) -> usize {
        head_len(self.path, self.ranges.largest(), self.delay_us, self.ecn)
            + self.ranges.encoded_len()
    }

    pub(super) fn write_body(&self, writer: &mut Writer<'_>) -> Result<(), WireError> {
        write_head(writer, self.path, self.ranges.largest(), self.delay_us, self.ecn)?;
        self.ranges.write(writer)
    }
}

/// Writes an ACK, or an ACK_ECN if there are counts, with as many of `ranges` as there is room for.
///
/// `ranges` are the numbers received, newest first, with at least one number between neighbours;
/// at most [`ranges::RANGES_MAX`] are taken. Returns how many were written. `Full`, and nothing
/// written, when there is no range or no room for the first.
// spec: 8.5 ACK, ACK_ECN
#[inline]
pub fn write_ack<R>(
    writer: &mut Writer<'_>,
    path: PathId,
    delay_us: u64,
    ecn: Option<EcnCounts>,
    ranges: R,
) -> Result<usize, WireError>
where
    R: Iterator<Item = RangeInclusive<u64>> + Clone,
{
    let mut others = ranges.clone();
    let newest = others.next().ok_or(WireError::Full)?;
    if others.next().is_none() {
        return write_single(writer, path, delay_us, ecn, &newest);
    }
    let largest = *newest.end();
    let head_len = head_len(path, largest, delay_us, ecn);
    let room = body_max(writer.remaining()).and_then(|room| room.checked_sub(head_len));
    let fits = ranges::measure(ranges.clone(), room.ok_or(WireError::Full)?);
    let fits = fits.ok_or(WireError::Full)?;
    writer.varint(if ecn.is_some() { Kind::AckEcn } else { Kind::Ack }.code())?;
    writer.varint((head_len + fits.len) as u64)?;
    write_head(writer, path, largest, delay_us, ecn)?;
    ranges::write(writer, ranges, fits)?;
    Ok(fits.ranges)
}

/// The same for one range, as in most packets: its length need not be known before.
#[inline]
fn write_single(
    writer: &mut Writer<'_>,
    path: PathId,
    delay_us: u64,
    ecn: Option<EcnCounts>,
    range: &RangeInclusive<u64>,
) -> Result<usize, WireError> {
    const VARINTS: usize = 7;
    let mut room = [0; VARINTS * varint::LEN_MAX];
    let mut body = Writer::new(&mut room);
    write_head(&mut body, path, *range.end(), delay_us, ecn)?;
    body.varint(range.end().checked_sub(*range.start()).ok_or(WireError::Full)?)?;
    let len = body.position();
    let [kind, body_len, out @ ..] = writer.take(2 + len)? else { return Err(WireError::Full) };
    // Both are below 128, and so their own encoding.
    *kind = if ecn.is_some() { Kind::AckEcn } else { Kind::Ack } as u8;
    *body_len = len as u8;
    out.copy_from_slice(&room[..len]);
    Ok(1)
}

#[inline]
fn head_len(path: PathId, largest: u64, delay_us: u64, ecn: Option<EcnCounts>) -> usize {
    let ecn_len = ecn.map_or(0, EcnCounts::body_len);
    path_len(path) + encoded_len(largest) + encoded_len(delay_us) + ecn_len
}

#[inline]
fn write_head(
    writer: &mut Writer<'_>,
    path: PathId,
    largest: u64,
    delay_us: u64,
    ecn: Option<EcnCounts>,
) -> Result<(), WireError> {
    write_path(writer, path)?;
    writer.varint(largest)?;
    writer.varint(delay_us)?;
    ecn.map_or(Ok(()), |ecn| ecn.write(writer))
}

/// Asks for one ACK per that many packets that ask for one, or after the delay.
// spec: 8.8 ACK_RATE
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AckRate {
    /// The path.
    pub path: PathId,
    /// How many packets, 1 to [`AckRate::PACKETS_MAX`].
    pub packets: u64,
    /// At most this late, in microseconds.
    pub delay_us: u64,
}

impl AckRate {
    /// Most packets that one acknowledgement may be asked for.
    pub const PACKETS_MAX: u64 = 1 << 14;

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<AckRate, Malformed> {
        let path = read_path(reader)?;
        let packets = reader.varint()?;
        if packets == 0 || packets > AckRate::PACKETS_MAX {
            return Err(Malformed);
        }
        Ok(AckRate { path, packets, delay_us: reader.varint()? })
    }

    pub(super) fn body_len(&self) -> usize {
        path_len(self.path) + encoded_len(self.packets) + encoded_len(self.delay_us)
    }

    pub(super) fn write_body(&self, writer: &mut Writer<'_>) -> Result<(), WireError> {
        write_path(writer, self.path)?;
        writer.varint(self.packets)?;
        writer.varint(self.delay_us)
    }
}
