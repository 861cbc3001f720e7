"""Settings of QUIC channels."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from .. import _abi
from .._lib import library
from ..values import Congestion, given_settings, new_struct, read_settings, write_setting


class Streams(IntEnum):
    """Which streams messages go on. Peers need not agree."""

    ORDERED = _abi.CHANNELER_QUIC_ORDERED
    """One: all messages to a peer arrive in the order they were sent."""
    PER_CHANNEL = _abi.CHANNELER_QUIC_PER_CHANNEL
    """One a channel: in order within each, and a lost packet stalls no other channel."""


@dataclass(frozen=True)
class Options:
    """Settings of QUIC channels. Times are in seconds. What is None is the library's default.

    With `certificate_chain`, `private_key` and `authorities`, all three PEM texts, both sides show
    X.509 certificates; without them (default), raw public keys, and ours is the node's identity.
    `Options.defaults()` tells the other defaults, and `channeler_quic_options` in
    include/channeler.h what each means and may be.
    """

    streams: Streams | None = None
    congestion: Congestion | None = None
    accept_incoming: bool | None = None
    ask_before_accept: bool | None = None
    certificate_chain: str | None = None
    private_key: str | None = field(default=None, repr=False)
    authorities: str | None = None
    server_name: str | None = None
    application_protocol: str | None = None
    message_bytes_max: int | None = None
    receive_bytes_max: int | None = None
    receive_messages_max: int | None = None
    connection_receive_bytes_max: int | None = None
    connection_receive_messages_max: int | None = None
    send_queue_bytes_max: int | None = None
    idle_timeout: float | None = None
    keep_alive: float | None = None
    dial_timeout: float | None = None
    accept_timeout: float | None = None
    drain_timeout: float | None = None

    @staticmethod
    def defaults() -> Options:
        """The settings that the library has by default; None: there is none."""
        out = new_struct(_abi.channeler_quic_options, library.channeler_quic_options_init)
        return Options(**read_settings(out, Options, _CONVERTED, _NONE_BY_DEFAULT))

    def _to_c(self) -> _abi.channeler_quic_options:
        out = new_struct(_abi.channeler_quic_options, library.channeler_quic_options_init)
        for name, value in given_settings(self):
            write_setting(out, name, value)
        return out


_CONVERTED: dict[str, type[Any]] = {
    "streams": Streams,
    "congestion": Congestion,
    "accept_incoming": bool,
    "ask_before_accept": bool,
}
_NONE_BY_DEFAULT = frozenset(
    (
        "certificate_chain",
        "private_key",
        "authorities",
        "server_name",
        "application_protocol",
    )
)
