//! Transport parameters: what each side of a v1 connection tells the other inside TLS.
// spec: 7.11 transport parameters

use std::ops::RangeInclusive;

use rand_chacha::rand_core::Rng;

use super::frame::RESET_LEN;
use super::{Reader, WireError, grease, varint};
use crate::id::{ChannelNumber, Side, Token};

/// What one side tells the other. Values that are `Default`'s are left out on the wire.
#[derive(Clone, PartialEq, Eq)]
pub struct Params {
    /// Milliseconds without a packet after which the connection is over; 0: never.
    pub idle_timeout_ms: u64,
    /// The largest UDP payload that the sender takes.
    pub datagram_max: u64,
    /// Up to which position the peer may send on all channels together, at first.
    pub data_max: u64,
    /// Up to which position the sender may be sent on each channel that the peer opens, at first.
    pub channel_data_max: u64,
    /// How many channels the peer may open, ever, until it is told more.
    pub channels_max: u64,
    /// The largest application message that the sender takes.
    pub message_max: u64,
    /// Longest delay of an acknowledgement, in microseconds.
    pub ack_delay_max_us: u64,
    /// How many live paths the sender allows.
    pub paths_max: u64,
    /// For packets to the sender on path 0.
    pub token: Token,
    /// By which a stateless reset for `token` is known; a responder's only.
    pub reset: Option<[u8; RESET_LEN]>,
}

/// Declares the parameters that are one varint: id, name, field, range, default, kept.
macro_rules! numbers {
    ($(
        $id:literal, $name:literal, $field:ident, $range:expr, $default:literal, $kept:literal;
    )+) => {
        /// Id and name of each parameter that is a number, its range, its default, and whether it
        /// is kept with a ticket.
        pub const NUMBERS: &[Number] = &[$(
            Number {
                id: $id, name: $name, range: $range, default: $default,
                is_kept: $kept, get: |params| params.$field, set: |params, n| params.$field = n,
            },
        )+];

        impl Params {
            /// The defaults, and a token that has none.
            pub const fn new(token: Token) -> Params {
                Params { $( $field: $default, )+ token, reset: None }
            }
        }
    };
}

numbers! {
    1, "idle_timeout", idle_timeout_ms, 0..=1 << 40, 60_000, false;
    2, "datagram_max", datagram_max, 1_200..=65_527, 65_527, true;
    3, "data_max", data_max, 0..=u64::MAX, 0, true;
    4, "channel_data_max", channel_data_max, 0..=u64::MAX, 0, true;
    5, "channels_max", channels_max, 0..=ChannelNumber::INDEXES_MAX as u64, 0, true;
    6, "message_max", message_max, 1..=1 << 40, 16_777_216, true;
    7, "ack_delay_max", ack_delay_max_us, 0..=1 << 24, 25_000, false;
    8, "paths_max", paths_max, 1..=16, 16, false;
}

/// A parameter that is one varint.
#[derive(Debug)]
pub struct Number {
    /// Its id.
    pub id: u64,
    /// Its name on the protocol page.
    pub name: &'static str,
    /// Its values.
    pub range: RangeInclusive<u64>,
    /// What it is when it is not sent.
    pub default: u64,
    /// Whether it is remembered with a ticket, for early data.
    pub is_kept: bool,
    get: fn(&Params) -> u64,
    set: fn(&mut Params, u64),
}

/// The id of the token.
pub const TOKEN: u64 = 9;

/// The id of the reset value.
pub const RESET: u64 = 10;

/// Ids below this are this protocol's. Two of one in a row of parameters are refused, known or not.
const OWN_IDS_END: u64 = 64;

/// Random bytes in a parameter without a meaning, at most.
const GREASE_LEN_MAX: usize = 16;

/// Why bytes are no transport parameters. Each closes the connection with PARAMETER.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ParamsError {
    /// They end inside of a parameter, or hold what is no varint.
    #[error("the transport parameters cannot be decoded")]
    Malformed,
    /// One is there twice.
    #[error("transport parameter {0} is there twice")]
    Twice(u64),
    /// One has a length that it cannot have.
    #[error("transport parameter {0} has a wrong length")]
    BadLength(u64),
    /// One has a value out of its range.
    #[error("transport parameter {0} is out of range")]
    OutOfRange(u64),
    /// The one that is required is not there.
    #[error("transport parameter {0} is missing")]
    Missing(u64),
    /// One that its sender must not send.
    #[error("transport parameter {0} is not for this side to send")]
    NotAllowed(u64),
}

impl From<WireError> for ParamsError {
    fn from(_: WireError) -> ParamsError {
        ParamsError::Malformed
    }
}

impl Params {
    /// Writes them, with one parameter now and then that has no meaning, so that peers stay used
    /// to those.
    pub fn encode(&self, rng: &mut impl Rng) -> Vec<u8> {
        let mut out = Vec::with_capacity(96);
        for number in NUMBERS {
            let value = (number.get)(self);
            if value != number.default {
                let (body, start) = varint::encode(value);
                push(&mut out, number.id, &body[start..]);
            }
        }
        push(&mut out, TOKEN, &self.token.0);
        if let Some(reset) = &self.reset {
            push(&mut out, RESET, reset);
        }
        let random = rng.next_u32();
        if random & 1 != 0 {
            let mut body = [0; GREASE_LEN_MAX];
            rng.fill_bytes(&mut body);
            let len = (random >> 1) as usize % (GREASE_LEN_MAX + 1);
            push(&mut out, grease((random >> 16) as u16), &body[..len]);
        }
        out
    }

    /// Reads the parameters that `sender` sent.
    pub fn decode(bytes: &[u8], sender: Side) -> Result<Params, ParamsError> {
        let mut params = Params::new(Token([0; Token::SIZE]));
        let mut seen = 0_u64;
        let mut reader = Reader::new(bytes);
        while reader.remaining() > 0 {
            let id = reader.varint()?;
            let len = usize::try_from(reader.varint()?).map_err(|_| ParamsError::Malformed)?;
            let body = reader.bytes(len)?;
            if id < OWN_IDS_END {
                if seen & 1 << id != 0 {
                    return Err(ParamsError::Twice(id));
                }
                seen |= 1 << id;
            }
            params.take(id, body, sender)?;
        }
        if seen & 1 << TOKEN == 0 {
            return Err(ParamsError::Missing(TOKEN));
        }
        Ok(params)
    }

    /// Whether one that is kept with tickets is lower than in `before`: then early data sent under
    /// those must not be accepted.
    // spec: 7.13 early data
    pub fn is_lower_than(&self, before: &Params) -> bool {
        let mut kept = NUMBERS.iter().filter(|number| number.is_kept);
        kept.any(|number| (number.get)(self) < (number.get)(before))
    }

    /// Takes one parameter; one that is not known is ignored.
    fn take(&mut self, id: u64, body: &[u8], sender: Side) -> Result<(), ParamsError> {
        match id {
            TOKEN => self.token = Token(body.try_into().map_err(|_| ParamsError::BadLength(id))?),
            RESET if sender == Side::Initiator => return Err(ParamsError::NotAllowed(id)),
            RESET => self.reset = Some(body.try_into().map_err(|_| ParamsError::BadLength(id))?),
            _ => {
                let Some(number) = NUMBERS.iter().find(|number| number.id == id) else {
                    return Ok(());
                };
                let mut reader = Reader::new(body);
                let value = reader.varint().map_err(|_| ParamsError::BadLength(id))?;
                if reader.remaining() > 0 {
                    return Err(ParamsError::BadLength(id));
                }
                if !number.range.contains(&value) {
                    return Err(ParamsError::OutOfRange(id));
                }
                (number.set)(self, value);
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for Params {
    /// Without the reset value, which is for the two sides alone.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("Params");
        for number in NUMBERS {
            debug.field(number.name, &(number.get)(self));
        }
        debug.field("token", &self.token).finish_non_exhaustive()
    }
}

fn push(out: &mut Vec<u8>, id: u64, body: &[u8]) {
    for value in [id, body.len() as u64] {
        let (encoded, start) = varint::encode(value);
        out.extend_from_slice(&encoded[start..]);
    }
    out.extend_from_slice(body);
}

#[cfg(test)]
mod tests;
