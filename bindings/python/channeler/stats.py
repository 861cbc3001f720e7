"""Counters and descriptions as plain values."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, fields
from typing import Any, Callable, Iterable, TypeVar

from . import _abi
from .errors import check
from .identity import PublicKey
from .values import Address, Capability, Ecn, PeerId, Role, Version

_Counters = TypeVar("_Counters")
_Struct = TypeVar("_Struct", bound=ctypes.Structure)


@dataclass(frozen=True)
class NodeStats:
    """Counters of a node since it was made."""

    datagrams_received: int
    bytes_received: int
    datagrams_sent: int
    bytes_sent: int
    messages_received: int
    messages_sent: int
    connections: int
    """Connections now."""
    channels: int
    """Channels now, pending ones included."""
    send_queue_bytes: int
    """Bytes waiting to be sent now."""
    receive_queue_bytes: int
    """Message bytes waiting to be read now."""
    dropped: dict[str, int]
    """Everything dropped, by the name of the reason, such as "bad_checksum"."""


@dataclass(frozen=True)
class ConnectionStats:
    """Counters of a connection since it began."""

    datagrams_received: int
    bytes_received: int
    datagrams_sent: int
    bytes_sent: int
    channels: int
    """Channels now, pending ones included."""
    rtt: float
    """Version 1: the smoothed round-trip time in seconds; 0 before the handshake is done."""
    congestion_window_bytes: int
    """Version 1: bytes that may be on their way at once."""
    bytes_lost: int
    """Version 1: bytes of packets that were lost on their way to the peer."""
    rtt_variation: float
    """Version 1: how much the round-trip time varies, in seconds."""
    rtt_min: float
    """Version 1: the least round-trip time seen, in seconds."""
    in_flight_bytes: int
    """Version 1: bytes on their way now: sent, and neither acknowledged nor lost."""
    pacing_rate_bytes: int
    """Version 1: bytes that may leave in a second; 0: nothing but the window limits."""
    packet_size: int
    """Largest packet that leaves now, in bytes of UDP payload."""
    packets_sent: int
    """Version 1: packets sent, those of the handshake apart."""
    packets_lost: int
    """Version 1: packets that were lost on their way to the peer."""
    packets_lost_spuriously: int
    """Version 1: packets taken for lost that had arrived; `packets_lost` counts them."""
    bytes_resent: int
    """Version 1: bytes of messages sent again because packets with them were lost."""
    send_queue_bytes: int
    """Bytes waiting to be sent now, on all channels."""
    receive_queue_bytes: int
    """Bytes received and not read now, on all channels."""
    send_credit_bytes: int
    """Version 1: bytes that we may still send before the peer allows more, because it reads."""
    ecn: Ecn
    """Whether packets are marked for explicit congestion notification."""


@dataclass(frozen=True)
class ChannelStats:
    """Counters of a channel since it began."""

    messages_sent: int
    bytes_sent: int
    messages_received: int
    bytes_received: int
    messages_dropped: int
    """Messages dropped because the receive queue was full."""
    send_queue_bytes: int
    """Bytes waiting to be sent now, envelopes included; where lost messages are sent again, also
    those sent and not acknowledged.
    """
    receive_queue_bytes: int
    """Message bytes waiting to be read now; in version 1 also those of messages with holes."""
    send_queue_messages: int
    """Messages waiting to be sent now, or packets of them."""
    receive_queue_messages: int
    """Messages that can be read now."""
    messages_lost: int
    """Version 1: messages of ours given up: lost, or expired."""
    messages_skipped: int
    """Version 1: messages of the peer's that will never come."""
    bytes_resent: int
    """Version 1: bytes of messages sent again because packets with them were lost."""
    send_credit_bytes: int
    """Version 1: bytes that we may still send before the peer allows more, because it reads."""
    receive_credit_bytes: int
    """Version 1: bytes that the peer may still send before we allow more."""
    receive_window_bytes: int
    """Version 1: our receive window now: so many bytes unread stop the peer."""


@dataclass(frozen=True)
class ConnectionInfo:
    """What a connection is."""

    peer: PeerId
    address: Address
    """Where we send to."""
    connected: bool
    """Whether the handshake is done; in version 0, whether a channel was ever established."""
    message_bytes_max: int
    """Largest message that can be sent now, in bytes: in version 0 what one packet takes, in
    version 1 what the peer takes and `Options.send_queue_bytes_max` holds.
    """
    version: Version
    is_encrypted: bool
    """Whether what is sent is encrypted, and the peer was seen to have the key of its id."""
    public_key: PublicKey | None
    """The peer's key. None: not yet, or version 0."""
    packet_message_bytes: int
    """Largest message that one packet takes now, in bytes."""
    observed_address: Address | None
    """Version 1: where the peer sees us, as it says: our own address, or a NAT's."""


@dataclass(frozen=True)
class ChannelInfo:
    """What a channel is."""

    connection_id: int
    initiator_half: int
    """The half of its id on the wire that the opener chose."""
    responder_half: int
    """The half that the other side chose; 0xf0f0 until it did."""
    role: Role
    """Who we are."""
    capabilities: Capability
    established: bool
    """Whether messages can flow."""
    is_early: bool
    """Whether the peer opened it in early data, which others may record and send again."""
    label_length: int
    """Bytes of its label."""
    priority: int
    """0 (first) to 7 (last), as its opener chose (version 1)."""
    weight: int
    """Its share beside others of its priority, as its opener chose (version 1)."""


def read_struct(kind: type[_Struct], call: Callable[[Any], int]) -> _Struct:
    """Lets the library fill a struct that begins with its size."""
    out = kind()
    out.struct_size = ctypes.sizeof(kind)
    check(call(ctypes.byref(out)))
    return out


def counters(kind: type[_Counters], struct: ctypes.Structure, **others: Any) -> _Counters:
    """The fields of the same names, and `others`."""
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for name in names:
        if name in others:
            values[name] = others[name]
        elif hasattr(type(struct), f"{name}_ns"):
            values[name] = getattr(struct, f"{name}_ns") / 1e9
        else:
            values[name] = getattr(struct, name)
    return kind(**values)


def connection_info(details: _abi.channeler_connection_details) -> ConnectionInfo:
    """From the library's struct."""
    return ConnectionInfo(
        PeerId._from_c(details.peer),
        Address._from_c(details.address),
        bool(details.connected),
        details.message_bytes_max,
        Version(details.protocol),
        bool(details.encrypted),
        PublicKey._from_c_or_none(details.public_key),
        details.packet_message_bytes,
        Address._from_c_or_none(details.observed_address),
    )


def channel_info(details: _abi.channeler_channel_details) -> ChannelInfo:
    """From the library's struct."""
    return ChannelInfo(
        details.connection.id,
        details.initiator_half,
        details.responder_half,
        Role(details.role),
        Capability(details.capabilities),
        bool(details.established),
        bool(details.early),
        details.label_length,
        details.priority,
        details.weight,
    )


def dropped(counts: Iterable[int], name_of: Callable[[int], bytes | None]) -> dict[str, int]:
    """Counts by the name of the reason; the library knows fewer reasons than there are places."""
    found = {}
    for index, count in enumerate(counts):
        name = name_of(index)
        if name is None:
            break
        found[name.decode()] = count
    return found
