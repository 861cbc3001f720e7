//! Protocol v1 between real nodes on a virtual clock and network.

#[path = "../common/v0.rs"]
#[expect(dead_code, reason = "these tests need only part of the played peer")]
mod v0;

mod accept;
mod attacks;
mod bans;
mod close;
mod congestion;
mod connect;
mod cookies;
mod duel;
mod limits;
mod modes;
mod paths;
mod reset;
mod rows;
mod tools;
mod versions;
