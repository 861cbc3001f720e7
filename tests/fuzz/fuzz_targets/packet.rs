//! Fuzzes the packet parser.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| channeler_fuzz::packet(data));
