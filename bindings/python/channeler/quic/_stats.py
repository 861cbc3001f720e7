"""Counters and descriptions as plain values."""

from __future__ import annotations

from dataclasses import dataclass

from .. import _abi
from .._lib import library
from ..stats import counters, dropped
from ..values import Address, PeerId


@dataclass(frozen=True)
class Stats:
    """Counters of QUIC channels since they were opened."""

    connections: int
    """Connections now, at most 32."""
    connections_beside: int
    """Connections that drain, are still being read, or are not among those yet."""
    dialled: int
    """Connections that we began."""
    accepted: int
    """Connections that peers began and that were accepted."""
    evicted: int
    """Connections that were closed for another when there were 32."""
    superseded: int
    """Connections that gave way to another with the same peer."""
    handshakes_retried: int
    """Handshakes of others that were asked to prove their address."""
    messages_sent: int
    """Messages taken for sending, sync messages included."""
    bytes_sent: int
    messages_received: int
    """Messages received whole, sync messages included."""
    bytes_received: int
    """Bytes of their frames."""
    messages_undelivered: int
    """Messages taken for sending of which it is not known that they arrived."""
    receive_queue_bytes: int
    """Bytes waiting to be received now, with those of unfinished messages."""
    receive_queue_messages: int
    """Messages waiting to be received now."""
    send_queue_bytes: int
    """Bytes waiting to be sent now."""
    datagrams_received: int
    datagram_bytes_received: int
    datagrams_sent: int
    datagram_bytes_sent: int
    dropped: dict[str, int]
    """Everything that was not taken, by the name of the reason, such as "peer_unknown"."""


@dataclass(frozen=True)
class ConnectionInfo:
    """What a connection is, and how it does."""

    connection: int
    """Its number, as events have it."""
    address: Address
    peer: PeerId | None
    """The peer. None: it has not proved who it is yet."""
    connected: bool
    """Whether messages flow."""
    by_peer: bool
    """Whether the peer began it."""
    rtt: float
    """The smoothed round-trip time in seconds."""
    rtt_min: float
    """The least round-trip time seen, in seconds."""
    congestion_window_bytes: int
    """Bytes that may be on their way at once."""
    pacing_rate_bytes: int
    """Bytes that may leave in a second; 0: nothing but the window limits."""
    in_flight_bytes: int
    """Bytes on their way now."""
    send_queue_bytes: int
    """Bytes waiting to be sent now."""
    receive_queue_bytes: int
    """Bytes waiting to be received now, with those of unfinished messages."""
    receive_queue_messages: int
    """Messages waiting to be received now."""
    messages_sent: int
    messages_received: int
    messages_cut: int
    """Messages of the peer that broke off."""
    packets_sent: int
    packets_lost: int
    """Packets that were lost on their way to the peer."""
    bytes_lost: int
    congestion_events: int
    """How often loss, or marks of full queues, were told to congestion control."""
    packet_size: int
    """Largest packet that leaves now, in bytes of UDP payload."""
    datagrams_sent: int
    datagram_bytes_sent: int
    datagrams_received: int
    datagram_bytes_received: int


def stats(raw: _abi.channeler_quic_counters) -> Stats:
    """From the library's struct."""
    by_reason = dropped(raw.dropped, library.channeler_quic_drop_reason_name)
    return counters(Stats, raw, dropped=by_reason)


def connection_info(raw: _abi.channeler_quic_details) -> ConnectionInfo:
    """From the library's struct."""
    return counters(
        ConnectionInfo,
        raw,
        address=Address._from_c(raw.address),
        peer=PeerId._from_c_or_none(raw.peer),
        connected=bool(raw.connected),
        by_peer=bool(raw.by_peer),
    )
