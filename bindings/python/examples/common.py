"""What the examples share: an identity that stays, addresses as PEERID@IP:PORT, ends, and errors as
one line.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Callable, Iterator, NoReturn, TypeVar

import channeler

_T = TypeVar("_T")

GOOD, FAILED, USAGE, LOST = 0, 1, 2, 3
"""What the examples exit with."""

SETTINGS_USAGE = """\
  --identity FILE   keep the same peer id between runs: its private key is in FILE, which is
                    made when it is not there. Without it there is a new peer id each time
  --v0              speak the old protocol: not encrypted, and a peer id proves nothing
"""


class UsageError(Exception):
    """The program was called wrongly."""


@dataclass
class Settings:
    """What every program can be told."""

    identity_file: str | None = None
    is_v0: bool = False

    def options(self, send_queue_bytes_max: int | None = None) -> channeler.Options:
        """Settings of a node; the library's, but for a few."""
        return channeler.Options(
            identity=self._identity(),
            legacy=channeler.Legacy.ONLY if self.is_v0 else None,
            dial_timeout=6.0,  # then nobody is there
            attempt_timeout=6.0,
            linger=1.0,  # how long a close waits for the peer's last word
            handshake_retries=4,  # the same for v0: 0.2 s, 0.4 s, .. 3.2 s
            send_queue_bytes_max=send_queue_bytes_max,
        )

    def _identity(self) -> channeler.Identity | None:
        """Reads the key in the file, or makes one that nobody else may read."""
        path = self.identity_file
        if path is None:
            return None
        try:
            with open(path, "rb") as file:
                with said(path):
                    return channeler.Identity.from_pem(file.read())
        except FileNotFoundError:
            made = channeler.Identity.generate()
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as new:
                new.write(made.pem)
            print(f"made a new identity; its private key is in {path}", file=sys.stderr)
            return made


settings = Settings()


def take_settings(arguments: list[str]) -> list[str]:
    """Takes what SETTINGS_USAGE names out of the arguments; returns the rest."""
    words: list[str] = []
    rest = iter(arguments)
    for word in rest:
        if word == "--v0":
            settings.is_v0 = True
        elif word == "--identity" and (path := next(rest, None)) is not None:
            settings.identity_file = path
        else:
            words.append(word)
    if settings.is_v0 and settings.identity_file is not None:
        raise UsageError(
            "--v0 has no use for --identity: there are no keys in the old protocol"
        )
    return words


def peer_text(peer: channeler.PeerId, address: channeler.Address) -> str:
    """Who and where, in one word."""
    return f"{peer}@{address}"


def connection_text(connection: channeler.Connection) -> str:
    """Who is at the other end of a connection."""
    info = connection.info()
    return peer_text(info.peer, info.address)


def listen_at(node: channeler.Node, text: str) -> None:
    """Opens a socket at IP:PORT, and prints what the other side must be given."""
    address = parse(channeler.Address.parse, text)
    with said("listen"):
        node.bind(address)
    address = node.local_address()
    print(f"listening on {peer_text(node.peer_id, address)}", flush=True)
    # 0.0.0.0 and [::] are all addresses of this machine, and none to send to.
    if address.host in ("0.0.0.0", "::"):
        host = "[::]" if address.host == "::" else address.host
        print(f"(give others an address of this machine in place of {host})", file=sys.stderr)


def parse_peer(text: str) -> tuple[channeler.PeerId, channeler.Address]:
    """Reads a PEERID@IP:PORT, as `listen_at` prints it."""
    peer, at, address = text.partition("@")
    if not at:
        raise UsageError(f"'{text}' is not PEERID@IP:PORT, as the other side prints it")
    target = parse(channeler.Address.parse, address)
    return parse(channeler.PeerId.parse, peer), target


def bind_for(node: channeler.Node, text: str) -> None:
    """Opens a socket from which `text` can be reached; which port does not matter."""
    node.bind("[::]:0" if "@[" in text else "0.0.0.0:0")


def dial(node: channeler.Node, text: str) -> channeler.Connection:
    """Begins a connection to PEERID@IP:PORT, from a socket of the node that fits."""
    return node.connect(*parse_peer(text))


def connect_to(node: channeler.Node, text: str) -> channeler.Connection:
    """The same for the first time."""
    bind_for(node, text)
    return dial(node, text)


def close_and_wait(
    node: channeler.Node,
    connection: channeler.Connection,
    reason: str,
    is_over: Callable[[], bool],
) -> None:
    """Closes a connection with a word to the peer, and waits until it is over: until the program
    heard the `ConnectionClosed` event.
    """
    try:
        connection.close(reason=reason)
    except channeler.InvalidConnection:
        return  # The peer was faster.
    while not is_over():
        node.process()


def parse(read: Callable[[str], _T], text: str) -> _T:
    """What the user typed may be wrong; that is not the world's fault."""
    try:
        return read(text)
    except ValueError as error:
        raise UsageError(error) from None


@contextmanager
def said(what: str) -> Iterator[None]:
    """Says what was being done when a call of the library failed."""
    try:
        yield
    except channeler.ChannelerError as error:
        raise channeler.error_from(error.code, f"{what}: {error.detail}") from None


def printable(message: bytes) -> str:
    """What a peer sent, without codes that repaint a terminal."""
    text = message.decode(errors="replace")
    return "".join(c if c.isprintable() or c == "\t" else "?" for c in text)


def run(program: Callable[[list[str]], int], usage: str) -> NoReturn:
    """Runs a program with its arguments, and exits with what it returns."""
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    # Both ends are the same; Ctrl-C also where a shell had turned it off.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    arguments = sys.argv[1:]
    usage = usage.format(name=os.path.basename(sys.argv[0]))
    if arguments in (["-h"], ["--help"]):
        print(usage, end="")
        sys.exit(GOOD)
    try:
        sys.exit(program(take_settings(arguments)))
    except UsageError as error:
        print(error if error.args else usage.rstrip(), file=sys.stderr)
        sys.exit(USAGE)
    except (channeler.ChannelerError, OSError) as error:
        print(error, file=sys.stderr)
        sys.exit(FAILED)
