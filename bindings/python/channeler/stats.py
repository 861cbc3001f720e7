"""Counters and descriptions as plain values."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, fields
from typing import Any, Callable, TypeVar

from . import _abi
from ._lib import library
from .errors import check
from .identity import PublicKey
from .values import Address, Capability, PeerId, Role, Version

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
    """Bytes waiting to be sent now, envelopes included."""
    receive_queue_bytes: int
    """Message bytes waiting to be read now."""


@dataclass(frozen=True)
class ConnectionInfo:
    """What a connection is."""

    peer: PeerId
    address: Address
    """Where we send to."""
    connected: bool
    """Whether the handshake is done; in version 0, whether a channel was ever established."""
    message_bytes_max: int
    """Largest message that a channel takes now, in bytes."""
    version: Version
    is_encrypted: bool
    """Whether what is sent is encrypted, and the peer was seen to have the key of its id."""
    public_key: PublicKey | None
    """The peer's key. None: not yet, or version 0."""


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


def read_struct(kind: type[_Struct], call: Callable[[Any], int]) -> _Struct:
    """Lets the library fill a struct that begins with its size."""
    out = kind()
    out.struct_size = ctypes.sizeof(kind)
    check(call(ctypes.byref(out)))
    return out


def counters(kind: type[_Counters], struct: ctypes.Structure) -> _Counters:
    """The fields of the same names."""
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for name in names:
        if name == "dropped":
            values[name] = _dropped(struct)
        elif name == "rtt":
            values[name] = getattr(struct, "rtt_ns") / 1e9
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
    )


def _dropped(struct: ctypes.Structure) -> dict[str, int]:
    counts = {}
    for index, count in enumerate(struct.dropped):
        name = library.channeler_drop_reason_name(index)
        if name is None:
            break
        counts[name.decode()] = count
    return counts
