#!/usr/bin/env python3
"""Sends a file, each line a message, over several channels at once; the same as
examples-c/send_lines.c, and it talks with that.

A plain channel neither repeats what gets lost nor keeps an order, so each message says which line
it is and where it belongs in the file, and the receiver counts.

The messages; numbers are big-endian:
  'H' hello    nothing more. Sent first, repeated until answered
  'L' line     u32 number, u64 offset in the file, the bytes (line end included)
  'E' end      u32 channels, u32 which of them, u32 lines sent on it, u32 lines sent on all,
               u64 bytes of the file. Sent last, repeated until answered
  'G' got      u8 'H' or 'E', which it answers, u32 lines received on this channel
"""

from __future__ import annotations

import itertools
import os
import stat
import struct
import sys
import time
from typing import BinaryIO, Iterator

import channeler
from common import (
    FAILED,
    GOOD,
    LOST,
    SETTINGS_USAGE,
    UsageError,
    close_and_wait,
    connect_to,
    listen_at,
    peer_text,
    run,
    settings,
)

USAGE_TEXT = f"""\
usage: {{name}} receive ADDRESS [--output FILE]
       {{name}} send PEERID@ADDRESS FILE [--channels N] [--rate LINES]

Sends a file, each line a message, over N channels at once (1 to 64, default 4), at most so
many LINES in a second (default: as fast as it goes). The receiver takes one file, says what
came and what was lost, and ends; it keeps the lines only with --output, each at its place,
so that nothing is missing from FILE but what was lost.

ADDRESS is IP:PORT: 127.0.0.1:7000, [::1]:7000, or [::]:7000 for all that this machine
has; port 0 takes any that is free. The receiver prints the PEERID@ADDRESS to give to the
sender.

{SETTINGS_USAGE}
Exits with 0 when every line came, 3 when some were lost, 1 when something failed, 2 when
called wrongly.
"""

LINE = struct.Struct(">cIQ")
END = struct.Struct(">cIIIIQ")
GOT = struct.Struct(">ccI")

CHANNELS_MAX = 64
BATCH = 64  # messages in one call
LINES_MAX = 1 << 27
FILE_BYTES_MAX = 1 << 40
QUEUE_BYTES = 65536  # what may wait in a channel
REPEAT_SECONDS = 0.05  # when an 'H' or 'E' without an answer is sent again
TRIES = 60  # and how often at most
PROGRESS_SECONDS = 0.1  # how often the progress bar is drawn
PROGRESS_CELLS = 30
LINGER_SECONDS = 0.3  # how long the receiver goes on answering
SILENCE_SECONDS = 10.0  # when the receiver gives up a sender that says nothing


def rates(lines: int, size: int, seconds: float) -> str:
    """Says "in 0.012 s: 83,000 lines/s, 4.3 MB/s"."""
    seconds = max(seconds, 1e-6)
    return f"in {seconds:.3f} s: {int(lines / seconds):,} lines/s, {size / seconds / 1e6:.1f} MB/s"


class Sender:
    """Sends the lines of a file, then says that this was all."""

    def __init__(self, receiver: str, count: int) -> None:
        self._opened = 0
        self._is_over = False
        self._closed: channeler.ErrorCode | None = None
        self._blocked: channeler.Channel | None = None
        self._asked = b""
        self._drawn = 0.0
        self.answers: dict[channeler.Channel, int] = {}
        self.cut = 0
        self.lines = 0
        self.bytes = 0
        self.waits = 0
        self.node = channeler.Node(
            settings.options(send_queue_bytes_max=QUEUE_BYTES),
            on_event=self._on_event,
            on_message=self._on_message,
        )
        self._connection = connect_to(self.node, receiver)
        self.channels = [self._connection.open_channel() for _ in range(count)]
        self._sent = dict.fromkeys(self.channels, 0)
        while self._opened < count:
            self._turn()
        # In protocol v0 the opener is told that a channel is open before the other side has let it
        # in, if it ever does: hence the hello.
        if not self.ask(b"H"):
            code = channeler.ErrorCode.TIMEOUT
            raise channeler.error_from(code, f"the receiver does not let us in: {code.text}")
        self._text_bytes_max = self._connection.info().packet_message_bytes - LINE.size

    def send_file(self, file: BinaryIO, rate: int) -> None:
        """Sends every line; the channels take turns."""
        messages = self._messages(file)
        status = os.fstat(file.fileno())
        size = status.st_size if stat.S_ISREG(status.st_mode) else 0
        start = time.monotonic()
        while True:
            count = BATCH
            if rate:
                due = (time.monotonic() - start) * rate - self.lines
                if due < 1:
                    self._turn((1 - due) / rate)
                    continue
                count = min(BATCH, int(due))
            batch = list(itertools.islice(messages, count))
            if not batch:
                break
            self._send_batch(batch)
            self._draw_progress(size)
        self._draw_progress(size, is_last=True)

    def ask(self, kind: bytes) -> bool:
        """Says hello (b"H") or that this was all (b"E") on each channel, again and again until the
        receiver answers that it heard. False: it never did.
        """
        self._asked = kind
        self.answers = {}
        for _ in range(TRIES):
            for index, channel in enumerate(self.channels):
                if channel not in self.answers:
                    self._ask_on(channel, index)
            deadline = time.monotonic() + REPEAT_SECONDS
            while (left := deadline - time.monotonic()) > 0:
                if len(self.answers) == len(self.channels):
                    return True
                self._turn(left)
        return False

    def leave(self) -> None:
        """Says that this was all."""
        close_and_wait(self.node, self._connection, "done", lambda: self._is_over)

    def _messages(self, file: BinaryIO) -> Iterator[tuple[channeler.Channel, bytes]]:
        # A line that is too long for a message goes in pieces, which count as lines.
        while line := file.readline(self._text_bytes_max):
            if self.lines == LINES_MAX or self.bytes + len(line) > FILE_BYTES_MAX:
                raise OSError("the file has too many lines")
            channel = self.channels[self.lines % len(self.channels)]
            message = LINE.pack(b"L", self.lines, self.bytes) + line
            self.cut += len(line) == self._text_bytes_max and not line.endswith(b"\n")
            self._sent[channel] += 1
            self.lines += 1
            self.bytes += len(line)
            yield channel, message

    def _send_batch(self, batch: list[tuple[channeler.Channel, bytes]]) -> None:
        while batch:
            batch = batch[self.node.send_many(batch) :]
            if batch:
                # The queue of this channel is full; an event tells when there is room.
                self._blocked = batch[0][0]
                self.waits += 1
                while self._blocked is not None:
                    self._turn()
        self._turn(0)  # let the network have it

    def _ask_on(self, channel: channeler.Channel, index: int) -> None:
        message = self._asked
        if message == b"E":
            count, sent = len(self.channels), self._sent[channel]
            message = END.pack(b"E", count, index, sent, self.lines, self.bytes)
        try:
            channel.send(message)
        except channeler.WouldBlock:
            pass  # No harm: it is said again.

    def _draw_progress(self, size: int, is_last: bool = False) -> None:
        """Draws a bar on a terminal: [########----------] 44 %. Nobody wants one in a log."""
        now = time.monotonic()
        if not size or not sys.stderr.isatty():
            return
        if now - self._drawn < PROGRESS_SECONDS and not is_last:
            return
        self._drawn = now
        part = min(self.bytes / size, 1.0)  # the file may have grown meanwhile
        bar = ("#" * int(part * PROGRESS_CELLS + 0.5)).ljust(PROGRESS_CELLS, "-")
        end = "\n" if is_last else ""
        print(f"\r[{bar}] {part * 100:3.0f} %", end=end, file=sys.stderr, flush=True)

    def _turn(self, seconds: float | None = None) -> None:
        self.node.process(seconds)
        if self._closed is not None:
            is_refused = self._closed == channeler.ErrorCode.REFUSED
            text = "does not let us in" if is_refused else "does not answer"
            text = f"the receiver {text}: {self._closed.text}"
            raise channeler.error_from(self._closed, text)

    def _on_event(self, event: channeler.Event) -> None:
        if isinstance(event, channeler.ChannelOpened):
            self._opened += 1
        elif isinstance(event, channeler.ChannelClosed):
            self._closed = event.reason
        elif isinstance(event, channeler.ConnectionClosed):
            self._is_over = True
        elif isinstance(event, channeler.Writable) and event.channel == self._blocked:
            self._blocked = None

    def _on_message(self, channel: channeler.Channel, message: bytes) -> None:
        if channel in self._sent and len(message) == GOT.size:
            letter, asked, received = GOT.unpack(message)
            if letter == b"G" and asked == self._asked:
                self.answers.setdefault(channel, received)


def run_sender(receiver: str, name: str, count: int, rate: int) -> int:
    """Sends a file, and says what became of it."""
    with open(name, "rb") as file:
        sender = Sender(receiver, count)
        with sender.node:
            start = time.monotonic()
            sender.send_file(file, rate)
            span = time.monotonic() - start
            is_heard = sender.ask(b"E")
            sender.leave()
    s = "" if count == 1 else "s"
    print(
        f"sent {sender.lines:,} lines ({sender.bytes:,} bytes) over {count} channel{s} "
        + rates(sender.lines, sender.bytes, span)
    )
    if sender.cut:
        print(
            f"{sender.cut:,} times a line was too long for a message, and went in pieces that"
            " count as lines"
        )
    if sender.waits:
        print(f"{sender.waits:,} times a queue was full and we waited for room")
    if not is_heard:
        print("the receiver did not say what it has")
        return FAILED
    got = sum(sender.answers.values())
    print(f"the receiver has {got:,} of {sender.lines:,}")
    if got == sender.lines:
        return GOOD
    print("(it could not follow, or the network could not: --rate sends more slowly)")
    return LOST


class Lane:
    """What came on one channel."""

    received = 0
    doubled = 0
    overtaken = 0
    last = 0
    end: tuple[int, int] | None = None
    """Which channel of the sender's it is, and how many lines were sent on it."""

    def row(self) -> str:
        """A line of the summary."""
        if self.end is None:
            return f"  {'?':>7} {'?':>12} {self.received:>12,} {'?':>12}"
        index, sent = self.end
        lost = max(sent - self.received, 0)
        return f"  {index + 1:>7} {sent:>12,} {self.received:>12,} {lost:>12,}"


class Receiver:
    """Takes one file from the first sender that comes."""

    def __init__(self, address: str, output: BinaryIO | None) -> None:
        self._output = output
        self._sender: channeler.Connection | None = None
        self._closed: channeler.ErrorCode | None = None
        self._seen: set[int] = set()
        self._heard = 0.0
        self._first: float | None = None
        self._last = 0.0
        self.lanes: dict[channeler.Channel, Lane] = {}
        self.expected: int | None = None
        self.lines_sent = 0
        self.file_bytes = 0
        self.bytes = 0
        self.node = channeler.Node(
            settings.options(),
            on_accept=self._on_accept,
            on_event=self._on_event,
        )
        listen_at(self.node, address)

    def receive_file(self) -> None:
        """Runs the node until all channels have ended, or the sender has gone."""
        over = None
        wait: float | None = None  # for ever: somebody must come first
        while True:
            self.node.process(wait)
            if self._closed is not None:
                return
            if self._sender is None:
                continue
            now = time.monotonic()
            if self._is_over():
                # Our answer may be lost, and the sender then asks again: stay a little.
                over = over or now
                end = over + LINGER_SECONDS
            else:
                end = self._heard + SILENCE_SECONDS
            is_last = wait == 0  # the time is up, and we have looked once more
            if end <= now and is_last:
                return
            wait = max(end - now, 0.0)

    def seconds(self) -> float:
        """From the first line to the last."""
        return 0.0 if self._first is None else self._last - self._first

    def _is_over(self) -> bool:
        ended = sum(lane.end is not None for lane in self.lanes.values())
        return self.expected is not None and ended >= self.expected

    def _on_accept(
        self, connection: channeler.Connection, peer: channeler.PeerId, address: channeler.Address
    ) -> bool:
        if self._sender is not None:
            return False
        self._sender = connection
        self._heard = time.monotonic()
        print(f"receiving from {peer_text(peer, address)}", flush=True)
        return True

    def _on_event(self, event: channeler.Event) -> None:
        if isinstance(event, channeler.ChannelOpened) and len(self.lanes) < CHANNELS_MAX:
            self.lanes[event.channel] = Lane()
        elif isinstance(event, channeler.Readable) and event.channel in self.lanes:
            self._read(event.channel)
        elif isinstance(event, channeler.ConnectionClosed):
            self._closed = event.reason

    def _read(self, channel: channeler.Channel) -> None:
        """Reads all that waits on a channel, many messages in a call."""
        self._heard = time.monotonic()
        slots = [channel] * BATCH
        while True:
            received = self.node.receive_many(slots)
            for _, message, _, error in received:
                if error is not None:
                    raise error
                self._take(channel, message)
            if len(received) < BATCH:
                return

    def _take(self, channel: channeler.Channel, message: bytes) -> None:
        lane = self.lanes[channel]
        if message[:1] == b"L" and len(message) > LINE.size:
            self._take_line(lane, message)
        elif message[:1] == b"E" and len(message) == END.size:
            if lane.end is None:
                _, count, index, sent, self.lines_sent, self.file_bytes = END.unpack(message)
                lane.end = (index, sent)
                self.expected = count
            self._answer(channel, b"E", lane.received)
        elif message == b"H":
            self._answer(channel, b"H", 0)

    def _take_line(self, lane: Lane, message: bytes) -> None:
        _, number, offset = LINE.unpack_from(message)
        if number >= LINES_MAX or offset >= FILE_BYTES_MAX:
            return  # No sender of ours says that.
        self._last = self._heard
        if self._first is None:
            self._first = self._heard
        if number in self._seen:
            lane.doubled += 1
            return
        self._seen.add(number)
        lane.overtaken += number < lane.last
        lane.last = max(lane.last, number + 1)
        lane.received += 1
        self.bytes += len(message) - LINE.size
        if self._output is not None:
            self._output.seek(offset)
            self._output.write(message[LINE.size :])
            self._output.flush()

    def _answer(self, channel: channeler.Channel, asked: bytes, received: int) -> None:
        try:
            channel.send(GOT.pack(b"G", asked, received))
        except channeler.WouldBlock:
            pass  # The sender asks again.


def print_summary(receiver: Receiver, dropped: int) -> int:
    """Prints a row a channel, in the sender's order, then what it comes to."""
    lanes = sorted(receiver.lanes.values(), key=lambda lane: lane.end or (CHANNELS_MAX, 0))
    received = sum(lane.received for lane in lanes)
    print("\n  channel         sent     received         lost")
    for lane in lanes:
        print(lane.row())
    if receiver.expected is None:
        print(
            f"\n{received:,} lines came, and then nothing:"
            " the sender never said that it had ended."
        )
        return FAILED
    sent = receiver.lines_sent
    lost = max(sent - received, 0)
    print(f"  {'all':>7} {sent:>12,} {received:>12,} {lost:>12,}\n")
    print(
        f"{received:,} of {sent:,} lines came "
        f"({receiver.bytes:,} of {receiver.file_bytes:,} bytes) "
        + rates(received, receiver.bytes, receiver.seconds())
        + "."
    )
    doubled = sum(lane.doubled for lane in lanes)
    overtaken = sum(lane.overtaken for lane in lanes)
    if doubled + overtaken:
        print(f"{doubled:,} came twice, {overtaken:,} after a later one.")
    if lost:
        share = 100.0 * lost / sent
        print(f"{lost:,} lines ({share:.1f} %) were lost: a plain channel does not repeat them.")
        # The others were lost on the way, or did not fit into the system's buffer of the socket.
        if dropped:
            print(f"{dropped:,} of them came faster than we read them.")
        else:
            print("None of them reached us.")
        return LOST
    print("Nothing was lost.")
    return GOOD


def run_receiver(address: str, output_name: str | None) -> int:
    """Receives a file, and says what came."""
    output = None if output_name is None else open(output_name, "wb")
    try:
        receiver = Receiver(address, output)
        with receiver.node:
            try:
                receiver.receive_file()
            except KeyboardInterrupt:
                pass  # Say what came until now.
            dropped = receiver.node.stats().dropped["receive_queue_full"]
    finally:
        if output is not None:
            output.close()
    if not receiver.lanes:
        print("nothing came", file=sys.stderr)
        return FAILED
    return print_summary(receiver, dropped)


def take_option(arguments: list[str], name: str) -> str | None:
    """Takes an option and its value out of the arguments."""
    if name not in arguments:
        return None
    at = arguments.index(name)
    if at + 1 == len(arguments):
        raise UsageError
    value = arguments[at + 1]
    del arguments[at : at + 2]
    return value


def number(text: str | None, default: int, least: int, most: int) -> int:
    """Reads a whole number."""
    if text is None:
        return default
    if not text.isdecimal() or not least <= int(text) <= most:
        raise UsageError(f"'{text}' is not a number from {least} to {most}")
    return int(text)


def main(arguments: list[str]) -> int:
    """Does what the arguments say."""
    words = list(arguments)
    count = number(take_option(words, "--channels"), 4, 1, CHANNELS_MAX)
    rate = number(take_option(words, "--rate"), 0, 1, 1_000_000_000)
    output = take_option(words, "--output")
    if any(word.startswith("--") for word in words):
        raise UsageError
    if len(words) == 2 and words[0] == "receive":
        return run_receiver(words[1], output)
    if len(words) == 3 and words[0] == "send":
        return run_sender(words[1], words[2], count, rate)
    raise UsageError


if __name__ == "__main__":
    run(main, USAGE_TEXT)
