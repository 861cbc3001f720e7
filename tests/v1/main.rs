//! Protocol v1 between real nodes on a virtual clock and network.

mod connect;
