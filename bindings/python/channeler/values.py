"""Plain values: peer ids, addresses, capabilities, settings."""

from __future__ import annotations

import ctypes
import socket
from dataclasses import dataclass, fields
from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING, Any, Callable, Iterator, TypeVar, Union

from . import _abi
from ._lib import library
from .errors import ErrorCode, InvalidAddress, InvalidArgument, check

if TYPE_CHECKING:
    from .identity import Identity

_Struct = TypeVar("_Struct", bound=ctypes.Structure)

_SOCKADDR_BYTES_MAX = 128


class Capability(IntFlag):
    """What a channel promises: three promises, which add up with `|`, and names of their sums.

    Version 0 carries these bits and fulfils none.
    """

    NONE = 0
    RESEND = _abi.CHANNELER_CAP_RESEND
    """Lost messages are sent again, within the resend limit and their lifetime."""
    ORDERED = _abi.CHANNELER_CAP_ORDERED
    """Never out of order: later ones wait with `RESEND`; without it, what comes late is lost."""
    CLOSE_ON_LOSS = _abi.CHANNELER_CAP_CLOSE_ON_LOSS
    """A message that is given up closes the channel with `LOST` or `EXPIRED`."""

    UNRELIABLE = _abi.CHANNELER_UNRELIABLE
    """As it comes: messages may be lost and overtaken, as with UDP."""
    UNRELIABLE_ORDERED = _abi.CHANNELER_UNRELIABLE_ORDERED
    """Never out of order; messages may be lost."""
    LOSS_CLOSES = _abi.CHANNELER_LOSS_CLOSES
    """As it comes, and the first loss closes the channel."""
    LOSS_CLOSES_ORDERED = _abi.CHANNELER_LOSS_CLOSES_ORDERED
    """In order, and the first loss closes the channel."""
    PARTIALLY_RELIABLE = _abi.CHANNELER_PARTIALLY_RELIABLE
    """Everything within the resend limit and the messages' lifetimes, in any order."""
    PARTIALLY_RELIABLE_ORDERED = _abi.CHANNELER_PARTIALLY_RELIABLE_ORDERED
    """The same in order."""
    RELIABLE = _abi.CHANNELER_RELIABLE
    """Everything, in any order, or the channel closes: no message waits for another."""
    RELIABLE_ORDERED = _abi.CHANNELER_RELIABLE_ORDERED
    """Everything in order, or the channel closes, as with TCP."""


class Ecn(IntEnum):
    """Whether a path carries marks of explicit congestion notification."""

    OFF = _abi.CHANNELER_ECN_OFF
    TESTING = _abi.CHANNELER_ECN_TESTING
    CAPABLE = _abi.CHANNELER_ECN_CAPABLE
    FAILED = _abi.CHANNELER_ECN_FAILED


class Role(IntEnum):
    """Who opened a channel: we (`INITIATOR`) or the peer."""

    INITIATOR = _abi.CHANNELER_ROLE_INITIATOR
    RESPONDER = _abi.CHANNELER_ROLE_RESPONDER


class Version(IntEnum):
    """Versions of the protocol: only `V1` encrypts, and knows who the peer is."""

    V0 = _abi.CHANNELER_PROTOCOL_V0
    V1 = _abi.CHANNELER_PROTOCOL_V1


class Congestion(IntEnum):
    """How the sending rate is controlled."""

    CUBIC = _abi.CHANNELER_CONGESTION_CUBIC
    NEWRENO = _abi.CHANNELER_CONGESTION_NEWRENO
    BBR2 = _abi.CHANNELER_CONGESTION_BBR2


class Legacy(IntEnum):
    """Whether protocol version 0, neither encrypted nor authenticated, is spoken."""

    OFF = _abi.CHANNELER_LEGACY_OFF
    ACCEPT = _abi.CHANNELER_LEGACY_ACCEPT
    ONLY = _abi.CHANNELER_LEGACY_ONLY


class LogLevel(IntEnum):
    """How severe a line for a log is; a smaller number is more severe."""

    ERROR = _abi.CHANNELER_LOG_ERROR
    WARN = _abi.CHANNELER_LOG_WARN
    INFO = _abi.CHANNELER_LOG_INFO
    DEBUG = _abi.CHANNELER_LOG_DEBUG


class SendFailure(IntEnum):
    """Why a datagram could not be sent, for `SansIoNode.handle_send_error`."""

    TOO_LARGE = _abi.CHANNELER_SEND_TOO_LARGE
    UNREACHABLE = _abi.CHANNELER_SEND_UNREACHABLE


@dataclass(frozen=True, order=True)
class PeerId:
    """Who a peer is: 16 bytes, made from its public key; in version 0, chosen at will."""

    raw: bytes

    def __post_init__(self) -> None:
        raw = bytes(self.raw)
        if len(raw) != 16:
            raise InvalidArgument(
                ErrorCode.INVALID_ARGUMENT, f"a peer id has 16 bytes, not {len(raw)}"
            )
        object.__setattr__(self, "raw", raw)

    @staticmethod
    def random() -> PeerId:
        """Draws one from the operating system."""
        out = _abi.channeler_peer_id()
        check(library.channeler_peer_id_random(ctypes.byref(out)))
        return PeerId._from_c(out)

    @staticmethod
    def parse(text: str) -> PeerId:
        """Reads 32 hexadecimal digits, with or without "0x" before them."""
        out = _abi.channeler_peer_id()
        check(library.channeler_peer_id_parse(text_to_c(text), ctypes.byref(out)))
        return PeerId._from_c(out)

    def __str__(self) -> str:
        buffer = ctypes.create_string_buffer(_abi.CHANNELER_PEER_ID_TEXT_MAX)
        check(library.channeler_peer_id_format(self._to_c(), buffer, len(buffer)))
        return buffer.value.decode()

    def __bytes__(self) -> bytes:
        return self.raw

    @staticmethod
    def _from_c(peer: _abi.channeler_peer_id) -> PeerId:
        return PeerId(bytes(peer.bytes))

    @staticmethod
    def _from_c_or_none(peer: _abi.channeler_peer_id) -> PeerId | None:
        return PeerId._from_c(peer) if any(peer.bytes) else None

    def _to_c(self) -> _abi.channeler_peer_id:
        return _abi.channeler_peer_id.from_buffer_copy(self.raw)


@dataclass(frozen=True, order=True)
class Address:
    """A UDP address: IP as text, port, and the interface's number if IPv6 needs one."""

    host: str
    port: int
    scope_id: int = 0

    def __post_init__(self) -> None:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        try:
            packed = socket.inet_pton(family, self.host)
        except (OSError, ValueError):
            raise _no_address(f"'{self.host}' is no IP address") from None
        if not 0 <= self.port <= 0xFFFF:
            raise _no_address(f"port {self.port} is not from 0 to 65535")
        if not 0 <= self.scope_id <= 0xFFFF_FFFF:
            raise _no_address(f"scope {self.scope_id} is not from 0 to 4294967295")
        # The same address has the same text, so that equality and hash do what they should.
        object.__setattr__(self, "host", socket.inet_ntop(family, packed))

    @staticmethod
    def parse(text: str) -> Address:
        """Reads "192.0.2.1:7000", "[2001:db8::1]:7000" or "[fe80::1%eth0]:7000"."""
        out = _abi.channeler_address()
        check(library.channeler_address_parse(text_to_c(text), ctypes.byref(out)))
        return Address._from_c(out)

    @staticmethod
    def from_sockaddr(sockaddr: bytes) -> Address:
        """Takes the bytes of the system's `struct sockaddr_in` or `sockaddr_in6`."""
        out = _abi.channeler_address()
        check(library.channeler_address_from_sockaddr(sockaddr, len(sockaddr), ctypes.byref(out)))
        return Address._from_c(out)

    @staticmethod
    def from_tuple(address: tuple[Any, ...]) -> Address:
        """Takes what `socket.recvfrom` and its like give."""
        host, port = address[0], address[1]
        scope_id = address[3] if len(address) > 3 else 0
        return Address(str(host).partition("%")[0], int(port), int(scope_id))

    def to_sockaddr(self) -> bytes:
        """The bytes of the system's `struct sockaddr_in` or `sockaddr_in6`."""
        buffer = ctypes.create_string_buffer(_SOCKADDR_BYTES_MAX)
        length = ctypes.c_size_t()
        check(
            library.channeler_address_to_sockaddr(
                self._to_c(), buffer, len(buffer), ctypes.byref(length)
            )
        )
        return buffer.raw[: length.value]

    def to_tuple(self) -> tuple[Any, ...]:
        """What `socket.sendto` and its like take."""
        if ":" in self.host:
            return (self.host, self.port, 0, self.scope_id)
        return (self.host, self.port)

    def __str__(self) -> str:
        buffer = ctypes.create_string_buffer(_abi.CHANNELER_ADDRESS_TEXT_MAX)
        check(library.channeler_address_format(self._to_c(), buffer, len(buffer)))
        return buffer.value.decode()

    @staticmethod
    def _from_c(address: _abi.channeler_address) -> Address:
        family, size = socket.AF_INET6, 16
        if address.family == _abi.CHANNELER_FAMILY_IPV4:
            family, size = socket.AF_INET, 4
        host = socket.inet_ntop(family, bytes(address.ip)[:size])
        return Address(host, address.port, address.scope_id)

    @staticmethod
    def _from_c_or_none(address: _abi.channeler_address) -> Address | None:
        if address.family == _abi.CHANNELER_FAMILY_NONE:
            return None
        return Address._from_c(address)

    def _to_c(self) -> _abi.channeler_address:
        is_ipv6 = ":" in self.host
        packed = socket.inet_pton(socket.AF_INET6 if is_ipv6 else socket.AF_INET, self.host)
        family = _abi.CHANNELER_FAMILY_IPV6 if is_ipv6 else _abi.CHANNELER_FAMILY_IPV4
        out = _abi.channeler_address(family, self.port, self.scope_id)
        ctypes.memmove(out.ip, packed, len(packed))
        return out


PeerIdLike = Union[PeerId, str]
"""A peer id, or its text."""

AddressLike = Union[Address, str]
"""An address, or its text."""


@dataclass(frozen=True)
class Options:
    """Settings of a node. Times are in seconds. What is None is as the library has it by default.

    `Options.defaults()` tells those, and include/channeler.h what each means and may be.
    """

    peer_id: PeerId | None = None
    legacy: Legacy | None = None
    accept_incoming: bool | None = None
    padding: bool | None = None
    packet_size: int | None = None
    segments_max: int | None = None
    handshake_retries: int | None = None
    log_level: LogLevel | None = None
    bundle_delay: float | None = None
    handshake_timeout: float | None = None
    cookie_epoch: float | None = None
    idle_timeout: float | None = None
    keep_alive: float | None = None
    spin: float | None = None
    connections_max: int | None = None
    connections_per_address_max: int | None = None
    channels_per_connection_max: int | None = None
    channels_max: int | None = None
    send_queue_bytes_max: int | None = None
    send_queue_packets_max: int | None = None
    node_send_queue_bytes_max: int | None = None
    receive_queue_bytes_max: int | None = None
    receive_queue_messages_max: int | None = None
    node_receive_queue_bytes_max: int | None = None
    replies_max: int | None = None
    events_max: int | None = None
    seed: bytes | None = None
    identity: Identity | None = None
    instance_label: str | None = None
    congestion: Congestion | None = None
    early_data: bool | None = None
    half_close: bool | None = None
    always_cookie: bool | None = None
    attempt_timeout: float | None = None
    dial_timeout: float | None = None
    linger: float | None = None
    ack_delay: float | None = None
    half_open_free_max: int | None = None
    half_open_max: int | None = None
    early_bytes_max: int | None = None
    tickets_max: int | None = None
    peer_channels_max: int | None = None
    message_bytes_max: int | None = None
    send_low_water_bytes: int | None = None
    receive_window_min: int | None = None
    connection_receive_bytes_max: int | None = None
    node_receive_bytes_max: int | None = None
    loss_tolerance_percent: int | None = None
    packet_size_max: int | None = None

    @staticmethod
    def defaults() -> Options:
        """The settings that the library has by default. None: there is none, or a fresh one."""
        out = new_struct(_abi.channeler_options, library.channeler_options_init)
        return Options(**read_settings(out, Options, _CONVERTED, _NONE_BY_DEFAULT))

    def _to_c(self, mode: int) -> _abi.channeler_options:
        out = new_struct(_abi.channeler_options, library.channeler_options_init)
        out.mode = mode
        for name, value in given_settings(self):
            if name == "peer_id":
                out.peer_id = value._to_c()
            elif name == "seed":
                out.seed = (ctypes.c_uint8 * 32)(*_seed(value))
            elif name == "identity":
                out.identity = text_to_c(value.pem)
            else:
                write_setting(out, name, value)
        return out


_CONVERTED: dict[str, type[Any]] = {
    "legacy": Legacy,
    "accept_incoming": bool,
    "padding": bool,
    "log_level": LogLevel,
    "congestion": Congestion,
    "early_data": bool,
    "half_close": bool,
    "always_cookie": bool,
}
_NONE_BY_DEFAULT = frozenset(
    ("peer_id", "seed", "identity", "instance_label", "send_low_water_bytes")
)


def nanoseconds(seconds: float, name: str) -> int:
    """Seconds as the library wants them."""
    try:
        return unsigned(round(seconds * 1e9), 64, name)
    except (OverflowError, ValueError):
        raise InvalidArgument(
            ErrorCode.INVALID_ARGUMENT, f"{name} is {seconds} seconds; it cannot be"
        ) from None


def unsigned(value: int, bits: int, name: str) -> int:
    """`value`, which ctypes would cut to `bits` without a word."""
    number = int(value)
    if not 0 <= number < 1 << bits:
        raise InvalidArgument(
            ErrorCode.INVALID_ARGUMENT, f"{name} is {value}; allowed is 0 to {(1 << bits) - 1}"
        )
    return number


def to_peer_id(peer: PeerIdLike) -> PeerId:
    """A peer id, from its text if need be."""
    return PeerId.parse(peer) if isinstance(peer, str) else peer


def to_address(address: AddressLike) -> Address:
    """An address, from its text if need be."""
    return Address.parse(address) if isinstance(address, str) else address


def new_struct(kind: type[_Struct], init: Callable[[Any, int], int]) -> _Struct:
    """One of the library's structs of settings, with its defaults."""
    out = kind()
    check(init(ctypes.byref(out), ctypes.sizeof(out)))
    return out


def given_settings(settings: Any) -> Iterator[tuple[str, Any]]:
    """Those settings of a dataclass that are not None."""
    for field in fields(settings):
        value = getattr(settings, field.name)
        if value is not None:
            yield field.name, value


def write_setting(out: ctypes.Structure, name: str, value: Any) -> None:
    """Sets a field of the library's struct: a text, a time in seconds, or a number."""
    if hasattr(type(out), f"{name}_ns"):
        setattr(out, f"{name}_ns", nanoseconds(value, name))
    elif isinstance(value, str):
        setattr(out, name, text_to_c(value))
    else:
        bits = 8 * getattr(type(out), name).size
        setattr(out, name, unsigned(value, bits, name))


def read_settings(
    struct: ctypes.Structure,
    kind: type[Any],
    converted: dict[str, type[Any]],
    left_out: frozenset[str],
) -> dict[str, Any]:
    """The library's struct as arguments of a dataclass; what is left out has no value to tell."""
    values: dict[str, Any] = {}
    for name in (field.name for field in fields(kind)):
        if hasattr(type(struct), f"{name}_ns"):
            values[name] = getattr(struct, f"{name}_ns") / 1e9
        elif name not in left_out:
            values[name] = converted.get(name, int)(getattr(struct, name))
    return values


def _seed(seed: bytes) -> bytes:
    if len(seed) != 32:
        raise InvalidArgument(
            ErrorCode.INVALID_ARGUMENT, f"seed has {len(seed)} bytes; it must have 32"
        )
    return bytes(seed)


def _no_address(detail: str) -> InvalidAddress:
    return InvalidAddress(ErrorCode.INVALID_ADDRESS, detail)


def text_to_c(text: str) -> bytes:
    """Text as the library wants it: without a zero byte, which would end it early."""
    encoded = text.encode(errors="surrogateescape")
    if b"\0" in encoded:
        raise InvalidArgument(ErrorCode.INVALID_ARGUMENT, "the text has a zero byte in it")
    return encoded
