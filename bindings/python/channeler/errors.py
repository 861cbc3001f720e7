"""What a status of the library becomes: an exception of the kind that Python programs expect."""

from __future__ import annotations

import errno
from enum import IntEnum

from . import _abi
from ._lib import library


class ErrorCode(IntEnum):
    """The library's error numbers, `CHANNELER_ERR_*`."""

    UNEXPECTED = _abi.CHANNELER_ERR_UNEXPECTED
    INSUFFICIENT_BUFFER_SIZE = _abi.CHANNELER_ERR_INSUFFICIENT_BUFFER_SIZE
    DECODE = _abi.CHANNELER_ERR_DECODE
    ENCODE = _abi.CHANNELER_ERR_ENCODE
    INVALID_CHANNELID = _abi.CHANNELER_ERR_INVALID_CHANNELID
    INVALID_REFERENCE = _abi.CHANNELER_ERR_INVALID_REFERENCE
    INVALID_PIPE_EVENT = _abi.CHANNELER_ERR_INVALID_PIPE_EVENT
    INVALID_MESSAGE_TYPE = _abi.CHANNELER_ERR_INVALID_MESSAGE_TYPE
    WRITE = _abi.CHANNELER_ERR_WRITE
    STATE = _abi.CHANNELER_ERR_STATE
    DATA_UNAVAILABLE = _abi.CHANNELER_ERR_DATA_UNAVAILABLE
    WOULD_BLOCK = _abi.CHANNELER_ERR_WOULD_BLOCK
    INVALID_ARGUMENT = _abi.CHANNELER_ERR_INVALID_ARGUMENT
    LIMIT = _abi.CHANNELER_ERR_LIMIT
    TIMEOUT = _abi.CHANNELER_ERR_TIMEOUT
    IDLE = _abi.CHANNELER_ERR_IDLE
    CLOSED = _abi.CHANNELER_ERR_CLOSED
    REFUSED = _abi.CHANNELER_ERR_REFUSED
    BANNED = _abi.CHANNELER_ERR_BANNED
    INVALID_ADDRESS = _abi.CHANNELER_ERR_INVALID_ADDRESS
    SOCKET = _abi.CHANNELER_ERR_SOCKET
    UNSUPPORTED = _abi.CHANNELER_ERR_UNSUPPORTED
    POISONED = _abi.CHANNELER_ERR_POISONED
    IDENTITY = _abi.CHANNELER_ERR_IDENTITY
    CRYPTO = _abi.CHANNELER_ERR_CRYPTO
    PEER_CLOSED = _abi.CHANNELER_ERR_PEER_CLOSED
    PROTOCOL = _abi.CHANNELER_ERR_PROTOCOL
    RESET = _abi.CHANNELER_ERR_RESET
    SUPERSEDED = _abi.CHANNELER_ERR_SUPERSEDED
    LOST = _abi.CHANNELER_ERR_LOST
    EXPIRED = _abi.CHANNELER_ERR_EXPIRED
    TOO_LARGE = _abi.CHANNELER_ERR_TOO_LARGE

    @classmethod
    def _missing_(cls, value: object) -> ErrorCode | None:
        """A later library may have more of them."""
        if not isinstance(value, int):
            return None
        code = int.__new__(cls, value)
        code._name_ = f"UNKNOWN_{value}"
        code._value_ = value
        return code

    @property
    def text(self) -> str:
        """One sentence on what it means."""
        return (library.channeler_error_text(self) or b"").decode()


class ChannelerError(Exception):
    """A call of the library failed, or what it was about has ended."""

    code: ErrorCode
    """The number."""
    name: str
    """The number's name in the C header, such as "CHANNELER_ERR_STATE"."""
    detail: str
    """What exactly was wrong, and what is allowed."""
    sent: int = 0
    """`send_many`: how many messages were taken before the one that failed."""

    def __init__(self, code: int, detail: str = "") -> None:
        self.code = ErrorCode(code)
        self.name = (library.channeler_error_name(code) or b"").decode()
        self.detail = detail or self.code.text
        super().__init__(f"{self.detail} ({self.name})")

    def __str__(self) -> str:
        return f"{self.detail} ({self.name})"

    def __reduce__(self) -> tuple[object, tuple[int, str]]:
        return error_from, (int(self.code), self.detail)


class UnexpectedError(ChannelerError):
    """A bug of the library; please report it with the detail."""


class BufferTooSmall(ChannelerError, ValueError):
    """The buffer is too small for what it should hold."""

    needed: int = 0
    """`receive_into` and `receive_many` of `quic.Endpoint`: how many bytes the message has."""


class DecodeError(ChannelerError, ValueError):
    """The text or bytes could not be decoded."""


class EncodeError(ChannelerError, ValueError):
    """The value could not be encoded."""


class InvalidChannel(ChannelerError):
    """The channel is not known here: it has ended, or belongs to another node."""


class InvalidConnection(ChannelerError):
    """The connection is not known here: it has ended, or belongs to another node."""


class MessageTooLarge(ChannelerError, ValueError):
    """The message can never be sent; see `ConnectionInfo.message_bytes_max`."""


class StateError(ChannelerError):
    """The call is not allowed in the current state; the node was closed, say."""


class DataUnavailable(ChannelerError, BlockingIOError):
    """There is nothing to read yet; a `Readable` event follows."""

    def __init__(self, code: int = ErrorCode.DATA_UNAVAILABLE, detail: str = "") -> None:
        super().__init__(code, detail)
        self.errno = errno.EAGAIN


class WouldBlock(ChannelerError, BlockingIOError):
    """The send queue is full; a `Writable` event follows when it has room."""

    def __init__(self, code: int = ErrorCode.WOULD_BLOCK, detail: str = "") -> None:
        super().__init__(code, detail)
        self.errno = errno.EAGAIN


class InvalidArgument(ChannelerError, ValueError):
    """An argument is out of its range."""


class LimitReached(ChannelerError):
    """A configured limit is reached."""


class Timeout(ChannelerError, TimeoutError):
    """The peer did not answer within the time and retries allowed."""


class Idle(ChannelerError, ConnectionError):
    """Nothing was sent or received for the idle timeout."""


class Closed(ChannelerError, ConnectionError):
    """It was closed."""


class Refused(ChannelerError, ConnectionRefusedError):
    """The connection was refused."""


class Banned(ChannelerError, ConnectionError):
    """The peer or its address is banned."""


class InvalidAddress(ChannelerError, ValueError):
    """Not an address, or not one that can be used here."""


class SocketError(ChannelerError, OSError):
    """The operating system refused a socket operation."""


class WrongIdentity(ChannelerError, ConnectionError):
    """The peer has not the key of the peer that was asked for."""


class CryptoError(ChannelerError, ConnectionError):
    """The encrypted handshake or connection failed."""


class PeerClosed(ChannelerError, ConnectionError):
    """The peer closed it."""

    peer_code: int = 0
    """The number that the peer's application gave."""


class ProtocolError(ChannelerError, ConnectionError):
    """A rule of the protocol was broken."""


class PeerReset(ChannelerError, ConnectionResetError):
    """The peer does not know the connection any more; connect again."""


class Superseded(ChannelerError, ConnectionError):
    """Another connection with the same peer took its place."""


class Lost(ChannelerError, ConnectionError):
    """A message was lost for good, or closed its channel by that."""


class Expired(ChannelerError, TimeoutError):
    """The lifetime of a message was over before it was delivered."""


class Unsupported(ChannelerError):
    """Not supported on this system or by this kind of node."""


class Poisoned(ChannelerError):
    """An earlier bug of the library stopped this node; close it, and please report the detail."""


_CLASSES: dict[ErrorCode, type[ChannelerError]] = {
    ErrorCode.UNEXPECTED: UnexpectedError,
    ErrorCode.INSUFFICIENT_BUFFER_SIZE: BufferTooSmall,
    ErrorCode.DECODE: DecodeError,
    ErrorCode.ENCODE: EncodeError,
    ErrorCode.INVALID_CHANNELID: InvalidChannel,
    ErrorCode.INVALID_REFERENCE: InvalidConnection,
    ErrorCode.WRITE: MessageTooLarge,
    ErrorCode.STATE: StateError,
    ErrorCode.DATA_UNAVAILABLE: DataUnavailable,
    ErrorCode.WOULD_BLOCK: WouldBlock,
    ErrorCode.INVALID_ARGUMENT: InvalidArgument,
    ErrorCode.LIMIT: LimitReached,
    ErrorCode.TIMEOUT: Timeout,
    ErrorCode.IDLE: Idle,
    ErrorCode.CLOSED: Closed,
    ErrorCode.REFUSED: Refused,
    ErrorCode.BANNED: Banned,
    ErrorCode.INVALID_ADDRESS: InvalidAddress,
    ErrorCode.SOCKET: SocketError,
    ErrorCode.UNSUPPORTED: Unsupported,
    ErrorCode.POISONED: Poisoned,
    ErrorCode.IDENTITY: WrongIdentity,
    ErrorCode.CRYPTO: CryptoError,
    ErrorCode.PEER_CLOSED: PeerClosed,
    ErrorCode.PROTOCOL: ProtocolError,
    ErrorCode.RESET: PeerReset,
    ErrorCode.SUPERSEDED: Superseded,
    ErrorCode.LOST: Lost,
    ErrorCode.EXPIRED: Expired,
    ErrorCode.TOO_LARGE: MessageTooLarge,
}


def error_from(code: int, detail: str = "") -> ChannelerError:
    """The exception for an error number. Without a detail its text is the number's."""
    return _CLASSES.get(ErrorCode(code), ChannelerError)(code, detail)


def error_of_end(reason: ErrorCode, peer_code: int, text: str) -> ChannelerError:
    """The exception for the end of a connection or channel, with what the peer said with it."""
    detail = reason.text
    if reason == ErrorCode.PEER_CLOSED:
        detail = f"the peer closed it with code {peer_code}" + (f": {text}" if text else "")
    error = error_from(reason, detail)
    if isinstance(error, PeerClosed):
        error.peer_code = peer_code
    return error


def check(status: int) -> None:
    """Raises what a status says, unless it is 0."""
    if status != _abi.CHANNELER_OK:
        detail = library.channeler_last_error() or b""
        raise error_from(status, detail.decode(errors="replace"))
