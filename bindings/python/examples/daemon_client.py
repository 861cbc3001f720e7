#!/usr/bin/env python3
"""Messages through channelerd; the same as examples-c/daemon_client.c, and it talks with that."""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn

from channeler import daemon

GOOD, FAILED, USAGE, NOTHING = 0, 1, 2, 3

USAGE_TEXT = f"""\
usage: daemon_client send ADDRESS TEAM LABEL MESSAGE ..  send each MESSAGE
       daemon_client receive [FILTER ..] [--count N] [--wait SECONDS]
                                                         print messages, a line each
       daemon_client receive --follow [FILTER ..]        print all, until Ctrl-C
       daemon_client close ADDRESS                       close the connection to a peer
       daemon_client status                              who the daemon is, and where

ADDRESS is IP:PORT, where the other daemon listens; TEAM is 64 hexadecimal digits. A FILTER
is --from ADDRESS, --team TEAM or --label LABEL. The daemon's socket is
{daemon.SOCKET_DEFAULT}, or what CHANNELER_SOCKET of the environment says.

Exits with 0 when all is well, 1 when something failed, 2 when called wrongly, 3 when no
message came within --wait.
"""


class UsageError(Exception):
    """The program was called wrongly."""


def show(message: daemon.Message) -> None:
    """Prints the bytes of a message, and a line end."""
    sys.stdout.buffer.write(message.data + b"\n")
    sys.stdout.buffer.flush()


def send(address: str, team: str, label: str, texts: list[str]) -> int:
    """Sends each text."""
    with daemon.Client() as client:
        messages = (os.fsencode(text) for text in texts)
        client.send_many(address, team, label, messages)
    return GOOD


def follow(which: daemon.Filter) -> int:
    """Prints all messages until Ctrl-C, and then those that were on their way to us."""
    with daemon.Client() as client, client.follow(which) as messages:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: messages.cancel())
        for message in messages:
            show(message)
    return GOOD


def receive(which: daemon.Filter, count: int, wait: float | None) -> int:
    """Prints so many messages, one after the other."""
    with daemon.Client() as client:
        for _ in range(count):
            message = client.receive(which, wait=wait)
            if message is None:
                return NOTHING
            show(message)
    return GOOD


def run_receive(words: list[str]) -> int:
    """Reads the options of `receive`, and does what they say."""
    options = {"--from": "", "--team": "", "--label": "", "--count": "", "--wait": ""}
    is_follow = False
    rest = iter(words)
    for word in rest:
        if word == "--follow":
            is_follow = True
        elif word in options:
            options[word] = next(rest, "")
        else:
            raise UsageError
    which = daemon.Filter(
        options["--from"] or None, options["--team"] or None, options["--label"] or None
    )
    if is_follow:
        return follow(which)
    wait = options["--wait"]
    return receive(which, int(options["--count"] or "1"), float(wait) if wait else None)


def close(address: str) -> int:
    """Closes the connection to a peer."""
    with daemon.Client() as client:
        undelivered = client.close_connection(address)
    if undelivered:
        print(f"{undelivered} messages may not have arrived", file=sys.stderr)
    return FAILED if undelivered else GOOD


def status() -> int:
    """Prints who the daemon is."""
    with daemon.Client() as client:
        told = client.status()
    print(f"channelerd {told.version}\npeer id     0x{told.peer.hex()}")
    print(f"listens on  {', '.join(told.listen)}")
    return GOOD


def run(words: list[str]) -> int:
    """Does what the arguments say."""
    if len(words) >= 5 and words[0] == "send":
        return send(words[1], words[2], words[3], words[4:])
    if words[:1] == ["receive"]:
        return run_receive(words[1:])
    if len(words) == 2 and words[0] == "close":
        return close(words[1])
    if words == ["status"]:
        return status()
    raise UsageError


def main() -> NoReturn:
    """Exits with what became of it."""
    if sys.argv[1:] in (["-h"], ["--help"]):
        print(USAGE_TEXT, end="")
        sys.exit(GOOD)
    try:
        sys.exit(run(sys.argv[1:]))
    except UsageError:
        print(USAGE_TEXT, end="", file=sys.stderr)
        sys.exit(USAGE)
    except daemon.DaemonError as error:
        print(error, file=sys.stderr)
        sys.exit(FAILED)
    except ValueError as error:  # a team that is none, a number that is none
        print(error, file=sys.stderr)
        sys.exit(USAGE)


if __name__ == "__main__":
    main()
