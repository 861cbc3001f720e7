//! Fuzzes a whole connection, driven by a scripted peer and a scripted application.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| channeler_fuzz::connection(data));
