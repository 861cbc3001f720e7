"""Every wrapper of connection and channel, on two nodes without sockets."""

from __future__ import annotations

import math
from typing import Callable

import pytest

import channeler
from channeler import _abi
from channeler.events import event_from
from conftest import MILLISECOND, Loop, legacy_loop, seeded


def test_a_message_arrives_and_its_answer(loop: Loop) -> None:
    left, right = loop.connect()
    left.send(b"question")
    loop.run()
    assert right.receive() == b"question"
    right.send(b"answer")
    loop.run()
    assert left.receive() == b"answer"


def test_messages_sent_before_the_handshake_wait_for_it(loop: Loop) -> None:
    connection = loop.left.node.connect(loop.right.node.peer_id, loop.right_address)
    connection.open_channel().send(b"early")
    loop.run()
    (opened,) = loop.right.told(channeler.ChannelOpened)
    assert opened.by_peer
    assert list(opened.channel.messages()) == [b"early"]


@pytest.mark.parametrize(
    "data",
    [b"bytes", bytearray(b"bytearray"), memoryview(b"view"), memoryview(bytearray(b"writable"))],
)
def test_all_kinds_of_buffers_are_sent(loop: Loop, data: bytes) -> None:
    left, right = loop.connect()
    left.send(data)
    left.send_buffer(data)
    loop.run()
    loop.left.node.process()
    assert list(right.messages()) == [bytes(data), bytes(data)]


def test_a_view_with_gaps_is_sent_as_what_it_shows(loop: Loop) -> None:
    left, right = loop.connect()
    left.send(memoryview(b"a-b-c-")[::2])
    loop.run()
    assert right.receive() == b"abc"


def test_zero_bytes_are_bytes(loop: Loop) -> None:
    left, right = loop.connect()
    left.send(b"\0a\0")
    loop.run()
    assert right.receive() == b"\0a\0"


def test_an_empty_message_is_refused(loop: Loop) -> None:
    left, _ = loop.connect()
    for data in (b"", bytearray()):
        with pytest.raises(channeler.InvalidArgument):
            left.send(data)
        with pytest.raises(channeler.InvalidArgument):
            left.send_buffer(data)


def test_nothing_to_read_is_no_data(loop: Loop) -> None:
    left, _ = loop.connect()
    with pytest.raises(channeler.DataUnavailable):
        left.receive()
    assert list(left.messages()) == []


def test_a_short_buffer_leaves_the_rest_for_later(loop: Loop) -> None:
    left, right = loop.connect()
    left.send(b"0123456789")
    loop.run()
    buffer = bytearray(4)
    assert right.receive_into(buffer) == (4, 6)
    assert buffer == b"0123"
    assert right.receive_into(memoryview(buffer)[:2]) == (2, 4)
    assert buffer == b"4523"
    assert right.receive() == b"6789"


def test_a_buffer_that_cannot_be_written_is_refused(loop: Loop) -> None:
    left, _ = loop.connect()
    with pytest.raises(channeler.BufferTooSmall):
        left.receive_into(memoryview(b"read only"))
    with pytest.raises(channeler.InvalidArgument):
        left.receive_into(bytearray())


def test_the_largest_message_arrives_and_a_larger_one_is_refused(loop: Loop) -> None:
    left, right = loop.connect()
    size = left.connection().info().message_bytes_max
    left.send(b"x" * size)
    loop.run()
    assert right.receive() == b"x" * size
    with pytest.raises(channeler.MessageTooLarge):
        left.send(b"x" * (size + 1))


def test_a_full_queue_would_block_and_then_is_writable(
    make_loop: Callable[..., Loop],
) -> None:
    loop = make_loop(seeded(1, send_queue_bytes_max=2000))
    left, right = loop.connect()
    sent = 0
    with pytest.raises(channeler.WouldBlock):
        while True:
            left.send(b"x" * 500)
            sent += 1
    assert sent > 0 and not loop.left.told(channeler.Writable)
    loop.run()
    loop.left.node.process()
    assert [event.channel for event in loop.left.told(channeler.Writable)] == [left]
    assert len(list(right.messages())) == sent


def test_many_messages_go_in_one_call(loop: Loop) -> None:
    one, other_one = loop.connect()
    two, other_two = loop.connect()
    sent = loop.left.node.send_many([(one, b"a"), (two, bytearray(b"b")), (one, b"c")])
    assert sent == 3
    loop.run()
    received = loop.right.node.receive_many([other_one, other_two, other_one, other_two])
    assert [(each.channel, each.data, each.remaining, each.error) for each in received] == [
        (other_one, b"a", 0, None),
        (other_two, b"b", 0, None),
        (other_one, b"c", 0, None),
    ]
    assert loop.right.node.receive_many([other_one]) == []
    assert loop.left.node.send_many([]) == 0


def test_sending_many_tells_how_many_were_taken(make_loop: Callable[..., Loop]) -> None:
    loop = make_loop(seeded(1, send_queue_bytes_max=2000))
    left, right = loop.connect()
    taken = loop.left.node.send_many([(left, b"x" * 500)] * 10)
    assert 0 < taken < 10
    loop.run()
    assert len(list(right.messages())) == taken
    with pytest.raises(channeler.InvalidArgument) as raised:
        loop.left.node.send_many([(left, b"good"), (left, b""), (left, b"never")])
    assert raised.value.sent == 1


def test_receiving_many_keeps_the_rest_and_tells_of_ended_channels(loop: Loop) -> None:
    left, right = loop.connect()
    gone, other_gone = loop.connect()
    left.send(b"0123456789")
    loop.run()
    other_gone.close()
    loop.run()
    first, second = loop.right.node.receive_many([other_gone, right], bytes_max=4)
    assert isinstance(first.error, channeler.InvalidChannel)
    assert second == channeler.Received(right, b"0123", 6, None)
    assert right.receive() == b"456789"


def test_infos_tell_what_things_are(loop: Loop) -> None:
    left, right = loop.connect()
    info = left.connection().info()
    assert info.peer == loop.right.node.peer_id
    assert info.address == loop.right_address
    assert info.connected and info.message_bytes_max > 1000
    ours, theirs = left.info(), right.info()
    assert (ours.role, theirs.role) == (channeler.Role.INITIATOR, channeler.Role.RESPONDER)
    assert (ours.initiator_half, ours.responder_half) == (
        theirs.initiator_half,
        theirs.responder_half,
    )
    assert ours.established and theirs.established


@pytest.mark.parametrize("is_version_0", [False, True])
def test_capabilities_reach_the_peer(make_loop: Callable[..., Loop], is_version_0: bool) -> None:
    loop = legacy_loop(make_loop) if is_version_0 else make_loop()
    connection = loop.left.node.connect(loop.right.node.peer_id, loop.right_address)
    wanted = channeler.Capability.ORDERED
    if is_version_0:
        wanted |= channeler.Capability.RESEND
    with pytest.raises(channeler.InvalidArgument, match="resend_limit is 3"):
        connection.open_channel(wanted & channeler.Capability.ORDERED, resend_limit=3)
    for lifetime in (0.0, -1.0, math.nan, 1e9):
        with pytest.raises(channeler.InvalidArgument, match="message_lifetime"):
            connection.open_channel(wanted, message_lifetime=lifetime)
    connection.open_channel(wanted)
    loop.run()
    (opened,) = loop.right.told(channeler.ChannelOpened)
    assert opened.channel.info().capabilities == wanted
    with pytest.raises(channeler.InvalidArgument):
        connection.open_channel(channeler.Capability(1 << 20))


def test_the_length_of_the_next_message_is_known(loop: Loop) -> None:
    left, right = loop.connect()
    assert right.next_length() is None
    left.send(b"0123456789")
    left.send(b"next")
    loop.run()
    assert right.next_length() == 10
    assert right.receive_into(bytearray(4)) == (4, 6)
    assert right.next_length() == 6
    assert right.receive() == b"456789"
    assert right.receive() == b"next"
    with pytest.raises(channeler.DataUnavailable):
        right.receive()
    right.close()
    loop.run()
    with pytest.raises(channeler.InvalidChannel):
        right.next_length()


def test_version_0_knows_nothing_of_fates(make_loop: Callable[..., Loop]) -> None:
    loop = legacy_loop(make_loop)
    left, right = loop.connect()
    with pytest.raises(channeler.Unsupported, match="version 0"):
        left.send(b"x", report=1)
    with pytest.raises(channeler.Unsupported):
        left.send(b"x", lifetime=1.0)
    with pytest.raises(channeler.Unsupported) as failed:
        loop.left.node.send_many([(left, b"x")], report=1)
    assert failed.value.sent == 0
    left.send(b"x", may_replay=True)
    loop.run()
    assert right.receive() == b"x"


def test_settings_of_messages_are_checked(loop: Loop) -> None:
    left, _ = loop.connect()
    for lifetime in (0.0, -0.5, math.nan, 1e9):
        with pytest.raises(channeler.InvalidArgument, match="lifetime"):
            left.send(b"x", lifetime=lifetime)
    for report in (-1, 1 << 64):
        with pytest.raises(channeler.InvalidArgument, match="report"):
            left.send(b"x", report=report)
    released = []
    with pytest.raises(channeler.InvalidArgument):
        left.send_buffer(b"x", lambda: released.append(1), report=-1)
    loop.run()
    assert not released and loop.left.node._hold.lent_count() == 0


def test_stats_count(loop: Loop) -> None:
    left, right = loop.connect()
    left.send(b"12345")
    loop.run()
    assert loop.left.node.stats().messages_sent == 1
    node = loop.right.node.stats()
    assert (node.messages_received, node.connections, node.channels) == (1, 1, 1)
    assert node.receive_queue_bytes == 5
    assert right.stats().messages_received == 1
    assert right.stats().bytes_received == 5
    assert left.stats().messages_sent == 1
    connection = right.connection().stats()
    assert connection.channels == 1 and connection.datagrams_received > 0
    assert sum(node.dropped.values()) == 0
    loop.right.node.handle_datagram(loop.now, loop.left_address, b"\x0c" + b"?" * 50)
    assert sum(loop.right.node.stats().dropped.values()) == 1


def test_events_come_with_equal_values(loop: Loop) -> None:
    left, right = loop.connect()
    left.send(b"x")
    loop.run()
    connection = left.connection()
    assert loop.left.events[0] == channeler.Connected(connection, loop.right.node.peer_id)
    assert channeler.ChannelOpened(connection, left, False) in loop.left.events
    assert channeler.Readable(right.connection(), right) in loop.right.events
    assert {left: 1}[connection.node._channel_of(left.id)] == 1
    assert left != right and left != connection


def test_a_shorter_event_of_an_older_library_is_read_no_further(loop: Loop) -> None:
    size = _abi.channeler_event.peer.offset
    event = _abi.channeler_event(struct_size=size, kind=_abi.CHANNELER_EVENT_CONNECTED)
    event.connection.id = 7
    event.peer.bytes[0] = 1  # past the end of what that library has
    connected = event_from(loop.left.node, event)
    assert isinstance(connected, channeler.Connected)
    assert (connected.connection.id, connected.peer.raw) == (7, bytes(16))
    event.kind = 999
    assert event_from(loop.left.node, event) is None


def test_closing_says_why_and_a_second_time_fails(loop: Loop) -> None:
    left, _ = loop.connect()
    connection = left.connection()
    left.close()
    loop.run()
    loop.left.node.process()
    (closed,) = loop.left.told(channeler.ChannelClosed)
    assert (closed.channel, closed.reason) == (left, channeler.ErrorCode.CLOSED)
    for call in (left.close, left.receive, left.info, left.stats, lambda: left.send(b"x")):
        with pytest.raises(channeler.InvalidChannel):
            call()
    connection.close()
    loop.run()
    loop.left.node.process()
    (ended,) = loop.left.told(channeler.ConnectionClosed)
    assert (ended.connection, ended.reason) == (connection, channeler.ErrorCode.CLOSED)
    assert ended.peer == loop.right.node.peer_id
    for fails in (connection.close, connection.info, connection.stats, connection.open_channel):
        with pytest.raises(channeler.InvalidConnection):
            fails()


def test_channels_of_another_node_are_refused(loop: Loop) -> None:
    left, _ = loop.connect()
    stranger = channeler.Channel(loop.right.node, left.id)
    with pytest.raises(channeler.InvalidChannel):
        stranger.send(b"x")


def test_a_peer_that_never_answers_is_a_timeout(loop: Loop) -> None:
    nobody = loop.left.node.connect(channeler.PeerId.random(), "192.0.2.9:9")
    channel = nobody.open_channel()
    for _ in range(100):
        list(loop.left.node.transmits(loop.now))
        due = loop.left.node.poll_timeout()
        if due is None or loop.left.told(channeler.ChannelClosed):
            break
        loop.now = max(loop.now, due)
        loop.left.node.handle_timeout(loop.now)
    (closed,) = loop.left.told(channeler.ChannelClosed)
    assert (closed.channel, closed.reason) == (channel, channeler.ErrorCode.TIMEOUT)


def test_silence_ends_a_channel(make_loop: Callable[..., Loop]) -> None:
    loop = make_loop(seeded(1, idle_timeout=1.0))
    left, _ = loop.connect()
    loop.advance(3000 * MILLISECOND)
    (closed,) = loop.left.told(channeler.ChannelClosed)
    assert (closed.channel, closed.reason) == (left, channeler.ErrorCode.IDLE)


def test_who_is_not_accepted_never_connects(make_loop: Callable[..., Loop]) -> None:
    asked = []

    def refuse(
        connection: channeler.Connection, peer: channeler.PeerId, address: channeler.Address
    ) -> bool:
        asked.append((peer, address))
        return False

    loop = make_loop(on_accept=refuse)
    connection = loop.left.node.connect(loop.right.node.peer_id, loop.right_address)
    connection.open_channel()
    loop.run()
    assert asked == [(loop.left.node.peer_id, loop.left_address)]
    assert loop.right.told(channeler.ChannelOpened) == []
    assert loop.right.node.stats().connections == 0


def test_bans_close_expire_and_are_lifted(loop: Loop) -> None:
    left, _ = loop.connect()
    node, peer = loop.right.node, loop.left.node.peer_id
    node.ban_peer(peer, 10.0)
    node.process()
    (closed,) = loop.right.told(channeler.ConnectionClosed)
    assert closed.reason is channeler.ErrorCode.BANNED
    with pytest.raises(channeler.Banned):
        node.connect(peer, loop.left_address)
    assert node.lift_ban_peer(str(peer)) is True
    assert node.lift_ban_peer(peer) is False

    node.ban_address(str(loop.left_address), 10.0)
    with pytest.raises(channeler.Banned):
        node.connect(peer, loop.left_address)
    assert node.lift_ban_address(loop.left_address) is True
    assert node.lift_ban_address(loop.left_address) is False
    for seconds in (-1.0, float("nan"), 1e300):
        with pytest.raises(channeler.InvalidArgument):
            node.ban_peer(peer, seconds)


def test_datagrams_of_other_protocols_are_handed_over(make_loop: Callable[..., Loop]) -> None:
    got = []
    loop = make_loop(on_datagram=lambda address, data: got.append((address, data)))
    stun = b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12)
    loop.right.node.handle_datagram(loop.now, "192.0.2.7:77", stun)
    assert got == [(channeler.Address("192.0.2.7", 77), stun)]


def test_lines_for_a_log_come_with_a_level(make_loop: Callable[..., Loop]) -> None:
    lines = []
    loop = make_loop(
        None,
        seeded(2, log_level=channeler.LogLevel.DEBUG),
        on_log=lambda level, text: lines.append((level, text)),
    )
    loop.connect()
    assert lines and all(isinstance(level, channeler.LogLevel) and text for level, text in lines)


def test_segments_of_a_transmit_are_datagrams(make_loop: Callable[..., Loop]) -> None:
    loop = make_loop(seeded(1, segments_max=8))
    left, right = loop.connect()
    for _ in range(6):
        left.send(b"x" * 1000)
    (transmit,) = loop.left.node.transmits(loop.now)
    datagrams = list(transmit.datagrams())
    assert len(datagrams) == 6 and b"".join(datagrams) == transmit.data
    assert transmit.connection == left.connection()
    for datagram in datagrams:
        loop.right.node.handle_datagram(loop.now, loop.left_address, datagram)
    assert len(list(right.messages())) == 6


def test_a_failed_send_is_told_of(loop: Loop) -> None:
    left, _ = loop.connect()
    largest = b"x" * left.connection().info().packet_message_bytes
    left.send(largest)
    sent = loop.left.node.transmits(loop.now)
    # Larger ones only search what the path takes.
    (transmit,) = [one for one in sent if len(one.data) <= 1232]
    loop.left.node.handle_send_error(loop.now, transmit, channeler.SendFailure.TOO_LARGE)
    loop.left.node.process()
    (event,) = loop.left.told(channeler.PacketSizeReduced)
    assert 0 < event.packet_size < 1232
    assert left.connection().info().packet_message_bytes < len(largest)
    left.send(b"x")
    transmit = next(iter(loop.left.node.transmits(loop.now)))
    loop.left.node.handle_send_error(loop.now, transmit, channeler.SendFailure.UNREACHABLE)
    loop.left.node.process()
    (gone,) = loop.left.told(channeler.PathUnreachable)
    assert gone.address == loop.right_address


def test_a_peer_that_moves_is_followed(make_loop: Callable[..., Loop]) -> None:
    loop = legacy_loop(make_loop)  # version 1 does not follow yet
    left, right = loop.connect()
    moved = channeler.Address("192.0.2.77", 7777)
    loop.left_address = moved
    right.connection().node.process()
    left.send(b"from elsewhere")
    for _ in range(20):
        for transmit in loop.left.node.transmits(loop.now):
            loop.right.node.handle_datagram(loop.now, moved, transmit.data)
        for transmit in loop.right.node.transmits(loop.now):
            loop.left.node.handle_datagram(loop.now, loop.right_address, transmit.data)
    assert [event.address for event in loop.right.told(channeler.PathChanged)] == [moved]


def test_a_time_that_cannot_be_is_refused(loop: Loop) -> None:
    with pytest.raises(channeler.InvalidArgument):
        loop.left.node.handle_timeout(-1)
    with pytest.raises(channeler.InvalidArgument):
        loop.left.node.poll_transmit(1 << 64)


def test_the_same_seed_is_the_same_run() -> None:
    def first_packet(seed: int) -> bytes:
        peer = channeler.PeerId(b"0123456789abcdef")
        options = seeded(seed, peer_id=peer, legacy=channeler.Legacy.ONLY)
        with channeler.SansIoNode(options) as node:
            node.connect(channeler.PeerId(b"x" * 16), "192.0.2.1:1").open_channel()
            transmit = node.poll_transmit(0)
            assert transmit is not None
            return transmit.data

    assert first_packet(1) == first_packet(1)
    assert first_packet(1) != first_packet(2)
