"""QUIC channels on a node, for people."""

from __future__ import annotations

import ctypes
from dataclasses import replace
from typing import Callable, Iterable, Iterator, NamedTuple, TypeVar

from .. import _abi
from .._buffers import Buffer, WritableBuffer, readable, writable
from .._callbacks import QUIC_EVENT
from .._lib import library
from ..errors import (
    BufferTooSmall,
    ChannelerError,
    DataUnavailable,
    ErrorCode,
    InvalidArgument,
    InvalidConnection,
    StateError,
    check,
)
from ..identity import Identity
from ..node import Node, NodeBase
from ..stats import read_struct
from ..values import Address, AddressLike, PeerId, PeerIdLike, to_address, to_peer_id, unsigned
from ..values import Options as NodeOptions
from ._events import ConnectionRequest, Event, Readable, SyncReadable, event_from
from ._options import Options
from ._stats import ConnectionInfo, Stats, connection_info, stats

LABEL_BYTES_MAX: int = _abi.CHANNELER_QUIC_LABEL_MAX
"""Bytes of a label, in UTF-8, at most."""

TEAM_BYTES = ctypes.sizeof(_abi.channeler_team_id)
"""Bytes of a team's id."""

# Messages up to this size are read with one call of the library, larger ones with two.
_ROOM_BYTES = 4096
_CONNECTIONS_MAX = 32

_Message = TypeVar("_Message")


class Channel(NamedTuple):
    """Where a message came from: `endpoint.send(*channel, answer)` answers it."""

    address: Address
    """The peer's address."""
    team: bytes
    """The team's id."""
    label: str


class Message(NamedTuple):
    """A message, and where it came from."""

    channel: Channel
    peer: PeerId
    """The peer, which proved to be it."""
    data: bytes


class SyncMessage(NamedTuple):
    """A sync message, and who sent it."""

    address: Address
    peer: PeerId
    data: bytes


OnEvent = Callable[[Event], object]
OnMessage = Callable[[Message], object]
OnSync = Callable[[SyncMessage], object]
OnAccept = Callable[[ConnectionRequest], bool]


class Endpoint:
    """QUIC channels on the sockets of a node: `node.process` runs them, too.

    It serves them until the node is closed. Losing this object ends nothing.
    """

    def __init__(
        self,
        node: Node,
        options: Options | None = None,
        *,
        on_event: OnEvent | None = None,
        on_message: OnMessage | None = None,
        on_sync: OnSync | None = None,
        on_accept: OnAccept | None = None,
    ) -> None:
        """Serves QUIC channels on the sockets of `node`, once on each.

        Nobody is known at first: see `trust` and `connect`. The functions are called in the thread
        that runs the node, and what they raise becomes what it does of the node's. Without
        `on_message` messages are kept for `receive`, and a `Readable` event tells of them; the same
        with `on_sync` and `SyncReadable`. `on_accept` is asked about each peer that is not known,
        and answers whether it may connect; without it they are refused, or, with
        `Options.ask_before_accept`, wait for `accept` or `refuse`.
        """
        self.node = node
        self._owns_node = False
        settings = options or Options()
        if on_accept is not None and settings.ask_before_accept is None:
            settings = replace(settings, ask_before_accept=True)
        raw = settings._to_c()
        is_first = node._quic is None
        if is_first:
            node._quic = _Listener(on_event, on_message, on_sync, on_accept)
        try:
            check(
                library.channeler_quic_open(
                    node._handle, ctypes.byref(raw), QUIC_EVENT, node._hold.token
                )
            )
        except BaseException:
            if is_first:
                node._quic = None
            raise

    @classmethod
    def alone(
        cls,
        address: AddressLike,
        options: Options | None = None,
        *,
        identity: Identity | None = None,
        on_event: OnEvent | None = None,
        on_message: OnMessage | None = None,
        on_sync: OnSync | None = None,
        on_accept: OnAccept | None = None,
    ) -> Endpoint:
        """The same on a port of its own, which serves nothing else; `close` ends it.

        Its `node` is there to be run: `endpoint.node.process()`. Port 0: any that is free.
        """
        node = Node(NodeOptions(accept_incoming=False), identity=identity)
        try:
            node.bind(address)
            made = cls(
                node,
                options,
                on_event=on_event,
                on_message=on_message,
                on_sync=on_sync,
                on_accept=on_accept,
            )
        except BaseException:
            node.close()
            raise
        made._owns_node = True
        return made

    def __enter__(self) -> Endpoint:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Frees a node of its own (`alone`) as `Node.close` does; another goes on as it is.

        Nothing is said to the peers: `close_connection` first, and wait for `ConnectionClosed`.
        """
        if self._owns_node:
            self.node.close()

    def send(self, address: AddressLike, team: bytes, label: str, data: Buffer) -> None:
        """Queues a copy of a message on the channel `label` of `team` to the peer at `address`.

        It goes on the connection that is there, or a new one, whole, with the node's next turn or
        `Node.flush`. Raises `WouldBlock` when the queue for that peer is full (a `Writable` event
        follows), and `MessageTooLarge` past `Options.message_bytes_max`.
        """
        taken = readable(data)
        where = _address(address)
        name = label.encode(errors="surrogateescape")
        check(
            library.channeler_quic_send(
                self.node._handle,
                ctypes.byref(where),
                ctypes.byref(_team(team)),
                name,
                len(name),
                taken.pointer,
                taken.length,
            )
        )

    def send_many(
        self, address: AddressLike, team: bytes, label: str, messages: Iterable[Buffer]
    ) -> int:
        """Queues copies of messages on one channel, in order; returns how many were taken.

        For many small messages it costs least. Fewer than given were taken when the queue for that
        peer was full: a `Writable` event follows. Other errors are raised, as by `send`, with that
        number as `sent`.
        """
        taken = [readable(data) for data in messages]
        array = (_abi.channeler_quic_message * len(taken))()
        for entry, data in zip(array, taken):
            entry.data = data.address()
            entry.length = data.length
        where = _address(address)
        name = label.encode(errors="surrogateescape")
        sent = ctypes.c_size_t()
        status = library.channeler_quic_send_many(
            self.node._handle,
            ctypes.byref(where),
            ctypes.byref(_team(team)),
            name,
            len(name),
            array,
            len(array),
            ctypes.byref(sent),
        )
        if status != _abi.CHANNELER_ERR_WOULD_BLOCK:
            try:
                check(status)
            except ChannelerError as error:
                error.sent = sent.value
                raise
        return sent.value

    def send_sync(self, address: AddressLike, data: Buffer) -> None:
        """As `send`, of a sync message: those of the system that owns the nodes."""
        taken = readable(data)
        where = _address(address)
        check(
            library.channeler_quic_send_sync(
                self.node._handle, ctypes.byref(where), taken.pointer, taken.length
            )
        )

    def receive(self) -> Message:
        """Takes the oldest message of all channels, however large it is.

        Raises `DataUnavailable` when there is none.
        """
        origin, data = self._receive_any(library.channeler_quic_receive)
        return Message(_channel(origin), PeerId._from_c(origin.peer), data)

    def receive_sync(self) -> SyncMessage:
        """Takes the oldest sync message, as `receive`."""
        origin, data = self._receive_any(library.channeler_quic_receive_sync)
        return SyncMessage(Address._from_c(origin.address), PeerId._from_c(origin.peer), data)

    def receive_into(self, buffer: WritableBuffer) -> tuple[Channel, int]:
        """Takes the oldest message into `buffer`; returns its channel and its length.

        When it does not fit it stays the oldest, and the length is `needed` of `BufferTooSmall`.
        """
        room = writable(buffer)
        origin, length = _abi.channeler_quic_channel(), ctypes.c_size_t()
        try:
            check(
                library.channeler_quic_receive(
                    self.node._handle,
                    room.pointer,
                    room.length,
                    ctypes.byref(origin),
                    ctypes.byref(length),
                )
            )
        except BufferTooSmall as error:
            error.needed = length.value
            raise
        return _channel(origin), length.value

    def receive_many(self, count_max: int = 256, bytes_max: int = 65536) -> list[Message]:
        """Takes the oldest message, and those behind it that came in the same channel.

        For many small messages it costs least. It takes those that are at hand, at most `count_max`
        and of `bytes_max` bytes together; more of the channel may wait. When the oldest has more
        bytes it stays, and they are `needed` of `BufferTooSmall`. Raises `DataUnavailable` when
        there is none.
        """
        lengths = (ctypes.c_size_t * unsigned(count_max, 31, "count_max"))()
        buffer = bytearray(unsigned(bytes_max, 31, "bytes_max"))
        room = writable(buffer)
        origin, count = _abi.channeler_quic_channel(), ctypes.c_size_t()
        try:
            check(
                library.channeler_quic_receive_many(
                    self.node._handle,
                    room.pointer,
                    room.length,
                    lengths,
                    len(lengths),
                    ctypes.byref(origin),
                    ctypes.byref(count),
                )
            )
        except BufferTooSmall as error:
            error.needed = lengths[0]
            raise
        channel, peer = _channel(origin), PeerId._from_c(origin.peer)
        found, end = [], 0
        for length in lengths[: count.value]:
            found.append(Message(channel, peer, bytes(buffer[end : end + length])))
            end += length
        return found

    def messages(self) -> Iterator[Message]:
        """Takes messages until there are none: what to do on a `Readable` event."""
        return _until_none(self.receive)

    def sync_messages(self) -> Iterator[SyncMessage]:
        """The same of sync messages, on a `SyncReadable` event."""
        return _until_none(self.receive_sync)

    def connect(self, address: AddressLike, peer: PeerIdLike | None = None) -> int:
        """Begins a connection without a message, or finds the one that is there; its number.

        `peer` is who must answer; None: somebody who is known. A `Connected` or `ConnectionClosed`
        event with that number follows for one that is new. For the connections that later sends
        make, the peer must be known: `trust` it, too.
        """
        where = _address(address)
        who = None if peer is None else ctypes.byref(to_peer_id(peer)._to_c())
        out = ctypes.c_uint64()
        check(
            library.channeler_quic_connect(
                self.node._handle, ctypes.byref(where), who, ctypes.byref(out)
            )
        )
        return out.value

    def close_connection(self, address: AddressLike) -> None:
        """Closes the connection to `address` once everything was sent; a later send makes another.

        A `ConnectionClosed` event follows, after `Options.drain_timeout` at the latest.
        """
        where = _address(address)
        check(library.channeler_quic_close(self.node._handle, ctypes.byref(where)))

    def accept(self, connection: int) -> None:
        """Says yes to a `ConnectionRequest`, by its `connection`."""
        check(library.channeler_quic_accept(self.node._handle, connection))

    def refuse(self, connection: int) -> None:
        """Says no to a `ConnectionRequest`; the peer is told."""
        check(library.channeler_quic_refuse(self.node._handle, connection))

    def trust(self, peer: PeerIdLike) -> None:
        """Lets a peer connect from now on, and be sent to, without being asked about.

        With certificates it changes nothing.
        """
        pointer = ctypes.byref(to_peer_id(peer)._to_c())
        check(library.channeler_quic_trust(self.node._handle, pointer))

    def distrust(self, peer: PeerIdLike) -> bool:
        """Takes `trust` back, for connections to come. False: the peer was not known."""
        was_known = ctypes.c_int32()
        pointer = ctypes.byref(to_peer_id(peer)._to_c())
        check(
            library.channeler_quic_distrust(self.node._handle, pointer, ctypes.byref(was_known))
        )
        return bool(was_known.value)

    def connections(self) -> list[Address]:
        """The addresses of the peers that there are connections to."""
        count = ctypes.c_size_t(_CONNECTIONS_MAX)
        while True:
            room = (_abi.channeler_address * count.value)()
            status = library.channeler_quic_connections(
                self.node._handle, room, len(room), ctypes.byref(count)
            )
            # A later library may have more of them.
            if status != _abi.CHANNELER_ERR_INSUFFICIENT_BUFFER_SIZE:
                check(status)
                return [Address._from_c(address) for address in room[: count.value]]

    def info(self, address: AddressLike) -> ConnectionInfo:
        """What the connection to `address` is, and how it does.

        Raises `InvalidConnection` when there is none.
        """
        where = _address(address)
        return connection_info(
            read_struct(
                _abi.channeler_quic_details,
                lambda out: int(
                    library.channeler_quic_info(self.node._handle, ctypes.byref(where), out)
                ),
            )
        )

    def stats(self) -> Stats:
        """Counters of all connections together."""
        return stats(
            read_struct(
                _abi.channeler_quic_counters,
                lambda out: int(library.channeler_quic_stats(self.node._handle, out)),
            )
        )

    def _receive_any(
        self, receive: Callable[..., int]
    ) -> tuple[_abi.channeler_quic_channel, bytes]:
        origin, length = _abi.channeler_quic_channel(), ctypes.c_size_t(_ROOM_BYTES)
        while True:
            # Another thread may have read that one meanwhile, and the next be larger.
            buffer = ctypes.create_string_buffer(length.value)
            status = receive(
                self.node._handle,
                buffer,
                len(buffer),
                ctypes.byref(origin),
                ctypes.byref(length),
            )
            if status != _abi.CHANNELER_ERR_INSUFFICIENT_BUFFER_SIZE:
                check(status)
                return origin, ctypes.string_at(buffer, length.value)


class _Listener:
    """What a node tells of its QUIC channels. It does not keep the node."""

    def __init__(
        self,
        on_event: OnEvent | None,
        on_message: OnMessage | None,
        on_sync: OnSync | None,
        on_accept: OnAccept | None,
    ) -> None:
        self._on_event = on_event
        self._on_message = on_message
        self._on_sync = on_sync
        self._on_accept = on_accept

    def tell(self, node: NodeBase, event: _abi.channeler_quic_event) -> None:
        """Something happened; `event` is lent for the call."""
        known = event_from(event)
        if known is None:
            return
        endpoint = _view(node)
        if isinstance(known, ConnectionRequest) and self._on_accept is not None:
            _guarded(node, _answer, endpoint, self._on_accept, known)
        if self._on_event is not None:
            _guarded(node, self._on_event, known)
        if isinstance(known, Readable) and self._on_message is not None:
            _hand_over(node, endpoint.messages(), self._on_message)
        if isinstance(known, SyncReadable) and self._on_sync is not None:
            _hand_over(node, endpoint.sync_messages(), self._on_sync)


def _view(node: NodeBase) -> Endpoint:
    """A node's QUIC channels, which are open."""
    assert isinstance(node, Node), "only nodes with sockets open them"
    endpoint = Endpoint.__new__(Endpoint)
    endpoint.node = node
    endpoint._owns_node = False
    return endpoint


def _answer(endpoint: Endpoint, on_accept: OnAccept, request: ConnectionRequest) -> None:
    # A callback that raised has accepted nobody.
    is_welcome = False
    try:
        is_welcome = bool(on_accept(request))
    finally:
        try:
            (endpoint.accept if is_welcome else endpoint.refuse)(request.connection)
        except (InvalidConnection, StateError):
            pass  # It is gone, or the callback itself answered, or closed the node.


def _hand_over(
    node: NodeBase, messages: Iterator[_Message], call: Callable[[_Message], object]
) -> None:
    """One that raises does not keep the next from being told: no event would tell of it."""
    try:
        for message in messages:
            _guarded(node, call, message)
    except StateError:
        if not node.closed:
            raise


def _guarded(node: NodeBase, call: Callable[..., object], *arguments: object) -> None:
    try:
        call(*arguments)
    except BaseException as error:
        node._hold.report(error)


def _until_none(receive: Callable[[], _Message]) -> Iterator[_Message]:
    while True:
        try:
            message = receive()
        except DataUnavailable:
            return
        yield message


def _address(address: AddressLike) -> _abi.channeler_address:
    return to_address(address)._to_c()


def _team(team: bytes) -> _abi.channeler_team_id:
    if len(team) != TEAM_BYTES:
        raise InvalidArgument(
            ErrorCode.INVALID_ARGUMENT, f"a team has {TEAM_BYTES} bytes, not {len(team)}"
        )
    return _abi.channeler_team_id.from_buffer_copy(team)


def _channel(origin: _abi.channeler_quic_channel) -> Channel:
    # Not the field's value, which ctypes ends at a zero byte.
    start = ctypes.addressof(origin) + _abi.channeler_quic_channel.label.offset
    label = ctypes.string_at(start, origin.label_length)
    return Channel(Address._from_c(origin.address), bytes(origin.team.bytes), label.decode())
