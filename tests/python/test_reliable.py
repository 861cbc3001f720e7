"""Reliable channels: modes, large messages, what becomes of messages, statistics."""

from __future__ import annotations

import asyncio
import math
from typing import Any, Callable

import pytest

import channeler
from channeler import Capability, aio
from conftest import MILLISECOND, Loop

SECOND = 1000 * MILLISECOND


def open_channel(
    loop: Loop, capabilities: Capability, **settings: Any
) -> tuple[channeler.Channel, channeler.Channel]:
    connection = loop.left.node.connect(loop.right.node.peer_id, loop.right_address)
    left = connection.open_channel(capabilities, **settings)
    loop.run()
    return left, loop.right.told(channeler.ChannelOpened)[-1].channel


@pytest.mark.parametrize("mode", range(8))
def test_every_mode_opens_and_carries_messages(loop: Loop, mode: int) -> None:
    left, right = open_channel(loop, Capability(mode), priority=mode, weight=mode + 1)
    info = right.info()
    assert (info.capabilities, info.priority, info.weight) == (Capability(mode), mode, mode + 1)
    left.send(b"there")
    loop.advance(100 * MILLISECOND)
    assert right.receive() == b"there"
    right.send(b"back")
    loop.advance(100 * MILLISECOND)
    assert left.receive() == b"back"


def test_names_of_modes_are_sums() -> None:
    assert Capability.UNRELIABLE.value == 0
    assert Capability.RELIABLE == Capability.RESEND | Capability.CLOSE_ON_LOSS
    assert Capability.RELIABLE_ORDERED == Capability.RELIABLE | Capability.ORDERED
    assert Capability.PARTIALLY_RELIABLE_ORDERED == Capability.RESEND | Capability.ORDERED
    assert Capability.LOSS_CLOSES_ORDERED == Capability.CLOSE_ON_LOSS | Capability.ORDERED


def test_a_large_message_arrives_whole(loop: Loop) -> None:
    left, right = open_channel(loop, Capability.RELIABLE_ORDERED)
    info = left.connection().info()
    large = bytes(range(256)) * 1200
    assert info.message_bytes_max > len(large) > info.packet_message_bytes
    left.send(large)
    left.send(b"behind it")
    loop.advance(10 * SECOND)
    assert right.next_length() == len(large)
    assert right.receive() == large
    assert right.receive() == b"behind it"
    with pytest.raises(channeler.MessageTooLarge, match="send_queue_bytes_max"):
        left.send(bytes(info.message_bytes_max + 1))


def test_reports_tell_what_arrived(loop: Loop) -> None:
    left, right = open_channel(loop, Capability.RELIABLE_ORDERED)
    left.send(b"silent")
    left.send(b"told", report=7)
    left.send_buffer(b"lent", report=2**64 - 1)
    assert loop.left.node.send_many([(left, b"a"), (left, b"b")], report=100) == 2
    loop.advance(SECOND)
    told = loop.left.told(channeler.MessageDelivered)
    assert sorted(event.context for event in told) == [7, 100, 101, 2**64 - 1]
    assert told[0] == channeler.MessageDelivered(left.connection(), left, told[0].context)
    assert not loop.left.told(channeler.MessageLost)
    assert list(right.messages()) == [b"silent", b"told", b"lent", b"a", b"b"]


def test_what_an_ended_channel_still_had_is_lost(loop: Loop) -> None:
    left, _ = open_channel(loop, Capability.RELIABLE)
    left.send(b"never sent", report=3)
    left.reset(5, "no more")
    loop.run()
    (lost,) = loop.left.told(channeler.MessageLost)
    assert (lost.context, lost.reason) == (3, channeler.ErrorCode.CLOSED)
    assert isinstance(lost.error, channeler.Closed)
    (closed,) = loop.right.told(channeler.ChannelClosed)
    assert (closed.code, closed.text) == (5, "no more")


def test_what_is_too_old_is_given_up_and_skipped(loop: Loop) -> None:
    left, right = open_channel(loop, Capability.PARTIALLY_RELIABLE_ORDERED, message_lifetime=0.001)
    loop.advance(SECOND)
    left.send(b"lost on the way", report=9)
    loop.left.node.process(0)
    while loop.left.node.poll_transmit(loop.now) is not None:
        pass  # it goes nowhere
    loop.advance(3 * SECOND)
    (lost,) = loop.left.told(channeler.MessageLost)
    assert (lost.context, lost.reason) == (9, channeler.ErrorCode.EXPIRED)
    assert isinstance(lost.error, channeler.Expired)
    left.send(b"comes", lifetime=math.inf)
    loop.advance(3 * SECOND)
    assert right.receive() == b"comes"
    (skipped,) = loop.right.told(channeler.MessagesSkipped)
    assert skipped.count == 1 and skipped.channel == right
    assert left.stats().messages_lost == 1 and right.stats().messages_skipped == 1


def test_the_accepting_side_sets_limits_of_its_own(loop: Loop) -> None:
    left, right = open_channel(loop, Capability.PARTIALLY_RELIABLE_ORDERED)
    right.set_limits(resend_limit=2, message_lifetime=0.001)
    loop.advance(SECOND)
    right.send(b"lost on the way", report=9)
    loop.right.node.process(0)
    while loop.right.node.poll_transmit(loop.now) is not None:
        pass  # it goes nowhere
    loop.advance(3 * SECOND)
    (lost,) = loop.right.told(channeler.MessageLost)
    assert (lost.context, lost.reason) == (9, channeler.ErrorCode.EXPIRED)
    right.set_limits()
    right.send(b"comes")
    loop.advance(3 * SECOND)
    assert left.receive() == b"comes"
    _, accepted = open_channel(loop, Capability.ORDERED)
    with pytest.raises(channeler.InvalidArgument, match="CHANNELER_RESEND_ALWAYS"):
        accepted.set_limits(resend_limit=0)
    with pytest.raises(channeler.InvalidArgument, match="it must be more"):
        accepted.set_limits(message_lifetime=0)


def test_statistics_tell_of_the_path(loop: Loop) -> None:
    left, right = open_channel(loop, Capability.RELIABLE_ORDERED)
    left.send(bytes(20000))
    loop.advance(SECOND)
    stats = left.connection().stats()
    assert stats.packets_sent > 15 and stats.packets_lost == 0
    assert stats.packet_size >= 1200 and stats.congestion_window_bytes > 0
    assert stats.send_credit_bytes > 0 and stats.send_queue_bytes == 0
    assert stats.rtt_min <= stats.rtt and isinstance(stats.ecn, channeler.Ecn)
    assert left.connection().info().observed_address == loop.left_address
    of_channel = right.stats()
    assert of_channel.receive_queue_bytes == 20000 and of_channel.receive_queue_messages == 1
    assert of_channel.receive_window_bytes >= 65536
    assert right.connection().stats().receive_queue_bytes == 20000


def test_a_full_queue_is_writable_at_its_low_water(make_loop: Callable[..., Loop]) -> None:
    options = channeler.Options(send_queue_bytes_max=100_000, send_low_water_bytes=10_000)
    loop = make_loop(left=options)
    left, right = open_channel(loop, Capability.RELIABLE_ORDERED)
    sent = 0
    with pytest.raises(channeler.WouldBlock):
        while True:
            left.send(bytes(1000))
            sent += 1
    assert 50 < sent <= 100 and not loop.left.told(channeler.Writable)
    loop.advance(5 * SECOND)
    # Nobody reads, so the window closes before the queue is that empty.
    assert left.stats().send_queue_bytes > 10_000
    assert not loop.left.told(channeler.Writable)
    received = len(list(right.messages()))
    loop.advance(5 * SECOND)
    assert [event.channel for event in loop.left.told(channeler.Writable)] == [left]
    assert received + len(list(right.messages())) == sent


def test_confirmed_messages_are_there_and_lost_ones_raise() -> None:
    async def scenario() -> None:
        async with aio.Node() as server, aio.Node() as client:
            server.bind("127.0.0.1:0")
            client.bind("127.0.0.1:0")
            connection = client.connect(server.peer_id, server.local_address())
            channel = await connection.open_channel(Capability.RELIABLE_ORDERED)
            other = await server.incoming().__anext__()
            large = bytes(300_000)
            await asyncio.wait_for(channel.send_confirmed(large), 20)
            assert await asyncio.wait_for(other.receive(), 20) == large
            await channel.send(b"plain", lifetime=5.0)
            assert await asyncio.wait_for(other.receive(), 20) == b"plain"
            waiting = asyncio.ensure_future(channel.send_confirmed(b"x" * 900_000))
            await asyncio.sleep(0)
            channel.reset(1, "gave up")
            with pytest.raises(channeler.Closed):
                await asyncio.wait_for(waiting, 20)
            with pytest.raises(channeler.PeerClosed, match="gave up"):
                await asyncio.wait_for(other.receive(), 20)

    asyncio.run(scenario())
