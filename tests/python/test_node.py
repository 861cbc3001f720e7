"""Nodes with sockets: the three ways to run, addresses, use after close, threads."""

from __future__ import annotations

import select
import signal
import subprocess
import sys
import threading
import time
from typing import Callable

import pytest

import channeler
from conftest import PATIENCE_SECONDS, bound, process_until


def test_a_node_tells_who_and_where_it_is() -> None:
    with bound() as node:
        address = node.local_address()
        assert address.host == "127.0.0.1" and address.port != 0
        node.bind(channeler.Address("::1", 0))
        assert node.local_address(1).host == "::1"
        with pytest.raises(channeler.InvalidArgument):
            node.local_address(2)
        with pytest.raises(channeler.InvalidArgument):
            node.local_address(-1)
        assert str(node.peer_id) in repr(node)


def test_a_port_that_is_taken_is_a_socket_error() -> None:
    with bound() as node, channeler.Node() as other:
        with pytest.raises(channeler.SocketError):
            other.bind(node.local_address())


def test_text_that_is_no_address_is_refused() -> None:
    with channeler.Node() as node:
        with pytest.raises(channeler.InvalidAddress):
            node.bind("localhost:7000")
        with pytest.raises(channeler.DecodeError):
            node.connect("nobody", "127.0.0.1:1")


def test_messages_flow_with_process_in_this_thread() -> None:
    got: list[bytes] = []
    echo = bound(on_message=lambda channel, message: channel.send(message))
    client = bound(on_message=lambda _, message: got.append(message))
    with echo, client:
        channel = client.connect(echo.peer_id, echo.local_address()).open_channel()
        channel.send(b"there and back")
        process_until(lambda: got, echo, client)
        assert got == [b"there and back"]


def test_messages_flow_with_a_thread_of_its_own() -> None:
    came = threading.Event()
    threads = set()

    def note(*_: object) -> None:
        threads.add(threading.get_ident())
        came.set()

    echo = bound(on_message=lambda channel, message: channel.send(message))
    with echo, bound(on_message=note) as client:
        echo.start()
        client.start()
        with pytest.raises(channeler.StateError):
            client.start()
        with pytest.raises(channeler.StateError):
            client.process(0)
        channel = client.connect(echo.peer_id, echo.local_address()).open_channel()
        channel.send(b"x")
        assert came.wait(PATIENCE_SECONDS)
        client.stop()
        client.process(0)
        assert threads and threading.get_ident() not in threads


def test_messages_flow_with_a_select_of_ones_own() -> None:
    got: list[bytes] = []
    echo = bound(on_message=lambda channel, message: channel.send(message))
    with echo, bound(on_message=lambda _, message: got.append(message)) as client:
        echo.start()
        channel = client.connect(echo.peer_id, echo.local_address()).open_channel()
        channel.send(b"x")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not got:
            assert time.monotonic() < deadline
            select.select([client], [], [], client.timeout())
            client.process(0)


def test_flush_sends_without_a_turn() -> None:
    with bound() as server, bound() as client:
        client.connect(server.peer_id, server.local_address()).open_channel()
        assert client.stats().datagrams_sent == 0
        client.flush()
        assert client.stats().datagrams_sent > 0


def test_wake_ends_a_sleep() -> None:
    with bound() as node:
        node.process(0)
        started = time.monotonic()
        threading.Timer(0.05, node.wake).start()
        node.process(10.0)
        assert time.monotonic() - started < 0.9
        assert node.timeout() is None or node.timeout() == 0.0


def test_process_waits_no_longer_than_told() -> None:
    with bound() as node:
        node.process(0)
        started = time.monotonic()
        node.process(0.05)
        assert time.monotonic() - started < 0.9
        node.process(-1.0)
        with pytest.raises(channeler.InvalidArgument):
            node.process(float("nan"))


def test_every_call_on_a_closed_node_is_a_state_error() -> None:
    node = bound()
    connection = node.connect(channeler.PeerId.random(), "127.0.0.1:9")
    channel = connection.open_channel()
    address, peer = node.local_address(), node.peer_id
    node.close()
    node.close()
    assert node.closed and "closed" in repr(node)
    calls: list[Callable[[], object]] = [
        lambda: node.peer_id,
        lambda: node.bind(address),
        node.local_address,
        lambda: node.connect(peer, address),
        node.start,
        node.stop,
        lambda: node.process(0),
        node.flush,
        node.fileno,
        node.timeout,
        node.wake,
        lambda: node.ban_peer(peer, 1),
        lambda: node.ban_address(address, 1),
        lambda: node.lift_ban_peer(peer),
        lambda: node.lift_ban_address(address),
        node.stats,
        lambda: node.send_many([(channel, b"x")]),
        lambda: node.receive_many([channel]),
        connection.info,
        connection.stats,
        connection.open_channel,
        connection.close,
        channel.info,
        channel.stats,
        channel.connection,
        lambda: channel.send(b"x"),
        lambda: channel.send_buffer(b"x"),
        channel.receive,
        lambda: channel.receive_into(bytearray(1)),
        channel.close,
    ]
    for call in calls:
        with pytest.raises(channeler.StateError):
            call()


def test_a_node_may_be_closed_by_several_threads_at_once() -> None:
    failed = []
    for _ in range(10):
        node = bound()
        node.start()
        barrier = threading.Barrier(4)

        def close(node: channeler.Node = node, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            try:
                node.close()
            except BaseException as error:
                failed.append(error)

        threads = [threading.Thread(target=close) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE_SECONDS)
            assert not thread.is_alive()
    assert failed == []


def test_closing_ends_a_process_in_another_thread() -> None:
    node = bound()
    ended: list[BaseException] = []

    def run() -> None:
        try:
            while True:
                node.process()
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    node.close()
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()
    assert isinstance(ended[0], channeler.StateError)


def test_many_threads_send_while_the_node_runs() -> None:
    count, each = 4, 50
    got: list[bytes] = []
    server = bound(on_message=lambda _, message: got.append(message))
    opened = threading.Event()
    with server, bound(on_event=lambda _: opened.set()) as client:
        server.start()
        client.start()
        channel = client.connect(server.peer_id, server.local_address()).open_channel()
        assert opened.wait(PATIENCE_SECONDS)

        def send(name: int) -> None:
            for number in range(each):
                channel.send(b"%d/%d" % (name, number))

        threads = [threading.Thread(target=send, args=(name,)) for name in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE_SECONDS)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while server.stats().messages_received < count * each:
            assert time.monotonic() < deadline
            server.wake()
        server.stop()
    assert sorted(got) == sorted(
        b"%d/%d" % (name, number) for name in range(count) for number in range(each)
    )


def program(code: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-u", "-X", "dev", "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_an_interrupt_ends_a_process_that_waits_for_ever() -> None:
    code = """
import channeler, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
node = channeler.Node()
node.bind("127.0.0.1:0")
try:
    print("ready")
    while True:
        node.process()
except KeyboardInterrupt:
    node.close()
    print("interrupted")
"""
    with program(code) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=PATIENCE_SECONDS)
    assert (child.returncode, out) == (0, "interrupted\n"), err


def test_a_program_that_forgets_its_running_nodes_ends_well() -> None:
    code = """
import channeler, time
server = channeler.Node(on_message=lambda channel, message: channel.send(message))
server.bind("127.0.0.1:0")
server.start()
client = channeler.Node(on_message=lambda channel, message: channel.send(message))
client.bind("127.0.0.1:0")
client.start()
channel = client.connect(server.peer_id, server.local_address()).open_channel()
channel.send(b"x")
while client.stats().messages_received < 10:
    time.sleep(0.001)
print("end")
"""
    with program(code) as child:
        out, err = child.communicate(timeout=PATIENCE_SECONDS)
    assert (child.returncode, out) == (0, "end\n"), err
