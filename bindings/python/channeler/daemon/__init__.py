"""QUIC channels through `channelerd`, over its Unix socket: without libchanneler in the program.

    with daemon.Client() as client:
        client.send("192.0.2.1:4433", team, "chat", b"hello")
        message = client.receive(daemon.Filter(team=team, label="chat"), wait=5.0)

        with client.follow(daemon.Filter(team=team)) as messages:
            for message in messages:
                ...

`AsyncClient` is the same for asyncio. `docs/daemon.md` says how the daemon is run, what it
promises, and every byte that is said here. This folder needs Python's own library and nothing else:
it may be copied into a program.
"""

from ._aio import AsyncClient
from ._client import SOCKET_DEFAULT, Client, Events, Messages
from ._errors import (
    Code,
    ConnectionEnded,
    DaemonError,
    DaemonUnavailable,
    InvalidRequest,
    MalformedAnswer,
    PeerRefused,
    PeerTimeout,
    RequestFailed,
    WrongPeer,
)
from ._values import Event, Filter, Message, PeerStatus, Status

__all__ = [
    "SOCKET_DEFAULT",
    "AsyncClient",
    "Client",
    "Code",
    "ConnectionEnded",
    "DaemonError",
    "DaemonUnavailable",
    "Event",
    "Events",
    "Filter",
    "InvalidRequest",
    "MalformedAnswer",
    "Message",
    "Messages",
    "PeerRefused",
    "PeerStatus",
    "PeerTimeout",
    "RequestFailed",
    "Status",
    "WrongPeer",
]
