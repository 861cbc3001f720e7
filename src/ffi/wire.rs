//! The codec of protocol version 0 for those who want packets and messages in their own hands.

use super::guard::{self, Failure, Out, fail, guard};
use super::peer_id::channeler_peer_id;
use crate::error::Error;
use crate::id::{Capabilities, ChannelId, PeerId};
use crate::v0::channel::reference_cookie;
use crate::wire::message::{self, Message, MessageError, PayloadSize};
use crate::wire::packet::{self, Fields, HEADER_SIZE, Header};
use crate::wire::{Reader, WireError, Writer};

/// What each packet of protocol version 0 begins with.
pub const CHANNELER_WIRE_PROTOCOL_ID: u32 = 0x0c22_9d94;

/// The half of a channel id that nobody has chosen yet.
pub const CHANNELER_WIRE_NO_HALF: u16 = 0xf0f0;

/// Message kind: the initiator asks for a channel (`id.initiator_half`, `cookie1`).
pub const CHANNELER_WIRE_NEW: u32 = 10;
/// Message kind: the responder offers it (`id`, `cookie1`, `cookie2`).
pub const CHANNELER_WIRE_ACKNOWLEDGE: u32 = 11;
/// Message kind: the initiator takes it (`id`, `cookie2`, `capabilities`).
pub const CHANNELER_WIRE_FINALIZE: u32 = 12;
/// Message kind: it establishes the channel of its packet (`cookie1`: either, `capabilities`).
pub const CHANNELER_WIRE_COOKIE: u32 = 13;
/// Message kind: what the application sends (`payload`).
pub const CHANNELER_WIRE_DATA: u32 = 20;

// The header generator reads numbers only; here they are held to the codec's.
const _: () = assert!(
    CHANNELER_WIRE_PROTOCOL_ID == packet::PROTOCOL_ID
        && CHANNELER_WIRE_NO_HALF == ChannelId::NO_HALF
        && CHANNELER_WIRE_NEW == message::CHANNEL_NEW as u32
        && CHANNELER_WIRE_ACKNOWLEDGE == message::CHANNEL_ACKNOWLEDGE as u32
        && CHANNELER_WIRE_FINALIZE == message::CHANNEL_FINALIZE as u32
        && CHANNELER_WIRE_COOKIE == message::CHANNEL_COOKIE as u32
        && CHANNELER_WIRE_DATA == message::DATA as u32
);

/// A payload size: as many bytes as a varint before them says.
pub const CHANNELER_WIRE_SIZE_VARIABLE: i64 = -1;
/// A payload size: there is no such message.
pub const CHANNELER_WIRE_SIZE_UNKNOWN: i64 = -2;

/// A channel id as packets have it: one half chosen by each side.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct channeler_wire_id {
    /// The half of the side that opened the channel; `CHANNELER_WIRE_NO_HALF`: none yet.
    pub initiator_half: u16,
    /// The half of the other side; `CHANNELER_WIRE_NO_HALF`: none yet.
    pub responder_half: u16,
}

/// A message of a packet. Which fields its kind has is said at `CHANNELER_WIRE_NEW` and the others;
/// the rest is 0.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct channeler_wire_message {
    /// `CHANNELER_WIRE_*`.
    pub kind: u32,
    /// The channel.
    pub id: channeler_wire_id,
    /// The initiator's cookie.
    pub cookie1: u32,
    /// The responder's cookie.
    pub cookie2: u32,
    /// The sum of `CHANNELER_CAP_*` bits.
    pub capabilities: u32,
    /// Parsed: bytes of the whole message. Not read when written.
    pub size: usize,
    /// Parsed: what follows the kind (and the length) in the parsed bytes, whose owner's it stays.
    /// Written: the bytes of a `CHANNELER_WIRE_DATA`; NULL when there are none.
    pub payload: *const u8,
    /// Bytes of `payload`.
    pub payload_size: usize,
}

/// The header of a packet.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct channeler_wire_header {
    /// `CHANNELER_WIRE_PROTOCOL_ID`, unless it is another protocol's.
    pub protocol: u32,
    /// Who sends it.
    pub sender: channeler_peer_id,
    /// Who it is for.
    pub recipient: channeler_peer_id,
    /// The channel of its messages.
    pub id: channeler_wire_id,
    /// Bit 0: encrypted; bit 1: spin.
    pub flags: u16,
    /// Bytes of the whole packet.
    pub packet_size: u16,
    /// The sequence number.
    pub sequence: u16,
    /// Bytes of the payload.
    pub payload_size: u16,
}

/// Reads the varint at the front of `data`: its value to `value`, and how many bytes it takes
/// to `size`.
///
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `_DECODE` (it is cut off, or
/// larger than 64 bits). Thread: any.
///
/// # Safety
/// `data` is NULL or has `length` readable bytes; `value` and `size` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_wire_varint_parse(
    data: *const u8,
    length: usize,
    value: *mut u64,
    size: *mut usize,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises `length` readable bytes.
        let data = unsafe { guard::bytes(data, length, "data") }?;
        // SAFETY: the caller promises that `value` is null or writable.
        let value = unsafe { Out::new(value, "value") }?;
        // SAFETY: the caller promises that `size` is null or writable.
        let size = unsafe { Out::new(size, "size") }?;
        let mut reader = Reader::new(data);
        let read = reader.varint().map_err(|error| fail(Error::Decode, error.to_string()))?;
        value.set(read);
        size.set(reader.position());
        Ok(())
    })
}

/// Writes `value` as a varint to `buffer`, and how many bytes that took (at most 10) to `size`.
///
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `_INSUFFICIENT_BUFFER_SIZE`
/// (nothing was written). Thread: any.
///
/// # Safety
/// `buffer` is NULL or has `capacity` writable bytes; `size` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_wire_varint_write(
    value: u64,
    buffer: *mut u8,
    capacity: usize,
    size: *mut usize,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises `capacity` writable bytes.
        let buffer = unsafe { guard::bytes_mut(buffer, capacity, "buffer") }?;
        // SAFETY: the caller promises that `size` is null or writable.
        let size = unsafe { Out::new(size, "size") }?;
        let mut writer = Writer::new(buffer);
        writer.varint(value).map_err(full)?;
        size.set(writer.position());
        Ok(())
    })
}

/// Tells how many bytes follow the kind of a message: a number from 0, or
/// `CHANNELER_WIRE_SIZE_VARIABLE`, or `CHANNELER_WIRE_SIZE_UNKNOWN`. Thread: any.
#[unsafe(no_mangle)]
pub extern "C" fn channeler_wire_payload_size(kind: u32) -> i64 {
    match u16::try_from(kind).map_or(PayloadSize::Unknown, message::payload_size) {
        PayloadSize::Fixed(size) => size as i64,
        PayloadSize::Variable => CHANNELER_WIRE_SIZE_VARIABLE,
        PayloadSize::Unknown => CHANNELER_WIRE_SIZE_UNKNOWN,
    }
}

/// Reads the message at the front of `data`; what follows it is not looked at.
///
/// `out->payload` points into `data`, whose owner's it stays.
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `_INVALID_MESSAGE_TYPE` (unknown
/// kind), `_INSUFFICIENT_BUFFER_SIZE` (`data` ends before the message does), `_DECODE` (kind or
/// length is no varint). Thread: any.
///
/// # Safety
/// `data` is NULL or has `length` readable bytes; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_wire_message_parse(
    data: *const u8,
    length: usize,
    out: *mut channeler_wire_message,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises `length` readable bytes.
        let data = unsafe { guard::bytes(data, length, "data") }?;
        // SAFETY: the caller promises that `out` is null or writable.
        let out = unsafe { Out::new(out, "out") }?;
        let (message, size) = Message::parse(data).map_err(|error| match error {
            MessageError::Unknown => Failure::from(Error::InvalidMessageType),
            MessageError::Malformed if message::has_lengths(data) => {
                let text = format!("the message does not end within its {length} bytes");
                fail(Error::InsufficientBufferSize, text)
            }
            MessageError::Malformed => fail(Error::Decode, "type or length is no varint"),
        })?;
        let mut parsed = channeler_wire_message::from(message);
        parsed.size = size;
        parsed.payload = data[size - parsed.payload_size..].as_ptr();
        out.set(parsed);
        Ok(())
    })
}

/// Tells how many bytes `channeler_wire_message_write` writes for a message.
///
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `_INVALID_MESSAGE_TYPE`,
/// `_ENCODE` (more capabilities than the wire has room for). Thread: any.
///
/// # Safety
/// `message` is NULL or readable, with `payload_size` readable bytes at `payload` if its kind is
/// `CHANNELER_WIRE_DATA`; `size` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_wire_message_size(
    message: *const channeler_wire_message,
    size: *mut usize,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `message` is null or readable.
        let message = unsafe { guard::read(message, "message") }?;
        // SAFETY: the caller promises that `size` is null or writable.
        let size = unsafe { Out::new(size, "size") }?;
        // SAFETY: the caller promises `payload_size` readable bytes.
        let message = unsafe { message.view() }?;
        size.set(message.encoded_len());
        Ok(())
    })
}

/// Writes a message to `buffer`, and how many bytes that took to `size`.
///
/// Errors: as `channeler_wire_message_size`, and `CHANNELER_ERR_INSUFFICIENT_BUFFER_SIZE` (nothing
/// was written). Thread: any.
///
/// # Safety
/// `message` as for `channeler_wire_message_size`; `buffer` is NULL or has `capacity` writable
/// bytes, which the payload is not part of; `size` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_wire_message_write(
    message: *const channeler_wire_message,
    buffer: *mut u8,
    capacity: usize,
    size: *mut usize,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `message` is null or readable.
        let message = unsafe { guard::read(message, "message") }?;
        // SAFETY: the caller promises `capacity` writable bytes.
        let buffer = unsafe { guard::bytes_mut(buffer, capacity, "buffer") }?;
        // SAFETY: the caller promises that `size` is null or writable.
        let size = unsafe { Out::new(size, "size") }?;
        // SAFETY: the caller promises `payload_size` readable bytes.
        let message = unsafe { message.view() }?;
        let mut writer = Writer::new(buffer);
        message.write(&mut writer).map_err(full)?;
        size.set(writer.position());
        Ok(())
    })
}

/// Reads the header at the front of a packet. Nothing is checked but that it is there.
///
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `_INSUFFICIENT_BUFFER_SIZE` (fewer
/// than 48 bytes; from 44 on, the public header can be had by passing 44: `sequence` and
/// `payload_size` are 0 then). Thread: any.
///
/// # Safety
/// `packet` is NULL or has `length` readable bytes; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_wire_header_parse(
    packet: *const u8,
    length: usize,
    out: *mut channeler_wire_header,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises `length` readable bytes.
        let packet = unsafe { guard::bytes(packet, length, "packet") }?;
        // SAFETY: the caller promises that `out` is null or writable.
        let out = unsafe { Out::new(out, "out") }?;
        let mut public = [0; HEADER_SIZE];
        if let (packet::PUBLIC_HEADER_SIZE, Some(room)) =
            (packet.len(), public.get_mut(..packet.len()))
        {
            room.copy_from_slice(packet);
        }
        let is_public = packet.len() == packet::PUBLIC_HEADER_SIZE;
        let bytes = if is_public { &public[..] } else { packet };
        let fields = Fields::of(bytes)
            .ok_or_else(|| guard::too_small("packet", packet.len(), HEADER_SIZE))?;
        out.set(fields.into());
        Ok(())
    })
}

/// Writes the header of a packet, as it is given, to its first 48 bytes.
///
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `_INSUFFICIENT_BUFFER_SIZE` (fewer
/// than 48 bytes). Thread: any.
///
/// # Safety
/// `header` is NULL or readable; `packet` is NULL or has `length` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_wire_header_write(
    header: *const channeler_wire_header,
    packet: *mut u8,
    length: usize,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `header` is null or readable.
        let header = unsafe { guard::read(header, "header") }?;
        // SAFETY: the caller promises `length` writable bytes.
        let packet = unsafe { guard::bytes_mut(packet, length, "packet") }?;
        let Some(room) = packet.first_chunk_mut() else {
            return Err(guard::too_small("packet", length, HEADER_SIZE));
        };
        let sizes = (header.packet_size, header.payload_size);
        packet::write_fields(room, header.protocol, &header.into(), sizes);
        Ok(())
    })
}

/// Computes the checksum that a packet of `length` bytes should end with.
///
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL), `_INSUFFICIENT_BUFFER_SIZE` (no
/// room for a checksum: fewer than 4 bytes). Thread: any.
///
/// # Safety
/// `packet` is NULL or has `length` readable bytes; `checksum` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_wire_checksum(
    packet: *const u8,
    length: usize,
    checksum: *mut u32,
) -> i32 {
    // SAFETY: passed on.
    unsafe { of_packet(packet, length, checksum, packet::checksum_of) }
}

/// Reads the checksum that a packet of `length` bytes does end with.
///
/// Errors: as `channeler_wire_checksum`. Thread: any.
///
/// # Safety
/// As `channeler_wire_checksum`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_wire_checksum_parse(
    packet: *const u8,
    length: usize,
    checksum: *mut u32,
) -> i32 {
    // SAFETY: passed on.
    unsafe { of_packet(packet, length, checksum, packet::stored_checksum) }
}

/// Writes a checksum to the last 4 bytes of a packet of `length` bytes.
///
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`packet` is NULL), `_INSUFFICIENT_BUFFER_SIZE` (fewer
/// than 4 bytes). Thread: any.
///
/// # Safety
/// `packet` is NULL or has `length` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_wire_checksum_write(
    checksum: u32,
    packet: *mut u8,
    length: usize,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises `length` writable bytes.
        let packet = unsafe { guard::bytes_mut(packet, length, "packet") }?;
        let Some(footer) = packet.last_chunk_mut() else {
            return Err(guard::too_small("packet", length, packet::FOOTER_SIZE));
        };
        *footer = checksum.to_be_bytes();
        Ok(())
    })
}

/// Computes the cookie that the reference implementation puts into NEW, for the initiator's half of
/// a channel id.
///
/// It is a CRC-32 and protects nothing: one is enough to make others. Nodes use better ones.
/// `secret` may be NULL when `secret_length` is 0.
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (a pointer is NULL). Thread: any.
///
/// # Safety
/// `secret` is NULL or has `secret_length` readable bytes; `initiator` and `responder` are NULL or
/// readable; `cookie` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_wire_cookie_initiator(
    secret: *const u8,
    secret_length: usize,
    initiator: *const channeler_peer_id,
    responder: *const channeler_peer_id,
    initiator_half: u16,
    cookie: *mut u32,
) -> i32 {
    let half = initiator_half.to_be_bytes();
    // SAFETY: passed on.
    unsafe { cookie_of(secret, secret_length, initiator, responder, &half, cookie) }
}

/// Computes the cookie that the reference implementation puts into ACKNOWLEDGE, for a whole channel
/// id. Otherwise as `channeler_wire_cookie_initiator`.
///
/// # Safety
/// As `channeler_wire_cookie_initiator`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_wire_cookie_responder(
    secret: *const u8,
    secret_length: usize,
    initiator: *const channeler_peer_id,
    responder: *const channeler_peer_id,
    id: channeler_wire_id,
    cookie: *mut u32,
) -> i32 {
    let id = ChannelId::from(id).to_wire().to_be_bytes();
    // SAFETY: passed on.
    unsafe { cookie_of(secret, secret_length, initiator, responder, &id, cookie) }
}

/// Draws a half of a channel id from the operating system; never `CHANNELER_WIRE_NO_HALF`.
///
/// Errors: `CHANNELER_ERR_INVALID_ARGUMENT` (`half` is NULL), `_UNSUPPORTED` (the system gives no
/// randomness). Thread: any.
///
/// # Safety
/// `half` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn channeler_wire_random_half(half: *mut u16) -> i32 {
    guard(|| {
        // SAFETY: the caller promises that `half` is null or writable.
        let out = unsafe { Out::new(half, "half") }?;
        let mut drawn = ChannelId::NO_HALF;
        while drawn == ChannelId::NO_HALF {
            let mut bytes = [0; 2];
            guard::randomness(&mut bytes)?;
            drawn = u16::from_ne_bytes(bytes);
        }
        out.set(drawn);
        Ok(())
    })
}

/// # Safety
/// `packet` is null or has `length` readable bytes; `out` is null or writable.
unsafe fn of_packet(
    packet: *const u8,
    length: usize,
    out: *mut u32,
    checksum: fn(&[u8]) -> Option<u32>,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises `length` readable bytes.
        let packet = unsafe { guard::bytes(packet, length, "packet") }?;
        // SAFETY: the caller promises that `out` is null or writable.
        let out = unsafe { Out::new(out, "checksum") }?;
        let found = checksum(packet);
        out.set(found.ok_or_else(|| guard::too_small("packet", length, packet::FOOTER_SIZE))?);
        Ok(())
    })
}

/// # Safety
/// `secret` is null or has `length` readable bytes; `initiator` and `responder` are null or
/// readable; `out` is null or writable.
unsafe fn cookie_of(
    secret: *const u8,
    length: usize,
    initiator: *const channeler_peer_id,
    responder: *const channeler_peer_id,
    channel: &[u8],
    out: *mut u32,
) -> i32 {
    guard(|| {
        // SAFETY: the caller promises `length` readable bytes.
        let secret = unsafe { guard::bytes_or_none(secret, length, "secret") }?;
        // SAFETY: the caller promises that `initiator` is null or readable.
        let initiator = unsafe { guard::read(initiator, "initiator") }?;
        // SAFETY: the caller promises that `responder` is null or readable.
        let responder = unsafe { guard::read(responder, "responder") }?;
        // SAFETY: the caller promises that `out` is null or writable.
        let out = unsafe { Out::new(out, "cookie") }?;
        let (initiator, responder) = (PeerId(initiator.bytes), PeerId(responder.bytes));
        out.set(reference_cookie(secret, initiator, responder, channel));
        Ok(())
    })
}

fn full(error: WireError) -> Failure {
    fail(Error::InsufficientBufferSize, error.to_string())
}

impl From<channeler_wire_id> for ChannelId {
    fn from(id: channeler_wire_id) -> ChannelId {
        ChannelId { initiator: id.initiator_half, responder: id.responder_half }
    }
}

impl From<ChannelId> for channeler_wire_id {
    fn from(id: ChannelId) -> channeler_wire_id {
        channeler_wire_id { initiator_half: id.initiator, responder_half: id.responder }
    }
}

impl channeler_wire_message {
    fn empty(message: &Message<'_>) -> channeler_wire_message {
        let kind = message.message_type();
        channeler_wire_message {
            kind: kind.into(),
            id: channeler_wire_id { initiator_half: 0, responder_half: 0 },
            cookie1: 0,
            cookie2: 0,
            capabilities: 0,
            size: 0,
            payload: std::ptr::null(),
            payload_size: match message::payload_size(kind) {
                PayloadSize::Fixed(size) => size,
                PayloadSize::Variable | PayloadSize::Unknown => 0,
            },
        }
    }

    /// # Safety
    /// `payload` is null or has `payload_size` bytes that stay readable for `'a`, if the kind is
    /// data.
    unsafe fn view<'a>(&self) -> Result<Message<'a>, Failure> {
        let capabilities = || {
            let bits = u16::try_from(self.capabilities).map_err(|_| {
                let text = format!("capabilities is {}; allowed is 0 to 65535", self.capabilities);
                fail(Error::Encode, text)
            })?;
            Ok::<_, Failure>(Capabilities(bits))
        };
        let (id, cookie1, cookie2) = (self.id.into(), self.cookie1, self.cookie2);
        Ok(match self.kind {
            CHANNELER_WIRE_NEW => {
                Message::ChannelNew { initiator: self.id.initiator_half, cookie1 }
            }
            CHANNELER_WIRE_ACKNOWLEDGE => Message::ChannelAcknowledge { id, cookie1, cookie2 },
            CHANNELER_WIRE_FINALIZE => {
                Message::ChannelFinalize { id, cookie2, capabilities: capabilities()? }
            }
            CHANNELER_WIRE_COOKIE => {
                Message::ChannelCookie { cookie: cookie1, capabilities: capabilities()? }
            }
            CHANNELER_WIRE_DATA => {
                // SAFETY: the caller promises `payload_size` readable bytes.
                let data =
                    unsafe { guard::bytes_or_none(self.payload, self.payload_size, "payload") }?;
                Message::Data(data)
            }
            _ => return Err(Error::InvalidMessageType.into()),
        })
    }
}

impl From<Message<'_>> for channeler_wire_message {
    fn from(message: Message<'_>) -> channeler_wire_message {
        let empty = channeler_wire_message::empty(&message);
        match message {
            Message::ChannelNew { initiator, cookie1 } => {
                let id = channeler_wire_id { initiator_half: initiator, ..empty.id };
                channeler_wire_message { id, cookie1, ..empty }
            }
            Message::ChannelAcknowledge { id, cookie1, cookie2 } => {
                channeler_wire_message { id: id.into(), cookie1, cookie2, ..empty }
            }
            Message::ChannelFinalize { id, cookie2, capabilities } => channeler_wire_message {
                id: id.into(),
                cookie2,
                capabilities: capabilities.0.into(),
                ..empty
            },
            Message::ChannelCookie { cookie, capabilities } => channeler_wire_message {
                cookie1: cookie,
                capabilities: capabilities.0.into(),
                ..empty
            },
            Message::Data(data) => channeler_wire_message { payload_size: data.len(), ..empty },
        }
    }
}

impl From<Fields<'_>> for channeler_wire_header {
    fn from(fields: Fields<'_>) -> channeler_wire_header {
        // Both sizes are two bytes on the wire.
        channeler_wire_header {
            protocol: fields.protocol(),
            sender: fields.sender().into(),
            recipient: fields.recipient().into(),
            id: fields.channel().into(),
            flags: fields.flags(),
            packet_size: fields.size() as u16,
            sequence: fields.sequence(),
            payload_size: fields.payload_size() as u16,
        }
    }
}

impl From<channeler_wire_header> for Header {
    fn from(header: channeler_wire_header) -> Header {
        Header {
            sender: PeerId(header.sender.bytes),
            recipient: PeerId(header.recipient.bytes),
            channel: header.id.into(),
            flags: header.flags,
            sequence: header.sequence,
        }
    }
}
