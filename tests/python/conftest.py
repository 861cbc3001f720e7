"""What the tests share: two nodes on a loop without sockets, pairs of nodes with sockets."""

from __future__ import annotations

import gc
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

import channeler

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 20.0
MILLISECOND = 1_000_000


class Side:
    """A node that notes what it is told."""

    def __init__(self, make: Any, options: channeler.Options, **callbacks: Any) -> None:
        self.events: list[channeler.Event] = []
        self.node = make(options, on_event=self.events.append, **callbacks)

    def told(self, kind: type[Any]) -> list[Any]:
        """The events of a kind."""
        return [event for event in self.events if isinstance(event, kind)]


class Loop:
    """Two sans-IO nodes, each at an address, with a clock that tests turn."""

    def __init__(
        self, left: channeler.Options, right: channeler.Options, **callbacks: Any
    ) -> None:
        self.now = 1_000_000_000
        self.left = Side(channeler.SansIoNode, left)
        self.right = Side(channeler.SansIoNode, right, **callbacks)
        self.left_address = channeler.Address("192.0.2.1", 1000)
        self.right_address = channeler.Address("192.0.2.2", 2000)

    def run(self) -> None:
        """Carries datagrams until there are none."""
        for _ in range(1000):
            if not self._carry():
                return
        raise AssertionError("the nodes never fall silent")

    def advance(self, nanoseconds: int) -> None:
        """Lets time pass, with all that becomes due in it."""
        end = self.now + nanoseconds
        while True:
            self.run()
            due = [side.node.poll_timeout() for side in (self.left, self.right)]
            next_due = min((time for time in due if time is not None), default=end)
            if next_due > end:
                break
            self.now = max(self.now + 1, next_due)
            for side in (self.left, self.right):
                side.node.handle_timeout(self.now)
            if self.now >= end:
                break
        self.now = max(self.now, end)
        self.run()

    def connect(self) -> tuple[channeler.Channel, channeler.Channel]:
        """Opens a channel from left to right; returns both ends."""
        connection = self.left.node.connect(self.right.node.peer_id, self.right_address)
        before = len(self.right.told(channeler.ChannelOpened))
        channel = connection.open_channel()
        self.run()
        opened = self.right.told(channeler.ChannelOpened)[before:]
        assert len(opened) == 1
        assert channel in [event.channel for event in self.left.told(channeler.ChannelOpened)]
        return channel, opened[0].channel

    def close(self) -> None:
        """Frees both nodes."""
        self.left.node.close()
        self.right.node.close()

    def _carry(self) -> bool:
        carried = False
        ways = (
            (self.left.node, self.left_address, self.right.node, self.right_address),
            (self.right.node, self.right_address, self.left.node, self.left_address),
        )
        for source, source_address, target, target_address in ways:
            if source.closed or target.closed:
                continue
            for transmit in source.transmits(self.now):
                assert transmit.to == target_address
                carried = True
                for datagram in transmit.datagrams():
                    target.handle_datagram(self.now, source_address, datagram, target_address)
        return carried


def seeded(number: int, **settings: Any) -> channeler.Options:
    """Options of a sans-IO node whose run can be repeated."""
    return channeler.Options(seed=bytes([number]) * 32, **settings)


@pytest.fixture
def make_loop() -> Iterator[Callable[..., Loop]]:
    """Makes loops, and frees their nodes."""
    made: list[Loop] = []

    def make(
        left: channeler.Options | None = None,
        right: channeler.Options | None = None,
        **callbacks: Any,
    ) -> Loop:
        made.append(Loop(left or seeded(1), right or seeded(2), **callbacks))
        return made[-1]

    yield make
    for loop in made:
        loop.close()


def legacy_loop(make_loop: Callable[..., Loop]) -> Loop:
    """Two nodes that speak version 0."""
    return make_loop(*(seeded(number, legacy=channeler.Legacy.ONLY) for number in (1, 2)))


@pytest.fixture
def loop(make_loop: Callable[..., Loop]) -> Loop:
    """Two nodes with the settings that are the default."""
    return make_loop()


def bound(**callbacks: Any) -> channeler.Node:
    """A node with a socket on this machine."""
    node = channeler.Node(**callbacks)
    node.bind("127.0.0.1:0")
    return node


def process_until(done: Callable[[], object], *nodes: channeler.Node) -> None:
    """Runs nodes in this thread until something is so."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not done():
        assert time.monotonic() < deadline, "it never came about"
        for node in nodes:
            node.process(0.005)


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """Every node that a test made and freed is forgotten, and so is what it was lent."""
    from channeler import _callbacks

    yield
    gc.collect()
    assert not _callbacks._lenders
    assert not _callbacks._holds
