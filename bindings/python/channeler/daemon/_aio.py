"""The client of the daemon for asyncio."""

from __future__ import annotations

import asyncio
import os
from typing import AsyncIterator

from ._client import socket_path, unavailable
from ._errors import DaemonError, DaemonUnavailable
from ._postcard import text, varint
from ._values import (
    EVERY_MESSAGE,
    Bytes,
    Event,
    Filter,
    Message,
    PeerLike,
    Status,
    TeamLike,
)
from ._wire import (
    CANCEL,
    CLOSE,
    CONNECT,
    FOLLOW,
    READ_BYTES,
    RECEIVE,
    SEND,
    SEND_SYNC,
    STATUS,
    WATCH,
    Answer,
    Closed,
    Connected,
    Done,
    Frames,
    connect_fields,
    expect,
    frame,
    message_or_none,
    receive_fields,
    send_fields,
)

_NUMBER_MAX = 0x7FFF_FFFF


class AsyncClient:
    """The same as `Client` for asyncio: `async with AsyncClient() as client`. Tasks may share it.

    A call whose task is cancelled cancels its request. A message that was on its way to it then
    goes to the next `receive` that it matches.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        """`path` is as in `Client`. It connects when it is entered."""
        self.path = socket_path(path)
        self._frames = Frames()
        # By number: who waits for the answer. Who was cancelled stays until it cannot come.
        self._pending: dict[int, asyncio.Future[Answer]] = {}
        # By the number of a cancel: that of what it cancels.
        self._cancels: dict[int, int] = {}
        # By number: what those who wait for a message want.
        self._receives: dict[int, tuple[Filter, int | None]] = {}
        # Messages that came for somebody who was cancelled.
        self._kept: list[Message] = []
        self._number = 0
        self._failure: Exception | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._draining: asyncio.Lock | None = None

    async def __aenter__(self) -> AsyncClient:
        reader, self._writer = await _open(self.path)
        self._draining = asyncio.Lock()
        self._reading = asyncio.get_running_loop().create_task(self._read(reader))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the socket; calls that wait for an answer raise `DaemonUnavailable`."""
        self._end(DaemonUnavailable("the client was closed"))
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        if self._writer is not None:
            await _close(self._writer)

    async def send(self, address: str, team: TeamLike, label: str, data: Bytes) -> None:
        """As `Client.send`. Several at once with `asyncio.gather` keep the order of the calls."""
        expect(await self._ask(SEND, send_fields(address, team, label), data), Done)

    async def send_sync(self, address: str, data: Bytes) -> None:
        """As `Client.send_sync`."""
        expect(await self._ask(SEND_SYNC, text(address), data), Done)

    async def receive(
        self,
        which: Filter = EVERY_MESSAGE,
        *,
        wait: float | None = None,
        capacity: int | None = None,
    ) -> Message | None:
        """As `Client.receive`."""
        fields = receive_fields(which, capacity, wait)
        for index, message in enumerate(self._kept):
            if _is_for(message, which, capacity):
                return self._kept.pop(index)
        return message_or_none(await self._ask(RECEIVE, fields, wanted=(which, capacity)))

    async def connect(self, address: str, peer: PeerLike | None = None) -> bytes:
        """As `Client.connect`."""
        return expect(await self._ask(CONNECT, connect_fields(address, peer)), Connected).peer

    async def close_connection(self, address: str) -> int:
        """As `Client.close_connection`."""
        return expect(await self._ask(CLOSE, text(address)), Closed).undelivered

    async def status(self) -> Status:
        """As `Client.status`."""
        return expect(await self._ask(STATUS), Status)

    async def follow(self, which: Filter = EVERY_MESSAGE) -> AsyncIterator[Message]:
        """Every message that matches, from now on: `async for message in client.follow(..)`.

        It has a connection of its own to the daemon, which ends with the iteration.
        """
        async for answer in _stream(self.path, FOLLOW, which.to_bytes()):
            yield expect(answer, Message)

    async def watch(self) -> AsyncIterator[Event]:
        """What happens to connections, from now on; as `follow`."""
        async for answer in _stream(self.path, WATCH):
            yield expect(answer, Event)

    async def _ask(
        self,
        kind: int,
        fields: bytes = b"",
        message: Bytes = b"",
        wanted: tuple[Filter, int | None] | None = None,
    ) -> Answer:
        if self._failure is not None:
            raise self._failure
        if self._writer is None or self._draining is None:
            raise DaemonUnavailable("the client was not entered: async with AsyncClient()")
        number = self._free_number()
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        # One call: no other task's frame comes between.
        self._writer.write(frame(number, kind, fields, message))
        self._pending[number] = answer
        if wanted is not None:
            self._receives[number] = wanted
        try:
            try:
                async with self._draining:
                    await self._writer.drain()
            except ConnectionError:
                pass  # What the daemon said before it closed is yet to be read.
            return await answer
        except asyncio.CancelledError:
            if answer.done() and not answer.cancelled() and answer.exception() is None:
                self._keep(answer.result())
            else:
                self._cancel(number)
            raise
        finally:
            self._receives.pop(number, None)

    def _free_number(self) -> int:
        while True:
            self._number = self._number % _NUMBER_MAX + 1
            if self._number not in self._pending and self._number not in self._cancels:
                return self._number

    def _cancel(self, number: int) -> None:
        """Tells the daemon that nobody waits for this answer. It may be on its way."""
        if self._writer is not None and self._failure is None:
            self._pending[number].cancel()
            cancel = self._free_number()
            self._cancels[cancel] = number
            self._writer.write(frame(cancel, CANCEL, varint(number)))

    def _told(self, number: int, answer: Answer) -> None:
        # Nothing comes for a request after its cancel was answered.
        self._pending.pop(self._cancels.pop(number, 0), None)
        waiter = self._pending.pop(number, None)
        if waiter is None or waiter.done():
            self._keep(answer)
        else:
            waiter.set_result(answer)

    def _keep(self, answer: Answer) -> None:
        """Gives a message that nobody waits for to another who does, or to the next."""
        if not isinstance(answer, Message):
            return
        for number, (which, capacity) in self._receives.items():
            waiter = self._pending.get(number)
            if waiter and not waiter.done() and _is_for(answer, which, capacity):
                waiter.set_result(answer)
                # What comes for that one is kept as this was.
                cancel = self._free_number()
                self._cancels[cancel] = number
                assert self._writer is not None, "something was asked for"
                self._writer.write(frame(cancel, CANCEL, varint(number)))
                return
        self._kept.append(answer)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            async for number, answer in _answers(reader, self._frames):
                self._told(number, answer)
        except DaemonError as error:
            self._end(error)

    def _end(self, failure: Exception) -> None:
        self._failure = self._failure or failure
        for waiter in self._pending.values():
            if not waiter.done():
                waiter.set_exception(self._failure)
        self._pending.clear()


def _is_for(message: Message, which: Filter, capacity: int | None) -> bool:
    return which.matches(message) and (capacity is None or len(message.data) <= capacity)


async def _open(path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    try:
        return await asyncio.open_unix_connection(path, limit=READ_BYTES)
    except OSError as error:
        raise unavailable(path, error) from None


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    try:
        await writer.wait_closed()
    except OSError:
        pass  # It is closed all the same.


async def _answers(
    reader: asyncio.StreamReader, frames: Frames
) -> AsyncIterator[tuple[int, Answer]]:
    """Answers as they come, until it raises why there are no more."""
    while True:
        while (told := frames.pull()) is not None:
            yield told
        try:
            data = await reader.read(READ_BYTES)
        except (BrokenPipeError, ConnectionResetError):
            data = b""
        except OSError as error:
            raise DaemonUnavailable(f"the socket of the daemon: {error}") from error
        if not data:
            frames.end()
        frames.push(data)


async def _stream(path: str, kind: int, fields: bytes = b"") -> AsyncIterator[Answer]:
    reader, writer = await _open(path)
    try:
        writer.write(frame(1, kind, fields))
        answers = _answers(reader, Frames())
        expect((await answers.__anext__())[1], Done)
        async for _, answer in answers:
            yield answer
    finally:
        await _close(writer)
