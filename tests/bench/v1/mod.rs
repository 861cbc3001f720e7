//! Protocol v1, against the thresholds of issues 4 and 5.

mod connect;
mod datagram;
mod footprint;
mod open;
mod ping;
pub(crate) mod quic;
mod reliable;
pub(crate) mod tls;
#[cfg(feature = "sim")]
pub(crate) mod wan;

use crate::harness::Run;

/// The group.
pub(crate) fn measure(run: &mut Run) {
    connect::measure(run);
    datagram::measure(run);
    reliable::measure(run);
    ping::measure(run);
    open::measure(run);
    footprint::measure(run);
    #[cfg(feature = "sim")]
    wan::measure(run);
}

/// UDP payloads as large as Ethernet takes over IPv6: what both sides of a comparison send.
pub(crate) const PACKET_SIZE: u16 = 1452;
