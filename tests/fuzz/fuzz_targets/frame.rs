//! Fuzzes the messages of an opened v1 packet.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| channeler_fuzz::frame(data));
