"""channeler.quic.AsyncEndpoint: QUIC channels in an event loop, on real sockets."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import channeler
from channeler import aio, quic
from test_aio import run
from test_quic import TEAM


def alone(options: quic.Options | None = None, **arguments: Any) -> quic.AsyncEndpoint:
    return quic.AsyncEndpoint.alone("127.0.0.1:0", options, **arguments)


def address(endpoint: quic.AsyncEndpoint) -> channeler.Address:
    return endpoint.node.local_address()


async def refused(left: quic.AsyncEndpoint, right: quic.AsyncEndpoint) -> None:
    """Raises why the peer does not want us, which it says when it has seen who we are."""
    await left.connect(address(right), right.node.peer_id)
    raise (await left.wait_closed(address(right))).error


async def connect(left: quic.AsyncEndpoint, right: quic.AsyncEndpoint) -> None:
    right.trust(left.node.peer_id)
    assert await left.connect(address(right), right.node.peer_id) == right.node.peer_id


@pytest.mark.parametrize("streams", list(quic.Streams))
def test_messages_go_there_and_back(streams: quic.Streams) -> None:
    async def main() -> None:
        options = quic.Options(streams=streams)
        async with alone(options) as left, alone(options) as right:

            async def serve() -> None:
                async for message in right:
                    await right.send(*message.channel, message.data.upper())

            serving = asyncio.create_task(serve())
            await connect(left, right)
            for number in range(20):
                label = f"label {number % 3}"
                await left.send(address(right), TEAM, label, b"no. %d" % number)
                message = await left.receive()
                assert message.channel == quic.Channel(address(right), TEAM, label)
                assert (message.peer, message.data) == (right.node.peer_id, b"NO. %d" % number)
            await left.send_sync(address(right), b"state")
            assert (await right.receive_sync()).data == b"state"
            right.close()
            await serving

    run(main())


def test_a_connection_is_waited_for_and_its_failure_raised() -> None:
    async def main() -> None:
        async with alone(quic.Options(dial_timeout=0.2)) as left, alone() as right:
            with pytest.raises(channeler.Refused, match="not known here"):
                await refused(left, right)
            right.trust(left.node.peer_id)
            with pytest.raises(channeler.WrongIdentity, match="not the peer that was dialled"):
                await left.connect(address(right), channeler.Identity.generate().peer_id)
            with pytest.raises(channeler.Timeout):
                await left.connect("127.0.0.1:9", right.node.peer_id)
            await connect(left, right)
            # The one that is there, at once, whatever its address is written as.
            mapped = f"[::ffff:127.0.0.1]:{address(right).port}"
            assert await left.connect(mapped, right.node.peer_id) == right.node.peer_id
            assert right.distrust(left.node.peer_id)
            assert left.connections() == [address(right)]
            assert left.info(address(right)).peer == right.node.peer_id
            assert left.stats().connections == 1

    run(main())


def test_both_that_dial_each_other_at_once_are_connected() -> None:
    async def main() -> None:
        async with alone() as left, alone() as right:
            left.trust(right.node.peer_id)
            right.trust(left.node.peer_id)
            await asyncio.gather(
                left.connect(address(right), right.node.peer_id),
                right.connect(address(left), left.node.peer_id),
            )
            for one, other in ((left, right), (right, left)):
                await one.send(address(other), TEAM, "x", b"x")
                await other.receive()

    run(main())


def test_a_callback_or_a_later_answer_accepts() -> None:
    async def main() -> None:
        asked: asyncio.Queue[quic.ConnectionRequest] = asyncio.Queue()

        def note(event: quic.Event) -> None:
            if isinstance(event, quic.ConnectionRequest):
                asked.put_nowait(event)

        async with alone() as left, alone(on_accept=lambda _: True) as right:
            await left.connect(address(right), right.node.peer_id)
        options = quic.Options(ask_before_accept=True)
        async with alone() as left, alone(options, on_event=note) as right:
            refusal = asyncio.create_task(refused(left, right))
            request = await asked.get()
            assert request.peer == left.node.peer_id
            right.refuse(request.connection)
            with pytest.raises(channeler.Refused):
                await refusal
            await left.connect(address(right), right.node.peer_id)
            request = await asked.get()
            right.accept(request.connection)
            await right.send(request.address, TEAM, "x", b"welcome")
            assert (await left.receive()).data == b"welcome"

    run(main())


def test_a_full_queue_is_waited_for() -> None:
    async def main() -> None:
        few = quic.Options(connection_receive_messages_max=4)
        async with alone(quic.Options(send_queue_bytes_max=10_000)) as left, alone(few) as right:
            await connect(left, right)
            count, data = 150, bytes(100_000)

            async def send_all() -> None:
                for number in range(count):
                    await left.send(address(right), TEAM, "x", b"%d " % number + data)

            sending = asyncio.create_task(send_all())
            while not left._watches:
                await asyncio.sleep(0.001)
            for number in range(count):
                message = await right.receive()
                assert int(message.data.split()[0]) == number
            await sending

    run(main())


def test_many_messages_wait_for_room_together() -> None:
    async def main() -> None:
        few = quic.Options(connection_receive_messages_max=4)
        async with alone(quic.Options(send_queue_bytes_max=10_000)) as left, alone(few) as right:
            await connect(left, right)
            sent = [b"%d" % number for number in range(5_000)]
            sending = asyncio.create_task(left.send_many(address(right), TEAM, "x", iter(sent)))
            for data in sent:
                assert (await right.receive()).data == data
            await sending

    run(main())


def test_a_close_waits_for_what_was_sent_and_ends_who_waits_for_room() -> None:
    async def main() -> None:
        async with alone() as left, alone() as right:
            await connect(left, right)
            for number in range(100):
                await left.send(address(right), TEAM, "x", b"%d" % number)
            end = await left.close_connection(address(right))
            assert (end.reason, end.undelivered) == (channeler.ErrorCode.CLOSED, 0)
            for number in range(100):
                assert (await right.receive()).data == b"%d" % number
            with pytest.raises(channeler.InvalidConnection):
                await left.close_connection(address(right))

        few = quic.Options(connection_receive_messages_max=1)
        async with alone(quic.Options(send_queue_bytes_max=1)) as left, alone(few) as right:
            await connect(left, right)

            async def fill() -> None:
                while True:
                    await left.send(address(right), TEAM, "x", bytes(1 << 20))

            filling = asyncio.create_task(fill())
            await right.receive()
            while not left._watches:
                await asyncio.sleep(0.001)
            await right.close_connection(address(left))
            with pytest.raises(channeler.PeerClosed):
                await filling

    run(main())


def test_closing_the_node_ends_what_waits() -> None:
    async def main() -> None:
        async with alone() as left:
            waiting = [
                asyncio.create_task(left.receive()),
                asyncio.create_task(left.receive_sync()),
                asyncio.create_task(left.connect("127.0.0.1:9", channeler.PeerId.random())),
            ]
            await asyncio.sleep(0.01)
            left.close()
            for task in waiting:
                with pytest.raises(channeler.Closed):
                    await task
            with pytest.raises(channeler.Closed):
                await left.send("127.0.0.1:9", TEAM, "x", b"x")
            assert [message async for message in left] == []

    run(main())


def test_who_gives_up_waiting_loses_no_message() -> None:
    async def main() -> None:
        async with alone() as left, alone() as right:
            await connect(left, right)
            receiving = asyncio.create_task(right.receive())
            await asyncio.sleep(0)
            receiving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await receiving
            assert right._watches == []
            await left.send(address(right), TEAM, "x", b"still here")
            assert (await right.receive()).data == b"still here"

    run(main())


def test_the_port_of_a_node_has_both_kinds_of_traffic() -> None:
    async def main() -> None:
        async with aio.Node() as node, aio.Node() as other:
            for each in (node, other):
                each.bind("127.0.0.1:0")
            mine, its = quic.AsyncEndpoint(node), quic.AsyncEndpoint(other)
            await connect(its, mine)
            channel = await other.connect(node.peer_id, node.local_address()).open_channel()
            await channel.send(b"version 1")
            await its.send(node.local_address(), TEAM, "x", b"QUIC")
            assert (await mine.receive()).data == b"QUIC"
            assert await (await node.incoming().__anext__()).receive() == b"version 1"
            mine.close()
            assert not node.closed
            with pytest.raises(channeler.StateError):
                quic.AsyncEndpoint(node)

    run(main())


def test_what_a_callback_raises_goes_to_the_loops_handler() -> None:
    async def main() -> None:
        told: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))

        def refuse(_: quic.ConnectionRequest) -> bool:
            raise ZeroDivisionError

        async with alone() as left, alone(on_accept=refuse) as right:
            with pytest.raises(channeler.Refused):
                await refused(left, right)
        assert [type(each["exception"]) for each in told] == [ZeroDivisionError]

    run(main())
