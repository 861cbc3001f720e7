"""A node without sockets and clock: you move the datagrams, and say what time it is."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Iterator

from . import _abi
from ._buffers import Buffer, readable
from ._lib import library
from .errors import check
from .node import Connection, NodeBase
from .values import Address, AddressLike, SendFailure, to_address, unsigned

_TRANSMIT_BYTES_MAX = 65536


@dataclass(frozen=True)
class Transmit:
    """Bytes to send."""

    to: Address
    """The receiver."""
    source: Address | None
    """The address of ours to send from, with port 0. None: any."""
    data: bytes
    segment_size: int
    """Size of each datagram in `data`; only the last may be shorter."""
    connection: Connection | None
    """The connection they are for. None: an answer to a stranger."""

    def datagrams(self) -> Iterator[bytes]:
        """The datagrams in `data`: one, unless the option `segments_max` is more than 1."""
        for start in range(0, len(self.data), self.segment_size):
            yield self.data[start : start + self.segment_size]


class SansIoNode(NodeBase):
    """A node for your own loop, network or simulation.

    After each call drain `poll_transmit`, then sleep until `poll_timeout`. Times are nanoseconds on
    a clock of your choice that never runs backwards, such as `time.monotonic_ns()`. Callbacks run
    inside `handle_datagram`, `handle_timeout` and `process`.
    """

    _MODE = _abi.CHANNELER_MODE_SANS_IO

    def handle_datagram(
        self,
        now_ns: int,
        sender: AddressLike,
        data: Buffer,
        receiver: AddressLike | None = None,
    ) -> None:
        """Takes a datagram that was received, `receiver` being the address it was sent to."""
        now = unsigned(now_ns, 64, "now_ns")
        source = ctypes.byref(to_address(sender)._to_c())
        target = None if receiver is None else ctypes.byref(to_address(receiver)._to_c())
        taken = readable(data)
        self._hold.run(
            lambda: int(
                library.channeler_node_handle_datagram(
                    self._handle, now, source, target, taken.pointer, taken.length
                )
            )
        )

    def handle_timeout(self, now_ns: int) -> None:
        """Does what is due."""
        now = unsigned(now_ns, 64, "now_ns")
        self._hold.run(lambda: int(library.channeler_node_handle_timeout(self._handle, now)))

    def poll_transmit(self, now_ns: int) -> Transmit | None:
        """The next bytes to send; None: nothing now."""
        now = unsigned(now_ns, 64, "now_ns")
        out = _abi.channeler_transmit()
        size = _TRANSMIT_BYTES_MAX
        while True:
            buffer = ctypes.create_string_buffer(size)
            status = library.channeler_node_poll_transmit(
                self._handle, now, buffer, size, ctypes.byref(out)
            )
            if status == _abi.CHANNELER_ERR_DATA_UNAVAILABLE:
                return None
            if status != _abi.CHANNELER_ERR_INSUFFICIENT_BUFFER_SIZE or out.length <= size:
                break
            size = out.length
        check(status)
        return Transmit(
            Address._from_c(out.to),
            Address._from_c_or_none(getattr(out, "from")),
            ctypes.string_at(buffer, out.length),
            out.segment_size,
            self._connection_of(out.connection.id) if out.connection.id else None,
        )

    def transmits(self, now_ns: int) -> Iterator[Transmit]:
        """Everything there is to send now."""
        while True:
            transmit = self.poll_transmit(now_ns)
            if transmit is None:
                return
            yield transmit

    def poll_timeout(self) -> int | None:
        """When `handle_timeout` wants to be called next, in nanoseconds; None: nothing is due."""
        out = ctypes.c_uint64()
        check(library.channeler_node_poll_timeout(self._handle, ctypes.byref(out)))
        return None if out.value == _abi.CHANNELER_NO_DEADLINE else out.value

    def handle_send_error(self, now_ns: int, transmit: Transmit, cause: SendFailure) -> None:
        """Bytes of `poll_transmit` could not be sent, for this cause. Keep silent about others."""
        now = unsigned(now_ns, 64, "now_ns")
        c = _abi.channeler_transmit()
        c.to = transmit.to._to_c()
        if transmit.source is not None:
            setattr(c, "from", transmit.source._to_c())
        c.length = len(transmit.data)
        c.segment_size = transmit.segment_size
        if transmit.connection is not None:
            c.connection.id = transmit.connection.id
        check(
            library.channeler_node_handle_send_error(
                self._handle, now, ctypes.byref(c), unsigned(cause, 32, "cause")
            )
        )
