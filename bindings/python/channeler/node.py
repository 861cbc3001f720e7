"""Nodes, connections and channels, for people."""

from __future__ import annotations

import atexit
import ctypes
import math
import threading
import warnings
import weakref
from dataclasses import replace
from typing import Callable, Iterable, Iterator, NamedTuple, Protocol, Sequence, TypeVar

from . import _abi
from ._buffers import Buffer, WritableBuffer, readable, writable
from ._callbacks import Hold, Lent, callbacks_for, release
from ._lib import library
from .errors import (
    ChannelerError,
    DataUnavailable,
    ErrorCode,
    InvalidArgument,
    check,
    error_from,
)
from .events import Event
from .identity import Identity, PublicKey
from .stats import (
    ChannelInfo,
    ChannelStats,
    ConnectionInfo,
    ConnectionStats,
    NodeStats,
    channel_info,
    connection_info,
    counters,
    dropped,
    read_struct,
)
from .values import (
    Address,
    AddressLike,
    Capability,
    Ecn,
    Legacy,
    LogLevel,
    Options,
    PeerId,
    PeerIdLike,
    Version,
    nanoseconds,
    text_to_c,
    to_address,
    to_peer_id,
    unsigned,
)

OnEvent = Callable[[Event], object]
OnMessage = Callable[["Channel", bytes], object]
OnAccept = Callable[["Connection", PeerId, Address], bool]
OnDatagram = Callable[[Address, bytes], object]
OnLog = Callable[[LogLevel, str], object]
OnKeyLog = Callable[[str], object]

_LABEL_BYTES_MAX = 255
# Longest sleep in C: a signal that comes right before it begins is seen after this at the latest.
_SLEEP_NS_MAX = 1_000_000_000

_Self = TypeVar("_Self", bound="NodeBase")


class QuicListener(Protocol):
    """Who hears of a node's QUIC channels."""

    def tell(self, node: NodeBase, event: _abi.channeler_quic_event) -> None:
        """Something happened; `event` is lent for the call."""


class Received(NamedTuple):
    """What `receive_many` read from a channel."""

    channel: Channel
    data: bytes
    remaining: int
    """Bytes of the same message that did not fit and still wait."""
    error: ChannelerError | None
    """Why nothing was read."""


class NodeBase:
    """What nodes with sockets and without them share. Make a `Node` or a `SansIoNode`."""

    _MODE: int

    def __init__(
        self,
        options: Options | None = None,
        *,
        identity: Identity | None = None,
        legacy: Legacy | None = None,
        on_event: OnEvent | None = None,
        on_message: OnMessage | None = None,
        on_accept: OnAccept | None = None,
        on_datagram: OnDatagram | None = None,
        on_log: OnLog | None = None,
        on_key_log: OnKeyLog | None = None,
    ) -> None:
        """Makes a node that calls these functions, in the thread that runs it.

        `identity` and `legacy` stand for the options of these names. Without an identity the node
        makes a fresh one: it is a new peer then.
        Without `on_message` messages are kept for `Channel.receive`, and a `Readable` event tells
        of them. Without `on_accept` everybody may connect. `on_key_log` gets secrets: lines for a
        file of the kind that `SSLKEYLOGFILE` names. What a callback raises is raised by the call
        that ran it (`process`, say), or logged when the node has its own thread.
        """
        self._handle: int | None = None
        self._on_event = on_event
        self._on_message = on_message
        self._on_accept = on_accept
        self._on_datagram = on_datagram
        self._on_log = on_log
        self._on_key_log = on_key_log
        # Who hears of QUIC channels; it does not keep the node.
        self._quic: QuicListener | None = None
        settings = _merged(options, identity, legacy)._to_c(self._MODE)
        self._hold = Hold(self)
        out = ctypes.c_void_p()
        try:
            callbacks = callbacks_for(self, self._hold.token)
            check(
                library.channeler_node_new(
                    ctypes.byref(settings), ctypes.byref(callbacks), ctypes.byref(out)
                )
            )
        except BaseException:
            self._hold.forget()
            raise
        self._handle = out.value
        self._is_closed = False
        self._closing = threading.Lock()
        _nodes.add(self)

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_handle", None) is not None and not self._is_closed:
            warnings.warn(f"{self!r} was not closed", ResourceWarning, source=self)
            self.close()

    def __repr__(self) -> str:
        state = "closed" if self.closed else str(self.peer_id)
        return f"<channeler.{type(self).__name__} {state}>"

    def close(self) -> None:
        """Frees the node with its sockets, connections and channels; again does no harm.

        Nothing is said to the peers: `flush` first to send what is queued. Inside a callback of
        the node it takes effect when the callback returns, and no further one is called.
        """
        # Of several threads one gets it, and nobody gives it back.
        if not self._closing.acquire(blocking=False):
            return
        self._is_closed = True
        self._hold.run(lambda: int(library.channeler_node_free(self._handle)))

    @property
    def closed(self) -> bool:
        """Whether `close` was called. Every call then raises `StateError`."""
        return self._is_closed

    @property
    def peer_id(self) -> PeerId:
        """Our own peer id."""
        out = _abi.channeler_peer_id()
        check(library.channeler_node_peer_id(self._handle, ctypes.byref(out)))
        return PeerId._from_c(out)

    @property
    def public_key(self) -> PublicKey:
        """Our own public key. Raises `Unsupported` when only version 0 is spoken."""
        out = _abi.channeler_public_key()
        check(library.channeler_node_public_key(self._handle, ctypes.byref(out)))
        return PublicKey._from_c(out)

    @property
    def identity(self) -> Identity:
        """Our own private key: how a fresh one can be kept. Raises as `public_key`."""
        buffer = ctypes.create_string_buffer(_abi.CHANNELER_IDENTITY_PEM_MAX)
        check(library.channeler_node_identity(self._handle, buffer, len(buffer)))
        return Identity._take(buffer)

    def connect(
        self, peer: PeerIdLike | None, address: AddressLike, *, version: Version | None = None
    ) -> Connection:
        """Begins a connection, or finds the one there is; `peer` None is whoever answers.

        A `Connected` or `ConnectionClosed` event follows; channels may be opened before. `version`
        None is version 1, or version 0 with `Legacy.ONLY`, which sends nothing before a channel is
        opened.
        """
        who = None if peer is None else to_peer_id(peer)._to_c()
        where = to_address(address)._to_c()
        out = _abi.channeler_connection()
        if version is None:
            pointer = None if who is None else ctypes.byref(who)
            status = library.channeler_node_connect(
                self._handle, pointer, ctypes.byref(where), ctypes.byref(out)
            )
        else:
            options = _abi.channeler_dial_options()
            size = ctypes.sizeof(options)
            check(library.channeler_dial_options_init(ctypes.byref(options), size))
            options.protocol = unsigned(version, 32, "version")
            if who is not None:
                options.peer = who
            options.address = where
            status = library.channeler_node_dial(
                self._handle, ctypes.byref(options), ctypes.byref(out)
            )
        check(status)
        return Connection(self, out.id)

    def process(self, timeout: float | None = None) -> None:
        """Runs the node for one turn: receives, sends, does what is due, calls the callbacks.

        Waits up to `timeout` seconds (None: as long as need be) for something to do, and may
        return earlier with nothing done: call it in a loop. A `SansIoNode` never waits.
        """
        timeout_ns = _SLEEP_NS_MAX
        if timeout is not None:
            timeout_ns = min(timeout_ns, nanoseconds(max(timeout, 0.0), "timeout"))
        self._hold.run(lambda: int(library.channeler_node_process(self._handle, timeout_ns)))

    def ban_peer(self, peer: PeerIdLike, seconds: float) -> None:
        """Bans a peer for that long, and closes its connection."""
        span_ns = nanoseconds(seconds, "seconds")
        pointer = ctypes.byref(to_peer_id(peer)._to_c())
        check(library.channeler_node_ban_peer(self._handle, pointer, span_ns))

    def ban_address(self, address: AddressLike, seconds: float) -> None:
        """Bans an IP address, whatever the port, for that long, and closes its connections."""
        span_ns = nanoseconds(seconds, "seconds")
        pointer = ctypes.byref(to_address(address)._to_c())
        check(library.channeler_node_ban_address(self._handle, pointer, span_ns))

    def lift_ban_peer(self, peer: PeerIdLike) -> bool:
        """Lifts the ban of a peer. False: there was none."""
        lifted = ctypes.c_int32()
        pointer = ctypes.byref(to_peer_id(peer)._to_c())
        check(library.channeler_node_lift_ban_peer(self._handle, pointer, ctypes.byref(lifted)))
        return bool(lifted.value)

    def lift_ban_address(self, address: AddressLike) -> bool:
        """Lifts the ban of an IP address. False: there was none."""
        lifted = ctypes.c_int32()
        pointer = ctypes.byref(to_address(address)._to_c())
        check(library.channeler_node_lift_ban_address(self._handle, pointer, ctypes.byref(lifted)))
        return bool(lifted.value)

    def send_many(
        self,
        messages: Iterable[tuple[Channel, Buffer]],
        *,
        lifetime: float | None = None,
        report: int | None = None,
        may_replay: bool = False,
    ) -> int:
        """Queues messages at the cost of one lock; returns how many were taken.

        Fewer than given were taken when a queue was full: a `Writable` event follows for the
        channel of the first that was not. Other errors are raised, with that number as `sent`. The
        settings are as in `Channel.send`; `report` is for the first message, and each further one's
        is higher by 1.
        """
        options = _send_options(lifetime, report, may_replay)
        taken = [(channel, readable(data)) for channel, data in messages]
        array = (_abi.channeler_message * len(taken))()
        for entry, (channel, data) in zip(array, taken):
            entry.channel.id = channel.id
            entry.data = data.address()
            entry.length = data.length
        sent = ctypes.c_size_t()
        status = library.channeler_channel_send_many_with(
            self._handle, array, len(array), options, ctypes.byref(sent)
        )
        if status != _abi.CHANNELER_ERR_WOULD_BLOCK:
            try:
                check(status)
            except ChannelerError as error:
                error.sent = sent.value
                raise
        return sent.value

    def receive_many(
        self, channels: Sequence[Channel], bytes_max: int = 2048
    ) -> list[Received]:
        """Reads a message from each of the channels that has one, at the cost of one lock.

        A channel that is named twice gives two. The rest of a message longer than `bytes_max`
        waits. Channels with nothing to read are left out.
        """
        room = unsigned(bytes_max, 31, "bytes_max")
        buffer = ctypes.create_string_buffer(room * len(channels))
        array = (_abi.channeler_slot * len(channels))()
        for index, (slot, channel) in enumerate(zip(array, channels)):
            slot.channel.id = channel.id
            slot.buffer = ctypes.addressof(buffer) + index * room
            slot.capacity = room
        received = ctypes.c_size_t()
        status = library.channeler_channel_receive_many(
            self._handle, array, len(array), ctypes.byref(received)
        )
        if status != _abi.CHANNELER_ERR_DATA_UNAVAILABLE:
            check(status)
        found = []
        for slot, channel in zip(array, channels):
            if slot.status == _abi.CHANNELER_OK:
                data = ctypes.string_at(slot.buffer, slot.length)
                found.append(Received(channel, data, slot.remaining, None))
            elif slot.status != _abi.CHANNELER_ERR_DATA_UNAVAILABLE:
                found.append(Received(channel, b"", 0, error_from(slot.status)))
        return found

    def stats(self) -> NodeStats:
        """The node's counters."""
        raw = read_struct(
            _abi.channeler_node_counters,
            lambda out: int(library.channeler_node_stats(self._handle, out)),
        )
        by_reason = dropped(raw.dropped, library.channeler_drop_reason_name)
        return counters(NodeStats, raw, dropped=by_reason)

    def _connection_of(self, id: int) -> Connection:
        return Connection(self, id)

    def _channel_of(self, id: int) -> Channel:
        return Channel(self, id)

    def _connection(self, event: _abi.channeler_event) -> Connection:
        return self._connection_of(event.connection.id)

    def _channel(self, event: _abi.channeler_event) -> Channel:
        return self._channel_of(event.channel.id)


class Node(NodeBase):
    """A node with UDP sockets: `bind`, then `process` in a loop, or `start` for its own thread."""

    _MODE = _abi.CHANNELER_MODE_SOCKETS

    def bind(self, address: AddressLike) -> None:
        """Opens a socket there. Port 0: any that is free; "[::]:port" takes IPv4, too."""
        pointer = ctypes.byref(to_address(address)._to_c())
        check(library.channeler_node_bind(self._handle, pointer))

    def local_address(self, index: int = 0) -> Address:
        """The address of the socket that was bound as number `index`, from 0."""
        out = _abi.channeler_address()
        number = unsigned(index, 8 * ctypes.sizeof(ctypes.c_size_t), "index")
        check(library.channeler_node_local_address(self._handle, number, ctypes.byref(out)))
        return Address._from_c(out)

    def start(self) -> None:
        """Starts a thread of the node's own, which runs it and calls the callbacks."""
        check(library.channeler_node_start(self._handle))

    def stop(self) -> None:
        """Stops that thread, and waits for its end."""
        check(library.channeler_node_stop(self._handle))

    def flush(self) -> None:
        """Sends what is queued now, without waiting and without callbacks."""
        check(library.channeler_node_flush(self._handle))

    def fileno(self) -> int:
        """The descriptor for a `select` of your own. Ask for `timeout` anew before each sleep;
        when it is readable or the timeout has passed, call `process(0)`.
        """
        out = ctypes.c_int()
        check(library.channeler_node_fd(self._handle, ctypes.byref(out)))
        return out.value

    def timeout(self) -> float | None:
        """How many seconds your own loop may sleep before `process(0)`; None: for ever."""
        out = ctypes.c_int64()
        check(library.channeler_node_timeout(self._handle, ctypes.byref(out)))
        return None if out.value < 0 else out.value / 1e9

    def wake(self) -> None:
        """Makes a `process` that sleeps in another thread return, or the next one."""
        check(library.channeler_node_wake(self._handle))


class _Handle:
    """A plain value of a node: equal to another of the same number, and fit for keys of dicts."""

    __slots__ = ("node", "id")

    def __init__(self, node: NodeBase, id: int) -> None:
        self.node = node
        self.id = id

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return other.node is self.node and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"<channeler.{type(self).__name__} {self.id:#x}>"


class Connection(_Handle):
    """All that a node has with one peer. Calls raise `InvalidConnection` once it has ended."""

    __slots__ = ()

    def open_channel(
        self,
        capabilities: Capability = Capability.NONE,
        *,
        label: bytes | str = b"",
        priority: int | None = None,
        weight: int | None = None,
        resend_limit: int | None = None,
        message_lifetime: float | None = None,
    ) -> Channel:
        """Begins to open a channel; a `ChannelOpened` or `ChannelClosed` event follows.

        `capabilities` is what it promises, such as `Capability.RELIABLE_ORDERED`. Messages may be
        sent at once: they leave with the first packet that can carry them. In version 1, `label`
        is what it is called (at most 255 bytes; the peer sees it), `priority` 0 (first) to 7 (last;
        None: 3) which channels go first, and `weight` 1 to 255 (None: 16) its share beside others
        of its priority. With `Capability.RESEND`, `resend_limit` is how often a piece of a message
        is sent again before the message is given up (None: as often as it takes). After
        `message_lifetime` seconds a message is given up (None: never).
        """
        name = readable(label.encode() if isinstance(label, str) else label)
        options = _abi.channeler_channel_options()
        check(
            library.channeler_channel_options_init(ctypes.byref(options), ctypes.sizeof(options))
        )
        options.capabilities = unsigned(capabilities, 32, "capabilities")
        if priority is not None:
            options.priority = unsigned(priority, 32, "priority")
        if weight is not None:
            options.weight = unsigned(weight, 32, "weight")
        if resend_limit is not None:
            options.resend_limit = unsigned(resend_limit, 32, "resend_limit")
        if message_lifetime is not None:
            options.message_lifetime_ns = _lifetime_ns(message_lifetime, "message_lifetime")
        if name.length:
            options.label = name.address()
            options.label_length = name.length
        out = _abi.channeler_channel()
        check(
            library.channeler_channel_open(
                self.node._handle, self._to_c(), ctypes.byref(options), ctypes.byref(out)
            )
        )
        return Channel(self.node, out.id)

    def close(self, code: int = 0, reason: str = "") -> None:
        """Sends what is queued, tells the peer, then forgets the connection and its channels.

        `code` is a number of yours, `reason` a sentence for people (cut at 255 bytes); in version
        1 the peer's `ConnectionClosed` has both.
        """
        if not code and not reason:
            check(library.channeler_connection_close(self.node._handle, self._to_c()))
            return
        number = unsigned(code, 64, "code")
        check(
            library.channeler_connection_close_with(
                self.node._handle, self._to_c(), number, text_to_c(reason)
            )
        )

    def update_keys(self) -> None:
        """Begins to encrypt with fresh keys, which version 1 also does by itself in time."""
        check(library.channeler_connection_update_keys(self.node._handle, self._to_c()))

    @property
    def public_key(self) -> PublicKey | None:
        """The peer's key. None: it was not seen to have it yet, or version 0 is spoken."""
        return self.info().public_key

    @property
    def is_encrypted(self) -> bool:
        """Whether what is sent is encrypted, and the peer was seen to have the key of its id."""
        return self.info().is_encrypted

    @property
    def version(self) -> Version:
        """The version of the protocol that it speaks."""
        return self.info().version

    def info(self) -> ConnectionInfo:
        """Who is at the other end, and what is possible."""
        return connection_info(
            read_struct(
                _abi.channeler_connection_details,
                lambda out: int(
                    library.channeler_connection_info(self.node._handle, self._to_c(), out)
                ),
            )
        )

    def stats(self) -> ConnectionStats:
        """The connection's counters."""
        raw = read_struct(
            _abi.channeler_connection_counters,
            lambda out: int(
                library.channeler_connection_stats(self.node._handle, self._to_c(), out)
            ),
        )
        return counters(ConnectionStats, raw, ecn=Ecn(raw.ecn))

    def _to_c(self) -> _abi.channeler_connection:
        return _abi.channeler_connection(self.id)


class Channel(_Handle):
    """Messages both ways. Calls raise `InvalidChannel` once it has ended."""

    __slots__ = ()

    def send(
        self,
        data: Buffer,
        *,
        lifetime: float | None = None,
        report: int | None = None,
        may_replay: bool = False,
    ) -> None:
        """Queues a copy of a message; it leaves with the node's next turn, or with `flush`.

        Raises `WouldBlock` when the queue is full (a `Writable` event follows), and
        `MessageTooLarge` past `ConnectionInfo.message_bytes_max`. In version 1, `lifetime` is how
        many seconds it is worth sending, in place of the channel's `message_lifetime` (`math.inf`:
        for ever); with `report`, a number of yours, one `MessageDelivered` or `MessageLost` event
        tells what became of it; `may_replay` is as in `send_early`.
        """
        taken = readable(data)
        options = _send_options(lifetime, report, may_replay)
        check(
            library.channeler_channel_send_with(
                self.node._handle, self._to_c(), taken.pointer, taken.length, options
            )
        )

    def send_early(self, data: Buffer) -> None:
        """As `send`, for a message that does no harm when it arrives twice.

        It may leave before the handshake of a connection to a peer known from before is done, and
        who records it can send it to the peer again. Else it goes the usual way.
        """
        self.send(data, may_replay=True)

    def send_buffer(
        self,
        data: Buffer,
        on_release: Callable[[], object] | None = None,
        *,
        lifetime: float | None = None,
        report: int | None = None,
        may_replay: bool = False,
    ) -> None:
        """Queues a message without a copy in Python: the library gives `data` back later.

        Do not change it before; a bytearray cannot be resized meanwhile. Then `on_release` is
        called, where callbacks are: in the thread that runs the node. That says that the library
        needs it no more, not that it has arrived: `report` is for that. When this call fails, it is
        not called. Settings and errors are as in `send`; also raises `LimitReached`.
        """
        hold = self.node._hold
        taken = readable(data)
        options = _send_options(lifetime, report, may_replay)
        token = hold.lend(Lent(taken, on_release))
        status = library.channeler_channel_send_buffer_with(
            self.node._handle, self._to_c(), taken.pointer, taken.length, options, release, token
        )
        if status != _abi.CHANNELER_OK:
            hold.take_back(token)
        check(status)

    def receive(self) -> bytes:
        """Reads the oldest message, or the rest of one, however large it is.

        Raises `DataUnavailable` when there is none.
        """
        length = ctypes.c_size_t()
        check(
            library.channeler_channel_next_length(
                self.node._handle, self._to_c(), ctypes.byref(length)
            )
        )
        while True:
            buffer = ctypes.create_string_buffer(length.value)
            status = library.channeler_channel_receive_whole(
                self.node._handle, self._to_c(), buffer, len(buffer), ctypes.byref(length)
            )
            # Another thread may have read that one meanwhile, and the next be larger.
            if status != _abi.CHANNELER_ERR_INSUFFICIENT_BUFFER_SIZE:
                check(status)
                return ctypes.string_at(buffer, length.value)

    def next_length(self) -> int | None:
        """How many bytes `receive` would give; None when there is no message."""
        length = ctypes.c_size_t()
        status = library.channeler_channel_next_length(
            self.node._handle, self._to_c(), ctypes.byref(length)
        )
        if status == _abi.CHANNELER_ERR_DATA_UNAVAILABLE:
            return None
        check(status)
        return length.value

    def receive_into(self, buffer: WritableBuffer) -> tuple[int, int]:
        """Reads the oldest message, or the rest of one, into `buffer`.

        Returns how many bytes were written, and how many of the same message still wait.
        """
        room = writable(buffer)
        return self._receive(room.pointer, room.length)

    def messages(self) -> Iterator[bytes]:
        """Reads messages until there are none: what to do on a `Readable` event."""
        while True:
            try:
                message = self.receive()
            except DataUnavailable:
                return
            yield message

    def set_limits(
        self, *, resend_limit: int | None = None, message_lifetime: float | None = None
    ) -> None:
        """Sets when messages of ours are given up, also on a channel that the peer opened.

        Both as in `Connection.open_channel`, and None is that there: a channel that the peer opened
        begins without limits. The lifetime counts for messages that are sent from now on.
        """
        limit = _abi.CHANNELER_RESEND_ALWAYS
        if resend_limit is not None:
            limit = unsigned(resend_limit, 32, "resend_limit")
        lifetime = 0
        if message_lifetime is not None:
            lifetime = _lifetime_ns(message_lifetime, "message_lifetime")
        check(
            library.channeler_channel_set_limits(
                self.node._handle, self._to_c(), limit, lifetime
            )
        )

    def close(self) -> None:
        """Ends our direction, behind what was sent; the peer's ends when the peer ends it, too.

        It does so by itself, unless it has the option `half_close` and more to say: that can be
        received until then. A `ChannelClosed` event follows.
        """
        check(library.channeler_channel_close(self.node._handle, self._to_c()))

    def reset(self, code: int = 0, reason: str = "") -> None:
        """Ends the channel at once, both ways: what is queued, unread or on its way is thrown away.

        `code` is a number of yours, `reason` a sentence for people (cut at 255 bytes); in version
        1 the peer's `ChannelClosed` has both.
        """
        number = unsigned(code, 64, "code")
        check(
            library.channeler_channel_reset_with(
                self.node._handle, self._to_c(), number, text_to_c(reason)
            )
        )

    @property
    def label(self) -> bytes:
        """What its opener called it; in version 0 nothing."""
        buffer = ctypes.create_string_buffer(_LABEL_BYTES_MAX)
        length = ctypes.c_size_t()
        check(
            library.channeler_channel_label(
                self.node._handle, self._to_c(), buffer, len(buffer), ctypes.byref(length)
            )
        )
        return buffer.raw[: length.value]

    def connection(self) -> Connection:
        """The connection that it is a channel of."""
        return self.node._connection_of(self.info().connection_id)

    def info(self) -> ChannelInfo:
        """What the channel is, and who opened it."""
        return channel_info(
            read_struct(
                _abi.channeler_channel_details,
                lambda out: int(
                    library.channeler_channel_info(self.node._handle, self._to_c(), out)
                ),
            )
        )

    def stats(self) -> ChannelStats:
        """The channel's counters."""
        return counters(
            ChannelStats,
            read_struct(
                _abi.channeler_channel_counters,
                lambda out: int(
                    library.channeler_channel_stats(self.node._handle, self._to_c(), out)
                ),
            ),
        )

    def _receive(self, pointer: object, capacity: int) -> tuple[int, int]:
        length, remaining = ctypes.c_size_t(), ctypes.c_size_t()
        check(
            library.channeler_channel_receive(
                self.node._handle,
                self._to_c(),
                pointer,
                capacity,
                ctypes.byref(length),
                ctypes.byref(remaining),
            )
        )
        return length.value, remaining.value

    def _to_c(self) -> _abi.channeler_channel:
        return _abi.channeler_channel(self.id)


def _send_options(lifetime: float | None, report: int | None, may_replay: bool) -> object:
    """A pointer to the library's struct; none where all is as the library has it by default."""
    if lifetime is None and report is None and not may_replay:
        return None
    options = _abi.channeler_send_options()
    check(library.channeler_send_options_init(ctypes.byref(options), ctypes.sizeof(options)))
    if lifetime is not None:
        options.lifetime_ns = _lifetime_ns(lifetime, "lifetime")
    if report is not None:
        options.report = 1
        options.context = unsigned(report, 64, "report")
    options.may_replay = bool(may_replay)
    return ctypes.byref(options)


def _lifetime_ns(seconds: float, name: str) -> int:
    """A lifetime: 0 means "for ever" to the library, and nobody else means that by it."""
    if seconds == math.inf:
        return 0
    span_ns = nanoseconds(seconds, name)
    if span_ns == 0:
        raise InvalidArgument(
            ErrorCode.INVALID_ARGUMENT,
            f"{name} is {seconds} seconds; it must be more, and math.inf is for ever",
        )
    return span_ns


def _merged(
    options: Options | None, identity: Identity | None, legacy: Legacy | None
) -> Options:
    """The options, with those that a node takes by name."""
    merged = options or Options()
    if identity is not None:
        merged = replace(merged, identity=identity)
    if legacy is not None:
        merged = replace(merged, legacy=legacy)
    return merged


_nodes: weakref.WeakSet[NodeBase] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    """No thread of a node may call Python after its end."""
    for node in list(_nodes):
        try:
            node.close()
        except ChannelerError as error:
            # Poisoned, say; there is nothing left to be done about it.
            if error.code != ErrorCode.STATE:
                warnings.warn(f"{node!r}: {error}", ResourceWarning, stacklevel=1)
