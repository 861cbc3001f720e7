"""Version 1: who is there, what is said at an end, labels, early data, keys, and version 0."""

from __future__ import annotations

from typing import Callable

import pytest

import channeler
from channeler import Legacy, Version
from conftest import MILLISECOND, Loop, bound, process_until, seeded


def test_both_sides_know_each_other(loop: Loop) -> None:
    left, right = loop.connect()
    for channel, peer in ((left, loop.right.node), (right, loop.left.node)):
        connection = channel.connection()
        info = connection.info()
        assert (info.peer, info.public_key) == (peer.peer_id, peer.public_key)
        assert info.version is connection.version is Version.V1
        assert info.is_encrypted and connection.is_encrypted
        assert connection.public_key == peer.public_key
        assert connection.stats().congestion_window_bytes > 0


def test_what_is_sent_is_not_readable_on_the_way(loop: Loop) -> None:
    left, right = loop.connect()
    left.send(b"a secret that nobody may read")
    (transmit,) = loop.left.node.transmits(loop.now)
    assert b"secret" not in transmit.data
    loop.right.node.handle_datagram(loop.now, loop.left_address, transmit.data)
    assert right.receive() == b"a secret that nobody may read"


def test_before_the_handshake_nobody_is_known(loop: Loop) -> None:
    connection = loop.left.node.connect(loop.right.node.peer_id, loop.right_address)
    assert not connection.info().connected and not connection.is_encrypted
    assert connection.public_key is None
    with pytest.raises(channeler.StateError):
        connection.update_keys()


def ended(loop: Loop) -> channeler.ConnectionClosed:
    """The end of left's connection, which must have come."""
    loop.run()
    (closed,) = loop.left.told(channeler.ConnectionClosed)
    assert isinstance(closed, channeler.ConnectionClosed)
    return closed


def test_another_key_than_asked_for_is_not_taken(loop: Loop) -> None:
    wrong = channeler.Identity.generate().peer_id
    channel = loop.left.node.connect(wrong, loop.right_address).open_channel()
    channel.send(b"for another one")
    closed = ended(loop)
    assert closed.reason is channeler.ErrorCode.IDENTITY
    assert closed.peer == loop.right.node.peer_id  # who did answer
    assert isinstance(closed.error, channeler.WrongIdentity)
    assert loop.left.told(channeler.Connected) == loop.right.told(channeler.Connected) == []


def test_who_is_refused_hears_it(make_loop: Callable[..., Loop]) -> None:
    keys = []

    def refuse(connection: channeler.Connection, *_: object) -> bool:
        keys.append(connection.public_key)
        return False

    loop = make_loop(on_accept=refuse)
    loop.left.node.connect(loop.right.node.peer_id, loop.right_address)
    closed = ended(loop)
    assert closed.reason is channeler.ErrorCode.REFUSED
    assert isinstance(closed.error, ConnectionRefusedError)
    assert keys == [loop.left.node.public_key]


def test_whoever_answers_can_be_asked_for(loop: Loop) -> None:
    connection = loop.left.node.connect(None, loop.right_address)
    loop.run()
    (connected,) = loop.left.told(channeler.Connected)
    assert connected == channeler.Connected(connection, loop.right.node.peer_id)
    assert connection.public_key == loop.right.node.public_key


def test_a_dial_into_the_void_ends(make_loop: Callable[..., Loop]) -> None:
    loop = make_loop(seeded(1, dial_timeout=1.0))
    loop.left.node.connect(channeler.PeerId.random(), "192.0.2.9:9")
    for _ in range(100):
        list(loop.left.node.transmits(loop.now))
        due = loop.left.node.poll_timeout()
        if due is None:
            break
        loop.now = max(loop.now, due)
        loop.left.node.handle_timeout(loop.now)
    (closed,) = loop.left.told(channeler.ConnectionClosed)
    assert closed.reason is channeler.ErrorCode.TIMEOUT


def test_a_close_tells_its_code_and_reason(loop: Loop) -> None:
    left, right = loop.connect()
    left.connection().close(42, "closing time \u263e")
    loop.advance(100 * MILLISECOND)
    (theirs,) = loop.right.told(channeler.ConnectionClosed)
    assert theirs.reason is channeler.ErrorCode.PEER_CLOSED
    assert (theirs.code, theirs.text) == (42, "closing time \u263e")
    assert theirs.peer == loop.left.node.peer_id
    (channel,) = loop.right.told(channeler.ChannelClosed)
    assert (channel.channel, channel.reason) == (right, channeler.ErrorCode.PEER_CLOSED)
    error = theirs.error
    assert isinstance(error, channeler.PeerClosed) and error.peer_code == 42
    assert "42" in str(error) and "closing time" in str(error)
    assert ended(loop).reason is channeler.ErrorCode.CLOSED


def test_a_close_without_words_is_code_0(loop: Loop) -> None:
    left, _ = loop.connect()
    left.connection().close()
    loop.advance(100 * MILLISECOND)
    (theirs,) = loop.right.told(channeler.ConnectionClosed)
    assert (theirs.reason, theirs.code, theirs.text) == (channeler.ErrorCode.PEER_CLOSED, 0, "")
    assert str(theirs.error).startswith("the peer closed it with code 0 (")


@pytest.mark.parametrize("arguments", [(-1, ""), (1 << 64, ""), (0, "a\0b")])
def test_what_cannot_be_said_at_a_close_is_refused(
    loop: Loop, arguments: tuple[int, str]
) -> None:
    left, _ = loop.connect()
    with pytest.raises(channeler.InvalidArgument):
        left.connection().close(*arguments)


@pytest.mark.parametrize("label", [b"", "chat", "caf\u00e9", b"\x00\xff", b"x" * 255])
def test_labels_reach_the_peer(loop: Loop, label: bytes | str) -> None:
    loop.connect()
    (left,) = (event.channel for event in loop.left.told(channeler.ChannelOpened))
    opened = left.connection().open_channel(label=label, priority=0, weight=255)
    loop.run()
    expected = label.encode() if isinstance(label, str) else label
    right = loop.right.told(channeler.ChannelOpened)[-1].channel
    assert opened.label == right.label == expected
    assert right.info().label_length == len(expected)
    assert not right.info().is_early


def test_settings_of_channels_are_checked(loop: Loop) -> None:
    left, _ = loop.connect()
    connection = left.connection()
    with pytest.raises(channeler.InvalidArgument):
        connection.open_channel(label=b"x" * 256)
    for priority in (-1, 8):
        with pytest.raises(channeler.InvalidArgument):
            connection.open_channel(priority=priority)
    for weight in (0, 256):
        with pytest.raises(channeler.InvalidArgument):
            connection.open_channel(weight=weight)


def test_a_reset_tells_its_code_and_spares_the_others(loop: Loop) -> None:
    left, right = loop.connect()
    spared, _ = loop.connect()
    left.reset(77)
    loop.run()
    (theirs,) = loop.right.told(channeler.ChannelClosed)
    assert theirs.channel == right and theirs.reason is channeler.ErrorCode.PEER_CLOSED
    assert theirs.code == 77
    with pytest.raises(channeler.InvalidArgument):
        spared.reset(-1)
    spared.send(b"still here")
    loop.run()
    other = loop.right.told(channeler.ChannelOpened)[-1].channel
    assert other.receive() == b"still here"
    with pytest.raises(channeler.InvalidChannel):
        left.reset()


def test_a_closed_channel_closes_on_both_sides_when_all_was_read(loop: Loop) -> None:
    left, right = loop.connect()
    left.send(b"last words")
    left.close()
    loop.run()
    assert loop.right.told(channeler.ChannelClosed) == []
    assert list(right.messages()) == [b"last words"]
    loop.right.node.process()
    loop.run()
    for side in (loop.left, loop.right):
        (closed,) = side.told(channeler.ChannelClosed)
        assert closed.reason is channeler.ErrorCode.CLOSED


def test_with_half_close_the_other_direction_goes_on(make_loop: Callable[..., Loop]) -> None:
    loop = make_loop(None, seeded(2, half_close=True))
    left, right = loop.connect()
    left.send(b"question")
    left.close()
    loop.run()
    assert list(right.messages()) == [b"question"]
    loop.right.node.process()
    loop.run()
    (finished,) = loop.right.told(channeler.ChannelFinished)
    assert finished == channeler.ChannelFinished(right.connection(), right)
    assert loop.left.told(channeler.ChannelClosed) == []
    right.send(b"answer")
    loop.run()
    assert list(left.messages()) == [b"answer"]
    right.close()
    loop.run()
    for side in (loop.left, loop.right):
        assert len(side.told(channeler.ChannelClosed)) == 1


def test_keys_change_while_messages_flow(loop: Loop) -> None:
    left, right = loop.connect()
    for number in range(20):
        if number % 5 == 0:
            left.connection().update_keys()
        if number % 7 == 0:
            right.connection().update_keys()
        left.send(b"%d" % number)
        right.send(b"%d" % number)
        loop.advance(1000 * MILLISECOND)
        assert left.receive() == right.receive() == b"%d" % number
    assert loop.left.told(channeler.ConnectionClosed) == []


def close_and_wait(loop: Loop, connection: channeler.Connection) -> None:
    """Ends a connection on both sides."""
    connection.close()
    loop.advance(1000 * MILLISECOND)
    assert loop.left.node.stats().connections == loop.right.node.stats().connections == 0


@pytest.mark.parametrize("is_taken", [True, False])
def test_an_early_message_comes_with_the_first_packets(
    make_loop: Callable[..., Loop], is_taken: bool
) -> None:
    loop = make_loop(None, seeded(2, early_data=is_taken))
    first, _ = loop.connect()
    loop.advance(100 * MILLISECOND)
    close_and_wait(loop, first.connection())
    channel = loop.left.node.connect(loop.right.node.peer_id, loop.right_address).open_channel()
    channel.send_early(b"early")
    for transmit in loop.left.node.transmits(loop.now):
        loop.right.node.handle_datagram(loop.now, loop.left_address, transmit.data)
    # One way, and not a packet back yet.
    opened = loop.right.told(channeler.ChannelOpened)[1:]
    assert len(opened) == int(is_taken)
    loop.run()
    right = loop.right.told(channeler.ChannelOpened)[-1].channel
    assert list(right.messages()) == [b"early"]
    assert right.info().is_early is is_taken


def test_on_an_open_connection_an_early_message_is_one_like_others(loop: Loop) -> None:
    left, right = loop.connect()
    left.send_early(bytearray(b"not so early"))
    loop.run()
    assert list(right.messages()) == [b"not so early"]
    with pytest.raises(channeler.InvalidArgument):
        left.send_early(b"")


def test_the_key_log_tells_the_same_on_both_sides() -> None:
    lines: dict[str, list[str]] = {"left": [], "right": []}
    with channeler.SansIoNode(on_key_log=lines["left"].append) as left:
        with channeler.SansIoNode(on_key_log=lines["right"].append) as right:
            left.connect(right.peer_id, "192.0.2.2:2")
            for _ in range(10):
                for source, target in ((left, right), (right, left)):
                    for transmit in source.transmits(1):
                        at = f"192.0.2.{1 if source is left else 2}:{1 if source is left else 2}"
                        target.handle_datagram(1, at, transmit.data)
    assert len(lines["left"]) >= 3 and sorted(lines["left"]) == sorted(lines["right"])
    names = {line.split()[0] for line in lines["left"]}
    assert {"CLIENT_HANDSHAKE_TRAFFIC_SECRET", "EXPORTER_SECRET"} <= names
    assert all(len(line.split()) == 3 for line in lines["left"])


def test_what_a_key_log_raises_comes_out_of_the_call_that_ran_it() -> None:
    def fail(_: str) -> None:
        raise ZeroDivisionError

    with bound() as server, bound(on_key_log=fail) as client:
        client.connect(server.peer_id, server.local_address())
        with pytest.raises(ZeroDivisionError):
            process_until(lambda: False, server, client)


def test_version_0_does_not_reach_a_node_that_has_it_off() -> None:
    with bound(legacy=Legacy.ONLY) as old, bound() as node:
        connection = old.connect(node.peer_id, node.local_address())
        assert connection.version is Version.V0 and not connection.is_encrypted
        connection.open_channel()
        process_until(lambda: node.stats().dropped["legacy_off"], old, node)
        assert node.stats().connections == 0
        with pytest.raises(channeler.Unsupported):
            node.connect(old.peer_id, old.local_address(), version=Version.V0)
        with pytest.raises(channeler.Unsupported):
            old.connect(node.peer_id, node.local_address(), version=Version.V1)
        with pytest.raises(channeler.InvalidArgument):
            old.connect(None, node.local_address())
        with pytest.raises(channeler.InvalidArgument):
            node.connect(old.peer_id, old.local_address(), version=2)  # type: ignore[arg-type]
        with pytest.raises(channeler.Unsupported):
            connection.update_keys()


def test_the_dialling_program_names_the_version() -> None:
    said: list[tuple[Version, bytes]] = []

    def note(channel: channeler.Channel, message: bytes) -> None:
        said.append((channel.connection().version, message))

    with bound(legacy=Legacy.ONLY, on_message=note) as old, bound(on_message=note) as new:
        with bound(legacy=Legacy.ACCEPT) as both:
            for peer, version in ((old, Version.V0), (new, Version.V1)):
                connection = both.connect(peer.peer_id, peer.local_address(), version=version)
                connection.open_channel().send(b"hello")
            process_until(lambda: len(said) == 2, old, new, both)
    assert set(said) == {(Version.V0, b"hello"), (Version.V1, b"hello")}


def test_a_node_that_restarted_is_known_again_by_its_key() -> None:
    identity = channeler.Identity.generate()
    peers = []

    def note(_: channeler.Connection, peer: channeler.PeerId, __: channeler.Address) -> bool:
        peers.append(peer)
        return True

    with bound(on_accept=note) as server:
        for _ in range(2):
            events: list[channeler.Event] = []
            with bound(identity=identity, on_event=events.append) as client:
                client.connect(server.peer_id, server.local_address())
                process_until(
                    lambda: any(isinstance(each, channeler.Connected) for each in events),
                    server,
                    client,
                )
                process_until(lambda: server.stats().connections, server, client)
    assert set(peers) == {identity.peer_id}


def test_nodes_of_this_machine_measure_a_round_trip() -> None:
    with bound() as server, bound() as client:
        connection = client.connect(server.peer_id, server.local_address())
        assert connection.stats().rtt == 0.0
        process_until(lambda: connection.stats().rtt, server, client)
        assert 0.0 < connection.stats().rtt < 10.0
