"""What can be wrong between a program, the daemon, and a peer."""

from __future__ import annotations

from enum import IntEnum
from typing import Any


class Code(IntEnum):
    """Why the daemon could not do it; the numbers are those of `channeler.ErrorCode`."""

    INSUFFICIENT_BUFFER_SIZE = 2
    DECODE = 3
    INVALID_REFERENCE = 6
    STATE = 10
    INVALID_ARGUMENT = 13
    LIMIT = 14
    TIMEOUT = 15
    IDLE = 16
    CLOSED = 17
    REFUSED = 18
    INVALID_ADDRESS = 20
    UNSUPPORTED = 22
    IDENTITY = 24
    CRYPTO = 25
    PEER_CLOSED = 26
    PROTOCOL = 27
    RESET = 28
    SUPERSEDED = 29
    TOO_LARGE = 32

    @classmethod
    def _missing_(cls, value: object) -> Code | None:
        """A later daemon may have more of them."""
        if not isinstance(value, int):
            return None
        code = int.__new__(cls, value)
        code._name_ = f"UNKNOWN_{value}"
        code._value_ = value
        return code


class DaemonError(Exception):
    """What is not as it should be between this program, the daemon, and a peer."""


class DaemonUnavailable(DaemonError, ConnectionError):
    """No daemon answers at the socket, or it went away."""


class MalformedAnswer(DaemonError, ValueError):
    """What answers at the socket is no channelerd, or broke off."""


class RequestFailed(DaemonError):
    """The daemon could not do what it was asked for."""

    code: Code
    """Why."""
    text: str
    """Why, for people."""
    detail: int
    """With `INSUFFICIENT_BUFFER_SIZE`: the length of the message. Else 0."""

    def __init__(self, code: int, text: str = "", detail: int = 0) -> None:
        self.code = Code(code)
        self.text = text
        self.detail = detail
        super().__init__(f"{text} ({self.code.name})" if text else self.code.name)

    def __reduce__(self) -> tuple[Any, tuple[int, str, int]]:
        return failure_from, (int(self.code), self.text, self.detail)


class PeerTimeout(RequestFailed, TimeoutError):
    """The peer did not answer."""


class PeerRefused(RequestFailed, ConnectionRefusedError):
    """The peer would not have us, or the daemon this user."""


class WrongPeer(RequestFailed, ConnectionError):
    """Another peer is there, or one that the daemon's `peers` does not list."""


class ConnectionEnded(RequestFailed, ConnectionError):
    """The connection ended, or could not be made, before the daemon had an answer."""


class InvalidRequest(RequestFailed, ValueError):
    """No such address or connection, or a label or message that is too long."""


_CLASSES: dict[int, type[RequestFailed]] = {
    Code.TIMEOUT: PeerTimeout,
    Code.REFUSED: PeerRefused,
    Code.IDENTITY: WrongPeer,
    **dict.fromkeys(
        (
            Code.IDLE,
            Code.CLOSED,
            Code.CRYPTO,
            Code.PEER_CLOSED,
            Code.PROTOCOL,
            Code.RESET,
            Code.SUPERSEDED,
        ),
        ConnectionEnded,
    ),
    **dict.fromkeys(
        (
            Code.INSUFFICIENT_BUFFER_SIZE,
            Code.INVALID_REFERENCE,
            Code.INVALID_ARGUMENT,
            Code.INVALID_ADDRESS,
            Code.TOO_LARGE,
        ),
        InvalidRequest,
    ),
}


def failure_from(code: int, text: str, detail: int) -> RequestFailed:
    """The exception for an error of the daemon."""
    return _CLASSES.get(code, RequestFailed)(code, text, detail)
