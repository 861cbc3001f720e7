//! Bytes of a fuzzer read as choices.

/// Bytes read as choices; zeros when they are over.
pub(super) struct Script<'a>(pub(super) &'a [u8]);

impl<'a> Script<'a> {
    pub(super) fn byte(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or(0)
    }

    /// Below `end`, or 0.
    pub(super) fn index(&mut self, end: usize) -> usize {
        let choice = usize::from(self.byte()) << 8 | usize::from(self.byte());
        choice.checked_rem(end).unwrap_or(0)
    }

    /// At most `len` of them.
    pub(super) fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (bytes, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        bytes
    }

    /// A number: mostly small, sometimes near a power of two, up to the largest.
    pub(super) fn value(&mut self) -> u64 {
        let choice = self.byte();
        match choice {
            0..=0x9f => u64::from(choice),
            0xa0..=0xdf => u64::from(choice & 0x3f) << 8 | u64::from(self.byte()),
            _ => {
                let power = 1u64 << (self.byte() % 64);
                power.wrapping_add(u64::from(choice & 0x1f)).wrapping_sub(8)
            }
        }
    }
}
