//! Ranges of packet numbers in an acknowledgement.
// spec: 8.5 ACK, ACK_ECN

use std::iter::FusedIterator;
use std::ops::RangeInclusive;

use super::{Reader, WireError, Writer, varint};

/// Most ranges in one acknowledgement that we send.
pub const RANGES_MAX: usize = 64;

/// Ranges of acknowledged packet numbers, newest first: a view of bytes that were found good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AckRanges<'a> {
    largest: u64,
    /// How many numbers below `largest` belong to the first range.
    first: u64,
    /// Pairs of gap and range.
    pairs: &'a [u8],
}

/// Why bytes are no ranges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum RangesError {
    /// A varint that is none, or a gap without its range.
    #[error("the ranges are cut off, or hold what is no varint")]
    Cut,
    /// A range that would go on below packet number 0.
    #[error("a range goes below packet number 0")]
    BelowZero,
}

impl From<WireError> for RangesError {
    fn from(_: WireError) -> RangesError {
        RangesError::Cut
    }
}

impl<'a> AckRanges<'a> {
    /// Reads the ranges below `largest`: all that `reader` has left.
    pub(super) fn read(
        largest: u64,
        reader: &mut Reader<'a>,
    ) -> Result<AckRanges<'a>, RangesError> {
        let first = reader.varint()?;
        let mut start = largest.checked_sub(first).ok_or(RangesError::BelowZero)?;
        let pairs = reader.bytes(reader.remaining())?;
        let mut rest = Reader::new(pairs);
        while rest.remaining() > 0 {
            start = *read_pair(&mut rest, start)?.start();
        }
        Ok(AckRanges { largest, first, pairs })
    }

    /// One range, neither end below the other.
    pub(crate) const fn single(first: u64, largest: u64) -> AckRanges<'static> {
        AckRanges { largest, first: largest - first, pairs: &[] }
    }

    /// The first of the numbers, if they are one range.
    #[inline]
    pub(crate) const fn first_of_single(&self) -> Option<u64> {
        if self.pairs.is_empty() { Some(self.largest - self.first) } else { None }
    }

    /// The largest number.
    #[inline]
    pub const fn largest(&self) -> u64 {
        self.largest
    }

    /// The ranges, newest first; neighbours have at least one number between them.
    #[inline]
    pub fn iter(&self) -> AckRangesIter<'a> {
        let first = self.largest - self.first..=self.largest;
        AckRangesIter { next: Some(first), rest: Reader::new(self.pairs) }
    }

    /// Bytes behind `largest` that `write` takes.
    pub(super) fn encoded_len(&self) -> usize {
        varint::encoded_len(self.first) + self.pairs.len()
    }

    /// Writes all that follows `largest`, as it was read.
    pub(super) fn write(&self, writer: &mut Writer<'_>) -> Result<(), WireError> {
        writer.varint(self.first)?;
        writer.bytes(self.pairs)
    }
}

impl<'a> IntoIterator for AckRanges<'a> {
    type Item = RangeInclusive<u64>;
    type IntoIter = AckRangesIter<'a>;

    #[inline]
    fn into_iter(self) -> AckRangesIter<'a> {
        self.iter()
    }
}

/// The ranges of an acknowledgement, newest first.
#[derive(Debug, Clone)]
pub struct AckRangesIter<'a> {
    next: Option<RangeInclusive<u64>>,
    rest: Reader<'a>,
}

impl Iterator for AckRangesIter<'_> {
    type Item = RangeInclusive<u64>;

    #[inline]
    fn next(&mut self) -> Option<RangeInclusive<u64>> {
        let range = self.next.take()?;
        if self.rest.remaining() > 0 {
            // `read` went the same way to the end, so there is no error to meet.
            self.next = read_pair(&mut self.rest, *range.start()).ok();
        }
        Some(range)
    }
}

impl FusedIterator for AckRangesIter<'_> {}

/// The range behind the one that begins at `start`. A gap of g leaves out g + 1 numbers.
#[inline]
fn read_pair(reader: &mut Reader<'_>, start: u64) -> Result<RangeInclusive<u64>, RangesError> {
    let gap = reader.varint()?;
    let range = reader.varint()?;
    let last = start.checked_sub(gap).and_then(|at| at.checked_sub(2));
    let last = last.ok_or(RangesError::BelowZero)?;
    let first = last.checked_sub(range).ok_or(RangesError::BelowZero)?;
    Ok(first..=last)
}

/// How many ranges there is room for, and how many bytes behind `largest` they take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Measure {
    pub(super) ranges: usize,
    pub(super) len: usize,
}

/// Finds how many of `ranges`, the newest first and at most 64, fit into `room` bytes. None when
/// there is no range, or no room for one.
#[inline]
pub(super) fn measure(
    mut ranges: impl Iterator<Item = RangeInclusive<u64>>,
    room: usize,
) -> Option<Measure> {
    let newest = ranges.next()?;
    let mut start = *newest.start();
    let len = varint::encoded_len(newest.end().checked_sub(start)?);
    if len > room {
        return None;
    }
    let mut fits = Measure { ranges: 1, len };
    for range in ranges.take(RANGES_MAX - 1) {
        let Some((gap, count)) = pair(start, &range) else { break };
        let len = fits.len + varint::encoded_len(gap) + varint::encoded_len(count);
        if len > room {
            break;
        }
        fits = Measure { ranges: fits.ranges + 1, len };
        start = *range.start();
    }
    Some(fits)
}

/// Writes what follows `largest`, for as many ranges as `measure` found room for.
#[inline]
pub(super) fn write(
    writer: &mut Writer<'_>,
    mut ranges: impl Iterator<Item = RangeInclusive<u64>>,
    fits: Measure,
) -> Result<(), WireError> {
    let Some(newest) = ranges.next() else { return Ok(()) };
    let mut start = *newest.start();
    writer.varint(newest.end() - start)?;
    for range in ranges.take(fits.ranges - 1) {
        let Some((gap, count)) = pair(start, &range) else { break };
        writer.varint(gap)?;
        writer.varint(count)?;
        start = *range.start();
    }
    Ok(())
}

/// The gap and the range that tell of `range`, which is below a range that begins at `start`. None
/// when it is not, with at least one number between them.
#[inline]
fn pair(start: u64, range: &RangeInclusive<u64>) -> Option<(u64, u64)> {
    let gap = start.checked_sub(*range.end()).and_then(|gap| gap.checked_sub(2));
    let count = range.end().checked_sub(*range.start());
    debug_assert!(gap.is_some() && count.is_some(), "{range:?} is not below {start}, apart");
    Some((gap?, count?))
}

#[cfg(test)]
mod tests;
