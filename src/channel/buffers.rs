//! Memory for messages that come in pieces or out of turn, used again and again.
// spec: 10.2 reassembly

/// Spare buffers by size. The steady state allocates nothing.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    /// Empty ones of `1 << (CLASS_MIN + index)` bytes.
    spares: [Vec<Vec<u8>>; CLASSES],
    spare_bytes: usize,
    /// What buffers in use have beyond twice what they must hold: see `take`.
    slack: usize,
}

/// Sizes that are kept: 1 KiB to 1 MiB.
const CLASS_MIN: u32 = 10;
const CLASSES: usize = 11;

/// Bytes of spare buffers that are kept.
const SPARE_BYTES_MAX: usize = 4 << 20;

/// Bytes that all buffers of a node together may have beyond twice what they must hold.
const SLACK_MAX: usize = 4 << 20;

impl Buffers {
    /// An empty buffer with room for `need` bytes, and how much of it is slack. With `expected`,
    /// what the message will come to, it may be larger than need be, if that memory is there
    /// already: what one fragment claims must not cost more than twice its charge, but for a sum
    /// that is bounded over the whole node.
    pub(crate) fn take(&mut self, need: usize, expected: usize) -> (Vec<u8>, usize) {
        if let Some(spare) = class_of(expected.max(need)).and_then(|class| self.spare(class)) {
            let slack = spare.capacity().saturating_sub(2 * need);
            if self.slack + slack <= SLACK_MAX {
                self.slack += slack;
                return (spare, slack);
            }
            self.put(spare, 0);
        }
        let spare = class_of(need).and_then(|class| self.spare(class));
        (spare.unwrap_or_else(|| Vec::with_capacity(rounded(need))), 0)
    }

    /// Makes room for `need` bytes in all.
    pub(crate) fn grow(&mut self, buffer: &mut Vec<u8>, need: usize) {
        if need <= buffer.capacity() {
            return;
        }
        let Some(mut larger) = class_of(need).and_then(|class| self.spare(class)) else {
            return buffer.reserve_exact(rounded(need) - buffer.len());
        };
        larger.extend_from_slice(buffer);
        self.put(std::mem::replace(buffer, larger), 0);
    }

    /// Takes a buffer back that was taken with so much slack.
    pub(crate) fn put(&mut self, mut buffer: Vec<u8>, slack: usize) {
        self.slack -= slack;
        let capacity = buffer.capacity();
        let Some(class) = class_of(capacity).filter(|_| capacity.is_power_of_two()) else { return };
        let is_kept = capacity >= 1 << CLASS_MIN && self.spare_bytes + capacity <= SPARE_BYTES_MAX;
        if is_kept {
            buffer.clear();
            self.spare_bytes += capacity;
            self.spares[class].push(buffer);
        }
    }

    /// A buffer that was taken with slack holds a message now, and goes to whoever reads it.
    pub(crate) fn release(&mut self, slack: usize) {
        self.slack -= slack;
    }

    fn spare(&mut self, class: usize) -> Option<Vec<u8>> {
        let spare = self.spares[class].pop()?;
        self.spare_bytes -= spare.capacity();
        Some(spare)
    }
}

/// Where spares with room for `need` bytes are, if they are kept.
fn class_of(need: usize) -> Option<usize> {
    let bits = need.checked_next_power_of_two()?.trailing_zeros();
    Some(bits.saturating_sub(CLASS_MIN) as usize).filter(|class| *class < CLASSES)
}

/// The size to allocate for `need` bytes: less than twice of it.
fn rounded(need: usize) -> usize {
    if need > 1 << (CLASS_MIN - 1) {
        need.checked_next_power_of_two().unwrap_or(need)
    } else {
        need
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // spec: 10.2 reassembly
    #[test]
    fn a_new_buffer_is_less_than_twice_what_it_must_hold() {
        let mut buffers = Buffers::default();
        for need in [1, 64, 65, 511, 512, 513, 1_400, 65_535, 65_536, 1 << 20, (1 << 20) + 1] {
            let (buffer, slack) = buffers.take(need, 1 << 20);
            assert!(buffer.capacity() >= need && buffer.capacity() < 2 * need.max(2), "{need}");
            assert_eq!(slack, 0);
        }
    }

    // spec: 10.2 reassembly
    #[test]
    fn spares_may_be_larger_up_to_a_sum() {
        let mut buffers = Buffers::default();
        for _ in 0..6 {
            buffers.put(Vec::with_capacity(1 << 20), 0);
        }
        assert_eq!(buffers.spare_bytes, SPARE_BYTES_MAX, "not more is kept");
        let taken: Vec<_> = (0..4).map(|_| buffers.take(1_000, 1 << 20)).collect();
        assert!(taken.iter().all(|(buffer, _)| buffer.capacity() == 1 << 20));
        buffers.put(Vec::with_capacity(1 << 20), 0);
        let (mut small, slack) = buffers.take(10_000, 1 << 20);
        assert_eq!((small.capacity(), slack), (16_384, 0), "the sum is used up");
        small.extend_from_slice(&[7; 10_000]);
        buffers.grow(&mut small, 1 << 19);
        assert_eq!((small.capacity(), small.len()), (1 << 19, 10_000));
        for (buffer, slack) in taken {
            buffers.put(buffer, slack);
        }
        assert_eq!(buffers.slack, 0);
    }
}
