//! Sealing and opening of short packets, and the life of the keys that do it: chapter 6.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use rustls::quic::PacketKey;

use super::channel_keys::{ChannelKeys, Direction, KeyId};
use super::suite::{HeaderKeys, Masks, Secret, Secrets, Suite};
use super::{ReplayWindow, TAG_SIZE};
use crate::id::{ChannelNumber, PathId, Side};
use crate::time::Time;
use crate::wire::NUMBER_MAX;
use crate::wire::short::{self, Flags};

/// The keys of a connection: seals and opens its short packets in all channels and paths, and moves
/// both sides from epoch to epoch.
///
/// `pto_max` in its calls is the largest probe timeout among the connection's paths that live.
pub struct Epochs {
    suite: Suite,
    send: Sender,
    receive: Receiver,
    keys: ChannelKeys,
    limits: Limits,
    is_confirmed: bool,
    is_update_asked: bool,
    forgeries: u64,
}

struct Sender {
    epoch: u32,
    secret: Secret,
    headers: HeaderKeys,
    /// Packets sealed in this epoch.
    sealed: u64,
    /// When the peer first acknowledged a packet of this epoch in a packet of this epoch.
    acknowledged_at: Option<Time>,
}

struct Receiver {
    epoch: u32,
    /// Of the epoch before, until it is erased.
    last: Option<Secret>,
    current: Secret,
    /// Derived when a packet of the next epoch comes.
    next: Option<Secret>,
    headers: HeaderKeys,
    /// When the first packet of this epoch was opened.
    moved_at: Time,
}

/// How much keys are used. The defaults are the protocol's; tests take less.
// spec: 6.8 limits of keys
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// After so many packets of an epoch an update is begun as soon as it may.
    pub update_at: u64,
    /// So many packets are sealed in an epoch at most.
    pub sealed_max: u64,
    /// So many packets may fail to open.
    pub forgeries_max: u64,
    /// How many channel keys are kept.
    pub channel_keys_max: usize,
}

impl Limits {
    /// The limits of the protocol for connections of `suite`.
    pub const fn of(suite: Suite) -> Limits {
        Limits {
            update_at: 1 << 22,
            sealed_max: 1 << 23,
            forgeries_max: suite.forgeries_max(),
            channel_keys_max: 1024,
        }
    }
}

/// What a short packet is sealed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealInfo {
    /// The channel, or `ChannelNumber::NONE`.
    pub channel: ChannelNumber,
    /// The path that it is sent on.
    pub path: PathId,
    /// Its full number; each may be used only once on a path.
    pub number: u64,
    /// How many bytes of the number are sent: 1 to 4.
    pub number_len: usize,
}

/// Why a packet was not sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The epoch's keys are used up. Wait: `poll_timeout` says when the next epoch may begin, once
    /// the peer has acknowledged a packet of this one.
    #[error("the keys of this epoch are used up")]
    UsedUp,
    /// The packet cannot be one: too small, or a number length that does not exist.
    #[error("not the layout of a short packet")]
    Layout,
}

/// A packet that was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The channel that it was sealed for, or `ChannelNumber::NONE`.
    pub channel: ChannelNumber,
    /// Its full number.
    pub number: u64,
    /// Where in the packet its messages are.
    pub payload: Range<usize>,
    /// The epoch of its keys.
    pub epoch: u32,
    /// Whether it was the first of its epoch: from now on we seal in that one as well.
    pub is_epoch_new: bool,
}

/// Why a packet was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Drop: not the layout of a short packet.
    #[error("not the layout of a short packet")]
    Layout,
    /// Drop: a channel that cannot exist.
    #[error("a channel that cannot exist")]
    Channel,
    /// Drop: an epoch that is over.
    #[error("an epoch that is over")]
    Epoch,
    /// Drop: older than the replay window.
    #[error("a number older than the replay window")]
    TooOld,
    /// Drop: damaged, forged, or sealed for something else.
    #[error("no key opens it")]
    Forged,
    /// Drop: opened before.
    #[error("a number that was opened before")]
    Seen,
    /// Close with KEY_UPDATE: the peer broke the rules of key updates.
    #[error("the peer updated keys before it was allowed to")]
    KeyUpdate,
    /// The connection ends at once with AEAD_LIMIT: too many packets failed to open.
    #[error("too many packets failed to open")]
    AeadLimit,
}

/// The peer broke the rules of key updates: close with KEY_UPDATE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the peer acknowledged a packet of an epoch that it has not moved to")]
pub struct KeyUpdateError;

// spec: 5.1 layout
const FORM_MASK: u8 = Flags::FORM_MASK | Flags::RESERVED;
const CHANNEL: Range<usize> = short::CHANNEL_OFFSET..short::NUMBER_OFFSET;
/// Days of updates without a pause, and no packet of an honest peer ever gets there.
const EPOCH_MAX: u32 = u32::MAX - 1;

impl Epochs {
    /// Begins with epoch 0. `forgeries` is how many packets of levels 1 and 2 failed to open.
    pub fn new(secrets: Secrets, side: Side, limits: Limits, forgeries: u64) -> Epochs {
        let suite = secrets.suite;
        let (ours, theirs) = match side {
            Side::Initiator => (secrets.initiator, secrets.responder),
            Side::Responder => (secrets.responder, secrets.initiator),
        };
        Epochs {
            suite,
            send: Sender {
                epoch: 0,
                headers: HeaderKeys::new(suite),
                secret: ours,
                sealed: 0,
                acknowledged_at: None,
            },
            receive: Receiver {
                epoch: 0,
                last: None,
                next: None,
                headers: HeaderKeys::new(suite),
                current: theirs,
                moved_at: Time::ZERO,
            },
            keys: ChannelKeys::new(limits.channel_keys_max),
            limits,
            is_confirmed: false,
            is_update_asked: false,
            forgeries,
        }
    }

    /// How many packets may still be sealed in this epoch.
    // spec: 6.8 limits of keys
    pub fn seals_left(&self) -> u64 {
        self.limits.sealed_max - self.send.sealed.min(self.limits.sealed_max)
    }

    /// Seals a whole short packet in place and masks it; the epoch it was sealed in.
    ///
    /// Before: the spin bit in byte 0, the token, room for channel and number, from byte
    /// `13 + info.number_len` on the messages, 16 bytes of room for the tag; at least 33 bytes in
    /// all. Everything else is written here.
    // spec: 5.2, 5.3
    #[inline]
    pub fn seal(&mut self, info: &SealInfo, packet: &mut [u8]) -> Result<u32, SealError> {
        let payload_offset = short::payload_offset(info.number_len);
        if packet.len() < short::SIZE_MIN || !(1..=short::NUMBER_LEN_MAX).contains(&info.number_len)
        {
            return Err(SealError::Layout);
        }
        if self.send.sealed >= self.limits.sealed_max {
            return Err(SealError::UsedUp);
        }
        let epoch = self.send.epoch;
        let is_spin = Flags(packet[0]).is_spin();
        packet[0] = Flags::new(is_spin, epoch.into(), info.number_len).0;
        packet[CHANNEL].copy_from_slice(&info.channel.0.to_be_bytes());
        let low = info.number.to_be_bytes();
        packet[short::NUMBER_OFFSET..payload_offset].copy_from_slice(&low[8 - info.number_len..]);

        let id = KeyId::new(Direction::Seal, epoch, info.channel);
        let place = match self.keys.find(id) {
            Some(place) => place,
            None => self.keys.insert(id, self.send.secret.channel_key(info.channel)),
        };
        let key = self.keys.at(place);
        let (header, rest) = packet.split_at_mut(payload_offset);
        let (payload, tag) = rest.split_at_mut(rest.len() - TAG_SIZE);
        let sealed = key
            .encrypt_in_place_for_path(info.path.0, info.number, header, payload)
            .expect("a packet is shorter than what an AEAD takes");
        tag.copy_from_slice(sealed.as_ref());
        self.send.sealed += 1;
        mask(self.send.headers.masks(&self.send.secret), packet);
        Ok(epoch)
    }

    /// Opens a whole short packet of `path` in place. Steps 3 to 7 of section 5.4: `is_possible`
    /// says whether a channel may exist, `window` is the path's; the epoch moves if the packet says
    /// so. Afterwards `packet` has changed, also when it did not open.
    // spec: 5.4 receiving
    #[inline]
    pub fn open(
        &mut self,
        now: Time,
        path: PathId,
        window: &mut ReplayWindow,
        packet: &mut [u8],
        is_possible: impl FnOnce(ChannelNumber) -> bool,
    ) -> Result<Opened, OpenError> {
        if self.forgeries >= self.limits.forgeries_max {
            return Err(OpenError::AeadLimit);
        }
        if packet.len() < short::SIZE_MIN || packet[0] & FORM_MASK != Flags::FORM {
            return Err(OpenError::Layout);
        }
        let header = unmask(self.receive.headers.masks(&self.receive.current), packet);
        if header.channel != ChannelNumber::NONE && !is_possible(header.channel) {
            return Err(OpenError::Channel);
        }
        let epoch = self.receive.epoch_of(header.epoch_bits).ok_or(OpenError::Epoch)?;
        let number = short::decode_number(header.low_number, header.number_len, window.largest());
        // spec: 5.5 packet numbers
        if number > NUMBER_MAX {
            return Err(OpenError::Layout);
        }
        if window.is_too_old(number) {
            return Err(OpenError::TooOld);
        }
        let payload = self.decrypt(epoch, header.channel, path, number, header.number_len, packet);
        let Some(payload) = payload else {
            self.forgeries += 1;
            let is_last = self.forgeries >= self.limits.forgeries_max;
            return Err(if is_last { OpenError::AeadLimit } else { OpenError::Forged });
        };
        if !window.insert(number) {
            return Err(OpenError::Seen);
        }
        let is_epoch_new = epoch > self.receive.epoch;
        if is_epoch_new {
            self.follow(now)?;
        }
        Ok(Opened { channel: header.channel, number, payload, epoch, is_epoch_new })
    }

    /// Notes that the peer acknowledged a packet that was sealed in epoch `acknowledged`, in a
    /// packet of its epoch `within`.
    // spec: 6.7 key update
    pub fn on_acked(
        &mut self,
        now: Time,
        acknowledged: u32,
        within: u32,
    ) -> Result<(), KeyUpdateError> {
        if acknowledged > within {
            return Err(KeyUpdateError);
        }
        if acknowledged == self.send.epoch && within == acknowledged {
            self.send.acknowledged_at.get_or_insert(now);
        }
        Ok(())
    }

    /// The handshake is confirmed (7.7): key updates may begin.
    pub fn confirm(&mut self) {
        self.is_confirmed = true;
    }

    /// Begins an update as soon as it may begin: at one of the next `handle_timeout`s.
    pub fn ask_update(&mut self) {
        self.is_update_asked = true;
    }

    /// Whether `handle_timeout` has something to do, now or later.
    #[inline]
    pub fn has_timers(&self) -> bool {
        self.receive.last.is_some() || self.is_update_wanted()
    }

    /// When `handle_timeout` has something to do.
    pub fn poll_timeout(&self, pto_max: Duration) -> Option<Time> {
        [self.erase_at(pto_max), self.update_at(pto_max)].into_iter().flatten().min()
    }

    /// Erases keys whose time is over, and begins an update that is due; whether it began one. May
    /// be called at any time, and should be before a batch of packets is sealed: it costs little.
    pub fn handle_timeout(&mut self, now: Time, pto_max: Duration) -> bool {
        if self.erase_at(pto_max).is_some_and(|at| at <= now) {
            self.receive.last = None;
            self.keys.erase(Direction::Open, self.receive.epoch.wrapping_sub(1));
        }
        let is_due = self.update_at(pto_max).is_some_and(|at| at <= now);
        if is_due {
            self.advance_send();
        }
        is_due
    }

    /// Forgets the keys of channels that were not used since the last call, and when none are left,
    /// what else can be made again. Whether there is more to forget another time: to be called now
    /// and then for as long as it says so.
    pub fn drop_idle_keys(&mut self) -> bool {
        let is_active = self.keys.drop_idle();
        if !is_active {
            self.send.headers.shrink();
            self.receive.headers.shrink();
        }
        is_active
    }

    /// Derives the keys for packets of no channel in both directions, which are else derived when
    /// the first packet needs them: for somebody who has to wait for a peer anyway.
    pub fn prepare(&mut self) {
        let Epochs { send, receive, keys, .. } = self;
        let none = ChannelNumber::NONE;
        for (direction, epoch, secret, headers) in [
            (Direction::Seal, send.epoch, &send.secret, &mut send.headers),
            (Direction::Open, receive.epoch, &receive.current, &mut receive.headers),
        ] {
            headers.masks(secret);
            let id = KeyId::new(direction, epoch, none);
            if keys.find(id).is_none() {
                keys.insert(id, secret.channel_key(none));
            }
        }
    }

    /// The epoch in which packets are sealed.
    pub fn send_epoch(&self) -> u32 {
        self.send.epoch
    }

    /// The latest epoch of which a packet was opened.
    pub fn receive_epoch(&self) -> u32 {
        self.receive.epoch
    }

    /// How many packets failed to open.
    pub fn forgeries(&self) -> u64 {
        self.forgeries
    }

    /// How many channel keys are kept now.
    pub fn channel_keys(&self) -> usize {
        self.keys.len()
    }

    /// The suite of all keys.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    fn decrypt(
        &mut self,
        epoch: u32,
        channel: ChannelNumber,
        path: PathId,
        number: u64,
        number_len: usize,
        packet: &mut [u8],
    ) -> Option<Range<usize>> {
        let offset = short::payload_offset(number_len);
        let (header, payload) = packet.split_at_mut(offset);
        let mut open = |key: &dyn PacketKey| {
            let plain = key.decrypt_in_place_for_path(path.0, number, header, payload).ok()?;
            Some(offset..offset + plain.len())
        };
        let id = KeyId::new(Direction::Open, epoch, channel);
        if let Some(place) = self.keys.find(id) {
            return open(self.keys.at(place));
        }
        // Kept only if it opens the packet: forgeries displace nothing.
        let key = self.receive.secret(epoch)?.channel_key(channel);
        let range = open(&*key)?;
        self.keys.insert(id, key);
        Some(range)
    }

    /// The first packet of the next epoch was opened.
    // spec: 6.7 key update
    fn follow(&mut self, now: Time) -> Result<(), OpenError> {
        let has_sealed = self.send.epoch > self.receive.epoch || self.send.sealed > 0;
        if !has_sealed || self.receive.epoch == EPOCH_MAX {
            return Err(OpenError::KeyUpdate);
        }
        self.keys.erase(Direction::Open, self.receive.epoch.wrapping_sub(1));
        let receive = &mut self.receive;
        receive.headers.derive(&receive.current);
        let current = receive.next.take().unwrap_or_else(|| receive.current.next());
        receive.last = Some(std::mem::replace(&mut receive.current, current));
        receive.epoch += 1;
        receive.moved_at = now;
        if self.send.epoch < self.receive.epoch {
            self.advance_send();
        }
        Ok(())
    }

    fn advance_send(&mut self) {
        let send = &mut self.send;
        send.headers.derive(&send.secret);
        self.keys.erase(Direction::Seal, send.epoch);
        send.secret = send.secret.next();
        send.epoch += 1;
        send.sealed = 0;
        send.acknowledged_at = None;
        self.is_update_asked = false;
    }

    /// When the receive keys of the last epoch go.
    fn erase_at(&self, pto_max: Duration) -> Option<Time> {
        self.receive.last.as_ref().map(|_| self.receive.moved_at + 3 * pto_max)
    }

    fn is_update_wanted(&self) -> bool {
        self.is_update_asked || self.send.sealed >= self.limits.update_at
    }

    /// When an update begins that somebody wants.
    // spec: 6.7 key update
    fn update_at(&self, pto_max: Duration) -> Option<Time> {
        if !(self.is_update_wanted() && self.is_confirmed) || self.send.epoch == EPOCH_MAX {
            return None;
        }
        self.send.acknowledged_at.map(|at| at + 3 * pto_max)
    }
}

impl fmt::Debug for Epochs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Epochs")
            .field("suite", &self.suite)
            .field("send_epoch", &self.send.epoch)
            .field("receive_epoch", &self.receive.epoch)
            .finish_non_exhaustive()
    }
}

impl Receiver {
    /// The epoch that these bits mean, of the three that there are.
    // spec: 6.6 epochs
    fn epoch_of(&self, bits: u8) -> Option<u32> {
        match bits.wrapping_sub(self.epoch as u8) & 3 {
            0 => Some(self.epoch),
            1 => Some(self.epoch + 1),
            3 if self.last.is_some() => Some(self.epoch - 1),
            _ => None,
        }
    }

    fn secret(&mut self, epoch: u32) -> Option<&Secret> {
        if epoch == self.epoch {
            Some(&self.current)
        } else if epoch > self.epoch {
            Some(self.next.get_or_insert_with(|| self.current.next()))
        } else {
            self.last.as_ref()
        }
    }
}

struct Header {
    channel: ChannelNumber,
    epoch_bits: u8,
    number_len: usize,
    low_number: u32,
}

// spec: 5.3 masks
#[inline]
fn mask(keys: &Masks, packet: &mut [u8]) {
    let (header, sample) = head(packet);
    let mask = keys.of(sample);
    let number_len = Flags(header[0]).number_len();
    header[0] ^= mask.first;
    *channel_of(header) = (u32::from_be_bytes(*channel_of(header)) ^ mask.channel).to_be_bytes();
    let number = u32::from_be_bytes(*number_of(header)) ^ (mask.number & kept(number_len));
    *number_of(header) = number.to_be_bytes();
}

// spec: 5.3 masks
#[inline]
fn unmask(keys: &Masks, packet: &mut [u8]) -> Header {
    let (header, sample) = head(packet);
    let mask = keys.of(sample);
    header[0] ^= mask.first;
    let flags = Flags(header[0]);
    let number_len = flags.number_len();
    let channel = u32::from_be_bytes(*channel_of(header)) ^ mask.channel;
    *channel_of(header) = channel.to_be_bytes();
    let number = u32::from_be_bytes(*number_of(header)) ^ (mask.number & kept(number_len));
    *number_of(header) = number.to_be_bytes();
    Header {
        channel: ChannelNumber(channel),
        epoch_bits: flags.epoch(),
        number_len,
        low_number: number >> (8 * (short::NUMBER_LEN_MAX - number_len)),
    }
}

/// The bits of a number of so many bytes, at the front of four.
#[inline]
fn kept(number_len: usize) -> u32 {
    u32::MAX << (8 * (short::NUMBER_LEN_MAX - number_len))
}

/// What of a packet is masked, and what makes the mask.
#[inline]
fn head(packet: &mut [u8]) -> (&mut [u8; short::SAMPLE_OFFSET], &[u8; TAG_SIZE]) {
    let (header, rest) = packet.split_first_chunk_mut().expect(SIZES);
    (header, rest.first_chunk().expect(SIZES))
}

#[inline]
fn channel_of(header: &mut [u8; short::SAMPLE_OFFSET]) -> &mut [u8; 4] {
    (&mut header[CHANNEL]).try_into().expect(SIZES)
}

#[inline]
fn number_of(header: &mut [u8; short::SAMPLE_OFFSET]) -> &mut [u8; short::NUMBER_LEN_MAX] {
    header.last_chunk_mut().expect(SIZES)
}

const SIZES: &str = "the caller knows that it has the size of a packet, and where in it what is";
