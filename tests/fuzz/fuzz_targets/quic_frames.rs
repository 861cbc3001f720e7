//! Fuzzes the reader of QUIC messages: frames, heads, limits.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| channeler_fuzz::quic_frames(data));
