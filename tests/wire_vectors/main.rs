//! Golden bytes: the project's own of both protocols, and the reference's where they are at hand.

mod own;
mod reference;
mod v1;

use std::path::Path;

use channeler::id::{Capabilities, ChannelId};
use channeler::wire::Writer;
use channeler::wire::message::{self, Message};
use serde_json::Value;

/// Reads a JSON file of vectors.
fn load(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The elements of a list that must not be empty, or its tests would prove nothing.
fn list(value: &Value) -> &[Value] {
    let list = value.as_array().expect("a list");
    assert!(!list.is_empty(), "an empty list of vectors");
    list
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

/// A number as JSON has it, as decimal text, or as `0x` and hexadecimal digits.
fn number(value: &Value) -> u64 {
    let parsed = match value.as_str() {
        Some(text) => text
            .strip_prefix("0x")
            .map_or_else(|| text.parse().ok(), |digits| u64::from_str_radix(digits, 16).ok()),
        None => value.as_u64(),
    };
    parsed.unwrap_or_else(|| panic!("no number: {value}"))
}

fn u32_of(value: &Value) -> u32 {
    number(value).try_into().expect("at most 32 bits")
}

fn u16_of(value: &Value) -> u16 {
    number(value).try_into().expect("at most 16 bits")
}

fn bytes(value: &Value) -> Vec<u8> {
    let digits = text(value);
    assert!(digits.len().is_multiple_of(2), "half a byte: {digits}");
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal digits"))
        .collect()
}

fn array<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().expect("as many bytes as the field has")
}

fn channel(initiator: &Value, responder: &Value) -> ChannelId {
    ChannelId { initiator: u16_of(initiator), responder: u16_of(responder) }
}

fn capabilities(value: &Value) -> Capabilities {
    Capabilities(u16_of(value))
}

fn written(message: &Message<'_>) -> Vec<u8> {
    let mut out = vec![0; message.encoded_len()];
    let mut writer = Writer::new(&mut out);
    message.write(&mut writer).expect("made to fit");
    assert_eq!(writer.remaining(), 0, "{message:?}");
    out
}

fn type_name(message: &Message<'_>) -> &'static str {
    match message.message_type() {
        message::CHANNEL_NEW => "CHANNEL_NEW",
        message::CHANNEL_ACKNOWLEDGE => "CHANNEL_ACKNOWLEDGE",
        message::CHANNEL_FINALIZE => "CHANNEL_FINALIZE",
        message::CHANNEL_COOKIE => "CHANNEL_COOKIE",
        message::DATA => "DATA",
        unknown => panic!("a message of type {unknown}"),
    }
}
