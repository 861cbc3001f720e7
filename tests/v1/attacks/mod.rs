//! Attacks on whole nodes, the list of chapter 18: each file is one kind of attacker.

mod acks;
mod address;
mod amplification;
mod downgrade;
mod early;
mod extremes;
mod floods;
mod fragments;
mod half_open;
mod identity;
mod injection;
mod levels;
mod puppets;
mod replay;
mod tamper;
mod tools;
mod unconfirmed;
mod unknown;
mod updates;
