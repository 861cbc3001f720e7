"""channeler.daemon: against daemons that run, and against sockets that say what no daemon says."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Awaitable, Callable, Iterator, TypeVar

import pytest

import channeler
from channeler import daemon
from channeler.daemon import _wire
from conftest import PATIENCE_SECONDS, REPOSITORY

PROGRAMS = Path(os.environ["CHANNELER_LIBRARY"]).parent
TEAM = b"\x0a" * 32
CHAT = daemon.Filter(team=TEAM, label="chat")
PEER = b"\x0b" * 16

_T = TypeVar("_T")


# --- daemons ---------------------------------------------------------------------------------


class Daemon:
    """A channelerd that believes every peer."""

    def __init__(self, folder: Path, name: str, lines: str = "") -> None:
        self.socket = folder / f"{name}.sock"
        configuration = folder / f"{name}.toml"
        configuration.write_text(
            f'listen = ["127.0.0.1:0"]\nidentity = "{folder / name}.pem"\naccept_any = true\n'
            f'{lines}\n[socket]\npath = "{self.socket}"\n'
        )
        command = [str(PROGRAMS / "channelerd"), "--config", str(configuration)]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        line = next(line for line in self.process.stderr if "peers find" in line)
        self.peer, _, self.address = line.strip().partition("peers find ")[2].partition(" at ")
        # Nobody reads what it logs later.
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def client(self) -> daemon.Client:
        return daemon.Client(self.socket)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE_SECONDS)

    def await_open(self, name: str, count: int) -> None:
        """Until so many receives, or follows, are open."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        with self.client() as client:
            while client.status().counters[name] != count:
                assert time.monotonic() < deadline, f"there are not {count} {name}"


@pytest.fixture
def daemons(tmp_path: Path) -> Iterator[tuple[Daemon, Daemon]]:
    made = Daemon(tmp_path, "anna"), Daemon(tmp_path, "bert")
    yield made
    for each in made:
        each.kill()


def shell(of: Daemon, *words: str) -> str:
    """What the program `channeler` prints."""
    command = [str(PROGRAMS / "channeler"), "--socket", str(of.socket), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run(main: Awaitable[_T]) -> _T:
    """Runs a test in an event loop, but not for ever."""

    async def limited() -> _T:
        return await asyncio.wait_for(main, PATIENCE_SECONDS)

    return asyncio.run(limited(), debug=True)


# --- the blocking client ---------------------------------------------------------------------


def test_messages_go_there_and_back(daemons: tuple[Daemon, Daemon]) -> None:
    anna, bert = daemons
    with anna.client() as ours, bert.client() as theirs:
        ours.send(bert.address, TEAM, "chat", b"hello")
        message = theirs.receive(CHAT)
        assert message == daemon.Message(
            anna.address, bytes.fromhex(anna.peer[2:]), b"hello", TEAM, "chat"
        )
        theirs.send(message.address, TEAM.hex(), "chat", memoryview(b"back"))
        answer = ours.receive(wait=PATIENCE_SECONDS)
        assert answer is not None and answer.data == b"back"
        assert ours.receive(wait=0) is None
        assert ours.receive(wait=0.01) is None


def test_the_shell_and_python_understand_each_other(daemons: tuple[Daemon, Daemon]) -> None:
    anna, bert = daemons
    with bert.client() as client:
        shell(anna, "send", bert.address, TEAM.hex(), "chat", "grüß dich")
        message = client.receive(CHAT)
        assert message is not None and message.data.decode() == "grüß dich"
        client.send_many(anna.address, TEAM, "chat", (b"%d" % number for number in range(300)))
    assert shell(anna, "receive", "-n300") == "".join(f"{number}\n" for number in range(300))


def test_large_messages_and_those_that_do_not_fit(daemons: tuple[Daemon, Daemon]) -> None:
    anna, bert = daemons
    data = bytes(range(256)) * 12_000
    with anna.client() as ours, bert.client() as theirs:
        assert ours.send_many(bert.address, TEAM, "chat", [data, bytearray(b"small")]) == 2
        with pytest.raises(daemon.InvalidRequest) as caught:
            theirs.receive(CHAT, capacity=100)
        assert caught.value.code == daemon.Code.INSUFFICIENT_BUFFER_SIZE
        assert caught.value.detail == len(data)
        message = theirs.receive(CHAT)
        assert message is not None and message.data == data
        with pytest.raises(daemon.InvalidRequest) as caught:
            ours.send(bert.address, TEAM, "chat", bytes(17 << 20))
        assert caught.value.code == daemon.Code.TOO_LARGE


def test_filters_choose_and_sync_messages_are_beside(daemons: tuple[Daemon, Daemon]) -> None:
    anna, bert = daemons
    with anna.client() as ours, bert.client() as theirs:
        for label in ("alpha", "beta", "better"):
            ours.send(bert.address, TEAM, label, label.encode())
        ours.send_sync(bert.address, b"sync")
        for which, expected in (
            (daemon.Filter(label_prefix="bet", address=anna.address), b"beta"),
            (daemon.Filter(team=b"\0" * 32), None),
            (daemon.Filter(sync=True), b"sync"),
            (daemon.Filter(label="better"), b"better"),
            (daemon.Filter(team=TEAM), b"alpha"),
            (daemon.Filter(), None),
        ):
            wait = PATIENCE_SECONDS if expected else 0
            message = theirs.receive(which, wait=wait)
            assert (message and message.data) == expected
            assert message is None or which.matches(message)


def test_a_follow_gives_what_comes_and_after_its_cancel_what_was_on_its_way(
    daemons: tuple[Daemon, Daemon],
) -> None:
    anna, bert = daemons
    with anna.client() as ours, bert.client() as theirs:
        with theirs.follow(CHAT) as messages, theirs.follow() as others:
            ours.send_many(bert.address, TEAM, "chat", [b"one", b"two"])
            ours.send(bert.address, TEAM, "other", b"three")
            each = iter(messages)
            assert [next(each).data, next(each).data] == [b"one", b"two"]
            other = iter(others)
            assert [next(other).data for _ in range(3)] == [b"one", b"two", b"three"]
            messages.cancel()
            messages.cancel()
            assert list(each) == []
        bert.await_open("follows", 0)


def test_status_connections_and_what_happens_to_them(daemons: tuple[Daemon, Daemon]) -> None:
    anna, bert = daemons
    with anna.client() as ours, bert.client() as theirs, theirs.watch() as events:
        peer = ours.connect(bert.address, bert.peer)
        assert peer == bytes.fromhex(bert.peer[2:]) == theirs.status().peer
        status = ours.status()
        assert status.listen == [anna.address] and status.protocol == 1
        connection = status.connections[0]
        assert (connection.address, connection.peer) == (bert.address, peer)
        assert connection.is_connected and not connection.by_peer
        assert ours.close_connection(bert.address) == 0
        each = iter(events)
        first, second = next(each), next(each)
        assert (first.kind, first.address, first.by_peer) == ("connected", anna.address, True)
        assert (second.kind, second.code) == ("closed", daemon.Code.PEER_CLOSED)


def test_what_cannot_be_done_is_an_exception_of_its_kind(daemons: tuple[Daemon, Daemon]) -> None:
    anna, bert = daemons
    with anna.client() as client:
        for call, kind, code in (
            (lambda: client.send("nowhere", TEAM, "", b""), ValueError, "INVALID_ADDRESS"),
            (lambda: client.send(bert.address, TEAM, "x" * 257, b""), ValueError, "INVALID_ARG"),
            (lambda: client.close_connection(bert.address), ValueError, "INVALID_REFERENCE"),
            (lambda: client.connect(bert.address, b"\0" * 16), ConnectionError, "IDENTITY"),
        ):
            with pytest.raises(daemon.RequestFailed, match=code) as caught:
                call()
            assert isinstance(caught.value, kind)
            again = pickle.loads(pickle.dumps(caught.value))
            assert (type(again), again.code) == (type(caught.value), caught.value.code)
        # It goes on.
        assert client.status().peer.hex() == anna.peer[2:]


def test_arguments_are_checked_before_anything_is_sent(daemons: tuple[Daemon, Daemon]) -> None:
    anna, bert = daemons
    calls: list[Callable[[daemon.Client], object]] = [
        lambda client: client.send(bert.address, b"short", "chat", b""),
        lambda client: client.send(bert.address, "0g" * 32, "chat", b""),
        lambda client: client.connect(bert.address, "12"),
        lambda client: client.receive(wait=-1),
        lambda client: client.receive(wait=5_000_000),
        lambda client: client.receive(capacity=-1),
        lambda client: daemon.Filter(label="a", label_prefix="b"),
        lambda client: daemon.Filter(sync=True, team=TEAM),
    ]
    with anna.client() as client:
        for call in calls:
            with pytest.raises(ValueError):
                call(client)
        assert client.status().version


def test_a_daemon_that_vanishes_is_noticed(daemons: tuple[Daemon, Daemon]) -> None:
    _, bert = daemons
    with bert.client() as client, client.follow() as messages:
        killer = threading.Timer(0.05, bert.kill)
        killer.start()
        with pytest.raises(daemon.DaemonUnavailable):
            client.receive()
        with pytest.raises(daemon.DaemonUnavailable):
            next(iter(messages))
        killer.join()
        # What was broken off cannot be gone on with.
        with pytest.raises(daemon.DaemonUnavailable):
            client.status()
    with pytest.raises(daemon.DaemonUnavailable, match="no daemon at .*bert.sock.*channelerd must"):
        bert.client()


def test_ctrl_c_closes_the_client_that_it_interrupts(daemons: tuple[Daemon, Daemon]) -> None:
    _, bert = daemons

    def interrupt() -> None:
        bert.await_open("receives", 1)
        os.kill(os.getpid(), signal.SIGINT)

    with bert.client() as client:
        interrupter = threading.Thread(target=interrupt)
        interrupter.start()
        with pytest.raises(KeyboardInterrupt):
            client.receive()
        interrupter.join()
        bert.await_open("receives", 0)


def test_the_library_is_not_needed() -> None:
    code = "import channeler.daemon; from channeler import daemon; print(daemon.Client.__name__)"
    environment = {"PYTHONPATH": str(REPOSITORY / "bindings/python"), "CHANNELER_LIBRARY": "/none"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout == "Client\n", done.stderr


def test_codes_are_those_of_the_library() -> None:
    for code in daemon.Code:
        assert channeler.ErrorCode(code).name == code.name
    assert daemon.Code(4000).name == "UNKNOWN_4000"


def test_the_environment_says_where_the_socket_is(
    daemons: tuple[Daemon, Daemon], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHANNELER_SOCKET", str(daemons[0].socket))
    with daemon.Client() as client:
        assert client.status().listen == [daemons[0].address]
    monkeypatch.setenv("CHANNELER_SOCKET", "")
    assert daemon.AsyncClient().path == daemon.SOCKET_DEFAULT


# --- asyncio ---------------------------------------------------------------------------------


def test_tasks_share_a_client(daemons: tuple[Daemon, Daemon]) -> None:
    anna, bert = daemons

    async def main() -> None:
        async with daemon.AsyncClient(anna.socket) as ours:
            async with daemon.AsyncClient(bert.socket) as theirs:
                waiting = [asyncio.create_task(theirs.receive(CHAT)) for _ in range(50)]
                sends = (ours.send(bert.address, TEAM, "chat", b"%d" % n) for n in range(50))
                await asyncio.gather(*sends)
                messages = await asyncio.gather(*waiting)
                assert [m and m.data for m in messages] == [b"%d" % n for n in range(50)]
                status = await theirs.status()
                assert status.counters["messages_received"] == 50
                assert await ours.connect(bert.address) == status.peer
                await ours.send_sync(bert.address, b"sync")
                sync = await theirs.receive(daemon.Filter(sync=True))
                assert sync is not None and sync.data == b"sync"
                with pytest.raises(daemon.InvalidRequest):
                    await ours.send("nowhere", TEAM, "chat", b"")
                assert await ours.close_connection(bert.address) == 0

    run(main())


def test_a_cancelled_receive_is_cancelled_at_the_daemon(daemons: tuple[Daemon, Daemon]) -> None:
    anna, bert = daemons

    async def main() -> None:
        async with daemon.AsyncClient(bert.socket) as client:
            for _ in range(3):
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(client.receive(CHAT), 0.01)
            status = await client.status()
            assert status.counters["receives"] == 0
            assert not client._pending and not client._cancels and not client._receives
            shell(anna, "send", bert.address, TEAM.hex(), "chat", "kept")
            message = await client.receive(CHAT)
            assert message is not None and message.data == b"kept"

    run(main())


def test_a_follow_ends_with_its_iteration(daemons: tuple[Daemon, Daemon]) -> None:
    anna, bert = daemons

    async def main() -> None:
        async with daemon.AsyncClient(bert.socket) as client:
            shell(anna, "send", bert.address, TEAM.hex(), "chat", "hello")
            following = client.follow(CHAT)
            assert (await following.__anext__()).data == b"hello"
            waiting = asyncio.ensure_future(following.__anext__())
            events = client.watch()
            watching = asyncio.ensure_future(events.__anext__())
            await client.status()
            shell(anna, "close", bert.address)
            assert (await watching).kind in ("connected", "closed")
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            await events.aclose()  # type: ignore[attr-defined]
            while (await client.status()).counters["follows"]:
                await asyncio.sleep(0.01)

    run(main())


def test_everybody_who_waits_is_told_that_the_daemon_has_gone(
    daemons: tuple[Daemon, Daemon],
) -> None:
    _, bert = daemons

    async def main() -> None:
        async with daemon.AsyncClient(bert.socket) as client:
            waiting = [asyncio.create_task(client.receive(CHAT)) for _ in range(3)]
            await client.status()
            bert.kill()
            ends = await asyncio.gather(*waiting, return_exceptions=True)
            assert all(isinstance(end, daemon.DaemonUnavailable) for end in ends)
            with pytest.raises(daemon.DaemonUnavailable):
                await client.status()
        with pytest.raises(daemon.DaemonUnavailable, match="no daemon at"):
            await daemon.AsyncClient(bert.socket).__aenter__()
        with pytest.raises(daemon.DaemonUnavailable, match="not entered"):
            await daemon.AsyncClient(bert.socket).status()

    run(main())


# --- what no daemon says ---------------------------------------------------------------------


class Script:
    """A socket that answers the first request with bytes, and closes; or stays until we do."""

    def __init__(self, folder: Path, answer: bytes, stays: bool = False) -> None:
        self.socket = folder / "script.sock"
        self.socket.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.socket))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, args=(answer, stays))
        self._thread.start()

    def __enter__(self) -> Script:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(PATIENCE_SECONDS)
        self._listener.close()

    def _serve(self, answer: bytes, stays: bool) -> None:
        client, _ = self._listener.accept()
        with client:
            assert client.recv(10_000)
            try:
                client.sendall(answer)
            except BrokenPipeError:
                return
            while stays and client.recv(10_000):
                pass


def told(head: bytes) -> bytes:
    return len(head).to_bytes(4, "big") + head


MESSAGE = b"\x02\x091.2.3.4:5" + PEER + TEAM + b"\x04chat" + b"hello"
GARBAGE = {
    "another protocol": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "too long": b"\xff\xff\xff\xff",
    "empty": told(b""),
    "no kind": told(b"\x01"),
    "cut off": told(b"\x01\x01"),
    "behind its end": told(b"\x01\x00\x00"),
    "a number without an end": told(b"\xff" * 20),
    "too large a number": told(b"\xff\xff\xff\xff\x7f\x00"),
    "no UTF-8": told(b"\x01\x01\x0f\x02\xff\xff\x00"),
    "a long text": told(b"\x01\x01\x0f\xff\xff\xff\xff\x0f"),
    "a long list": told(b"\x01\x04\x01\x00" + PEER + b"\xff\xff\xff\xff\x0f"),
    "no truth": told(b"\x01\x05\x00\x00" + PEER + b"\x02"),
    "half a frame": told(b"\x01\x00" + bytes(98))[:50],
    "half a length": b"\0\0",
    "another answer": told(b"\x01\x07\x00"),
}


@pytest.mark.parametrize("name", list(GARBAGE))
def test_garbage_is_named_and_takes_no_memory(name: str, tmp_path: Path) -> None:
    with Script(tmp_path, GARBAGE[name]) as script, daemon.Client(script.socket) as client:
        with pytest.raises(daemon.MalformedAnswer):
            client.status()

    async def main() -> None:
        async with daemon.AsyncClient(script.socket) as client:
            with pytest.raises(daemon.MalformedAnswer):
                await client.status()

    with Script(tmp_path, GARBAGE[name]) as script:
        run(main())


def test_an_answer_in_many_pieces_is_one(tmp_path: Path) -> None:
    frames = _wire.Frames()
    whole = told(b"\x01" + MESSAGE) + told(b"\x02\x00")
    answers = []
    for byte in whole:
        frames.push(bytes([byte]))
        while (answer := frames.pull()) is not None:
            answers.append(answer)
    message = daemon.Message("1.2.3.4:5", PEER, b"hello", TEAM, "chat")
    assert answers == [(1, message), (2, _wire.Done())]


def test_later_kinds_are_passed_over(tmp_path: Path) -> None:
    later = told(b"\x01\x63anything") + told(b"\x01\x05\x63anything") + told(b"\x01" + MESSAGE)
    with Script(tmp_path, later) as script, daemon.Client(script.socket) as client:
        message = client.receive()
        assert message is not None and message.data == b"hello"


def test_why_the_daemon_closes_is_raised(tmp_path: Path) -> None:
    limit = told(b"\x00\x01\x0e\x08too many\x00")
    with Script(tmp_path, limit) as script, daemon.Client(script.socket) as client:
        with pytest.raises(daemon.RequestFailed, match=r"too many \(LIMIT\)"):
            client.status()
    with Script(tmp_path, limit) as script, pytest.raises(daemon.RequestFailed, match="too many"):
        daemon.Client.follow(Detached(script.socket))


class Detached(daemon.Client):
    """A client without a socket of its own, of which only the path is used."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)


def test_a_message_for_a_task_that_was_cancelled_goes_to_another(tmp_path: Path) -> None:
    """The daemon had sent it before it read the cancel."""

    async def main(is_waiting: bool) -> None:
        async with daemon.AsyncClient(script.socket) as client:
            first = asyncio.create_task(client.receive(CHAT))
            await asyncio.sleep(0)
            second = asyncio.create_task(client.receive(CHAT)) if is_waiting else None
            await asyncio.sleep(0)
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            if second is None:
                # The cancel is answered, and then comes nothing but what was kept.
                while client._cancels:
                    await asyncio.sleep(0.001)
                second = asyncio.create_task(client.receive(CHAT))
            message = await second
            assert message is not None and message.data == b"hello"

    cancelled = {False: b"\x02\x00", True: b"\x03\x00"}
    for is_waiting in (False, True):
        answer = told(b"\x01" + MESSAGE) + told(cancelled[is_waiting])
        with Script(tmp_path, answer, stays=True) as script:
            run(main(is_waiting))


def test_what_is_sent_is_as_the_page_has_it() -> None:
    page = (REPOSITORY / "docs/daemon.md").read_text()
    frames = []
    for block in page.split("```frame\n")[1:]:
        frame = bytearray()
        for line in block.split("```")[0].splitlines():
            for word in line.split(" "):
                if len(word) != 2 or not set(word) <= set("0123456789abcdef"):
                    break
                frame.append(int(word, 16))
        frames.append(bytes(frame))
    fields: Any = _wire.send_fields("192.0.2.1:4433", TEAM, "chat")
    assert frames[0] == _wire.frame(1, _wire.SEND, fields, b"hello")
    fields = _wire.receive_fields(daemon.Filter(team=TEAM), 65536, None)
    assert frames[1] == _wire.frame(2, _wire.RECEIVE, fields)
    assert frames[3] == _wire.frame(4, _wire.STATUS)
    follow = daemon.Filter(team=TEAM, label_prefix="tele").to_bytes()
    assert frames[4] == _wire.frame(300, _wire.FOLLOW, follow)
    answers = _wire.Frames()
    answers.push(b"".join(frames[5:9]))
    assert answers.pull() == (1, _wire.Done())
    number, error = answers.pull() or (0, None)
    assert isinstance(error, daemon.PeerTimeout) and (number, error.text) == (1, "no answer")
    assert answers.pull() == (2, daemon.Message("192.0.2.1:4433", PEER, b"hello", TEAM, "chat"))
    assert answers.pull() == (3, _wire.Closed(0))
