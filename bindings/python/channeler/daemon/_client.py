"""The client of the daemon that waits for each answer, and streams of messages and events."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import Generator, Iterable, Iterator, NoReturn, TypeVar

from ._errors import DaemonUnavailable, RequestFailed
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
    OUTSTANDING_MAX,
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

SOCKET_DEFAULT = "/run/channeler/channelerd.sock"
"""Where the socket is, unless `CHANNELER_SOCKET` of the environment, or the program, says else."""

_T = TypeVar("_T")


def socket_path(path: str | os.PathLike[str] | None) -> str:
    """Where the socket is."""
    if path is not None:
        return os.fspath(path)
    return os.environ.get("CHANNELER_SOCKET") or SOCKET_DEFAULT


def unavailable(path: str, error: OSError) -> DaemonUnavailable:
    """Why there is no daemon, and what to do."""
    what = error.strerror or error
    advice = "channelerd must run, see docs/daemon.md"
    return DaemonUnavailable(f"no daemon at {path}: {what}; {advice}")


class _Socket:
    """The socket of the daemon, blocking. After an exception in the middle of a call it is closed:
    nobody knows what of a frame went over it.
    """

    def __init__(self, path: str) -> None:
        self._frames = Frames()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.connect(path)
        except OSError as error:
            self._socket.close()
            raise unavailable(path, error) from None

    def write(self, asked: bytes) -> None:
        try:
            self._socket.sendall(asked)
        except (BrokenPipeError, ConnectionResetError):
            self._say_why()
        except OSError as error:
            raise DaemonUnavailable(f"the socket of the daemon: {error}") from error

    def read(self) -> tuple[int, Answer]:
        while True:
            answer = self._frames.pull()
            if answer is not None:
                return answer
            try:
                data = self._socket.recv(READ_BYTES)
            except ConnectionResetError:
                data = b""
            except OSError as error:
                raise DaemonUnavailable(f"the socket of the daemon: {error}") from error
            if not data:
                self._frames.end()
            self._frames.push(data)

    def close(self) -> None:
        self._socket.close()

    def fileno(self) -> int:
        return self._socket.fileno()

    def _say_why(self) -> NoReturn:
        """Raises what the daemon said before it closed."""
        while True:
            self.read()


class Client:
    """A connection to the daemon: `with Client() as client`. For one thread at a time.

    A call that the user interrupts, or that finds the daemon gone, closes the client.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        """Connects. Raises `DaemonUnavailable` when there is no daemon.

        `path` is where its socket is; None: as `CHANNELER_SOCKET` says, or where it is by default.
        """
        self.path = socket_path(path)
        self._socket = _Socket(self.path)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the socket; again does no harm. Connections of the daemon stay."""
        self._socket.close()

    def send(self, address: str, team: TeamLike, label: str, data: Bytes) -> None:
        """Sends a message, and waits until it is queued for a peer that proved who it is."""
        expect(self._ask(SEND, send_fields(address, team, label), data), Done)

    def send_many(
        self, address: str, team: TeamLike, label: str, messages: Iterable[Bytes]
    ) -> int:
        """Sends messages without waiting for the answer to each. Returns how many.

        The first that cannot be sent raises why; those behind it may have been sent.
        """
        fields = send_fields(address, team, label)
        sent = taken = 0
        with self._closing_on_error():
            for data in messages:
                if sent - taken == OUTSTANDING_MAX:
                    expect(self._socket.read()[1], Done)
                    taken += 1
                sent += 1
                self._socket.write(frame(sent & 0x7FFF_FFFF or 1, SEND, fields, data))
            while taken < sent:
                expect(self._socket.read()[1], Done)
                taken += 1
        return sent

    def send_sync(self, address: str, data: Bytes) -> None:
        """Sends a sync message, which is of no channel."""
        expect(self._ask(SEND_SYNC, text(address), data), Done)

    def receive(
        self,
        which: Filter = EVERY_MESSAGE,
        *,
        wait: float | None = None,
        capacity: int | None = None,
    ) -> Message | None:
        """Takes the oldest message that matches; None when none came within `wait` seconds.

        `wait` None waits without end. A message longer than `capacity` stays with the daemon, and
        `InvalidRequest` tells its length (`detail`).
        """
        return message_or_none(self._ask(RECEIVE, receive_fields(which, capacity, wait)))

    def connect(self, address: str, peer: PeerLike | None = None) -> bytes:
        """Begins a connection, if there is none, and waits for it. Returns the peer's id.

        With `peer`, it must be that one, and the daemon's `peers` need not list it.
        """
        return expect(self._ask(CONNECT, connect_fields(address, peer)), Connected).peer

    def close_connection(self, address: str) -> int:
        """Closes the daemon's connection to a peer, after what was sent has arrived.

        Returns how many messages there are of which that is not known.
        """
        return expect(self._ask(CLOSE, text(address)), Closed).undelivered

    def status(self) -> Status:
        """How the daemon is."""
        return expect(self._ask(STATUS), Status)

    def follow(self, which: Filter = EVERY_MESSAGE) -> Messages:
        """Every message that matches, from now on; on a connection of its own to the daemon."""
        return Messages(self.path, FOLLOW, which.to_bytes())

    def watch(self) -> Events:
        """What happens to connections, from now on; on a connection of its own to the daemon."""
        return Events(self.path, WATCH)

    def _ask(self, kind: int, fields: bytes = b"", message: Bytes = b"") -> Answer:
        asked = frame(1, kind, fields, message)
        with self._closing_on_error():
            self._socket.write(asked)
            _, answer = self._socket.read()
        if isinstance(answer, RequestFailed):
            raise answer
        return answer

    def _closing_on_error(self) -> _ClosingOnError:
        return _ClosingOnError(self._socket)


@dataclass
class _ClosingOnError:
    """A call that did not come to its end leaves answers behind that are of no use to the next."""

    socket: _Socket

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            self.socket.close()


class _Stream:
    """What comes until it is cancelled."""

    def __init__(self, path: str, kind: int, fields: bytes = b"") -> None:
        self._socket = _Socket(path)
        self._is_cancelled = False
        with _ClosingOnError(self._socket):
            self._socket.write(frame(1, kind, fields))
            expect(self._socket.read()[1], Done)

    def cancel(self) -> None:
        """Asks for the end: iterating goes on with what the daemon had given us before."""
        if not self._is_cancelled:
            self._is_cancelled = True
            self._socket.write(frame(2, CANCEL, varint(1)))

    def close(self) -> None:
        """Closes its socket; again does no harm. Messages that came and were not read are lost:
        `cancel` and read them, where that matters.
        """
        self._socket.close()

    def fileno(self) -> int:
        """For `select` and its like: readable when there may be more. What was read from the socket
        with others is given without it becoming readable again.
        """
        return self._socket.fileno()

    def _next(self, kind: type[_T]) -> Generator[_T, None, None]:
        while True:
            number, answer = self._socket.read()
            if number == 2:
                expect(answer, Done)
                self.close()
                return
            yield expect(answer, kind)


class Messages(_Stream):
    """Messages as they come: iterate over it. One that reads nothing for long is dropped by the
    daemon (`stall_timeout_ms`), and raises `RequestFailed`.
    """

    def __enter__(self) -> Messages:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Message]:
        return self._next(Message)


class Events(_Stream):
    """Events as they happen: iterate over it."""

    def __enter__(self) -> Events:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Event]:
        return self._next(Event)
