"""channeler.quic: QUIC channels on real sockets, run in this thread or the node's own."""

from __future__ import annotations

import contextlib
import logging
import threading
from functools import partial
from typing import Any, Callable, Iterator, TypeVar

import pytest

import channeler
from channeler import quic
from conftest import REPOSITORY, bound, process_until

TEAM = bytes(range(32))
VECTORS = REPOSITORY / "tests/vectors/quic"

_E = TypeVar("_E", bound=quic.Event)


class Side:
    """An endpoint on a port of its own that notes what it is told."""

    def __init__(self, options: quic.Options | None = None, **callbacks: Any) -> None:
        self.events: list[quic.Event] = []
        self.endpoint = quic.Endpoint.alone(
            "127.0.0.1:0", options, on_event=self.events.append, **callbacks
        )
        self.node = self.endpoint.node
        self.address = self.node.local_address()

    def told(self, kind: type[_E]) -> list[_E]:
        """The events of a kind."""
        return [event for event in self.events if isinstance(event, kind)]

    def take(self, count: int, *nodes: channeler.Node) -> list[quic.Message]:
        """The next messages, while nodes run."""
        taken: list[quic.Message] = []

        def all_there() -> bool:
            taken.extend(self.endpoint.messages())
            return len(taken) >= count

        process_until(all_there, self.node, *nodes)
        return taken


MakeSide = Callable[..., Side]


@pytest.fixture
def make_side() -> Iterator[MakeSide]:
    """Makes sides, and frees their nodes."""
    made: list[Side] = []

    def make(options: quic.Options | None = None, **callbacks: Any) -> Side:
        made.append(Side(options, **callbacks))
        return made[-1]

    yield make
    for side in made:
        side.node.close()


@pytest.fixture
def pair(make_side: MakeSide) -> tuple[Side, Side]:
    """Two sides, of which the second knows the first, and the first is dialled to the second."""
    return acquainted(make_side(), make_side())


def acquainted(left: Side, right: Side) -> tuple[Side, Side]:
    right.endpoint.trust(left.node.peer_id)
    left.endpoint.connect(right.address, right.node.peer_id)
    return left, right


def closed(side: Side, *nodes: channeler.Node) -> quic.ConnectionClosed:
    """The first end that a side is told of, while nodes run."""
    process_until(lambda: side.told(quic.ConnectionClosed), side.node, *nodes)
    return side.told(quic.ConnectionClosed)[0]


def test_messages_go_there_and_back_with_all_that_they_are(pair: tuple[Side, Side]) -> None:
    left, right = pair
    sent = [
        ("TELEMETRY", b"21.5"),
        ("", b""),
        ("Maß \0 \N{SNOWMAN}", bytes(range(256))),
        ("x" * quic.LABEL_BYTES_MAX, b"longest label"),
        ("large", b"y" * (1 << 20)),
    ]
    for label, data in sent:
        left.endpoint.send(right.address, TEAM, label, data)
    taken = right.take(len(sent), left.node)
    assert [(each.channel.label, each.data) for each in taken] == [
        (label, data) for label, data in sent
    ]
    for message in taken:
        assert message.channel.address == left.address
        assert message.channel.team == TEAM
        assert message.peer == left.node.peer_id
    # Back on the channel that it came from, without another connection.
    right.endpoint.send(*taken[0].channel, b"off")
    (answer,) = left.take(1, right.node)
    assert answer.channel == quic.Channel(right.address, TEAM, "TELEMETRY")
    assert answer.data == b"off"
    for side, other, by_peer in ((left, right, False), (right, left, True)):
        (connected,) = side.told(quic.Connected)
        assert connected.peer == other.node.peer_id
        assert connected.address == other.address
        assert connected.by_peer is by_peer


@pytest.mark.parametrize("streams", list(quic.Streams))
def test_each_policy_keeps_the_order_that_it_promises(
    make_side: MakeSide, streams: quic.Streams
) -> None:
    options = quic.Options(streams=streams)
    left, right = acquainted(make_side(options), make_side(options))
    sent = [(f"label {number % 3}", b"%d" % number) for number in range(300)]
    for label, data in sent:
        left.endpoint.send(right.address, TEAM, label, data)
    taken = [(each.channel.label, each.data) for each in right.take(len(sent), left.node)]
    if streams is quic.Streams.ORDERED:
        assert taken == sent
    for label in {label for label, _ in sent}:
        assert [each for each in taken if each[0] == label] == [
            each for each in sent if each[0] == label
        ]
    assert sorted(taken) == sorted(sent)


def test_sync_messages_have_a_queue_and_an_event_of_their_own(pair: tuple[Side, Side]) -> None:
    left, right = pair
    with pytest.raises(channeler.DataUnavailable):
        right.endpoint.receive_sync()
    left.endpoint.send_sync(right.address, b"state")
    process_until(lambda: right.told(quic.SyncReadable), left.node, right.node)
    with pytest.raises(channeler.DataUnavailable):
        right.endpoint.receive()
    assert list(right.endpoint.sync_messages()) == [
        quic.SyncMessage(left.address, left.node.peer_id, b"state")
    ]
    assert right.told(quic.Readable) == []


def test_a_buffer_of_ones_own_that_is_too_small_learns_what_it_takes(
    pair: tuple[Side, Side],
) -> None:
    left, right = pair
    left.endpoint.send(right.address, TEAM, "x", b"twelve bytes")
    process_until(lambda: right.told(quic.Readable), left.node, right.node)
    with pytest.raises(channeler.BufferTooSmall) as raised:
        right.endpoint.receive_into(bytearray(11))
    assert raised.value.needed == 12
    room = bytearray(20)
    channel, length = right.endpoint.receive_into(room)
    assert (channel.label, bytes(room[:length])) == ("x", b"twelve bytes")
    with pytest.raises(channeler.DataUnavailable):
        right.endpoint.receive_into(room)


def test_many_messages_of_a_channel_are_sent_and_taken_together(pair: tuple[Side, Side]) -> None:
    left, right = pair
    sent: list[bytes | bytearray] = [b"%d" % number for number in range(100)]
    sent += [b"", bytearray(b"the last")]
    assert left.endpoint.send_many(right.address, TEAM, "x", sent) == 102
    assert left.endpoint.send_many(right.address, TEAM, "x", []) == 0
    left.endpoint.send(right.address, TEAM, "y", b"of another channel")
    taken: list[quic.Message] = []

    def take() -> bool:
        with contextlib.suppress(channeler.DataUnavailable):
            while True:
                batch = right.endpoint.receive_many(count_max=40)
                assert 1 <= len(batch) <= 40
                assert len({message.channel for message in batch}) == 1
                taken.extend(batch)
        return len(taken) == 103

    process_until(take, left.node, right.node)
    assert [message.data for message in taken] == [bytes(data) for data in sent] + [
        b"of another channel"
    ]
    assert taken[0].channel == quic.Channel(left.address, TEAM, "x")
    assert taken[0].peer == left.node.peer_id
    assert taken[-1].channel.label == "y"


def test_of_many_messages_it_is_known_how_far_they_came(pair: tuple[Side, Side]) -> None:
    left, right = pair
    large = bytes(1 << 24)
    with pytest.raises(channeler.MessageTooLarge) as raised:
        left.endpoint.send_many(right.address, TEAM, "x", [b"first", b"second", large + large])
    assert raised.value.sent == 2
    block = bytes(1 << 16)
    taken = left.endpoint.send_many(right.address, TEAM, "x", [block] * 100_000)
    assert 0 < taken < 100_000
    process_until(lambda: right.told(quic.Readable), left.node, right.node)
    with pytest.raises(channeler.BufferTooSmall) as small:
        right.endpoint.receive_many(bytes_max=4)
    assert small.value.needed == 5
    first = right.endpoint.receive_many(bytes_max=5)
    assert [message.data for message in first] == [b"first"]
    with pytest.raises(channeler.InvalidArgument):
        right.endpoint.receive_many(count_max=0)


def test_another_peer_than_the_pinned_one_is_not_sent_to(make_side: MakeSide) -> None:
    left, right = make_side(), make_side()
    right.endpoint.trust(left.node.peer_id)
    connection = left.endpoint.connect(right.address, channeler.Identity.generate().peer_id)
    left.endpoint.send(right.address, TEAM, "x", b"secret")
    end = closed(left, right.node)
    assert end.connection == connection
    assert end.reason is channeler.ErrorCode.IDENTITY
    assert end.undelivered == 1
    assert isinstance(end.error, channeler.WrongIdentity)
    assert "not the peer that was dialled (CHANNELER_ERR_IDENTITY)" in str(end.error)
    assert closed(right, left.node).reason is channeler.ErrorCode.REFUSED
    assert list(right.endpoint.messages()) == []
    # One that is there is not another's.
    left.endpoint.connect(right.address, right.node.peer_id)
    with pytest.raises(channeler.WrongIdentity):
        left.endpoint.connect(right.address, left.node.peer_id)


def test_who_is_not_known_is_refused_and_hears_why(make_side: MakeSide) -> None:
    left, right = make_side(), make_side()
    left.endpoint.connect(right.address, right.node.peer_id)
    end = closed(left, right.node)
    assert isinstance(end.error, channeler.Refused)
    assert "your peer id is not known here" in str(end.error)


def test_trust_is_for_connections_to_come_and_can_be_taken_back(make_side: MakeSide) -> None:
    left, right = make_side(), make_side()
    assert not right.endpoint.distrust(left.node.peer_id)
    right.endpoint.trust(str(left.node.peer_id))
    assert right.endpoint.distrust(left.node.peer_id)
    left.endpoint.connect(str(right.address), str(right.node.peer_id))
    assert closed(left, right.node).reason is channeler.ErrorCode.REFUSED


def test_a_callback_says_who_may_connect(make_side: MakeSide) -> None:
    for is_welcome in (True, False):
        asked: list[quic.ConnectionRequest] = []

        def answer(
            request: quic.ConnectionRequest,
            asked: list[quic.ConnectionRequest] = asked,
            is_welcome: bool = is_welcome,
        ) -> bool:
            asked.append(request)
            return is_welcome

        left, right = make_side(), make_side(on_accept=answer)
        left.endpoint.connect(right.address, right.node.peer_id)
        if is_welcome:
            process_until(partial(right.told, quic.Connected), left.node, right.node)
        else:
            assert closed(left, right.node).reason is channeler.ErrorCode.REFUSED
        (request,) = asked
        assert request.peer == left.node.peer_id
        assert request.public_key == left.node.public_key
        assert request.address == left.address
        with pytest.raises(channeler.ChannelerError):
            right.endpoint.accept(request.connection)


def test_a_request_may_be_answered_later(make_side: MakeSide) -> None:
    for is_welcome in (True, False):
        left, right = make_side(), make_side(quic.Options(ask_before_accept=True))
        left.endpoint.connect(right.address, right.node.peer_id)
        process_until(partial(right.told, quic.ConnectionRequest), left.node, right.node)
        (request,) = right.told(quic.ConnectionRequest)
        if is_welcome:
            right.endpoint.accept(request.connection)
            process_until(partial(right.told, quic.Connected), right.node)
        else:
            right.endpoint.refuse(request.connection)
            assert closed(left, right.node).reason is channeler.ErrorCode.REFUSED
    with pytest.raises(channeler.InvalidConnection):
        right.endpoint.accept(999)


class Oops(Exception):
    """What the callbacks here raise."""


def raises(*_: object) -> bool:
    raise Oops


def test_an_accept_callback_that_raises_accepts_nobody(make_side: MakeSide) -> None:
    left, right = make_side(), make_side(on_accept=raises)
    left.endpoint.connect(right.address, right.node.peer_id)
    with pytest.raises(Oops):
        process_until(lambda: False, left.node, right.node)
    assert closed(left, right.node).reason is channeler.ErrorCode.REFUSED
    assert right.told(quic.Connected) == []


def test_messages_can_be_handed_to_callbacks(make_side: MakeSide) -> None:
    messages: list[quic.Message] = []
    syncs: list[quic.SyncMessage] = []
    right = make_side(on_message=messages.append, on_sync=syncs.append)
    left, _ = acquainted(make_side(), right)
    for round in range(3):
        for number in range(10):
            left.endpoint.send(right.address, TEAM, "x", b"%d" % number)
            left.endpoint.send_sync(right.address, b"%d" % number)
        count = 10 * (round + 1)
        process_until(lambda: len(messages) >= count <= len(syncs), left.node, right.node)
    for taken in (messages, syncs):
        assert [each.data for each in taken] == [b"%d" % number for number in range(10)] * 3


def test_what_a_message_callback_raises_comes_out_and_the_next_message_is_told(
    make_side: MakeSide, caplog: pytest.LogCaptureFixture
) -> None:
    told = []

    def complain(message: quic.Message) -> None:
        told.append(message.data)
        raise Oops(message.data.decode())

    right = make_side(on_message=complain)
    left, _ = acquainted(make_side(), right)
    process_until(lambda: right.told(quic.Connected), left.node, right.node)
    for text in (b"first", b"second"):
        left.endpoint.send(right.address, TEAM, "x", text)
    left.node.flush()
    with pytest.raises(Oops, match="first"):
        process_until(lambda: False, right.node)
    if len(told) < 2:  # They came with two turns.
        with pytest.raises(Oops, match="second"):
            process_until(lambda: False, right.node)
    else:
        assert "a callback raised Oops: second" in caplog.text
    assert told == [b"first", b"second"]


def test_in_the_nodes_own_thread_what_is_raised_is_logged(
    make_side: MakeSide, caplog: pytest.LogCaptureFixture
) -> None:
    told = threading.Event()

    def complain(_: quic.Message) -> None:
        told.set()
        raise Oops("in the thread")

    right = make_side(on_message=complain)
    left, _ = acquainted(make_side(), right)
    with caplog.at_level(logging.ERROR, "channeler"):
        right.node.start()
        left.endpoint.send(right.address, TEAM, "x", b"x")
        process_until(told.is_set, left.node)
        right.node.stop()
    assert "a callback raised Oops: in the thread" in caplog.text


def test_callbacks_may_send_and_close(make_side: MakeSide) -> None:
    def answer(message: quic.Message) -> None:
        right.endpoint.send(*message.channel, message.data.upper())
        if message.data == b"close":
            right.node.flush()
            right.node.close()

    right = make_side(on_message=answer)
    left, _ = acquainted(make_side(), right)
    left.endpoint.send(right.address, TEAM, "x", b"shout")
    process_until(lambda: left.told(quic.Readable), left.node, right.node)
    assert left.endpoint.receive().data == b"SHOUT"
    for text in (b"close", b"never read"):
        left.endpoint.send(right.address, TEAM, "x", text)
    while not right.node.closed:
        left.node.process(0.005)
        if not right.node.closed:
            right.node.process(0.005)
    assert [each.data for each in left.take(1)] == [b"CLOSE"]


@pytest.mark.parametrize("streams", list(quic.Streams))
def test_who_does_not_read_holds_the_sender_back_and_nothing_is_lost(
    make_side: MakeSide, streams: quic.Streams
) -> None:
    left = make_side(quic.Options(streams=streams, send_queue_bytes_max=1 << 20))
    right = make_side(quic.Options(connection_receive_messages_max=2))
    acquainted(left, right)
    data = bytes(1 << 18)
    sent = 0

    def blocks() -> bool:
        nonlocal sent
        try:
            while True:
                left.endpoint.send(right.address, TEAM, "x", b"%d " % sent + data)
                sent += 1
        except channeler.WouldBlock:
            return True

    def blocks_for_good() -> bool:
        before = sent
        left.events.clear()
        assert blocks()
        process_twenty_times()
        return sent == before and not left.told(quic.Writable)

    def process_twenty_times() -> None:
        for _ in range(20):
            for side in (left, right):
                side.node.process(0.002)

    process_until(blocks_for_good, left.node, right.node)
    assert 8 < sent < 200
    first = right.take(sent, left.node)
    (writable, *_) = left.told(quic.Writable)
    assert writable.address == right.address
    left.endpoint.send(right.address, TEAM, "x", b"%d " % sent + data)
    taken = first + right.take(1, left.node)
    assert [int(each.data.split()[0]) for each in taken] == list(range(sent + 1))
    assert left.told(quic.ConnectionClosed) == []


def test_a_close_comes_after_what_was_sent(pair: tuple[Side, Side]) -> None:
    left, right = pair
    for number in range(100):
        left.endpoint.send(right.address, TEAM, "x", b"%d" % number)
    left.endpoint.close_connection(right.address)
    with pytest.raises(channeler.InvalidConnection):
        left.endpoint.close_connection(right.address)
    end = closed(left, right.node)
    assert (end.reason, end.undelivered) == (channeler.ErrorCode.CLOSED, 0)
    other = closed(right, left.node)
    assert other.reason is channeler.ErrorCode.PEER_CLOSED
    assert isinstance(other.error, channeler.PeerClosed)
    assert other.peer == left.node.peer_id
    assert len(list(right.endpoint.messages())) == 100
    # A later message makes another connection, with those who are known.
    left.endpoint.trust(right.node.peer_id)
    left.endpoint.send(right.address, TEAM, "x", b"again")
    assert right.take(1, left.node)[0].data == b"again"


def test_connections_are_counted_and_described(pair: tuple[Side, Side]) -> None:
    left, right = pair
    assert left.endpoint.info(right.address).peer is None
    for _ in range(10):
        left.endpoint.send(right.address, TEAM, "x", bytes(1000))
    process_until(
        lambda: right.endpoint.stats().receive_queue_messages == 10, left.node, right.node
    )
    assert left.endpoint.connections() == [right.address]
    info = left.endpoint.info(right.address)
    assert info.connection == left.told(quic.Connected)[0].connection
    assert (info.address, info.peer) == (right.address, right.node.peer_id)
    assert info.connected and not info.by_peer
    assert right.endpoint.info(left.address).by_peer
    assert info.messages_sent == 10 and info.packets_sent > 5
    assert 0 < info.rtt_min <= info.rtt < 20
    for side, other in ((left, right), (right, left)):
        stats = side.endpoint.stats()
        assert stats.connections == 1
        assert stats.datagrams_sent > 2 and stats.datagrams_received > 2
        assert set(stats.dropped.values()) == {0}
        assert {"peer_unknown", "frame_too_long", "message_cut"} < set(stats.dropped)
        with pytest.raises(channeler.InvalidConnection):
            side.endpoint.info(side.address)
    assert left.endpoint.stats().dialled == right.endpoint.stats().accepted == 1


def test_a_ban_of_the_node_ends_them_too(pair: tuple[Side, Side]) -> None:
    left, right = pair
    process_until(lambda: right.told(quic.Connected), left.node, right.node)
    right.node.ban_peer(left.node.peer_id, 60)
    assert closed(right, left.node).reason is channeler.ErrorCode.BANNED
    left.node.ban_address(right.address, 60)
    with pytest.raises(channeler.Banned):
        left.endpoint.send(right.address, TEAM, "x", b"x")


def test_nobody_there_is_a_timeout(make_side: MakeSide) -> None:
    left = make_side(quic.Options(dial_timeout=0.1))
    left.endpoint.send("127.0.0.1:9", TEAM, "x", b"x")
    end = closed(left)
    assert isinstance(end.error, channeler.Timeout)
    assert (end.undelivered, end.peer) == (1, None)


def certified(name: str, authority: str = "first") -> quic.Options:
    return quic.Options(
        certificate_chain=(VECTORS / f"{name}.pem").read_text(),
        private_key=(VECTORS / f"{name}.key").read_text(),
        authorities=(VECTORS / f"{authority}.pem").read_text(),
        server_name="node.test",
    )


def test_certificates_of_one_authority_believe_each_other(make_side: MakeSide) -> None:
    left, right = make_side(certified("one")), make_side(certified("two"))
    left.endpoint.send(right.address, TEAM, "x", b"hello")
    (message,) = right.take(1, left.node)
    assert message.data == b"hello"
    assert left.told(quic.Connected)[0].peer != right.node.peer_id
    assert message.peer == right.told(quic.Connected)[0].peer


def test_a_certificate_of_another_authority_is_refused_with_its_reason(
    make_side: MakeSide,
) -> None:
    left, right = make_side(certified("three")), make_side(certified("two"))
    left.endpoint.send(right.address, TEAM, "x", b"hello")
    end = closed(right, left.node)
    assert isinstance(end.error, channeler.WrongIdentity)
    assert "UnknownIssuer" in str(end.error)
    assert isinstance(closed(left, right.node).error, channeler.WrongIdentity)


def test_a_private_key_is_in_no_text(make_side: MakeSide) -> None:
    options = certified("one")
    assert options.private_key is not None
    assert options.private_key.splitlines()[1] not in repr(options)


def test_the_port_of_a_node_has_both_kinds_of_traffic() -> None:
    received: list[bytes] = []
    with bound(on_message=lambda _, data: received.append(data)) as node, bound() as other:
        mine, its = quic.Endpoint(node), quic.Endpoint(other)
        mine.trust(other.peer_id)
        its.connect(node.local_address(), node.peer_id)
        its.send(node.local_address(), TEAM, "x", b"QUIC")
        other.connect(node.peer_id, node.local_address()).open_channel().send(b"version 1")
        got: list[bytes] = []

        def both_came() -> bool:
            got.extend(message.data for message in mine.messages())
            return bool(got and received)

        process_until(both_came, node, other)
        assert (got, received) == ([b"QUIC"], [b"version 1"])
        # It is the node's: it ends with that, not before.
        mine.close()
        assert not node.closed
    with pytest.raises(channeler.StateError):
        mine.receive()


def test_they_are_opened_once_and_the_first_stays(make_side: MakeSide) -> None:
    messages: list[quic.Message] = []
    right = make_side(on_message=messages.append)
    with pytest.raises(channeler.StateError):
        quic.Endpoint(right.node, on_message=raises)
    left, _ = acquainted(make_side(), right)
    left.endpoint.send(right.address, TEAM, "x", b"x")
    process_until(lambda: messages, left.node, right.node)


def test_a_port_of_ones_own_serves_nothing_else(make_side: MakeSide) -> None:
    side = make_side()
    ends: list[channeler.Event] = []
    options = channeler.Options(dial_timeout=0.3, attempt_timeout=0.3)
    with bound(options=options, on_event=ends.append) as node:
        node.connect(side.node.peer_id, side.address)
        process_until(lambda: ends, node, side.node)
        assert isinstance(ends[0], channeler.ConnectionClosed)
        assert side.node.stats().connections == 0
    with quic.Endpoint.alone("127.0.0.1:0", identity=channeler.Identity.generate()) as endpoint:
        node = endpoint.node
    assert node.closed
    with pytest.raises(channeler.SocketError):
        quic.Endpoint.alone(side.address)


def test_an_endpoint_that_is_lost_goes_on_as_its_node_does() -> None:
    messages: list[quic.Message] = []
    with bound() as node, bound() as other:
        quic.Endpoint(node, on_message=messages.append).trust(other.peer_id)
        its = quic.Endpoint(other)
        its.connect(node.local_address(), node.peer_id)
        its.send(node.local_address(), TEAM, "x", b"x")
        process_until(lambda: messages, node, other)


def test_wrong_arguments_say_what_is_wrong(make_side: MakeSide) -> None:
    side = make_side()
    send = side.endpoint.send
    with pytest.raises(channeler.InvalidArgument, match="32 bytes, not 3"):
        send(side.address, b"abc", "x", b"x")
    with pytest.raises(channeler.InvalidArgument, match="257 bytes; allowed are 256"):
        send(side.address, TEAM, "x" * 257, b"x")
    with pytest.raises(channeler.DecodeError):
        send(side.address, TEAM, "\udcff", b"x")
    with pytest.raises(channeler.InvalidAddress):
        send("0.0.0.0:9", TEAM, "x", b"x")
    with pytest.raises(channeler.MessageTooLarge):
        send(side.address, TEAM, "x", bytes((16 << 20) + 1))
    with bound() as node:
        with pytest.raises(channeler.InvalidArgument, match="message_bytes_max"):
            quic.Endpoint(node, quic.Options(message_bytes_max=0))
        with pytest.raises(channeler.InvalidArgument, match="all or none"):
            quic.Endpoint(node, quic.Options(certificate_chain="nothing"))
        with pytest.raises(channeler.InvalidArgument, match="keep_alive is -1.0 seconds"):
            quic.Endpoint(node, quic.Options(keep_alive=-1.0))
        quic.Endpoint(node)  # What failed left nothing behind.


def test_the_defaults_are_the_librarys() -> None:
    defaults = quic.Options.defaults()
    assert defaults.streams is quic.Streams.ORDERED
    assert defaults.message_bytes_max == 16 << 20
    assert (defaults.idle_timeout, defaults.keep_alive) == (30.0, 0.0)
    assert defaults.accept_incoming is True and defaults.ask_before_accept is False
    assert defaults.congestion is channeler.Options.defaults().congestion
    assert defaults.certificate_chain is None
