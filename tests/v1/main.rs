//! Protocol v1 between real nodes on a virtual clock and network.

mod accept;
mod bans;
mod close;
mod connect;
mod cookies;
mod duel;
mod limits;
mod reset;
mod tools;
mod versions;
