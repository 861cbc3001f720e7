//! Fuzzes the handshake, driven by a scripted network and scripted peers.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| channeler_fuzz::handshake(data));
