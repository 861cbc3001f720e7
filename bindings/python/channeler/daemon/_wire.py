"""The frames of the daemon's socket: requests to bytes, bytes to answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn, TypeVar, Union

from ._errors import (
    Code,
    DaemonUnavailable,
    InvalidRequest,
    MalformedAnswer,
    RequestFailed,
    failure_from,
)
from ._postcard import Head, option, text, varint
from ._values import (
    Bytes,
    Event,
    Filter,
    Message,
    PeerLike,
    PeerStatus,
    Status,
    TeamLike,
    peer_bytes,
    team_bytes,
)

FRAME_BYTES_MAX = (1 << 30) + (128 << 10)
"""The longest frame of a daemon: the longest message that it can be configured for, and a head."""

READ_BYTES = 256 << 10
"""How much is read from the socket at once."""

OUTSTANDING_MAX = 64
"""How many messages are sent without an answer to the first; the daemon takes 256."""

_WAIT_FOR_EVER = 0xFFFF_FFFF
_NO_REQUEST = 0
_T = TypeVar("_T")

SEND, RECEIVE, CLOSE, STATUS, FOLLOW, CANCEL, WATCH, CONNECT, SEND_SYNC = range(9)


@dataclass(frozen=True)
class Done:
    """It is done."""


@dataclass(frozen=True)
class Nothing:
    """No message came in time."""


@dataclass(frozen=True)
class Closed:
    """A connection ended."""

    undelivered: int


@dataclass(frozen=True)
class Connected:
    """A connection is there."""

    peer: bytes


Answer = Union[Done, Nothing, Closed, Connected, RequestFailed, Message, Status, Event]


def frame(number: int, kind: int, fields: bytes = b"", message: Bytes = b"") -> bytes:
    """A whole request. A message is copied once, into it."""
    head = varint(number) + varint(kind) + fields
    length = len(head) + memoryview(message).nbytes
    if length >> 32:
        raise InvalidRequest(Code.TOO_LARGE, f"a request of {length} bytes")
    return b"".join((length.to_bytes(4, "big"), head, message))


def send_fields(address: str, team: TeamLike, label: str) -> bytes:
    """What a `SEND` says."""
    return text(address) + team_bytes(team) + text(label)


def receive_fields(which: Filter, capacity: int | None, wait: float | None) -> bytes:
    """What a `RECEIVE` says."""
    wait_ms = _WAIT_FOR_EVER
    if wait is not None:
        wait_ms = round(wait * 1000)
        if not 0 <= wait_ms < _WAIT_FOR_EVER:
            raise ValueError(f"wait is {wait} seconds; allowed is 0 to 4294967")
    most = 0xFFFF_FFFF if capacity is None else capacity
    if not 0 <= most <= 0xFFFF_FFFF:
        raise ValueError(f"capacity is {capacity} bytes; allowed is 0 to 4294967295")
    return which.to_bytes() + varint(most) + varint(wait_ms)


def connect_fields(address: str, peer: PeerLike | None) -> bytes:
    """What a `CONNECT` says."""
    return text(address) + option(None if peer is None else peer_bytes(peer))


def _read_answer(inside: memoryview) -> tuple[int, Answer] | None:
    """The number of the request and the answer; None for a kind that is not known here."""
    head = Head(inside)
    number, kind = head.varint(32), head.varint(32)
    answer = _read_fields(head, kind)
    if answer is None:
        return None
    left = len(head.rest())
    if left:
        raise MalformedAnswer(f"{left} bytes too many behind an answer")
    return number, answer


def _read_fields(head: Head, kind: int) -> Answer | None:
    if kind == 0:
        return Done()
    if kind == 1:
        return failure_from(head.varint(32), head.text(), head.varint())
    if kind == 2:
        address, peer, team, label = head.text(), head.peer(), head.take(32), head.text()
        return Message(address, peer, head.rest(), team, label)
    if kind == 3:
        return Nothing()
    if kind == 4:
        return _read_status(head)
    if kind == 5:
        return _read_event(head)
    if kind == 6:
        address, peer = head.text(), head.peer()
        return Message(address, peer, head.rest())
    if kind == 7:
        return Closed(head.varint())
    if kind == 8:
        return Connected(head.peer())
    return None


def _read_status(head: Head) -> Status:
    return Status(
        protocol=head.varint(32),
        version=head.text(),
        peer=head.peer(),
        listen=head.many(head.text),
        counters=head.counters(),
        connections=head.many(
            lambda: PeerStatus(
                head.text(), head.maybe(head.peer), head.flag(), head.flag(), head.counters()
            )
        ),
    )


def _read_event(head: Head) -> Event | None:
    kind = head.varint(32)
    if kind == 0:
        return Event("connected", head.text(), head.peer(), head.flag())
    if kind == 1:
        address, peer, code = head.text(), head.maybe(head.peer), head.varint(32)
        why, count, cut = head.text(), head.varint(), head.varint()
        return Event("closed", address, peer, code=code, text=why, count=count, cut=cut)
    if kind == 2:
        return Event("lost", head.text(), count=head.varint(), code=head.varint())
    if kind == 3:
        return Event("frame_refused", head.text(), text=head.text())
    if kind == 4:
        return Event("moved", head.text(), to=head.text())
    if kind == 5:
        return Event("dropped", count=head.varint())
    if kind == 6:
        return Event("missed", count=head.varint())
    return None


class Frames:
    """Cuts what comes into frames. It holds no more than what came."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._at = 0

    def push(self, data: bytes) -> None:
        """Takes what came."""
        if self._at:
            del self._buffer[: self._at]
            self._at = 0
        self._buffer += data

    def pull(self) -> tuple[int, Answer] | None:
        """The next answer that is there."""
        while True:
            have = len(self._buffer) - self._at
            if have < 4:
                return None
            start = self._at + 4
            length = int.from_bytes(self._buffer[self._at : start], "big")
            if length > FRAME_BYTES_MAX:
                raise MalformedAnswer(f"an answer of {length} bytes")
            if have < 4 + length:
                return None
            with memoryview(self._buffer) as whole, whole[start : start + length] as inside:
                answer = _read_answer(inside)
            self._at = start + length
            if answer is not None:
                if answer[0] == _NO_REQUEST and isinstance(answer[1], RequestFailed):
                    raise answer[1]
                return answer

    def end(self) -> NoReturn:
        """The daemon has closed."""
        if len(self._buffer) > self._at:
            raise MalformedAnswer("the daemon went away in the middle of an answer")
        raise DaemonUnavailable("the daemon closed the socket")


def expect(answer: Answer, kind: type[_T]) -> _T:
    """The answer, if it is of that kind; else raises what it is."""
    if isinstance(answer, kind):
        return answer
    if isinstance(answer, RequestFailed):
        raise answer
    raise MalformedAnswer(f"the daemon gave an answer to another question: {answer}")


def message_or_none(answer: Answer) -> Message | None:
    """The answer to a `RECEIVE`."""
    return None if isinstance(answer, Nothing) else expect(answer, Message)
