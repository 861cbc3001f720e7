"""The same for asyncio, without a thread: the event loop watches the node's descriptor.

    async with aio.Node() as node:
        connection = node.connect(peer, address)
        channel = await connection.open_channel()
        await channel.send(b"hello")
        async for message in channel:
            ...

Everything here belongs to the event loop that runs when the node is entered: call it from there.
The loop must be able to watch descriptors (`add_reader`), as all but Windows' default loop can.
"""

from __future__ import annotations

import asyncio
from typing import AsyncIterator, Callable, NamedTuple

from . import node as sync
from ._buffers import Buffer
from ._waiting import wait, wake
from .errors import (
    ChannelerError,
    Closed,
    DataUnavailable,
    ErrorCode,
    InvalidChannel,
    InvalidConnection,
    WouldBlock,
    error_of_end,
)
from .events import (
    ChannelClosed,
    ChannelOpened,
    Connected,
    ConnectionClosed,
    Event,
    MessageDelivered,
    MessageLost,
    Readable,
    Writable,
)
from .identity import Identity, PublicKey
from .stats import ChannelInfo, ChannelStats, ConnectionInfo, ConnectionStats, NodeStats
from .values import (
    Address,
    AddressLike,
    Capability,
    Legacy,
    Options,
    PeerId,
    PeerIdLike,
    Version,
)

# What ends an `async for` over a channel without an exception, when the peer's code with it is 0:
# version 0 has no message to say that a channel was closed, so the peer's end of it is silence.
_GOOD_ENDS = (ErrorCode.CLOSED, ErrorCode.IDLE, ErrorCode.PEER_CLOSED)


class Node:
    """A node in an event loop: `async with Node() as node`."""

    def __init__(
        self,
        options: Options | None = None,
        *,
        identity: Identity | None = None,
        legacy: Legacy | None = None,
        on_event: sync.OnEvent | None = None,
        on_accept: sync.OnAccept | None = None,
        on_datagram: sync.OnDatagram | None = None,
        on_log: sync.OnLog | None = None,
        on_key_log: sync.OnKeyLog | None = None,
    ) -> None:
        """Makes a node. What callbacks raise goes to the loop's exception handler.

        `on_event` is told everything, also what this class deals with by itself.
        """
        self._user_on_event = on_event
        self._channels: dict[int, Channel] = {}
        # Those that ended leave it, so that it holds no more than there are channels.
        self._incoming: dict[int, Channel] = {}
        self._waiters: set[asyncio.Future[None]] = set()
        # By connection: who waits for its handshake or its end.
        self._watchers: dict[int, set[asyncio.Future[Event]]] = {}
        # By context: of which channel a message is, and who waits for its fate.
        self._reports: dict[int, tuple[int, asyncio.Future[None]]] = {}
        self._next_report = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._fd = -1
        self._next_turn: asyncio.Handle | None = None
        self._is_turn_soon = False
        # What else is on this node, and must hear of its end.
        self._on_close: list[Callable[[], object]] = []
        self._node = sync.Node(
            options,
            identity=identity,
            legacy=legacy,
            on_event=self._on_event,
            on_accept=on_accept,
            on_datagram=on_datagram,
            on_log=on_log,
            on_key_log=on_key_log,
        )

    async def __aenter__(self) -> Node:
        self._loop = asyncio.get_running_loop()
        self._fd = self._node.fileno()
        try:
            self._loop.add_reader(self._fd, self._turn)
        except NotImplementedError:
            self._node.close()
            raise
        self._turn_soon()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Sends what is queued, frees the node, and ends what waits for it with `Closed`."""
        if self._node.closed:
            return
        if self._loop is not None:
            self._loop.remove_reader(self._fd)
        if self._next_turn is not None:
            self._next_turn.cancel()
        try:
            self._node.flush()
        finally:
            self._node.close()
            for channel in list(self._channels.values()):
                channel._end(_CLOSED)
            for waiter in [each for waiters in self._watchers.values() for each in waiters]:
                if not waiter.done():
                    waiter.set_exception(_CLOSED.error())
            self._give_up_reports(_CLOSED.error())
            wake(self._waiters)
            for tell in self._on_close:
                tell()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._node.closed

    @property
    def peer_id(self) -> PeerId:
        """Our own peer id."""
        return self._node.peer_id

    def bind(self, address: AddressLike) -> None:
        """Opens a socket there; see `channeler.Node.bind`."""
        self._node.bind(address)
        self._turn_soon()

    def local_address(self, index: int = 0) -> Address:
        """The address of the socket that was bound as number `index`, from 0."""
        return self._node.local_address(index)

    @property
    def public_key(self) -> PublicKey:
        """Our own public key. Raises `Unsupported` when only version 0 is spoken."""
        return self._node.public_key

    @property
    def identity(self) -> Identity:
        """Our own private key: how a fresh one can be kept. Raises as `public_key`."""
        return self._node.identity

    def connect(
        self, peer: PeerIdLike | None, address: AddressLike, *, version: Version | None = None
    ) -> Connection:
        """Begins a connection, or finds the one there is; `peer` None is whoever answers.

        See `channeler.Node.connect`; `Connection.connected` waits for the handshake.
        """
        connection = self._node.connect(peer, address, version=version)
        self._turn_soon()
        return Connection(self, connection)

    async def incoming(self) -> AsyncIterator[Channel]:
        """Channels that peers opened, as they come, until the node is closed."""
        while not self._node.closed:
            while self._incoming:
                yield self._incoming.pop(next(iter(self._incoming)))
            if not self._node.closed:
                await wait(self._waiters)

    def ban_peer(self, peer: PeerIdLike, seconds: float) -> None:
        """Bans a peer for that long, and closes its connection."""
        self._node.ban_peer(peer, seconds)
        self._turn_soon()

    def ban_address(self, address: AddressLike, seconds: float) -> None:
        """Bans an IP address for that long, and closes its connections."""
        self._node.ban_address(address, seconds)
        self._turn_soon()

    def lift_ban_peer(self, peer: PeerIdLike) -> bool:
        """Lifts the ban of a peer. False: there was none."""
        return self._node.lift_ban_peer(peer)

    def lift_ban_address(self, address: AddressLike) -> bool:
        """Lifts the ban of an IP address. False: there was none."""
        return self._node.lift_ban_address(address)

    def stats(self) -> NodeStats:
        """The node's counters."""
        return self._node.stats()

    def _turn_soon(self) -> None:
        """Lets the node send what was queued, with everything else queued in this round."""
        if self._loop is not None and not self._node.closed and not self._is_turn_soon:
            self._arm(0.0)

    def _turn(self) -> None:
        if self._node.closed:
            return
        assert self._loop is not None, "turns are asked for after the node was entered"
        try:
            self._node.process(0)
        except Exception as error:
            context = {"message": f"in {self._node!r}", "exception": error}
            self._loop.call_exception_handler(context)
            # A node that cannot run any more would ask for the next turn for ever.
            if isinstance(error, ChannelerError) and error.code == ErrorCode.POISONED:
                self.close()
        if not self._node.closed:
            self._arm(self._node.timeout())

    def _arm(self, seconds: float | None) -> None:
        assert self._loop is not None, "turns are asked for after the node was entered"
        if self._next_turn is not None:
            self._next_turn.cancel()
            self._next_turn = None
        self._is_turn_soon = seconds is not None and seconds <= 0
        if self._is_turn_soon:
            self._next_turn = self._loop.call_soon(self._turn)
        elif seconds is not None:
            self._next_turn = self._loop.call_later(seconds, self._turn)

    def _on_event(self, event: Event) -> None:
        if isinstance(event, ChannelOpened):
            self._opened(event)
        elif isinstance(event, (ChannelClosed, Readable, Writable)):
            channel = self._channels.get(event.channel.id)
            if channel is not None:
                channel._tell(event)
            if isinstance(event, ChannelClosed):
                self._give_up_reports(event.error, event.channel.id)
        elif isinstance(event, (MessageDelivered, MessageLost)):
            self._reported(event)
        elif isinstance(event, (Connected, ConnectionClosed)):
            for waiter in self._watchers.get(event.connection.id, ()):
                if not waiter.done():
                    waiter.set_result(event)
        if self._user_on_event is not None:
            self._user_on_event(event)

    def _expect_report(self, id: int) -> tuple[int, asyncio.Future[None]]:
        """What to ask a report with, and what it will be told to."""
        self._next_report += 1
        fate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._reports[self._next_report] = (id, fate)
        return self._next_report, fate

    def _reported(self, event: MessageDelivered | MessageLost) -> None:
        expected = self._reports.pop(event.context, None)
        if expected is None or expected[1].done():
            return
        fate = expected[1]
        if isinstance(event, MessageLost):
            fate.set_exception(event.error)
        else:
            fate.set_result(None)

    def _give_up_reports(self, error: ChannelerError, id: int | None = None) -> None:
        """The channel of that id ended, or all did, and with them what is told of messages."""
        for context, (of, fate) in list(self._reports.items()):
            if id is None or of == id:
                del self._reports[context]
                if not fate.done():
                    fate.set_exception(error)

    async def _watch(self, id: int) -> Event:
        """The next `Connected` or `ConnectionClosed` of a connection."""
        waiter: asyncio.Future[Event] = asyncio.get_running_loop().create_future()
        waiters = self._watchers.setdefault(id, set())
        waiters.add(waiter)
        try:
            return await waiter
        finally:
            waiters.discard(waiter)
            if not waiters:
                self._watchers.pop(id, None)

    def _opened(self, event: ChannelOpened) -> None:
        channel = self._channels.get(event.channel.id)
        if channel is None:
            channel = Channel(Connection(self, event.connection), event.channel)
        if event.by_peer:
            self._incoming[event.channel.id] = channel
            wake(self._waiters)
        channel._tell(event)


class Connection:
    """All that a node has with one peer."""

    def __init__(self, node: Node, connection: sync.Connection) -> None:
        self.node = node
        self._connection = connection

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Connection):
            return NotImplemented
        return other._connection == self._connection

    def __hash__(self) -> int:
        return hash(self._connection)

    async def connected(self) -> ConnectionInfo:
        """Waits until the handshake is done; who is there then.

        Raises why it failed: `Timeout`, `Refused`, `WrongIdentity` and others. With version 0 the
        wait is for a first channel.
        """
        while not self._connection.info().connected:
            event = await self.node._watch(self._connection.id)
            if isinstance(event, ConnectionClosed):
                raise event.error
        return self._connection.info()

    async def open_channel(
        self,
        capabilities: Capability = Capability.NONE,
        *,
        label: bytes | str = b"",
        priority: int | None = None,
        weight: int | None = None,
        resend_limit: int | None = None,
        message_lifetime: float | None = None,
        early: Buffer | None = None,
    ) -> Channel:
        """Opens a channel, and waits until the peer has answered.

        See `channeler.Connection.open_channel`. `early` is a message that is sent with it, as
        `Channel.send_early` does. Raises `Timeout` when the peer does not answer, or why else it
        could not be opened. In protocol version 0 a peer answers before it decides whether to
        accept us, and says nothing when it does not.
        """
        opening = self._connection.open_channel(
            capabilities,
            label=label,
            priority=priority,
            weight=weight,
            resend_limit=resend_limit,
            message_lifetime=message_lifetime,
        )
        if early is not None:
            opening.send_early(early)
        channel = Channel(self, opening)
        self.node._turn_soon()
        try:
            await channel._wait_open()
        except asyncio.CancelledError:
            channel.reset()
            raise
        return channel

    def close(self, code: int = 0, reason: str = "") -> None:
        """Sends what is queued, tells the peer, then forgets the connection and its channels.

        See `channeler.Connection.close`; `wait_closed` waits until it is done.
        """
        self._connection.close(code, reason)
        self.node._turn_soon()

    async def wait_closed(self) -> ConnectionClosed | None:
        """Waits for the end of the connection, and tells why. None: it had ended before."""
        while True:
            try:
                self._connection.info()
            except InvalidConnection:
                return None
            event = await self.node._watch(self._connection.id)
            if isinstance(event, ConnectionClosed):
                return event

    def update_keys(self) -> None:
        """Begins to encrypt with fresh keys, which version 1 also does by itself in time."""
        self._connection.update_keys()
        self.node._turn_soon()

    @property
    def public_key(self) -> PublicKey | None:
        """The peer's key. None: it was not seen to have it yet, or version 0 is spoken."""
        return self._connection.public_key

    @property
    def is_encrypted(self) -> bool:
        """Whether what is sent is encrypted, and the peer was seen to have the key of its id."""
        return self._connection.is_encrypted

    @property
    def version(self) -> Version:
        """The version of the protocol that it speaks."""
        return self._connection.version

    def info(self) -> ConnectionInfo:
        """Who is at the other end, and what is possible."""
        return self._connection.info()

    def stats(self) -> ConnectionStats:
        """The connection's counters."""
        return self._connection.stats()


class _End(NamedTuple):
    """Why a channel ended."""

    reason: ErrorCode
    code: int = 0
    text: str = ""

    def error(self) -> ChannelerError:
        return error_of_end(self.reason, self.code, self.text)


_CLOSED = _End(ErrorCode.CLOSED)


class Channel:
    """Messages both ways: `await send`, `await receive`, or `async for` over it."""

    def __init__(self, connection: Connection, channel: sync.Channel) -> None:
        self.connection = connection
        self._channel = channel
        self._is_open = False
        self._ended: _End | None = None
        self._waiters: set[asyncio.Future[None]] = set()
        connection.node._channels[channel.id] = self

    async def __aenter__(self) -> Channel:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Messages as they come, until the channel was closed or fell silent."""
        while True:
            try:
                message = await self.receive()
            except ChannelerError:
                if self._ended and self._ended.reason in _GOOD_ENDS and not self._ended.code:
                    return
                raise
            yield message

    @property
    def reason(self) -> ErrorCode | None:
        """Why the channel ended; None while it has not."""
        return None if self._ended is None else self._ended.reason

    @property
    def label(self) -> bytes:
        """What its opener called it; in version 0 nothing."""
        return self._channel.label

    async def send(self, data: Buffer, *, lifetime: float | None = None) -> None:
        """Queues a copy of a message, and waits for room where there is none.

        `lifetime` is as in `channeler.Channel.send`, and begins when there is room.
        """
        await self._send(data, lifetime, None)

    async def send_confirmed(self, data: Buffer, *, lifetime: float | None = None) -> None:
        """As `send`, and waits until the peer's node has the message.

        Raises `Lost` or `Expired` when it was given up, or why the channel ended before that was
        known. The peer's program may not have read it yet. Version 1 only.
        """
        context, fate = self.connection.node._expect_report(self._channel.id)
        try:
            await self._send(data, lifetime, context)
            await fate
        finally:
            self.connection.node._reports.pop(context, None)

    async def _send(self, data: Buffer, lifetime: float | None, report: int | None) -> None:
        while True:
            self._raise_if_ended()
            try:
                self._channel.send(data, lifetime=lifetime, report=report)
            except WouldBlock:
                self.connection.node._turn_soon()
                await wait(self._waiters)
            else:
                self.connection.node._turn_soon()
                return

    async def receive(self) -> bytes:
        """Reads the oldest message, or waits for it."""
        while True:
            self._raise_if_ended()
            try:
                return self._channel.receive()
            except DataUnavailable:
                await wait(self._waiters)

    def close(self) -> None:
        """Sends what is queued, then closes the channel; again does no harm."""
        if self._ended is not None:
            return
        try:
            self._channel.close()
        except (Closed, InvalidChannel):
            return
        self._end(_CLOSED)
        self.connection.node._turn_soon()

    def set_limits(
        self, *, resend_limit: int | None = None, message_lifetime: float | None = None
    ) -> None:
        """Sets when messages of ours are given up: see `channeler.Channel.set_limits`."""
        self._channel.set_limits(resend_limit=resend_limit, message_lifetime=message_lifetime)

    def reset(self, code: int = 0, reason: str = "") -> None:
        """Ends the channel at once, both ways; again does no harm. Version 1 tells the peer the
        code, and the sentence for people.
        """
        if self._ended is not None:
            return
        try:
            self._channel.reset(code, reason)
        except InvalidChannel:
            return
        self._end(_CLOSED)
        self.connection.node._turn_soon()

    def info(self) -> ChannelInfo:
        """What the channel is, and who opened it."""
        return self._channel.info()

    def stats(self) -> ChannelStats:
        """The channel's counters."""
        return self._channel.stats()

    async def _wait_open(self) -> None:
        while not self._is_open:
            self._raise_if_ended()
            await wait(self._waiters)

    def _tell(self, event: Event) -> None:
        if isinstance(event, ChannelOpened):
            self._is_open = True
        elif isinstance(event, ChannelClosed):
            self._end(_End(event.reason, event.code, event.text))
        wake(self._waiters)

    def _end(self, end: _End) -> None:
        if self._ended is None:
            self._ended = end
        self.connection.node._channels.pop(self._channel.id, None)
        self.connection.node._incoming.pop(self._channel.id, None)
        wake(self._waiters)

    def _raise_if_ended(self) -> None:
        if self._ended is not None:
            raise self._ended.error()
