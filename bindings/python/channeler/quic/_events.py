"""What `on_event` is told: a class for each kind of event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

from .. import _abi
from ..errors import ChannelerError, ErrorCode, error_from, error_of_end
from ..events import text_of, whole
from ..identity import PublicKey
from ..values import Address, PeerId


@dataclass(frozen=True)
class Event:
    """Something happened. Later versions may have more kinds: ignore those you do not know."""


@dataclass(frozen=True)
class ConnectionRequest(Event):
    """A peer that is not known proved who it is.

    It waits for `on_accept`, or `Endpoint.accept` or `refuse`, up to `Options.accept_timeout`.
    """

    connection: int
    """The connection's number; none is used twice."""
    address: Address
    peer: PeerId
    public_key: PublicKey | None
    """The peer's key. None: it has a certificate, and `peer` follows from that."""


@dataclass(frozen=True)
class Connected(Event):
    """A peer proved who it is, and messages flow."""

    connection: int
    address: Address
    peer: PeerId
    by_peer: bool
    """Whether the peer began."""


@dataclass(frozen=True)
class ConnectionClosed(Event):
    """A connection ended, or never came about. What had arrived whole on it can be received."""

    connection: int
    address: Address
    peer: PeerId | None
    """Who it was; None: nobody had said."""
    reason: ErrorCode
    """`CLOSED` (by us), `PEER_CLOSED`, `IDLE`, `TIMEOUT` (nobody answered), `REFUSED`, `BANNED`,
    `IDENTITY` (the peer is not who it should be), `RESET` (it restarted), `LIMIT` (unused for the
    longest time when a 33rd began), `SUPERSEDED` (another with the same peer is used), `CRYPTO`,
    `PROTOCOL`.
    """
    code: int
    """The number that was said with it, by the side that ended it."""
    text: str
    """What was said with it, for people. It may come from outside, and be anything."""
    undelivered: int
    """Messages taken for sending of which it is not known that they arrived."""
    cut: int
    """Messages of the peer that broke off; nothing of them is delivered."""

    @property
    def error(self) -> ChannelerError:
        """The end as an exception, to be raised."""
        if self.reason == ErrorCode.PEER_CLOSED or not self.text:
            return error_of_end(self.reason, self.code, self.text)
        return error_from(self.reason, f"{self.reason.text}: {self.text}")


@dataclass(frozen=True)
class Readable(Event):
    """There are messages, after there were none. It comes once: read until `DataUnavailable`."""


@dataclass(frozen=True)
class SyncReadable(Event):
    """There are sync messages, after there were none."""


@dataclass(frozen=True)
class Writable(Event):
    """The peer for which a send raised `WouldBlock` can be sent to again."""

    address: Address


@dataclass(frozen=True)
class FrameRefused(Event):
    """The peer sent a frame that is none; its stream was stopped, and nothing else happened."""

    connection: int
    address: Address
    code: int
    text: str
    """What is wrong with it."""


@dataclass(frozen=True)
class MessagesLost(Event):
    """The peer stopped a stream of ours; `count` messages on it may not have arrived."""

    connection: int
    address: Address
    count: int
    code: int
    """The peer's reason; of peers like us, as in `FrameRefused`."""


@dataclass(frozen=True)
class AddressChanged(Event):
    """The peer that was at `address` is at `new_address` now."""

    connection: int
    address: Address
    new_address: Address


def event_from(event: _abi.channeler_quic_event) -> Event | None:
    """The library's struct as one of the classes; None: of a kind that we do not know."""
    make = _MAKERS.get(event.kind)
    return None if make is None else make(whole(event))


_Maker = Callable[[_abi.channeler_quic_event], Event]

_MAKERS: dict[int, _Maker] = {
    _abi.CHANNELER_QUIC_EVENT_REQUEST: lambda event: ConnectionRequest(
        event.connection,
        Address._from_c(event.address),
        PeerId._from_c(event.peer),
        PublicKey._from_c_or_none(event.key),
    ),
    _abi.CHANNELER_QUIC_EVENT_CONNECTED: lambda event: Connected(
        event.connection,
        Address._from_c(event.address),
        PeerId._from_c(event.peer),
        bool(event.by_peer),
    ),
    _abi.CHANNELER_QUIC_EVENT_CLOSED: lambda event: ConnectionClosed(
        event.connection,
        Address._from_c(event.address),
        PeerId._from_c_or_none(event.peer),
        ErrorCode(event.reason),
        event.code,
        text_of(event.text),
        event.count,
        event.cut,
    ),
    _abi.CHANNELER_QUIC_EVENT_READABLE: lambda _: Readable(),
    _abi.CHANNELER_QUIC_EVENT_SYNC_READABLE: lambda _: SyncReadable(),
    _abi.CHANNELER_QUIC_EVENT_WRITABLE: lambda event: Writable(Address._from_c(event.address)),
    _abi.CHANNELER_QUIC_EVENT_FRAME_REFUSED: lambda event: FrameRefused(
        event.connection, Address._from_c(event.address), event.code, text_of(event.text)
    ),
    _abi.CHANNELER_QUIC_EVENT_MESSAGES_LOST: lambda event: MessagesLost(
        event.connection, Address._from_c(event.address), event.count, event.code
    ),
    _abi.CHANNELER_QUIC_EVENT_ADDRESS_CHANGED: lambda event: AddressChanged(
        event.connection, Address._from_c(event.address), Address._from_c(event.new_address)
    ),
}
