//! Fuzzes the varint parser.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| channeler_fuzz::varint(data));
