"""channeler.aio: nodes in an event loop, on real sockets."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Awaitable, Callable, TypeVar

import pytest

import channeler
from channeler import aio
from conftest import PATIENCE_SECONDS

_T = TypeVar("_T")


def run(main: Awaitable[_T]) -> _T:
    """Runs a test in an event loop, but not for ever."""

    async def limited() -> _T:
        return await asyncio.wait_for(main, PATIENCE_SECONDS)

    return asyncio.run(limited(), debug=True)


async def serve(node: aio.Node, handle: Callable[[aio.Channel], Awaitable[None]]) -> None:
    async def each(channel: aio.Channel) -> None:
        await handle(channel)

    tasks = []
    async for channel in node.incoming():
        tasks.append(asyncio.create_task(each(channel)))
    await asyncio.gather(*tasks)


async def echo(channel: aio.Channel) -> None:
    async for message in channel:
        await channel.send(message)


async def open_to(client: aio.Node, server: aio.Node) -> aio.Channel:
    return await client.connect(server.peer_id, server.local_address()).open_channel()


def node(**arguments: Any) -> aio.Node:
    made = aio.Node(**arguments)
    made.bind("127.0.0.1:0")
    return made


def test_messages_go_there_and_back() -> None:
    async def main() -> None:
        before = threading.active_count()
        async with node() as server, node() as client:
            serving = asyncio.create_task(serve(server, echo))
            channel = await open_to(client, server)
            for number in range(20):
                await channel.send(b"%d" % number)
                assert await channel.receive() == b"%d" % number
            assert threading.active_count() == before
            server.close()
            await serving

    run(main())


def test_several_channels_of_several_clients_run_at_once() -> None:
    async def main() -> None:
        async with node() as server:
            serving = asyncio.create_task(serve(server, echo))

            async def client(number: int) -> bytes:
                async with node() as mine:
                    connection = mine.connect(server.peer_id, server.local_address())
                    channels = await asyncio.gather(*[connection.open_channel() for _ in range(3)])
                    for channel in channels:
                        await channel.send(b"%d" % number)
                    answers = [await channel.receive() for channel in channels]
                    return b"".join(answers)

            assert await asyncio.gather(*[client(number) for number in range(3)]) == [
                b"000",
                b"111",
                b"222",
            ]
            server.close()
            await serving

    run(main())


def test_a_full_queue_is_waited_for() -> None:
    async def main() -> None:
        options = channeler.Options(send_queue_bytes_max=4000)
        async with node() as server, node(options=options) as client:
            channel = await open_to(client, server)
            other = await server.incoming().__anext__()
            count = 100

            async def send_all() -> None:
                for _ in range(count):
                    await channel.send(b"x" * 1000)

            sending = asyncio.create_task(send_all())
            for _ in range(count):
                assert len(await other.receive()) == 1000
            await sending

    run(main())


def test_a_peer_that_is_not_there_is_a_timeout() -> None:
    async def main() -> None:
        options = channeler.Options(dial_timeout=0.1, attempt_timeout=0.1)
        async with node(options=options) as client:
            nobody = client.connect(channeler.PeerId.random(), "127.0.0.1:9")
            with pytest.raises(channeler.Timeout):
                await nobody.open_channel()

    run(main())


def test_an_iteration_ends_with_the_channel() -> None:
    async def main() -> None:
        async with node() as server, node() as client:
            channel = await open_to(client, server)
            reading = asyncio.create_task(collect(channel))
            await asyncio.sleep(0)
            channel.close()
            channel.close()
            assert await reading == []
            assert channel.reason is channeler.ErrorCode.CLOSED
            with pytest.raises(channeler.Closed):
                await channel.receive()
            with pytest.raises(channeler.Closed):
                await channel.send(b"x")

    run(main())


async def collect(channel: aio.Channel) -> list[bytes]:
    return [message async for message in channel]


def test_silence_ends_an_iteration_and_a_ban_raises() -> None:
    async def main() -> None:
        options = channeler.Options(idle_timeout=0.1)
        async with node(options=options) as server, node() as client:
            await open_to(client, server)
            other = await server.incoming().__anext__()
            assert await collect(other) == []
            assert other.reason is channeler.ErrorCode.IDLE

        async with node() as server, node() as client:
            await open_to(client, server)
            other = await server.incoming().__anext__()
            reading = asyncio.create_task(collect(other))
            await asyncio.sleep(0)
            server.ban_peer(client.peer_id, 60)
            with pytest.raises(channeler.Banned):
                await reading
            assert server.lift_ban_peer(client.peer_id)
            server.ban_address(client.local_address(), 60)
            assert server.lift_ban_address(client.local_address())

    run(main())


def test_closing_a_node_ends_what_waits_for_it() -> None:
    async def main() -> None:
        async with node() as server, node() as client:
            channel = await open_to(client, server)
            receiving = asyncio.create_task(channel.receive())
            nobody = client.connect(channeler.PeerId.random(), "127.0.0.1:9")
            opening = asyncio.create_task(nobody.open_channel())
            incoming = asyncio.create_task(no_more(client))
            await asyncio.sleep(0.01)
            client.close()
            client.close()
            for task in (receiving, opening):
                with pytest.raises(channeler.Closed):
                    await task
            await incoming
            channel.close()

    run(main())


async def no_more(node: aio.Node) -> None:
    async for _ in node.incoming():
        raise AssertionError


def test_what_was_sent_right_before_the_end_leaves() -> None:
    async def main() -> None:
        async with node() as server:
            async with node() as client:
                channel = await open_to(client, server)
                await channel.send(b"last words")
            other = await server.incoming().__anext__()
            assert await other.receive() == b"last words"

    run(main())


def test_a_cancelled_open_leaves_no_channel() -> None:
    async def main() -> None:
        options = channeler.Options(dial_timeout=0.1, attempt_timeout=0.1)
        async with node(options=options) as client:
            nobody = client.connect(channeler.PeerId.random(), "127.0.0.1:9")
            opening = asyncio.create_task(nobody.open_channel())
            await asyncio.sleep(0)
            opening.cancel()
            with pytest.raises(asyncio.CancelledError):
                await opening
            assert client._channels == {}
            # The library forgets it with the connection.
            while client.stats().channels:
                await asyncio.sleep(0.001)

    run(main())


def test_a_cancelled_receive_loses_nothing() -> None:
    async def main() -> None:
        async with node() as server, node() as client:
            channel = await open_to(client, server)
            other = await server.incoming().__anext__()
            waiting = asyncio.create_task(other.receive())
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            await channel.send(b"still here")
            assert await other.receive() == b"still here"

    run(main())


def test_channels_that_ended_before_anybody_took_them_are_forgotten() -> None:
    async def main() -> None:
        options = channeler.Options(idle_timeout=0.05)
        async with node(options=options) as server, node() as client:
            await open_to(client, server)
            while server.stats().channels:
                await asyncio.sleep(0.01)
            assert server._incoming == {} and server._channels == {}

    run(main())


def test_what_a_callback_raises_goes_to_the_loops_handler() -> None:
    async def main() -> None:
        told: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))

        def refuse(*_: object) -> bool:
            raise ZeroDivisionError

        async with node(on_accept=refuse) as server, node() as client:
            with pytest.raises(channeler.Refused):
                await open_to(client, server)
            while not told:
                await asyncio.sleep(0.001)
            assert server.stats().connections == 0
        assert told and all(isinstance(each["exception"], ZeroDivisionError) for each in told)

    run(main())


def test_a_connection_is_waited_for_and_its_end_told() -> None:
    async def main() -> None:
        async with node() as server, node() as client:
            connection = client.connect(server.peer_id, server.local_address())
            info = await connection.connected()
            assert info.is_encrypted and connection.is_encrypted
            assert info.public_key == connection.public_key == server.public_key
            assert connection.version is channeler.Version.V1
            channel = await connection.open_channel(label="first")
            other = await server.incoming().__anext__()
            assert channel.label == other.label == b"first"
            connection.update_keys()
            await channel.send(b"with other keys")
            assert await other.receive() == b"with other keys"
            theirs = asyncio.create_task(other.connection.wait_closed())
            await asyncio.sleep(0)
            connection.close(7, "enough")
            ours = await connection.wait_closed()
            assert ours is not None and ours.reason is channeler.ErrorCode.CLOSED
            ended = await theirs
            assert ended is not None and ended.reason is channeler.ErrorCode.PEER_CLOSED
            assert (ended.code, ended.text) == (7, "enough")
            assert await connection.wait_closed() is None
            with pytest.raises(channeler.PeerClosed, match="enough") as raised:
                await other.receive()
            assert raised.value.peer_code == 7
            assert not client._watchers and not server._watchers

    run(main())


def test_the_wrong_peer_is_not_connected_to() -> None:
    async def main() -> None:
        async with node() as server, node() as client:
            wrong = client.connect(channeler.PeerId.random(), server.local_address())
            with pytest.raises(channeler.WrongIdentity):
                await wrong.connected()
            anybody = client.connect(None, server.local_address())
            assert (await anybody.connected()).peer == server.peer_id

    run(main())


def test_a_close_without_a_code_ends_an_iteration_and_a_code_raises() -> None:
    async def main() -> None:
        async with node() as server, node() as client:
            for code in (0, 9):
                channel = await open_to(client, server)
                other = await server.incoming().__anext__()
                reading = asyncio.create_task(collect(other))
                await asyncio.sleep(0)
                channel.reset(code)
                if code == 0:
                    assert await reading == []
                else:
                    with pytest.raises(channeler.PeerClosed) as raised:
                        await reading
                    assert raised.value.peer_code == 9

    run(main())


def test_a_closed_channel_gives_all_that_was_sent_on_it() -> None:
    async def main() -> None:
        async with node() as server, node() as client:
            channel = await open_to(client, server)
            for number in range(5):
                await channel.send(b"%d" % number)
            channel.close()
            other = await server.incoming().__anext__()
            assert await collect(other) == [b"0", b"1", b"2", b"3", b"4"]

    run(main())


def test_closing_a_node_ends_a_wait_for_a_connection() -> None:
    async def main() -> None:
        async with node() as client:
            nobody = client.connect(channeler.PeerId.random(), "127.0.0.1:9")
            waiting = asyncio.create_task(nobody.connected())
            await asyncio.sleep(0)
            client.close()
            with pytest.raises(channeler.Closed):
                await waiting

    run(main())


def test_an_early_message_leaves_with_the_first_packets() -> None:
    async def main() -> None:
        options = channeler.Options(early_data=True)
        async with node(options=options) as server, node(options=options) as client:
            for is_early in (False, True):
                connection = client.connect(server.peer_id, server.local_address())
                channel = await connection.open_channel(early=b"hello")
                other = await server.incoming().__anext__()
                assert await other.receive() == b"hello"
                assert other.info().is_early is is_early
                await asyncio.sleep(0.1)  # for the ticket of the first connection
                connection.close()
                await connection.wait_closed()
                assert channel.reason is channeler.ErrorCode.CLOSED
                while server.stats().connections:
                    await asyncio.sleep(0.001)

    run(main())


def test_version_0_is_for_those_who_ask_for_it() -> None:
    async def main() -> None:
        legacy = channeler.Legacy
        async with node(legacy=legacy.ACCEPT) as server, node(legacy=legacy.ONLY) as client:
            serving = asyncio.create_task(serve(server, echo))
            channel = await open_to(client, server)
            await channel.send(b"in the open")
            assert await channel.receive() == b"in the open"
            assert channel.connection.version is channeler.Version.V0
            assert channel.connection.public_key is None and channel.label == b""
            server.close()
            await serving

    run(main())


def test_events_are_told_as_well() -> None:
    async def main() -> None:
        events: list[channeler.Event] = []
        async with node() as server, node(on_event=events.append) as client:
            channel = await open_to(client, server)
            assert isinstance(events[0], channeler.Connected)
            assert channel.info().role is channeler.Role.INITIATOR
            assert channel.stats().messages_sent == 0
            assert channel.connection.info().peer == server.peer_id
            assert channel.connection.stats().channels == 1
            assert channel.connection == client.connect(server.peer_id, server.local_address())
            async with channel:
                pass
            channel.connection.close()
            while not isinstance(events[-1], channeler.ConnectionClosed):
                await asyncio.sleep(0)

    run(main())


def test_a_node_without_work_sleeps() -> None:
    async def main() -> None:
        async with node() as server, node() as client:
            channel = await open_to(client, server)
            await channel.send(b"x")
            await (await server.incoming().__anext__()).receive()
            await asyncio.sleep(0.05)
            turns = 0
            process = client._node.process

            def counted(timeout: float) -> None:
                nonlocal turns
                turns += 1
                process(timeout)

            client._node.process = counted  # type: ignore[assignment, method-assign]
            await asyncio.sleep(0.2)
            assert turns < 20

    run(main())
