//! Fuzzes the parser of transport parameters.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| channeler_fuzz::params(data));
