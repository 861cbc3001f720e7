"""What `on_event` is told: a class for each kind of event."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable, TypeVar

from . import _abi
from .errors import ChannelerError, ErrorCode, error_of_end
from .values import Address, PeerId

if TYPE_CHECKING:
    from .node import Channel, Connection, NodeBase

_Struct = TypeVar("_Struct", bound=ctypes.Structure)


@dataclass(frozen=True)
class Event:
    """Something happened. Later versions may have more kinds: ignore those you do not know."""

    connection: Connection


@dataclass(frozen=True)
class Connected(Event):
    """The peer is there, and in version 1 has proved that it is `peer`.

    In version 0 that is not yet a welcome: a node that refuses cannot say so.
    """

    peer: PeerId


@dataclass(frozen=True)
class ConnectionClosed(Event):
    """The connection ended with all its channels; calls with it fail from now on."""

    peer: PeerId
    reason: ErrorCode
    """`CLOSED`, `IDLE`, `BANNED`, `TIMEOUT` (nothing ever answered), or `LIMIT` (it had no channel,
    and its place went to another). In version 1 also `PEER_CLOSED`, `REFUSED`, `IDENTITY` (another
    peer than the one asked for answered), `CRYPTO`, `PROTOCOL`, `RESET` and `SUPERSEDED`.
    """
    code: int = 0
    """With `PEER_CLOSED`, the number that the peer's application gave."""
    text: str = ""
    """What was said with it, for people. It comes from outside: it may be anything."""

    @property
    def error(self) -> ChannelerError:
        """The end as an exception, to be raised."""
        return error_of_end(self.reason, self.code, self.text)


@dataclass(frozen=True)
class ChannelOpened(Event):
    """A channel is established."""

    channel: Channel
    by_peer: bool
    """Whether the peer opened it."""


@dataclass(frozen=True)
class ChannelClosed(Event):
    """A channel ended, or could not be opened; calls with it fail from now on."""

    channel: Channel
    reason: ErrorCode
    """`CLOSED`, `IDLE`, `TIMEOUT` (the peer never answered), or the connection's; in version 1 also
    `PEER_CLOSED` (the peer reset it, or closed the connection), `REFUSED`, `UNSUPPORTED`, `LOST`
    and `EXPIRED` (a message of either side was given up, with `Capability.CLOSE_ON_LOSS`), and
    `LIMIT`.
    """
    code: int = 0
    """With `PEER_CLOSED`, the number that the peer's application gave."""
    text: str = ""
    """What was said with it, for people. It comes from outside: it may be anything."""

    @property
    def error(self) -> ChannelerError:
        """The end as an exception, to be raised."""
        return error_of_end(self.reason, self.code, self.text)


@dataclass(frozen=True)
class ChannelFinished(Event):
    """The peer sends nothing more on a channel, and all that it sent was handed over.

    Ours goes on until `Channel.close`. Only with the option `half_close`.
    """

    channel: Channel


@dataclass(frozen=True)
class MessageDelivered(Event):
    """A message sent with `report` has arrived: the peer's node has all of it."""

    channel: Channel
    context: int
    """What `report` was."""


@dataclass(frozen=True)
class MessageLost(Event):
    """A message sent with `report` is given up, or nobody can know any more what became of it."""

    channel: Channel
    context: int
    """What `report` was."""
    reason: ErrorCode
    """`LOST` (on the way, and not sent again, or as often as the resend limit allows), `EXPIRED`
    (its lifetime was over), or why the channel ended, whose `ChannelClosed` follows.
    """

    @property
    def error(self) -> ChannelerError:
        """The reason as an exception, to be raised."""
        return error_of_end(self.reason, 0, "")


@dataclass(frozen=True)
class MessagesSkipped(Event):
    """Messages of the peer's will never come: those between what came before this and after it."""

    channel: Channel
    count: int
    """How many."""


@dataclass(frozen=True)
class Readable(Event):
    """A channel that had nothing to read has. It comes once: read until `DataUnavailable`."""

    channel: Channel


@dataclass(frozen=True)
class Writable(Event):
    """A channel whose send raised `WouldBlock` has room again."""

    channel: Channel


@dataclass(frozen=True)
class PathChanged(Event):
    """The peer proved a new address; we send there now."""

    address: Address


@dataclass(frozen=True)
class PathUnreachable(Event):
    """The system says that this address of the peer cannot be reached. Nothing is closed."""

    address: Address


@dataclass(frozen=True)
class PacketSizeReduced(Event):
    """The path takes only packets of this size; larger messages raise `MessageTooLarge`."""

    packet_size: int


def event_from(node: NodeBase, event: _abi.channeler_event) -> Event | None:
    """The library's struct as one of the classes; None: of a kind that we do not know."""
    make = _MAKERS.get(event.kind)
    return None if make is None else make(node, whole(event))


def whole(event: _Struct) -> _Struct:
    """The struct with all fields: those that an older library does not have are zero."""
    struct_size = int(event.struct_size)
    if struct_size >= ctypes.sizeof(event):
        return event
    out = type(event)()
    ctypes.memmove(ctypes.byref(out), ctypes.byref(event), struct_size)
    return out


def text_of(text: bytes | None) -> str:
    """What was said, which may be anything."""
    return (text or b"").decode(errors="replace")


_Maker = Callable[["NodeBase", _abi.channeler_event], Event]

_MAKERS: dict[int, _Maker] = {
    _abi.CHANNELER_EVENT_CONNECTED: lambda node, event: Connected(
        node._connection(event), PeerId._from_c(event.peer)
    ),
    _abi.CHANNELER_EVENT_CONNECTION_CLOSED: lambda node, event: ConnectionClosed(
        node._connection(event),
        PeerId._from_c(event.peer),
        ErrorCode(event.reason),
        event.code,
        text_of(event.text),
    ),
    _abi.CHANNELER_EVENT_CHANNEL_OPENED: lambda node, event: ChannelOpened(
        node._connection(event), node._channel(event), bool(event.by_peer)
    ),
    _abi.CHANNELER_EVENT_CHANNEL_CLOSED: lambda node, event: ChannelClosed(
        node._connection(event),
        node._channel(event),
        ErrorCode(event.reason),
        event.code,
        text_of(event.text),
    ),
    _abi.CHANNELER_EVENT_CHANNEL_FINISHED: lambda node, event: ChannelFinished(
        node._connection(event), node._channel(event)
    ),
    _abi.CHANNELER_EVENT_MESSAGE_DELIVERED: lambda node, event: MessageDelivered(
        node._connection(event), node._channel(event), event.context
    ),
    _abi.CHANNELER_EVENT_MESSAGE_LOST: lambda node, event: MessageLost(
        node._connection(event), node._channel(event), event.context, ErrorCode(event.reason)
    ),
    _abi.CHANNELER_EVENT_MESSAGES_SKIPPED: lambda node, event: MessagesSkipped(
        node._connection(event), node._channel(event), event.count
    ),
    _abi.CHANNELER_EVENT_READABLE: lambda node, event: Readable(
        node._connection(event), node._channel(event)
    ),
    _abi.CHANNELER_EVENT_WRITABLE: lambda node, event: Writable(
        node._connection(event), node._channel(event)
    ),
    _abi.CHANNELER_EVENT_PATH_CHANGED: lambda node, event: PathChanged(
        node._connection(event), Address._from_c(event.address)
    ),
    _abi.CHANNELER_EVENT_PATH_UNREACHABLE: lambda node, event: PathUnreachable(
        node._connection(event), Address._from_c(event.address)
    ),
    _abi.CHANNELER_EVENT_PACKET_SIZE_REDUCED: lambda node, event: PacketSizeReduced(
        node._connection(event), event.packet_size
    ),
}
