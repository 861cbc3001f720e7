#!/usr/bin/env python3
"""One publisher measures and tells all who subscribe; the same as examples-c/telemetry.c, and it
talks with that.

The messages are text, on QUIC channels:
  TELEMETRY   "17 21.6": the 17th measurement, in degrees
  COMMAND     to the publisher: "subscribe", "every MS", "until NUMBER"; back: what became of it
"""

from __future__ import annotations

import re
import sys
import time

import channeler
from channeler import quic
from common import (
    FAILED,
    GOOD,
    SETTINGS_USAGE,
    UsageError,
    bind_for,
    listen_at,
    parse,
    parse_peer,
    peer_text,
    printable,
    run,
    said,
    settings,
)

USAGE_TEXT = f"""\
usage: {{name}} publish ADDRESS [PEERID ..]
       {{name}} subscribe PEERID@ADDRESS [COMMAND ..]

The publisher measures ten times a second, and tells all who subscribe: everybody, or only
each PEERID. It prints the PEERID@ADDRESS to give to them. A subscriber prints what it is
told until the publisher ends, and sends each COMMAND first:

  'every MS'        measure each MS milliseconds, 1 to 10000
  'until NUMBER'    end after that measurement

ADDRESS is IP:PORT: 127.0.0.1:7000, [::1]:7000, or [::]:7000 for all that this machine
has; port 0 takes any that is free.

{SETTINGS_USAGE}
Exits with 0 when all is well (also after Ctrl-C), 1 when something failed, 2 when called
wrongly.
"""

SUBSCRIBERS_MAX = 32  # as many connections as QUIC channels keep
TEXT_BYTES_MAX = 256  # of a message; the library takes no longer one
TEAM = b"telemetry example".ljust(quic.TEAM_BYTES, b"\0")
OPTIONS = quic.Options(message_bytes_max=TEXT_BYTES_MAX)


def print_error(*words: object) -> None:
    print(*words, file=sys.stderr, flush=True)


class Publisher:
    """Measures, and does what it is told."""

    def __init__(self, address: str, peers: list[str]) -> None:
        self._left_out: dict[channeler.Address, int] = {}  # by subscriber: what it missed
        self._number = 0  # of the last measurement
        self._until: int | None = None  # the last one
        self._every = 0.1
        self._next = time.monotonic()  # when the next measurement is due
        self.node = channeler.Node(settings.options())
        # Without `peers` everybody may subscribe.
        everybody = None if peers else lambda request: True
        with said("QUIC channels"):
            self._channels = quic.Endpoint(
                self.node,
                OPTIONS,
                on_event=self._on_event,
                on_message=self._on_message,
                on_accept=everybody,
            )
        for peer in peers:
            self._channels.trust(parse(channeler.PeerId.parse, peer))
        listen_at(self.node, address)

    def run(self) -> int:
        """Publishes until a command or Ctrl-C ends it."""
        try:
            while self._until is None or self._number < self._until:
                self.node.process(self._next - time.monotonic())
                if time.monotonic() >= self._next:
                    self._publish()
        except KeyboardInterrupt:
            pass
        # Whatever was sent arrives before the end does.
        for address in list(self._left_out):
            try:
                self._channels.close_connection(address)
            except channeler.InvalidConnection:
                pass  # It was faster.
        while self._left_out:
            self.node.process()
        print_error(self._number, "measurements")
        return GOOD

    def _publish(self) -> None:
        # No thermometer at hand: each is a little warmer than the last.
        self._number += 1
        degrees = f"2{self._number // 10 % 10}.{self._number % 10}"
        for address in self._left_out:
            if not self._send(address, "TELEMETRY", f"{self._number} {degrees}"):
                # Who does not read fast enough misses measurements: soon they are old anyway.
                self._left_out[address] += 1
        self._next += self._every

    def _send(self, address: channeler.Address, label: str, text: str) -> bool:
        try:
            self._channels.send(address, TEAM, label, text.encode())
        except channeler.WouldBlock:
            return False
        return True

    def _on_event(self, event: quic.Event) -> None:
        if isinstance(event, quic.AddressChanged) and event.address in self._left_out:
            self._left_out[event.new_address] = self._left_out.pop(event.address)
        elif isinstance(event, quic.ConnectionClosed) and event.address in self._left_out:
            if event.peer is not None and event.reason != channeler.ErrorCode.CLOSED:
                print_error(f"{peer_text(event.peer, event.address)}: {event.error}")
            left_out = self._left_out.pop(event.address)
            if left_out:
                print_error("it read too slowly for", left_out, "measurements")

    def _on_message(self, message: quic.Message) -> None:
        address, team, label = message.channel
        if (team, label) != (TEAM, "COMMAND"):
            return
        command = printable(message.data)
        answer = f"{command}: {self._obey(address, command)}"
        print_error(f"{peer_text(message.peer, address)}: {answer}")
        self._send(address, "COMMAND", answer)

    def _obey(self, address: channeler.Address, command: str) -> str:
        """Does what a command says, and returns what became of it."""
        if command == "subscribe":
            if address in self._left_out:
                return "you have subscribed before"
            if len(self._left_out) == SUBSCRIBERS_MAX:
                return "there are too many subscribers"
            self._left_out[address] = 0
        elif number := number_behind(command, "every", 10_000):
            self._every = number / 1000
            self._next = time.monotonic()
        elif number := number_behind(command, "until", 0xFFFF_FFFF):
            self._until = number
        else:
            return "that is no command"
        return "done"


def number_behind(text: str, word: str, limit: int) -> int:
    """A number within its limits behind a word; 0: there is none."""
    found = re.fullmatch(f"{word} ([0-9]{{1,18}})", text)
    number = int(found[1]) if found else 0
    return number if number <= limit else 0


def run_subscriber(publisher: str, commands: list[str]) -> int:
    """Prints what the publisher says, until it ends."""
    peer, address = parse_peer(publisher)
    ends: list[quic.ConnectionClosed] = []

    def on_event(event: quic.Event) -> None:
        if isinstance(event, quic.ConnectionClosed):
            ends.append(event)

    def on_message(message: quic.Message) -> None:
        text = printable(message.data)
        if message.channel == (address, TEAM, "TELEMETRY"):
            print(text, flush=True)
        elif message.channel == (address, TEAM, "COMMAND"):
            print_error("the publisher says:", text)

    with channeler.Node(settings.options()) as node:
        with said("QUIC channels"):
            channels = quic.Endpoint(node, OPTIONS, on_event=on_event, on_message=on_message)
        bind_for(node, publisher)
        # The connection is for that peer and no other; what is sent meanwhile waits for it.
        channels.connect(address, peer)
        for command in ("subscribe", *commands):
            channels.send(address, TEAM, "COMMAND", command.encode(errors="surrogateescape"))
        try:
            while not ends:
                node.process()
        except KeyboardInterrupt:
            channels.close_connection(address)
            while not ends:
                node.process()
    if ends[0].reason in (channeler.ErrorCode.PEER_CLOSED, channeler.ErrorCode.CLOSED):
        return GOOD
    print_error(f"{publisher}: {ends[0].error}")
    return FAILED


def program(words: list[str]) -> int:
    """Does what the arguments say."""
    if settings.is_v0:
        raise UsageError("the old protocol has no QUIC channels")
    if len(words) >= 2 and words[0] == "publish":
        publisher = Publisher(words[1], words[2:])
        with publisher.node:
            return publisher.run()
    if len(words) >= 2 and words[0] == "subscribe":
        return run_subscriber(words[1], words[2:])
    raise UsageError


if __name__ == "__main__":
    run(program, USAGE_TEXT)
