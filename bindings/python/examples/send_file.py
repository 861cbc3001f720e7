#!/usr/bin/env python3
"""Sends a file of any size, whole or not at all, and talks beside it; the same as
examples-c/send_file.c, and it talks with that.

The file goes over one reliable, ordered channel. A second one of higher priority carries a question
every now and then, which the receiver answers at once: what is small stays quick beside what is
large. When the connection breaks the sender dials again, and the file goes on where it was.

The messages of the channel "file"; numbers are big-endian:
  'O' offer    u64 bytes in the file, its SHA-256 (32 bytes), its name: from the sender, first
  'A' accept   u64 where to begin: the receiver has what is before it
  'N' no       why not, for people
  'D' data     the next bytes of the file
  'V' verdict  u8 1: the receiver has the file, and its SHA-256 is right; 0: it is not
On the channel "chat" each message is a line of text, and the receiver sends it back.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import statistics
import struct
import sys
import time
from typing import BinaryIO

import channeler
from common import (
    FAILED,
    GOOD,
    SETTINGS_USAGE,
    UsageError,
    close_and_wait,
    connect_to,
    dial,
    listen_at,
    peer_text,
    printable,
    run,
    settings,
)

USAGE_TEXT = f"""\
usage: {{name}} receive ADDRESS [DIRECTORY]       take one file
       {{name}} send PEERID@ADDRESS FILE          send it

The file arrives whole, compared by SHA-256, or not at all. What came of it when a
connection breaks is kept in DIRECTORY (default: this one) as NAME.HASH.part, and sending the
same file again goes on from there. The sender says something beside it all the time, and
tells how soon it was answered.

ADDRESS is IP:PORT: 127.0.0.1:7000, [::1]:7000, or [::]:7000 for all that this machine
has; port 0 takes any that is free. The receiver prints the PEERID@ADDRESS to give to the
sender; with --identity its PEERID is the same each time.

{SETTINGS_USAGE}
Exits with 0 when the file came whole, 1 when something failed, 2 when called wrongly.
"""

OFFER = struct.Struct(">cQ32s")
ACCEPT = struct.Struct(">cQ")

PIECE_BYTES = 65536  # of the file in a message
NAME_BYTES_MAX = 200
PROGRESS_SECONDS = 0.1  # how often the progress bar is drawn
PROGRESS_CELLS = 30
ASK_SECONDS = 0.02  # how often the sender says something beside the file
TRIES = 30  # how often a broken connection is dialled again
TRY_SECONDS = 0.5  # and how long after the last try


class Bar:
    """A bar on a terminal; elsewhere nothing."""

    def __init__(self, what: str, start: int, total: int) -> None:
        self._what = what
        self._start = start
        self._total = total
        self._began = time.monotonic()
        self._drawn = 0.0

    def draw(self, done: int) -> None:
        now = time.monotonic()
        is_last = done >= self._total
        if not sys.stderr.isatty() or (now - self._drawn < PROGRESS_SECONDS and not is_last):
            return
        self._drawn = now
        part = done / self._total if self._total else 1.0
        cells = ("#" * int(part * PROGRESS_CELLS)).ljust(PROGRESS_CELLS)
        rate = (done - self._start) / max(now - self._began, 1e-9)  # only what came since counts
        left = f", {(self._total - done) / rate:.0f} s left" if rate and not is_last else ""
        text = f"\r{self._what} [{cells}] {part * 100:3.0f} %  {rate / 1e6:.1f} MB/s{left}\033[K"
        print(text, end="\n" if is_last else "", file=sys.stderr, flush=True)


def tell(text: str) -> None:
    """Says what went wrong; on a terminal, not into the bar."""
    print(f"\r\033[K{text}" if sys.stderr.isatty() else text, file=sys.stderr)


def hash_file(file: BinaryIO, size: int) -> hashlib._Hash:
    """Begins the SHA-256 of a file with what is in it."""
    digest = hashlib.sha256()
    bar = Bar("checking", 0, size)
    file.seek(0)
    done = 0
    while piece := file.read(PIECE_BYTES):
        digest.update(piece)
        done += len(piece)
        bar.draw(done)
    return digest


def open_channel(connection: channeler.Connection, label: str, priority: int) -> channeler.Channel:
    reliable = (
        channeler.Capability.RESEND
        | channeler.Capability.ORDERED
        | channeler.Capability.CLOSE_ON_LOSS
    )
    return connection.open_channel(reliable, label=label, priority=priority)


def options_with_endings() -> channeler.Options:
    """A peer that says nothing for a while is gone; ours is asked now and then, so that it says
    something.
    """
    return dataclasses.replace(settings.options(), idle_timeout=10.0, keep_alive=2.0)


class Sender:
    """Offers a file, and sends what the receiver does not have."""

    def __init__(self, peer: str, name: str, file: BinaryIO) -> None:
        self._peer = peer
        self._name = name
        self._file = file
        self._size = os.fstat(file.fileno()).st_size
        self._digest = hash_file(file, self._size).digest()
        print(f"{name}: SHA-256 {self._digest.hex()}")
        self._sent = 0  # where the next piece begins
        self._resumed = 0  # where the receiver told us to begin, the last time
        self._is_accepted = False  # the receiver wants the file
        self._is_refused = False
        self._verdict: bool | None = None
        self._closed: channeler.ConnectionClosed | None = None
        self._tries = 0  # since the last time that the receiver was there
        self._questions = 0
        self._asked: float | None = None  # when the last question was sent that has no answer
        self._last_asked = 0.0
        self._times: list[float] = []
        self._began = 0.0
        self._bar = Bar("sending ", 0, self._size)
        self.node = channeler.Node(
            options_with_endings(), on_event=self._on_event, on_message=self._on_message
        )
        self._connection = connect_to(self.node, peer)
        self._begin()

    def send(self) -> int:
        """Returns what the program exits with."""
        while self._verdict is None and not self._is_refused:
            self.node.process(ASK_SECONDS)
            if self._closed is not None:
                self._try_again(self._closed)
            self._send_pieces()
            self._chat()
        if self._verdict:
            self._print_sent()
        elif self._verdict is False:
            tell("what arrived is not the file: its SHA-256 differs")
        if self._closed is None:
            close_and_wait(
                self.node, self._connection, "done", lambda: self._closed is not None
            )
        return GOOD if self._verdict else FAILED

    def _begin(self) -> None:
        # Channels can be opened, and messages sent, before the connection is there: they wait.
        self._file_channel = open_channel(self._connection, "file", 4)
        self._chat_channel = open_channel(self._connection, "chat", 0)
        self._is_accepted = False
        self._is_full = False
        self._asked = None
        self._closed = None
        name = os.path.basename(self._name).encode()[:NAME_BYTES_MAX]
        self._file_channel.send(OFFER.pack(b"O", self._size, self._digest) + name)

    def _send_pieces(self) -> None:
        """Queues pieces of the file until it takes no more."""
        if not self._is_accepted:
            return
        while not self._is_full and self._sent < self._size:
            self._file.seek(self._sent)
            piece = self._file.read(PIECE_BYTES)
            if not piece:
                raise OSError(f"{self._name}: the file became shorter meanwhile")
            try:
                self._file_channel.send(b"D" + piece)
                self._sent += len(piece)
            except channeler.WouldBlock:
                self._is_full = True  # a Writable event says when it is not
            except (channeler.InvalidChannel, channeler.Closed):
                self._is_full = True  # the event with the reason is on its way
        self._bar.draw(self._sent)

    def _chat(self) -> None:
        """Says something beside the file, once the last was answered."""
        now = time.monotonic()
        if not self._is_accepted or self._asked is not None:
            return
        if now - self._last_asked < ASK_SECONDS:
            return
        self._last_asked = now
        self._questions += 1
        try:
            self._chat_channel.send(f"still there? ({self._questions})".encode())
            self._asked = now
        except (channeler.WouldBlock, channeler.InvalidChannel, channeler.Closed):
            pass

    def _try_again(self, closed: channeler.ConnectionClosed) -> None:
        """Dials again, if there is hope."""
        if self._tries == TRIES:
            text = f"the receiver cannot be reached: {closed.reason.text}"
            raise channeler.error_from(closed.reason, text)
        self._tries += 1
        tell(
            f"the connection ended: {closed.reason.text}; "
            f"trying again ({self._tries} of {TRIES})"
        )
        deadline = time.monotonic() + TRY_SECONDS
        while (left := deadline - time.monotonic()) > 0:
            self.node.process(left)
        self._connection = dial(self.node, self._peer)
        self._begin()

    def _on_event(self, event: channeler.Event) -> None:
        if event.connection != self._connection:
            return
        if isinstance(event, channeler.Writable) and event.channel == self._file_channel:
            self._is_full = False
        elif isinstance(event, channeler.ConnectionClosed):
            self._closed = event

    def _on_message(self, channel: channeler.Channel, message: bytes) -> None:
        if channel == self._chat_channel:
            if self._asked is not None:
                self._times.append(time.monotonic() - self._asked)
                self._asked = None
        elif message[:1] == b"A" and len(message) == ACCEPT.size:
            self._accept(ACCEPT.unpack(message)[1])
        elif message[:1] == b"N":
            self._is_refused = True
            tell(f"the receiver does not take the file: {printable(message[1:])}")
        elif message[:1] == b"V" and len(message) == 2:
            self._verdict = message[1] == 1

    def _accept(self, start: int) -> None:
        if start > self._size:
            return
        self._is_accepted = True
        self._tries = 0
        self._sent = self._resumed = start
        self._began = time.monotonic()
        self._bar = Bar("sending ", start, self._size)
        if start:
            print(f"going on at byte {start:,}")

    def _print_sent(self) -> None:
        seconds = max(time.monotonic() - self._began, 1e-9)
        size = self._size - self._resumed
        print(f"sent {size:,} bytes in {seconds:.3f} s: {size / seconds / 1e6:.1f} MB/s")
        if self._times:
            median, most = statistics.median(self._times) * 1e3, max(self._times) * 1e3
            print(
                f"beside it {len(self._times)} questions were answered in {median:.2f} ms at the "
                f"median, {most:.2f} ms at most"
            )


class Receiver:
    """Takes one file; the sender may go and come back meanwhile."""

    def __init__(self, address: str, directory: str) -> None:
        self._directory = directory
        self._connection: channeler.Connection | None = None
        self._file_channel: channeler.Channel | None = None
        self._chat_channel: channeler.Channel | None = None
        self._file: BinaryIO | None = None
        self._size = 0
        self._received = 0
        # Of what was received: made as it comes, so that the end holds nobody up.
        self._hash = hashlib.sha256()
        self._digest = b""
        self._path = ""
        self._part_path = ""
        self._verdict: bool | None = None
        self._is_over = False  # the sender has the verdict and left
        self._bar = Bar("receiving", 0, 0)
        # No on_message: messages wait until `_read` takes them.
        self.node = channeler.Node(
            options_with_endings(), on_event=self._on_event, on_accept=self._on_accept
        )
        listen_at(self.node, address)

    def receive(self) -> int:
        """Returns what the program exits with."""
        while not self._is_over:
            self.node.process()
        return GOOD if self._verdict else FAILED

    def _on_accept(
        self, connection: channeler.Connection, peer: channeler.PeerId, address: channeler.Address
    ) -> bool:
        # One sender at a time; when its connection broke it may come back.
        if self._connection is not None:
            return False
        self._connection = connection
        self._file_channel = self._chat_channel = None
        print(f"receiving from {peer_text(peer, address)}")
        return True

    def _on_event(self, event: channeler.Event) -> None:
        if event.connection != self._connection:
            return
        if isinstance(event, channeler.ChannelOpened):
            self._note(event.channel)
        elif isinstance(event, channeler.Readable):
            self._read(event.channel)
        elif isinstance(event, channeler.ConnectionClosed):
            self._connection = None
            self._is_over = self._verdict is not None
            if not self._is_over:
                tell(
                    f"the connection ended: {event.reason.text}; "
                    "waiting for the sender to come back"
                )

    def _note(self, channel: channeler.Channel) -> None:
        # The label says what a channel is for.
        if channel.label == b"file":
            self._file_channel = channel
        elif channel.label == b"chat":
            self._chat_channel = channel
        else:
            channel.reset(1)

    def _read(self, channel: channeler.Channel) -> None:
        # What we would leave there holds the sender back: nothing is ever lost because we are slow.
        try:
            for message in channel.messages():
                if channel == self._chat_channel:
                    self._say(channel, message)
                elif message[:1] == b"O" and len(message) > OFFER.size and self._verdict is None:
                    self._take_offer(message)
                elif message[:1] == b"D" and self._verdict is None:
                    self._take_piece(memoryview(message)[1:])
        except channeler.InvalidChannel:
            pass  # It ended meanwhile.

    def _say(self, channel: channeler.Channel | None, message: bytes) -> None:
        assert channel is not None
        try:
            channel.send(message)
        except (channeler.InvalidChannel, channeler.Closed):
            pass  # A sender that has just gone tells us so by an event.

    def _refuse(self, why: str) -> None:
        tell(f"refused a file: {why}")
        self._say(self._file_channel, b"N" + why.encode())

    def _take_offer(self, offer: bytes) -> None:
        _, self._size, self._digest = OFFER.unpack_from(offer)
        name = offer[OFFER.size :].decode(errors="replace")
        # A name from the network must not lead out of our directory, or hide.
        is_bad = name.startswith(".") or "/" in name or not name.isprintable()
        if is_bad or len(name) > NAME_BYTES_MAX:
            return self._refuse("its name is none for a file here")
        self._path = os.path.join(self._directory, name)
        # The hash in its name makes sure that only the same file is gone on with.
        self._part_path = f"{self._path}.{self._digest.hex()[:16]}.part"
        try:
            self._open_part()
        except OSError as error:
            return self._refuse(error.strerror or str(error))
        going_on = f", going on at byte {self._received:,}" if self._received else ""
        print(f"{name}: {self._size:,} bytes{going_on}")
        self._bar = Bar("receiving", self._received, self._size)
        self._say(self._file_channel, ACCEPT.pack(b"A", self._received))
        if self._received == self._size:
            self._finish()

    def _open_part(self) -> None:
        if self._file is not None:
            self._file.close()
        flags = os.O_RDWR | os.O_CREAT
        self._file = os.fdopen(os.open(self._part_path, flags, 0o666), "r+b")
        self._received = self._file.seek(0, os.SEEK_END)
        if self._received > self._size:
            self._file.truncate(0)
            self._received = 0
        self._hash = hash_file(self._file, self._received)

    def _take_piece(self, piece: memoryview) -> None:
        if self._file is None or len(piece) > self._size - self._received:
            return self._refuse("more bytes than the file has")
        self._file.write(piece)
        self._hash.update(piece)
        self._received += len(piece)
        self._bar.draw(self._received)
        if self._received == self._size:
            self._finish()

    def _finish(self) -> None:
        """Everything is here: is it what was offered?"""
        assert self._file is not None
        self._file.close()
        self._file = None
        digest = self._hash.digest()
        self._verdict = digest == self._digest
        if self._verdict:
            os.rename(self._part_path, self._path)
            print(f"{self._path}: SHA-256 {digest.hex()}, as it was sent")
        else:
            os.unlink(self._part_path)
            tell("what came is not what was offered: its SHA-256 differs")
        self._say(self._file_channel, b"V" + bytes([self._verdict]))


def program(words: list[str]) -> int:
    if settings.is_v0:
        raise UsageError("the old protocol has no reliable channels")
    if len(words) in (2, 3) and words[0] == "receive":
        receiver = Receiver(words[1], words[2] if len(words) == 3 else ".")
        with receiver.node:
            try:
                return receiver.receive()
            except KeyboardInterrupt:
                return FAILED  # What came is kept.
    if len(words) == 3 and words[0] == "send":
        if os.path.exists(words[2]) and not os.path.isfile(words[2]):
            raise UsageError(f"{words[2]}: only a regular file can be sent")
        with open(words[2], "rb") as file:
            sender = Sender(words[1], words[2], file)
            with sender.node:
                try:
                    return sender.send()
                except KeyboardInterrupt:
                    return FAILED
    raise UsageError


if __name__ == "__main__":
    run(program, USAGE_TEXT)
