//! Bytes to values and back: the packets and messages of protocol v0.
//!
//! Internal: public only so that tests, fuzz targets and benches reach it; no promise of stability.
//! Nothing here allocates, and every length is checked before it is used: whatever the bytes, a
//! parser returns a value or an error and reads nothing outside of what it was given.

mod buffer;
pub mod checksum;
#[cfg(target_arch = "x86_64")]
mod crc32c;
pub mod message;
pub mod packet;
pub mod varint;

pub use buffer::{Reader, WireError, Writer};
