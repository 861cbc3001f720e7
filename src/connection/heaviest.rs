//! The channel to end when unfinished messages hold too much together, found without looking at all
//! channels each time.

use std::time::Duration;

use crate::id::ChannelHandle;
use crate::time::Time;

/// Channels that held most when all were looked at, by rising bytes.
///
/// Who is over a limit stays at its edge, and comes over it again with the next packet. So one look
/// at all serves for as many times as a fixed part of them.
#[derive(Debug, Default)]
pub(crate) struct Heaviest {
    list: Vec<(u64, ChannelHandle)>,
    looked_at: Option<Time>,
}

/// The part of the channels that is kept of one look at all, but for a few.
const KEPT_PART: usize = 16;
const KEPT_LEAST: usize = 16;

/// How long it is of use.
const KEPT_FOR: Duration = Duration::from_secs(1);

impl Heaviest {
    /// A channel that holds no less than about half of what the one does that holds most, as far as
    /// that was so when all were looked at, or has grown by `newest`. `held`: what one holds now.
    pub(crate) fn pick(
        &mut self,
        now: Time,
        newest: ChannelHandle,
        held: impl Fn(ChannelHandle) -> u64,
        all: impl Iterator<Item = ChannelHandle>,
    ) -> Option<ChannelHandle> {
        if self.looked_at.is_none_or(|looked_at| now.since(looked_at) > KEPT_FOR) {
            self.list.clear();
        }
        let found = self.pop(&held).or_else(|| {
            self.looked_at = Some(now);
            let all = all.map(|handle| (held(handle), handle));
            self.list.extend(all.filter(|(bytes, _)| *bytes > 0));
            self.trim();
            self.list.pop()
        });
        let of_newest = held(newest);
        match found {
            Some((bytes, handle)) if bytes >= of_newest || handle == newest => Some(handle),
            Some(other) => {
                self.list.push(other);
                Some(newest)
            }
            None => (of_newest > 0).then_some(newest),
        }
    }

    /// The heaviest one known that still is what it was.
    fn pop(&mut self, held: impl Fn(ChannelHandle) -> u64) -> Option<(u64, ChannelHandle)> {
        while let Some((before, handle)) = self.list.pop() {
            let now = held(handle);
            if now > 0 && now >= before / 2 {
                return Some((now, handle));
            }
        }
        None
    }

    /// Keeps the heaviest part.
    fn trim(&mut self) {
        let kept = self.list.len() / KEPT_PART + KEPT_LEAST;
        if let Some(first) = self.list.len().checked_sub(kept).filter(|first| *first > 0) {
            self.list.select_nth_unstable(first);
            self.list.drain(..first);
            self.list.shrink_to_fit();
        }
        self.list.sort_unstable();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::BTreeMap;

    use super::*;
    use crate::id::Version;
    use crate::slots::Slots;

    // spec: 18.3 attacks on resources
    #[test]
    fn a_peer_at_the_edge_of_the_limit_costs_the_same_however_many_channels_it_has() {
        for count in [1_000, 64_000] {
            let mut channels = handles(count);
            let looks = Cell::new(0);
            let mut heaviest = Heaviest::default();
            let mut slots = channels.keys().copied().collect::<Vec<_>>().into_iter().cycle();
            for _ in 0..count {
                // The peer sends a little on the next channel, and one that is found is reset.
                let newest = slots.next().expect("without end");
                *channels.get_mut(&newest).expect("it is there") += 64;
                let held = |handle| {
                    looks.set(looks.get() + 1);
                    channels[&handle]
                };
                let found = heaviest.pick(Time::ZERO, newest, held, channels.keys().copied());
                let found = found.expect("all hold something");
                channels.insert(found, 0);
            }
            let each = looks.get() / count;
            assert!(each <= 2 * KEPT_PART + 4, "{each} of {count}");
        }
    }

    // spec: 11.3 receiving
    #[test]
    fn the_one_that_holds_most_is_found_though_it_grew_since() {
        let mut channels = handles(1_000);
        let all: Vec<_> = channels.keys().copied().collect();
        channels.insert(all[7], 9_000);
        let mut heaviest = Heaviest::default();
        let mut pick = |channels: &BTreeMap<_, u64>, now, newest| {
            heaviest.pick(now, newest, |handle| channels[&handle], channels.keys().copied())
        };
        assert_eq!(pick(&channels, Time::ZERO, all[1]), Some(all[7]));
        channels.insert(all[7], 0);
        channels.insert(all[1], 5_000);
        assert_eq!(pick(&channels, Time::ZERO, all[1]), Some(all[1]), "it is what grows");
        channels.insert(all[1], 0);
        let next = pick(&channels, Time::ZERO, all[2]).expect("others hold something");
        assert_eq!(channels[&next], 64);
        let now = Time::ZERO + 2 * KEPT_FOR;
        channels.insert(all[9], 1_000);
        assert_eq!(pick(&channels, now, all[2]), Some(all[9]), "what was known is too old");
        channels.values_mut().for_each(|bytes| *bytes = 0);
        assert_eq!(pick(&channels, now, all[2]), None, "nobody holds anything");
    }

    /// Channels that hold 64 bytes each.
    fn handles(count: usize) -> BTreeMap<ChannelHandle, u64> {
        let mut slots = Slots::new(1, Version::V1);
        (0..count).map(|_| (ChannelHandle(slots.insert(|handle| handle)), 64)).collect()
    }
}
