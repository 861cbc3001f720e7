"""The functions that the library calls, and what they need to stay alive.

The C functions are made once and never freed: a function may not be freed while it runs, and the
last one, `drop`, is what ends a node. They find their node by a number, the `user_data`, in a table
that keeps what belongs to the node until `drop`. The node itself is held weakly there: one that the
program lost is freed.

An exception must not leave them. It is kept for the call that runs the callbacks, which raises it;
where there is none (the node's own thread), it is logged.
"""

from __future__ import annotations

import ctypes
import itertools
import logging
import threading
import weakref
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

from . import _abi
from ._lib import library
from .errors import check
from .events import event_from
from .values import Address, LogLevel, PeerId

if TYPE_CHECKING:
    from .node import NodeBase

logger = logging.getLogger("channeler")

_MESSAGE_BYTES_FOR_LOG = 200


class Lent(NamedTuple):
    """A buffer that the library reads from until it gives it back."""

    owner: Any
    """Keeps the memory where it is."""
    on_release: Callable[[], object] | None


class Hold:
    """What must live as long as the library may call back for a node."""

    def __init__(self, node: NodeBase) -> None:
        self.token = next(_tokens)
        self.node = weakref.ref(node)
        self._lent: dict[int, Lent] = {}
        _holds[self.token] = self

    def lend(self, lent: Lent) -> int:
        """Keeps a buffer; the number is what the library gives back."""
        token = next(_tokens)
        self._lent[token] = lent
        _lenders[token] = self
        return token

    def take_back(self, token: int) -> Lent | None:
        """Keeps a buffer no longer."""
        _lenders.pop(token, None)
        return self._lent.pop(token, None)

    def lent_count(self) -> int:
        """Buffers that the library has."""
        return len(self._lent)

    def forget(self) -> None:
        """The library calls no more for this node."""
        for token in list(self._lent):
            self.take_back(token)
        _holds.pop(self.token, None)

    def run(self, call: Callable[[], int]) -> None:
        """Makes a call that may run callbacks in this thread, and raises what they raised."""
        raised = _raised_here()
        before = raised.get(self.token)
        mine: list[BaseException] = []
        raised[self.token] = mine
        try:
            status = call()
        finally:
            if before is None:
                del raised[self.token]
            else:
                raised[self.token] = before
        for error in mine[1:]:
            _log(error)
        if mine:
            raise mine[0]
        check(status)

    def report(self, error: BaseException) -> None:
        """A callback raised this."""
        mine = _raised_here().get(self.token)
        if mine is None:
            _log(error)
        else:
            mine.append(error)


_tokens = itertools.count(1)
_holds: dict[int, Hold] = {}
_lenders: dict[int, Hold] = {}
_local = threading.local()


def _raised_here() -> dict[int, list[BaseException]]:
    """By node, what callbacks raised within the call that this thread is in."""
    try:
        raised: dict[int, list[BaseException]] = _local.raised
    except AttributeError:
        raised = _local.raised = {}
    return raised


def _log(error: BaseException) -> None:
    text = str(error)[:_MESSAGE_BYTES_FOR_LOG]
    logger.error("a callback raised %s: %s", type(error).__name__, text, exc_info=error)


def _call(token: int, call: Callable[[NodeBase], Any]) -> Any:
    """Calls with the node of a token, unless the node has gone. None when that raised."""
    hold = _holds.get(token)
    node = None if hold is None else hold.node()
    if hold is None or node is None:
        return None
    try:
        return call(node)
    except BaseException as error:
        hold.report(error)
        return None


def _drop(token: int) -> None:
    hold = _holds.get(token)
    if hold is not None:
        hold.forget()


def _accept(token: int, _node: int, connection: Any, peer: Any, address: Any) -> int:
    # A callback that raised has accepted nobody.
    return bool(
        _call(
            token,
            lambda node: node._on_accept
            and node._on_accept(
                node._connection_of(connection.id),
                PeerId._from_c(peer.contents),
                Address._from_c(address.contents),
            ),
        )
    )


def _event(token: int, _node: int, event: Any) -> None:
    def tell(node: NodeBase) -> None:
        known = event_from(node, event.contents)
        if known is not None and node._on_event is not None:
            node._on_event(known)

    _call(token, tell)


def _message(
    token: int, _node: int, _connection: Any, channel: Any, data: int, length: int
) -> None:
    def tell(node: NodeBase) -> None:
        if node._on_message is not None:
            node._on_message(node._channel_of(channel.id), ctypes.string_at(data, length))

    _call(token, tell)


def _datagram(token: int, _node: int, sender: Any, data: int, length: int) -> None:
    def tell(node: NodeBase) -> None:
        if node._on_datagram is not None:
            # An empty datagram may come as a null pointer.
            copied = ctypes.string_at(data, length) if length else b""
            node._on_datagram(Address._from_c(sender.contents), copied)

    _call(token, tell)


def _line(token: int, _node: int, level: int, text: bytes) -> None:
    def tell(node: NodeBase) -> None:
        if node._on_log is not None:
            node._on_log(LogLevel(level), text.decode(errors="replace"))

    _call(token, tell)


def _key_line(token: int, _node: int, line: bytes) -> None:
    def tell(node: NodeBase) -> None:
        if node._on_key_log is not None:
            node._on_key_log(line.decode(errors="replace"))

    _call(token, tell)


def _quic_event(token: int, _node: int, event: Any) -> None:
    def tell(node: NodeBase) -> None:
        if node._quic is not None:
            node._quic.tell(node, event.contents)

    _call(token, tell)


def _give_back(token: int, _data: int, _length: int) -> None:
    """Gives back what `Channel.send_buffer` lent."""
    hold = _lenders.get(token)
    lent = None if hold is None else hold.take_back(token)
    if hold is None or lent is None or lent.on_release is None:
        return
    try:
        lent.on_release()
    except BaseException as error:
        hold.report(error)


_DROP = _abi.channeler_drop_fn(_drop)
_ACCEPT = _abi.channeler_accept_fn(_accept)
_EVENT = _abi.channeler_event_fn(_event)
_MESSAGE = _abi.channeler_message_fn(_message)
_DATAGRAM = _abi.channeler_datagram_fn(_datagram)
_LINE = _abi.channeler_log_fn(_line)
_KEY_LINE = _abi.channeler_key_log_fn(_key_line)
QUIC_EVENT = _abi.channeler_quic_event_fn(_quic_event)
release = _abi.channeler_release_fn(_give_back)


def callbacks_for(node: NodeBase, token: int) -> _abi.channeler_callbacks:
    """The struct for `channeler_node_new`: a function for each that the program gave."""
    out = _abi.channeler_callbacks()
    check(library.channeler_callbacks_init(ctypes.byref(out), ctypes.sizeof(out)))
    out.user_data = token
    out.drop = _DROP
    if node._on_accept is not None:
        out.on_accept = _ACCEPT
    if node._on_event is not None:
        out.on_event = _EVENT
    if node._on_message is not None:
        out.on_message = _MESSAGE
    if node._on_datagram is not None:
        out.on_datagram = _DATAGRAM
    if node._on_log is not None:
        out.on_log = _LINE
    if node._on_key_log is not None:
        out.on_key_log = _KEY_LINE
    return out
