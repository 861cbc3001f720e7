//! Whether the peer is at an address: challenges, answers, and what they decide when it seems to
//! have moved.
// spec: 12.4 validation, 12.7 address changes

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use crate::config::AMPLIFICATION_MAX;
use crate::io::Local;
use crate::time::Time;
use crate::wire::frame::CHALLENGE_LEN;

/// Bytes that nobody can guess.
pub(crate) type Challenge = [u8; CHALLENGE_LEN];

/// Where a path leads, and from where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) remote: SocketAddr,
    pub(crate) local: Local,
}

/// A packet that opened, as far as it matters where it came from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sighting {
    pub(crate) now: Time,
    /// Where it came from.
    pub(crate) ends: Ends,
    /// Its datagram's bytes.
    pub(crate) size: usize,
    /// Whether its number is the largest so far.
    pub(crate) is_newest: bool,
}

/// Challenges and answers of one path.
#[derive(Debug, Default)]
pub(crate) struct Validation {
    change: Option<Change>,
    /// Answers that we owe.
    answers: VecDeque<Answer>,
    /// An address that was found to be a copier's, and until when it is passed over.
    ignored: Option<(SocketAddr, Time)>,
}

/// A change of address that is being examined.
#[derive(Debug)]
struct Change {
    /// Where packets began to come from.
    new: Ends,
    /// Where they came from before.
    old: Ends,
    is_moved: bool,
    /// Challenges that were not answered, oldest first.
    asked: VecDeque<Asked>,
    /// How often both addresses were challenged, and whether they are to be.
    tries: u32,
    owes_new: bool,
    owes_old: bool,
    /// When to try again, or to give up.
    next_at: Time,
    /// Bytes that came from the new address, and that went there.
    received: u64,
    sent: u64,
}

#[derive(Debug, Clone, Copy)]
struct Asked {
    bytes: Challenge,
    is_new: bool,
    at: Time,
}

/// An answer that we owe.
#[derive(Debug, Clone, Copy)]
struct Answer {
    bytes: Challenge,
    to: Ends,
    /// Bytes that a datagram there may have, unless the address is proven.
    allowance: u64,
}

/// A datagram that is to leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Probe {
    pub(crate) to: Ends,
    /// Bytes that it may have.
    pub(crate) size_max: usize,
    pub(crate) answers: Vec<Challenge>,
    /// Whether it is to hold a challenge of ours, which [`Validation::on_sent`] is told of.
    pub(crate) has_challenge: bool,
}

/// What an answer to a challenge decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing, or nothing yet.
    None,
    /// The peer is at the new address; the round trip there.
    Moved(Ends, Duration),
    /// It is where it was before: somebody had copied its packets.
    Back(Ends),
}

impl Validation {
    /// A packet that opened came from another address than the path leads to, at `current`. Whether
    /// something is to be sent.
    pub(crate) fn on_elsewhere(&mut self, seen: &Sighting, current: Ends, pto: Duration) -> bool {
        let Sighting { now, ends, size, is_newest } = *seen;
        if let Some(change) = &mut self.change {
            // One at a time.
            let is_it = !change.is_moved && change.new.remote == ends.remote;
            if is_it {
                change.received += size as u64;
            }
            return is_it && change.owes_new;
        }
        let is_ignored = |(remote, until): (SocketAddr, Time)| remote == ends.remote && until > now;
        if !is_newest || self.ignored.is_some_and(is_ignored) {
            return false;
        }
        self.ignored = None;
        self.change = Some(Change {
            new: ends,
            old: current,
            is_moved: false,
            asked: VecDeque::new(),
            tries: 1,
            owes_new: true,
            owes_old: true,
            next_at: now + pto,
            received: size as u64,
            sent: 0,
        });
        true
    }

    /// PATH_CHALLENGE came in a datagram of `size` bytes.
    pub(crate) fn on_challenge(&mut self, bytes: Challenge, from: Ends, size: usize) {
        if self.answers.len() >= ANSWERS_MAX {
            self.answers.pop_front();
        }
        let allowance = size as u64 * AMPLIFICATION_MAX;
        self.answers.push_back(Answer { bytes, to: from, allowance });
    }

    /// PATH_RESPONSE came.
    pub(crate) fn on_answer(&mut self, now: Time, bytes: Challenge, pto: Duration) -> Verdict {
        let Some(change) = &mut self.change else { return Verdict::None };
        let valid_for = (3 * pto).max(VALID_MIN);
        let known = change.asked.iter().find(|asked| {
            // Guessing is hopeless: how long the comparison takes tells nothing of use.
            asked.bytes == bytes && now.since(asked.at) <= valid_for
        });
        let Some(asked) = known.copied() else { return Verdict::None };
        let (new, old) = (change.new, change.old);
        match (asked.is_new, change.is_moved) {
            (true, true) => Verdict::None,
            (true, false) => {
                change.is_moved = true;
                change.owes_new = false;
                // The old address has as long as its last challenge is valid.
                let last = change.asked.iter().filter(|asked| !asked.is_new).map(|one| one.at);
                change.next_at = last.max().unwrap_or(now) + valid_for;
                Verdict::Moved(new, now.since(asked.at))
            }
            (false, is_moved) => {
                self.change = None;
                self.ignored = Some((new.remote, now + IGNORED_FOR));
                if is_moved { Verdict::Back(old) } else { Verdict::None }
            }
        }
    }

    /// The next datagram to leave. `current` is where the path leads: an address that is proven.
    pub(crate) fn poll(&mut self, current: Ends) -> Option<Probe> {
        while let Some(first) = self.answers.pop_front() {
            let probe = self.poll_answers(first, current);
            // Without room for it, the peer asks again.
            if probe.size_max >= SIZE_LEAST {
                return Some(probe);
            }
        }
        let change = self.change.as_mut()?;
        if std::mem::take(&mut change.owes_old) {
            let size_max = SIZE_PADDED;
            let (to, answers) = (change.old, Vec::new());
            return Some(Probe { to, size_max, answers, has_challenge: true });
        }
        let size_max = change.allowance();
        if !change.owes_new || size_max < SIZE_LEAST {
            return None;
        }
        change.owes_new = false;
        Some(Probe { to: change.new, size_max, answers: Vec::new(), has_challenge: true })
    }

    /// All answers to where `first` goes.
    fn poll_answers(&mut self, first: Answer, current: Ends) -> Probe {
        let to = first.to;
        let mut answers = vec![first.bytes];
        let mut allowance = first.allowance;
        self.answers.retain(|answer| {
            let is_there = answer.to == to;
            if is_there {
                answers.push(answer.bytes);
                allowance = allowance.max(answer.allowance);
            }
            !is_there
        });
        let examined = self.change.as_mut().filter(|change| change.new.remote == to.remote);
        let examined = examined.filter(|change| !change.is_moved);
        let mut probe = Probe { to, size_max: SIZE_PADDED, answers, has_challenge: false };
        if to.remote != current.remote {
            match examined {
                Some(change) => {
                    probe.size_max = change.allowance();
                    // What may be sent there once may hold our own challenge too.
                    probe.has_challenge = std::mem::take(&mut change.owes_new);
                }
                None => probe.size_max = SIZE_PADDED.min(allowance as usize),
            }
        }
        probe
    }

    /// A datagram of `size` bytes left for `to`, with this challenge if with one.
    pub(crate) fn on_sent(
        &mut self,
        now: Time,
        to: Ends,
        size: usize,
        challenge: Option<Challenge>,
    ) {
        let Some(change) = &mut self.change else { return };
        let is_new = to.remote == change.new.remote;
        if is_new {
            change.sent += size as u64;
        }
        if let Some(bytes) = challenge {
            if change.asked.len() >= CHALLENGES_MAX {
                change.asked.pop_front();
            }
            change.asked.push_back(Asked { bytes, is_new, at: now });
        }
    }

    /// Whether nothing is examined, owed or remembered.
    pub(crate) fn is_idle(&self, now: Time) -> bool {
        let is_ignoring = self.ignored.is_some_and(|(_, until)| until > now);
        self.change.is_none() && self.answers.is_empty() && !is_ignoring
    }

    pub(crate) fn poll_timeout(&self) -> Option<Time> {
        self.change.as_ref().map(|change| change.next_at)
    }

    /// Challenges again, or gives up.
    // spec: 15.1 table
    pub(crate) fn handle_timeout(&mut self, now: Time, pto: Duration) {
        let Some(change) = self.change.as_mut().filter(|change| change.next_at <= now) else {
            return;
        };
        if change.is_moved || change.tries >= TRIES {
            self.change = None;
            return;
        }
        change.next_at = now + pto * (1 << change.tries);
        change.tries += 1;
        (change.owes_new, change.owes_old) = (true, true);
    }
}

impl Change {
    /// Bytes that a datagram to the new address may have.
    // spec: 7.8 amplification
    fn allowance(&self) -> usize {
        let left = (self.received * AMPLIFICATION_MAX).saturating_sub(self.sent);
        usize::try_from(left).unwrap_or(usize::MAX).min(SIZE_PADDED)
    }
}

/// What a datagram with challenges is padded to, where it may be: so large a one passes there.
const SIZE_PADDED: usize = 1200;

/// A datagram with one challenge and nothing more.
const SIZE_LEAST: usize = 13 + 4 + 2 + CHALLENGE_LEN + 16;

/// Answers owed at once; a further challenge puts the oldest out.
const ANSWERS_MAX: usize = 4;

// spec: 12.4 validation, 16.1 table
const CHALLENGES_MAX: usize = 4;
const VALID_MIN: Duration = Duration::from_secs(1);

/// How often both addresses are challenged.
const TRIES: u32 = 3;

/// How long an address is passed over that was found to be a copier's.
const IGNORED_FOR: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
