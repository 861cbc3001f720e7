#!/usr/bin/env python3
"""The smallest server and client; the same as examples-c/echo.c, and it talks with that."""

from __future__ import annotations

import sys
import time

import channeler
from common import (
    FAILED,
    GOOD,
    SETTINGS_USAGE,
    UsageError,
    close_and_wait,
    connect_to,
    connection_text,
    listen_at,
    printable,
    run,
    settings,
)

USAGE_TEXT = f"""\
usage: {{name}} server ADDRESS                   send back every message that comes
       {{name}} client PEERID@ADDRESS [TEXT ..]  send each TEXT, and print what comes back

ADDRESS is IP:PORT: 127.0.0.1:7000, [::1]:7000, or [::]:7000 for all that this machine
has; port 0 takes any that is free. The server prints the PEERID@ADDRESS to give to the
client. Without a TEXT the client sends "hello".

{SETTINGS_USAGE}
Exits with 0 when all is well (the server: after Ctrl-C), 1 when something failed or an
echo never came, 2 when called wrongly.
"""

TRIES = 5  # a plain channel may lose messages: so often we send one
WAIT_SECONDS = 0.5  # and so long we wait for its echo


def run_server(address: str) -> int:
    """A server that is all callbacks."""

    def on_message(channel: channeler.Channel, message: bytes) -> None:
        try:
            channel.send(message)
        except channeler.WouldBlock:
            pass  # This echo is lost, as any message on a plain channel may be.

    def on_event(event: channeler.Event) -> None:
        if isinstance(event, channeler.ChannelOpened):
            print(f"{connection_text(event.connection)} opened a channel", file=sys.stderr)
        elif isinstance(event, channeler.ChannelClosed):
            print(f"a channel ended: {event.reason.text}", file=sys.stderr)

    with channeler.Node(settings.options(), on_message=on_message, on_event=on_event) as node:
        try:
            listen_at(node, address)
            while True:
                node.process()
        except KeyboardInterrupt:
            return GOOD


class Client:
    """A client that reads with `receive`, and sends again what got lost."""

    def __init__(self, server: str) -> None:
        self._is_open = False
        self._is_over = False
        self._closed: channeler.ErrorCode | None = None
        self.node = channeler.Node(settings.options(), on_event=self._on_event)
        self._connection = connect_to(self.node, server)
        self._channel = self._connection.open_channel()
        while not self._is_open:
            self.node.process()
            if self._closed is not None:
                raise channeler.error_from(self._closed, f"{server}: {self._closed.text}")

    def echo(self, message: bytes) -> bool:
        """Sends until the message came back."""
        for _ in range(TRIES):
            self._channel.send(message)
            deadline = time.monotonic() + WAIT_SECONDS
            while (left := deadline - time.monotonic()) > 0:
                # Something else may come first: the late echo of a text that we sent twice.
                if message in self._channel.messages():
                    return True
                self.node.process(left)
        return False

    def leave(self) -> None:
        """Says that this was all."""
        close_and_wait(self.node, self._connection, "done", lambda: self._is_over)

    def _on_event(self, event: channeler.Event) -> None:
        if isinstance(event, channeler.ChannelOpened):
            self._is_open = True
        elif isinstance(event, channeler.ChannelClosed):
            self._closed = event.reason
        elif isinstance(event, channeler.ConnectionClosed):
            self._is_over = True


def run_client(server: str, texts: list[str]) -> int:
    """Sends each text, and prints what comes back."""
    client = Client(server)
    echoed = 0
    with client.node:
        start = time.monotonic()
        for text in texts:
            message = text.encode(errors="surrogateescape")
            if client.echo(message):
                print(printable(message), flush=True)
                echoed += 1
            else:
                print(f"no echo of '{text}'", file=sys.stderr)
        milliseconds = (time.monotonic() - start) * 1e3 / len(texts)
        client.leave()
    if echoed:
        print(f"{echoed} of {len(texts)} came back, in {milliseconds:.3f} ms each", file=sys.stderr)
    return GOOD if echoed == len(texts) else FAILED


def main(arguments: list[str]) -> int:
    """Does what the arguments say."""
    if len(arguments) == 2 and arguments[0] == "server":
        return run_server(arguments[1])
    if len(arguments) >= 2 and arguments[0] == "client":
        return run_client(arguments[1], arguments[2:] or ["hello"])
    raise UsageError


if __name__ == "__main__":
    run(main, USAGE_TEXT)
