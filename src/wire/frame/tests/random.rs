//! Random messages and random bytes: nothing is read but what would be written.

use std::net::SocketAddr;

use proptest::prelude::*;

use super::super::*;
use super::{PLACES, decoded, encoded};
use crate::id::{Capabilities, Token};
use crate::wire::ranges::AckRanges;

/// All that a message can be made of.
#[derive(Debug, Clone)]
struct Parts {
    kind: usize,
    numbers: [u64; 3],
    channel: u32,
    bytes: Vec<u8>,
    flag: bool,
    small: u8,
    /// The first range and the pairs of an ACK, below `numbers[0]`.
    ranges: Vec<u8>,
}

fn any_number() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0..64_u32).prop_map(|(value, shift)| value >> shift)
}

fn any_parts() -> impl Strategy<Value = Parts> {
    let numbers = [any_number(), any_number(), any_number()];
    let bytes = prop::collection::vec(any::<u8>(), 1..256);
    let pairs = prop::collection::vec((0..300_u64, 0..300_u64), 0..80);
    let rest = (any::<u32>(), bytes, any::<bool>(), any::<u8>(), pairs);
    (0..=Kind::ALL.len(), numbers, rest).prop_map(
        |(kind, numbers, (channel, bytes, flag, small, pairs))| {
            let mut ranges = vec![0];
            let mut left = numbers[0];
            for (gap, range) in pairs {
                let Some(rest) = left.checked_sub(gap + 2 + range) else { break };
                left = rest;
                for number in [gap, range] {
                    let (encoded, start) = varint::encode(number);
                    ranges.extend(&encoded[start..]);
                }
            }
            Parts { kind, numbers, channel, bytes, flag, small, ranges }
        },
    )
}

impl Parts {
    fn frame(&self) -> Frame<'_> {
        let [a, b, c] = self.numbers;
        let channel = ChannelNumber(self.channel);
        let path = PathId(self.channel);
        let limit = ChannelLimit { channel, limit: a };
        let source = if self.flag { Source::Application } else { Source::Protocol };
        let Some(kind) = Kind::ALL.get(self.kind) else {
            let code = [7, 26, 63, 64, 95, 1 << 14][usize::from(self.small) % 6];
            return Frame::Unknown { code, body: &self.bytes };
        };
        match kind {
            Kind::Padding => Frame::Padding { len: self.bytes.len() },
            Kind::Ping => Frame::Ping,
            Kind::Ack => Frame::Ack(self.ack(path, None)),
            Kind::AckEcn => Frame::Ack(self.ack(path, Some(EcnCounts { ect0: a, ect1: b, ce: c }))),
            Kind::Crypto => Frame::Crypto(Crypto { offset: a, bytes: &self.bytes }),
            Kind::ConnectionClose => Frame::ConnectionClose(ConnectionClose {
                source,
                code: a,
                message_type: b,
                reason: self.reason(),
            }),
            Kind::AckRate => {
                let packets = 1 + a % AckRate::PACKETS_MAX;
                Frame::AckRate(AckRate { path, packets, delay_us: b })
            }
            Kind::ChannelNew => self.channel_new(),
            Kind::ChannelAccept => Frame::ChannelAccept(limit),
            Kind::ChannelClose => {
                Frame::ChannelClose(ChannelClose { channel, count: a, position: b })
            }
            Kind::ChannelReset => Frame::ChannelReset(ChannelReset {
                channel,
                source,
                code: a,
                position: b,
                reason: self.reason(),
            }),
            Kind::MaxChannels => Frame::MaxChannels { count: self.channel >> 1 },
            Kind::ChannelsBlocked => Frame::ChannelsBlocked { count: self.channel >> 1 },
            Kind::Data => Frame::Data(self.data()),
            Kind::DataSkip => Frame::DataSkip(DataSkip { channel, number: a, position: b }),
            Kind::MaxChannelData => Frame::MaxChannelData(limit),
            Kind::MaxData => Frame::MaxData { limit: a },
            Kind::ChannelDataBlocked => Frame::ChannelDataBlocked(limit),
            Kind::DataBlocked => Frame::DataBlocked { limit: a },
            Kind::NewToken => {
                let reset = a.to_be_bytes().repeat(2).try_into().expect("16 bytes");
                Frame::NewToken(NewToken { path, token: Token(b.to_be_bytes()), reset })
            }
            Kind::PathChallenge => Frame::PathChallenge(a.to_be_bytes()),
            Kind::PathResponse => Frame::PathResponse(a.to_be_bytes()),
            Kind::PathStatus => {
                let status = if self.flag { Status::Backup } else { Status::Available };
                Frame::PathStatus(PathStatus { path, sequence: a, status })
            }
            Kind::PathAbandon => Frame::PathAbandon(PathAbandon { path, code: a }),
            Kind::ObservedAddress => {
                let address = self.address();
                Frame::ObservedAddress(ObservedAddress { path, sequence: a, address })
            }
            Kind::AddressOffer => {
                Frame::AddressOffer(AddressOffer { sequence: a, address: self.address() })
            }
        }
    }

    fn channel_new(&self) -> Frame<'_> {
        Frame::ChannelNew(ChannelNew {
            channel: ChannelNumber(self.channel),
            capabilities: Capabilities(self.numbers[1] as u16),
            limit: self.numbers[0],
            priority: self.small % 8,
            weight: self.small.max(1),
            label: Label::new(&self.bytes).expect("at most 255"),
        })
    }

    fn ack(&self, path: PathId, ecn: Option<EcnCounts>) -> Ack<'_> {
        let mut reader = Reader::new(&self.ranges);
        let ranges = AckRanges::read(self.numbers[0], &mut reader).expect("made to be good");
        Ack { path, delay_us: self.numbers[1], ecn, ranges }
    }

    fn data(&self) -> Data<'_> {
        let len = if self.flag { usize::from(self.small) } else { usize::MAX };
        let bytes = &self.bytes[..len.min(self.bytes.len())];
        Data { number: self.numbers[0], offset: self.numbers[1], is_final: self.flag, bytes }
    }

    fn reason(&self) -> Reason<'_> {
        let mut reader = Reader::new(&self.bytes);
        Reason::read(&mut reader).expect("at most 255")
    }

    fn address(&self) -> SocketAddr {
        let port = self.numbers[1] as u16;
        if self.flag {
            (std::net::Ipv4Addr::from(self.channel), port).into()
        } else {
            let ip = u128::from(self.numbers[2]) << 64 | u128::from(self.channel);
            (std::net::Ipv6Addr::from(ip), port).into()
        }
    }
}

proptest! {
    #[test]
    fn what_encodes_decodes_to_itself(parts in prop::collection::vec(any_parts(), 1..8)) {
        let mut frames: Vec<Frame<'_>> = parts.iter().map(Parts::frame).collect();
        // Padding ends a payload.
        let end = frames.iter().position(|frame| frame.kind() == Some(Kind::Padding));
        frames.truncate(end.map_or(frames.len(), |end| end + 1));
        let bytes = encoded(&frames);
        prop_assert_eq!(decoded(&bytes), Ok(frames.clone()));
        for place in PLACES {
            let is_allowed = frames.iter().all(|frame| frame.is_allowed_at(place));
            let read: Result<Vec<_>, _> = Frames::new(place, &bytes).collect();
            prop_assert_eq!(read.is_ok(), is_allowed);
        }
    }

    #[test]
    fn what_decodes_encodes_to_itself(
        parts in prop::collection::vec(any_parts(), 1..4),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let frames: Vec<Frame<'_>> = parts.iter().map(Parts::frame).collect();
        let mut bytes = encoded(&frames);
        for (index, value) in changes {
            let index = index.index(bytes.len().min(40));
            bytes[index] = value;
        }
        check_canonical(&bytes)?;
        check_canonical(&bytes[..cut.index(bytes.len())])?;
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(prop_oneof![0..37_u8, any::<u8>()], 0..80)) {
        check_canonical(&bytes)?;
    }
}

/// Each message that is read is written back to the bytes it was read from; what follows the first
/// zero of padding apart, which is not read.
fn check_canonical(bytes: &[u8]) -> Result<(), TestCaseError> {
    for place in PLACES {
        let mut frames = Frames::new(place, bytes);
        let mut start = 0;
        while let Some(Ok(frame)) = frames.next() {
            let end = bytes.len() - frames.remaining();
            if frame.kind() == Some(Kind::Padding) {
                prop_assert_eq!((frame.encoded_len(), bytes[start]), (end - start, 0));
            } else {
                prop_assert_eq!(&encoded(&[frame])[..], &bytes[start..end]);
            }
            prop_assert!(frame.is_allowed_at(place) && end > start);
            start = end;
        }
        prop_assert_eq!(frames.next(), None);
    }
    Ok(())
}
