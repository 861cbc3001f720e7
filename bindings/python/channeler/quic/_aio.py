"""QUIC channels on a node in an event loop."""

from __future__ import annotations

import asyncio
import ipaddress
from typing import AsyncIterator, Callable, Iterable

from .. import aio
from .._buffers import Buffer
from ..errors import Closed, DataUnavailable, ErrorCode, WouldBlock
from ..identity import Identity
from ..values import Address, AddressLike, PeerId, PeerIdLike, to_address
from ..values import Options as NodeOptions
from ._events import (
    AddressChanged,
    Connected,
    ConnectionClosed,
    Event,
    Readable,
    SyncReadable,
    Writable,
)
from ._options import Options
from ._stats import ConnectionInfo, Stats
from ._sync import Endpoint, Message, OnAccept, OnEvent, SyncMessage


class _Watch:
    """Somebody waits for an event."""

    def __init__(self, is_it: Callable[[Event], bool]) -> None:
        self.is_it = is_it
        self.event: asyncio.Future[Event] = asyncio.get_running_loop().create_future()
        self.latest: Event | None = None

    def tell(self, event: Event) -> None:
        """Of several that come before the waiting one runs, it hears of the last."""
        if self.is_it(event):
            self.latest = event
            if not self.event.done():
                self.event.set_result(event)


class AsyncEndpoint:
    """QUIC channels on an `aio.Node`, or (`alone`) on a port of their own.

        async with AsyncEndpoint.alone("127.0.0.1:0") as endpoint:
            await endpoint.connect(address, peer)
            await endpoint.send(address, team, "TELEMETRY", b"21.5")
            async for message in endpoint:
                ...

    Everything here belongs to the event loop that runs when the node is entered.
    """

    def __init__(
        self,
        node: aio.Node,
        options: Options | None = None,
        *,
        on_event: OnEvent | None = None,
        on_accept: OnAccept | None = None,
    ) -> None:
        """Serves QUIC channels on the sockets of `node`, once on each, until that is closed.

        See `Endpoint` for what the arguments are. `on_event` is told everything, also what this
        class deals with by itself.
        """
        self.node = node
        self._owns_node = False
        self._user_on_event = on_event
        # Who is at the other end of each connection that messages flow on.
        self._peers: dict[int, PeerId] = {}
        self._watches: list[_Watch] = []
        self._endpoint = Endpoint(
            node._node, options, on_event=self._on_event, on_accept=on_accept
        )
        node._on_close.append(self._give_up)

    @classmethod
    def alone(
        cls,
        address: AddressLike,
        options: Options | None = None,
        *,
        identity: Identity | None = None,
        on_event: OnEvent | None = None,
        on_accept: OnAccept | None = None,
    ) -> AsyncEndpoint:
        """The same on a port of its own, which serves nothing else. Port 0: any that is free."""
        node = aio.Node(NodeOptions(accept_incoming=False), identity=identity)
        try:
            node.bind(address)
            made = cls(node, options, on_event=on_event, on_accept=on_accept)
        except BaseException:
            node.close()
            raise
        made._owns_node = True
        return made

    async def __aenter__(self) -> AsyncEndpoint:
        if self._owns_node:
            await self.node.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    async def __aiter__(self) -> AsyncIterator[Message]:
        """Messages of all channels as they come, until the node is closed."""
        while True:
            try:
                message = await self.receive()
            except Closed:
                return
            yield message

    def close(self) -> None:
        """Closes a node of its own (`alone`) as `aio.Node.close` does; another goes on as it is.

        Nothing is said to the peers: `await close_connection(..)` first.
        """
        if self._owns_node:
            self.node.close()

    async def connect(self, address: AddressLike, peer: PeerIdLike | None = None) -> PeerId:
        """Waits until there is a connection with the peer at `address`; who that is.

        `peer` is who must answer; None: somebody who is known. See `Endpoint.connect`. Raises why
        there is none: `WrongIdentity`, `Timeout` and others. A peer that proved who it is may still
        refuse us: the connection then ends with `REFUSED`, mostly after this returned.
        """
        while True:
            self._raise_if_closed()
            number = self._endpoint.connect(address, peer)
            if number in self._peers:
                return self._peers[number]
            self.node._turn_soon()
            event = await self._next(
                lambda event: isinstance(event, (Connected, ConnectionClosed))
                and event.connection == number
            )
            # Another connection with the same peer is used: look for that one.
            if isinstance(event, ConnectionClosed) and event.reason != ErrorCode.SUPERSEDED:
                raise event.error

    async def send(self, address: AddressLike, team: bytes, label: str, data: Buffer) -> None:
        """Queues a copy of a message, as `Endpoint.send`, and waits for room where there is none.

        When the connection ends meanwhile, raises why.
        """
        await self._send(address, lambda: self._endpoint.send(address, team, label, data))

    async def send_many(
        self, address: AddressLike, team: bytes, label: str, messages: Iterable[Buffer]
    ) -> None:
        """Queues copies of messages on one channel, as `Endpoint.send_many`, and waits for room.

        When the connection ends meanwhile, raises why. What others send may come between them.
        """
        rest = list(messages)

        def send() -> None:
            del rest[: self._endpoint.send_many(address, team, label, rest)]
            if rest:
                raise WouldBlock(ErrorCode.WOULD_BLOCK)

        await self._send(address, send)

    async def send_sync(self, address: AddressLike, data: Buffer) -> None:
        """As `send`, of a sync message: those of the system that owns the nodes."""
        await self._send(address, lambda: self._endpoint.send_sync(address, data))

    async def receive(self) -> Message:
        """Takes the oldest message of all channels, or waits for one.

        Raises `Closed` once the node is closed.
        """
        while True:
            self._raise_if_closed()
            try:
                return self._endpoint.receive()
            except DataUnavailable:
                await self._next(lambda event: isinstance(event, Readable))

    async def receive_sync(self) -> SyncMessage:
        """Takes the oldest sync message, or waits for one."""
        while True:
            self._raise_if_closed()
            try:
                return self._endpoint.receive_sync()
            except DataUnavailable:
                await self._next(lambda event: isinstance(event, SyncReadable))

    async def close_connection(self, address: AddressLike) -> ConnectionClosed:
        """Closes the connection to `address` once everything was sent, and waits for the end.

        That takes `Options.drain_timeout` at most, and tells what is not known to have arrived.
        """
        self._raise_if_closed()
        number = self._endpoint.info(address).connection
        self._endpoint.close_connection(address)
        self.node._turn_soon()
        return await self._end_of(number)

    async def wait_closed(self, address: AddressLike) -> ConnectionClosed:
        """Waits for the end of the connection to `address`, and tells why.

        Raises `InvalidConnection` when there is none.
        """
        self._raise_if_closed()
        return await self._end_of(self._endpoint.info(address).connection)

    def accept(self, connection: int) -> None:
        """Says yes to a `ConnectionRequest`, by its `connection`."""
        self._endpoint.accept(connection)
        self.node._turn_soon()

    def refuse(self, connection: int) -> None:
        """Says no to a `ConnectionRequest`; the peer is told."""
        self._endpoint.refuse(connection)
        self.node._turn_soon()

    def trust(self, peer: PeerIdLike) -> None:
        """Lets a peer connect from now on, and be sent to, without being asked about."""
        self._endpoint.trust(peer)

    def distrust(self, peer: PeerIdLike) -> bool:
        """Takes `trust` back, for connections to come. False: the peer was not known."""
        return self._endpoint.distrust(peer)

    def connections(self) -> list[Address]:
        """The addresses of the peers that there are connections to."""
        return self._endpoint.connections()

    def info(self, address: AddressLike) -> ConnectionInfo:
        """What the connection to `address` is; raises `InvalidConnection` when there is none."""
        return self._endpoint.info(address)

    def stats(self) -> Stats:
        """Counters of all connections together."""
        return self._endpoint.stats()

    async def _send(self, address: AddressLike, send: Callable[[], None]) -> None:
        where = _canonical(address)
        while True:
            self._raise_if_closed()
            try:
                send()
            except WouldBlock:
                self.node._turn_soon()
                event = await self._next(
                    lambda event: isinstance(event, AddressChanged)
                    or isinstance(event, (Writable, ConnectionClosed))
                    and event.address == where
                )
                if isinstance(event, ConnectionClosed):
                    raise event.error from None
            else:
                self.node._turn_soon()
                return

    async def _end_of(self, connection: int) -> ConnectionClosed:
        event = await self._next(
            lambda event: isinstance(event, ConnectionClosed) and event.connection == connection
        )
        assert isinstance(event, ConnectionClosed)
        return event

    async def _next(self, is_it: Callable[[Event], bool]) -> Event:
        """The next event that is it; raises `Closed` when the node is closed before."""
        watch = _Watch(is_it)
        self._watches.append(watch)
        try:
            event = await watch.event
            return watch.latest or event
        finally:
            self._watches.remove(watch)

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Connected):
            self._peers[event.connection] = event.peer
        elif isinstance(event, ConnectionClosed):
            self._peers.pop(event.connection, None)
        for watch in self._watches:
            watch.tell(event)
        if self._user_on_event is not None:
            self._user_on_event(event)

    def _give_up(self) -> None:
        """The node is closed."""
        for watch in self._watches:
            if not watch.event.done():
                watch.event.set_exception(Closed(ErrorCode.CLOSED))

    def _raise_if_closed(self) -> None:
        if self.node.closed:
            raise Closed(ErrorCode.CLOSED)


def _canonical(address: AddressLike) -> Address:
    """The address as events have it: that of IPv4 where it is one in the clothes of IPv6."""
    plain = to_address(address)
    mapped = getattr(ipaddress.ip_address(plain.host), "ipv4_mapped", None)
    return plain if mapped is None else Address(str(mapped), plain.port)
