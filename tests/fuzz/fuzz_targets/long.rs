//! Fuzzes the parser of v1 datagrams.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| channeler_fuzz::long(data));
