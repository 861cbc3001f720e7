"""QUIC channels: messages on (address of the peer, team, label), over QUIC.

An `Endpoint` sends and receives them on the port of a node, beside its other traffic, or
(`Endpoint.alone`) on a port of its own. `AsyncEndpoint` is the same for asyncio. Both speak with
each other, and with the same in C and C++.
"""

from ._aio import AsyncEndpoint
from ._events import (
    AddressChanged,
    Connected,
    ConnectionClosed,
    ConnectionRequest,
    Event,
    FrameRefused,
    MessagesLost,
    Readable,
    SyncReadable,
    Writable,
)
from ._options import Options, Streams
from ._stats import ConnectionInfo, Stats
from ._sync import (
    LABEL_BYTES_MAX,
    TEAM_BYTES,
    Channel,
    Endpoint,
    Message,
    OnAccept,
    OnEvent,
    OnMessage,
    OnSync,
    SyncMessage,
)

__all__ = [
    "LABEL_BYTES_MAX",
    "TEAM_BYTES",
    "AddressChanged",
    "AsyncEndpoint",
    "Channel",
    "Connected",
    "ConnectionClosed",
    "ConnectionInfo",
    "ConnectionRequest",
    "Endpoint",
    "Event",
    "FrameRefused",
    "Message",
    "MessagesLost",
    "OnAccept",
    "OnEvent",
    "OnMessage",
    "OnSync",
    "Options",
    "Readable",
    "Stats",
    "Streams",
    "SyncMessage",
    "SyncReadable",
    "Writable",
]
