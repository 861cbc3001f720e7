"""What programs and the daemon tell each other: messages, filters, how things are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Union

from ._postcard import digits, option, text

TeamLike = Union[bytes, str]
"""A team: 32 bytes, or 64 hexadecimal digits."""

PeerLike = Union[bytes, str]
"""A peer id: 16 bytes, or 32 hexadecimal digits, with or without 0x before them."""

Bytes = Union[bytes, bytearray, memoryview]
"""What can be sent."""


@dataclass(frozen=True)
class Message:
    """A message, or with `team` None a sync message."""

    address: str
    """Where it came from."""
    peer: bytes
    """Whom it came from: 16 bytes."""
    data: bytes
    team: bytes | None = None
    label: str = ""


@dataclass(frozen=True)
class PeerStatus:
    """A connection of the daemon."""

    address: str
    peer: bytes | None
    """Who is there, once that is proved."""
    is_connected: bool
    by_peer: bool
    """Whether the peer began it."""
    counters: dict[str, int]


@dataclass(frozen=True)
class Status:
    """How a daemon is."""

    protocol: int
    version: str
    peer: bytes
    """Who it is to its peers."""
    listen: list[str]
    counters: dict[str, int]
    connections: list[PeerStatus]


@dataclass(frozen=True)
class Event:
    """Something that happened to a connection. What an event does not tell is as it is here."""

    kind: str
    """connected, closed, lost, frame_refused, moved, dropped, missed"""
    address: str = ""
    peer: bytes | None = None
    by_peer: bool = False
    code: int = 0
    """closed: a `Code`; lost: the reason that the peer gave"""
    text: str = ""
    count: int = 0
    """closed: messages to the peer of which it is not known that they arrived; else how many"""
    cut: int = 0
    """closed: messages of the peer that broke off in their middle"""
    to: str = ""
    """moved: the new address"""


@dataclass(frozen=True)
class Filter:
    """Which messages: what is None matches everything."""

    address: str | None = None
    team: TeamLike | None = None
    label: str | None = None
    label_prefix: str | None = None
    sync: bool = False
    """Sync messages, which have no team and no label."""

    def __post_init__(self) -> None:
        if self.label is not None and self.label_prefix is not None:
            raise ValueError("label or label_prefix, not both")
        if self.sync and not self.team is self.label is self.label_prefix is None:
            raise ValueError("sync messages have no team and no label")

    def matches(self, message: Message) -> bool:
        """Whether a message is one of those."""
        if self.sync != (message.team is None):
            return False
        return (
            self.address in (None, message.address)
            and (self.team is None or team_bytes(self.team) == message.team)
            and self.label in (None, message.label)
            and message.label.startswith(self.label_prefix or "")
        )

    def to_bytes(self) -> bytes:
        """As the daemon wants it."""
        address = option(None if self.address is None else text(self.address))
        if self.sync:
            return b"\x01" + address
        label = b"\x00"
        if self.label is not None:
            label = b"\x01" + text(self.label)
        elif self.label_prefix is not None:
            label = b"\x02" + text(self.label_prefix)
        team = option(None if self.team is None else team_bytes(self.team))
        return b"\x00" + address + team + label


EVERY_MESSAGE = Filter()
"""All but sync messages."""


def team_bytes(team: TeamLike) -> bytes:
    """The 32 bytes of a team."""
    return digits(team, 32, "team")


def peer_bytes(peer: PeerLike) -> bytes:
    """The 16 bytes of a peer id."""
    return digits(peer, 16, "peer id")
