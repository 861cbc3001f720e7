"""Callbacks that raise, callbacks that free, and what is kept alive until when."""

from __future__ import annotations

import gc
import logging
import sys
import threading
import weakref
from typing import Callable

import pytest

import channeler
from channeler import _callbacks
from conftest import Loop, bound, process_until, seeded


class Oops(Exception):
    """What the callbacks here raise."""


def raises(*_: object) -> bool:
    raise Oops


def test_what_a_message_callback_raises_comes_out_of_the_call_that_ran_it(
    make_loop: Callable[..., Loop],
) -> None:
    loop = make_loop(on_message=raises)
    left, _ = loop.connect()
    left.send(b"x")
    (transmit,) = loop.left.node.transmits(loop.now)
    with pytest.raises(Oops):
        loop.right.node.handle_datagram(loop.now, loop.left_address, transmit.data)
    # It is told once, and the node goes on.
    loop.right.node.process()
    assert loop.right.node.stats().messages_received == 1


def test_an_accept_callback_that_raises_accepts_nobody(make_loop: Callable[..., Loop]) -> None:
    loop = make_loop(on_accept=raises)
    loop.left.node.connect(loop.right.node.peer_id, loop.right_address).open_channel()
    with pytest.raises(Oops):
        loop.run()
    assert loop.right.told(channeler.Connected) == []
    assert loop.right.node.stats().connections == 0


def test_even_an_interrupt_comes_through(make_loop: Callable[..., Loop]) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    loop = make_loop(on_datagram=interrupt)
    with pytest.raises(KeyboardInterrupt):
        loop.right.node.handle_datagram(loop.now, loop.left_address, bytes(20))


def test_of_several_exceptions_the_first_is_raised_and_the_others_are_logged(
    make_loop: Callable[..., Loop], caplog: pytest.LogCaptureFixture
) -> None:
    def complain(_: channeler.Channel, message: bytes) -> None:
        raise Oops(message.decode())

    loop = make_loop(on_message=complain)
    left, _ = loop.connect()
    for text in (b"first", b"second"):
        left.send(text)
    (transmit,) = loop.left.node.transmits(loop.now)
    with pytest.raises(Oops, match="first"):
        loop.right.node.handle_datagram(loop.now, loop.left_address, transmit.data)
    assert [record.getMessage() for record in caplog.records] == [
        "a callback raised Oops: second"
    ]


def test_in_the_nodes_own_thread_it_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    logged = threading.Event()

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            logged.set()

    handler = Handler()
    _callbacks.logger.addHandler(handler)
    try:
        server = bound(on_message=raises)
        with server, bound() as client:
            server.start()
            channel = client.connect(server.peer_id, server.local_address()).open_channel()
            channel.send(b"x")
            process_until(logged.is_set, client)
            server.stop()
    finally:
        _callbacks.logger.removeHandler(handler)
    assert "a callback raised Oops" in caplog.text


def test_callbacks_may_call_back(make_loop: Callable[..., Loop]) -> None:
    loop = make_loop(on_message=lambda channel, message: channel.send(message.upper()))
    left, _ = loop.connect()
    left.send(b"shout")
    loop.run()
    assert left.receive() == b"SHOUT"


def test_processing_inside_a_callback_is_refused(make_loop: Callable[..., Loop]) -> None:
    refused = []

    def process(channel: channeler.Channel, _: bytes) -> None:
        with pytest.raises(channeler.StateError) as raised:
            channel.node.process(0)
        refused.append(raised.value)

    loop = make_loop(on_message=process)
    left, _ = loop.connect()
    left.send(b"x")
    loop.run()
    assert len(refused) == 1


def test_a_node_closed_in_its_callback_hears_no_more(make_loop: Callable[..., Loop]) -> None:
    heard = []

    def close(channel: channeler.Channel, message: bytes) -> None:
        heard.append(message)
        channel.node.close()
        channel.node.close()

    loop = make_loop(on_message=close)
    left, right = loop.connect()
    left.send(b"one")
    left.send(b"two")
    (transmit,) = loop.left.node.transmits(loop.now)
    loop.right.node.handle_datagram(loop.now, loop.left_address, transmit.data)
    assert heard == [b"one"]
    assert loop.right.node.closed
    with pytest.raises(channeler.StateError):
        right.send(b"x")


def test_callbacks_live_as_long_as_their_node() -> None:
    class Heard(list):  # type: ignore[type-arg]
        pass

    heard = Heard()
    alive = weakref.ref(heard)
    node = channeler.SansIoNode(seeded(1), on_datagram=lambda *told: heard_in_node().append(told))
    # Only the node keeps the list, by its callback.
    node_heard = heard

    def heard_in_node() -> Heard:
        return node_heard

    del heard
    gc.collect()
    node.handle_datagram(0, "192.0.2.1:1", bytes(20))
    assert len(alive() or []) == 1
    node.close()


def test_a_lambda_that_nobody_else_keeps_is_called() -> None:
    got: list[int] = []

    def make(number: int) -> channeler.SansIoNode:
        return channeler.SansIoNode(seeded(1), on_datagram=lambda *_: got.append(number))

    nodes = [make(number) for number in range(20)]
    gc.collect()
    for node in nodes:
        node.handle_datagram(0, "192.0.2.1:1", bytes(20))
        node.close()
    assert got == list(range(20))


def test_a_lost_node_is_freed_with_a_warning_even_in_a_cycle() -> None:
    def lose() -> weakref.ref[channeler.SansIoNode]:
        node = channeler.SansIoNode(seeded(1), on_event=lambda _: node.process())
        return weakref.ref(node)

    with pytest.warns(ResourceWarning, match="was not closed"):
        lost = lose()
        gc.collect()
    assert lost() is None
    assert not _callbacks._holds


def test_a_lost_node_with_a_thread_of_its_own_is_freed() -> None:
    before = threading.active_count()
    with pytest.warns(ResourceWarning, match="was not closed"):
        node = bound()
        node.start()
        del node
        gc.collect()
    assert not _callbacks._holds
    assert threading.active_count() == before


def test_a_lent_buffer_is_kept_until_it_is_given_back(loop: Loop) -> None:
    left, right = loop.connect()
    released = []
    data = bytearray(b"lent to the library")
    references = sys.getrefcount(data)
    left.send_buffer(data, lambda: released.append(loop.left.node._hold.lent_count()))
    assert sys.getrefcount(data) > references
    with pytest.raises(BufferError):
        data.append(1)
    assert released == []
    loop.run()
    loop.left.node.process()
    assert released == [0]
    gc.collect()
    assert sys.getrefcount(data) == references
    data.append(1)
    assert right.receive() == b"lent to the library"


def test_a_temporary_is_lent_like_any_other(loop: Loop) -> None:
    left, right = loop.connect()
    for number in range(50):
        left.send_buffer(b"%d" % number * 10)
        left.send_buffer(bytearray(b"%d" % number * 10))
    gc.collect()
    loop.run()
    expected = [b"%d" % number * 10 for number in range(50) for _ in range(2)]
    assert list(right.messages()) == expected
    loop.left.node.process()
    assert loop.left.node._hold.lent_count() == 0


def test_a_buffer_that_was_not_taken_stays_the_callers(loop: Loop) -> None:
    left, _ = loop.connect()
    released: list[int] = []
    data = bytearray(left.connection().info().message_bytes_max + 1)
    with pytest.raises(channeler.MessageTooLarge):
        left.send_buffer(data, lambda: released.append(1))
    gc.collect()
    data.append(1)
    assert released == [] and loop.left.node._hold.lent_count() == 0


def test_closing_gives_buffers_back(loop: Loop) -> None:
    left, _ = loop.connect()
    released = []
    left.send_buffer(b"never sent", lambda: released.append(1))
    loop.left.node.close()
    assert released == [1]


def test_what_a_release_raises_comes_out_of_the_call_that_ran_it(loop: Loop) -> None:
    left, _ = loop.connect()
    left.send_buffer(b"one", raises)
    with pytest.raises(Oops):
        loop.run()
        loop.left.node.process()
    left.send_buffer(b"two", raises)
    with pytest.raises(Oops):
        loop.left.node.close()
    assert loop.left.node.closed


def test_a_node_is_freed_while_events_pend(make_loop: Callable[..., Loop]) -> None:
    loop = make_loop()
    left, _ = loop.connect()
    told = len(loop.left.events)
    left.close()
    loop.left.node.close()
    assert len(loop.left.events) == told


def test_a_node_that_could_not_be_made_leaves_nothing() -> None:
    with pytest.raises(channeler.InvalidArgument):
        channeler.Node(channeler.Options(packet_size=1), on_event=raises)
    assert not _callbacks._holds
