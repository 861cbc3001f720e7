#!/usr/bin/env python3
"""Writes transcripts.json, handshakes with fixed ids and secrets, from the description of the wire.

Independent of the Rust code on purpose, as make_v0.py is, whose helpers it uses. Each scenario is a
list of events in their order; those after a `call` or `deliver_to` are caused by it. Without
arguments it writes transcripts.json; `--stdout` prints it instead. The output is committed, and a
test checks that it is up to date.
"""

import json
import pathlib
import struct
import sys
import zlib

import make_v0 as v0

SIZE = 200
DEFAULT = (0xF0F0, 0xF0F0)
PEERS = {"A": bytes(range(0x10, 0x20)), "B": bytes(range(0x4F, 0x3F, -1))}
SECRETS = {"A": b"alice keeps this", "B": bytes(range(40))}


def other(side):
    return "B" if side == "A" else "A"


def cookie1(initiator, half):
    peers = PEERS[initiator] + PEERS[other(initiator)]
    return zlib.crc32(SECRETS[initiator] + peers + struct.pack(">H", half))


def cookie2(initiator, channel):
    responder = other(initiator)
    peers = PEERS[initiator] + PEERS[responder]
    return zlib.crc32(SECRETS[responder] + peers + v0.wire_id(*channel))


def packet(sender, channel, payload):
    raw = v0.packet(SIZE, payload, *channel)
    body = raw[:4] + PEERS[sender] + PEERS[other(sender)] + raw[36:-4]
    return body + struct.pack(">I", v0.crc32c(body))


def new(side, half):
    return packet(side, DEFAULT, v0.new(half, cookie1(side, half)))


def acknowledge(side, channel, on=DEFAULT, wrong=0):
    """`side` is the responder; `wrong` is flipped in the first cookie."""
    opener = other(side)
    cookies = cookie1(opener, channel[0]) ^ wrong, cookie2(opener, channel)
    return packet(side, on, v0.acknowledge(*channel, *cookies))


def finalize(side, channel, wrong=0):
    return packet(side, DEFAULT, v0.finalize(*channel, cookie2(side, channel) ^ wrong, 0))


def data(side, channel, *texts):
    return packet(side, channel, b"".join(v0.data(text) for text in texts))


def name(channel):
    return f"0x{channel[0]:04x}:0x{channel[1]:04x}"


class Scenario:
    """What is done, and what must follow from it."""

    def __init__(self, title):
        self.title, self.events = title, []

    def add(self, **event):
        self.events.append(event)

    def establish(self, side):
        self.add(call=f"{side}.establish_channel", result="ERR_SUCCESS")

    def sent(self, side, raw, on=DEFAULT):
        self.add(packet=f"{side}->{other(side)}", callback_channel=name(on), hex=raw.hex())

    def deliver(self, side, raw):
        self.add(deliver_to=side, hex=raw.hex(), result="ERR_SUCCESS")

    def established(self, side, channel):
        self.add(callback=f"{side}.channel_established", error="ERR_SUCCESS",
                 channel=name(channel))

    def available(self, side, channel, *texts):
        for text in texts:
            self.add(callback=f"{side}.data_available", channel=name(channel), size=len(text))

    def write(self, side, channel, text, result="ERR_SUCCESS"):
        written = len(text) if result == "ERR_SUCCESS" else 0
        self.add(call=f"{side}.channel_write", channel=name(channel), length=len(text),
                 data=text.hex(), result=result, written=written)
        if written:
            self.sent(side, data(side, channel, text), channel)

    def read(self, side, channel, text, most=1000, result="ERR_SUCCESS"):
        self.add(call=f"{side}.channel_read", channel=name(channel), max=most, result=result,
                 read=len(text), data=text.hex())

    def opened(self, side, channel):
        """A whole handshake that `side` begins."""
        self.establish(side)
        self.sent(side, new(side, channel[0]))
        self.deliver(other(side), new(side, channel[0]))
        self.sent(other(side), acknowledge(other(side), channel))
        self.deliver(side, acknowledge(other(side), channel))
        self.sent(side, finalize(side, channel))
        self.established(side, channel)
        self.deliver(other(side), finalize(side, channel))
        self.established(other(side), channel)

    def done(self):
        return {"scenario": self.title, "packet_size": SIZE, "events": self.events}


def messages_both_ways():
    s, channel = Scenario("messages both ways, each opens a channel"), (0x0102, 0x0304)
    s.opened("A", channel)
    s.write("A", channel, b"to B")
    s.deliver("B", data("A", channel, b"to B"))
    s.available("B", channel, b"to B")
    s.write("B", channel, b"to A")
    s.read("B", channel, b"to B")
    s.read("B", channel, b"", result="ERR_DATA_UNAVAILABLE")
    s.deliver("A", data("B", channel, b"to A"))
    s.available("A", channel, b"to A")
    s.read("A", channel, b"to", most=2)
    s.read("A", channel, b" A")
    second = (0x0506, 0x0000)
    s.opened("B", second)
    s.write("A", second, b"\x00" * 145)
    s.write("A", second, b"\x00" * 146, result="ERR_WRITE")
    s.deliver("B", data("A", second, b"\x00" * 145))
    s.available("B", second, b"\x00" * 145)
    return s.done()


def repeated_packets():
    s, channel = Scenario("each handshake packet comes twice"), (0xFFFF, 0x0001)
    opening, answer, proof = new("A", 0xFFFF), acknowledge("B", channel), finalize("A", channel)
    s.establish("A")
    s.sent("A", opening)
    s.deliver("B", opening)
    s.sent("B", answer)
    s.deliver("B", opening)
    second = acknowledge("B", (0xFFFF, 0x0002))
    s.sent("B", second)
    s.deliver("A", answer)
    s.sent("A", proof)
    s.established("A", channel)
    s.deliver("A", answer)
    s.deliver("A", second)
    s.deliver("B", proof)
    s.established("B", channel)
    s.deliver("B", proof)
    s.deliver("B", opening)
    s.sent("B", answer)
    s.deliver("A", answer)
    return s.done()


def wrong_cookies():
    s, channel = Scenario("wrong cookies spoil nothing"), (0x1111, 0x2222)
    s.establish("B")
    s.sent("B", new("B", 0x1111))
    s.deliver("A", new("B", 0x1111))
    s.sent("A", acknowledge("A", channel))
    s.deliver("B", acknowledge("A", channel, wrong=0x80000000))
    s.deliver("B", acknowledge("A", channel))
    s.sent("B", finalize("B", channel))
    s.established("B", channel)
    s.deliver("A", finalize("B", channel, wrong=1))
    s.deliver("A", data("B", channel, b"too early"))
    s.deliver("A", finalize("B", channel))
    s.established("A", channel)
    return s.done()


def simultaneous_open():
    s, ours, theirs = Scenario("both open at once"), (0x0A0A, 0x0C0C), (0x0B0B, 0x0D0D)
    for side, half in [("A", ours[0]), ("B", theirs[0])]:
        s.establish(side)
        s.sent(side, new(side, half))
    s.deliver("B", new("A", ours[0]))
    s.sent("B", acknowledge("B", ours))
    s.deliver("A", new("B", theirs[0]))
    s.sent("A", acknowledge("A", theirs))
    for side, channel in [("A", ours), ("B", theirs)]:
        s.deliver(side, acknowledge(other(side), channel))
        s.sent(side, finalize(side, channel))
        s.established(side, channel)
    for side, channel in [("B", ours), ("A", theirs)]:
        s.deliver(side, finalize(other(side), channel))
        s.established(side, channel)
    return s.done()


def same_half():
    s = Scenario("both open at once with the same half: both start over")
    for side in "AB":
        s.establish(side)
        s.sent(side, new(side, 0x7777))
    s.deliver("B", new("A", 0x7777))
    s.deliver("A", new("B", 0x7777))
    s.deliver("B", new("A", 0x7777))
    s.sent("B", acknowledge("B", (0x7777, 0x0001)))
    s.deliver("A", acknowledge("B", (0x7777, 0x0001)))
    return s.done()


def many_in_one():
    s, channel = Scenario("several messages in a packet"), (0x0001, 0xF0F1)
    s.opened("A", channel)
    texts = b"one", b"", b"three"
    s.deliver("B", data("A", channel, *texts))
    s.available("B", channel, b"one", b"three")
    s.read("B", channel, b"one")
    s.read("B", channel, b"three")
    halves = 0x3001, 0x3002
    s.deliver("B", packet("A", DEFAULT, b"".join(v0.new(half, half) for half in halves)))
    for half, second in zip(halves, (5, 6)):
        cookies = half, cookie2("A", (half, second))
        s.sent("B", packet("B", DEFAULT, v0.acknowledge(half, second, *cookies)))
    mixed = v0.data(b"x") + v0.new(0x3003, 7) + b"\x7f" + v0.data(b"behind an unknown type")
    s.deliver("B", packet("A", channel, mixed))
    s.available("B", channel, b"x")
    answer = v0.acknowledge(0x3003, 8, 7, cookie2("A", (0x3003, 8)))
    s.sent("B", packet("B", channel, answer), channel)
    return s.done()


def refusals():
    s = Scenario("what is not there, and what is no packet")
    s.write("A", DEFAULT, b"x", result="ERR_INVALID_CHANNELID")
    s.write("A", (0x1001, 0xF0F0), b"x", result="ERR_INVALID_CHANNELID")
    s.write("A", (0xF0F0, 0x1001), b"x", result="ERR_STATE")
    s.write("A", (0x1001, 0x2001), b"x", result="ERR_STATE")
    s.read("A", (0x1001, 0x2001), b"", result="ERR_INVALID_CHANNELID")
    s.establish("A")
    s.sent("A", new("A", 0x1001))
    s.write("A", (0x1001, 0x2001), b"x", result="ERR_STATE")
    good = new("A", 0x1001)
    s.deliver("B", good[:-1] + bytes([good[-1] ^ 1]))
    s.deliver("B", bytes(SIZE))
    s.deliver("B", good[:3])
    s.deliver("B", data("A", (0x1001, 0x2001), b"unknown"))
    s.deliver("B", data("A", DEFAULT, b"on the default channel"))
    s.deliver("B", packet("A", DEFAULT, v0.new(0xF0F0, 1)))
    s.deliver("B", new("B", 0x1001))
    return s.done()


def main():
    scenarios = [messages_both_ways(), repeated_packets(), wrong_cookies(), simultaneous_open(),
                 same_half(), many_in_one(), refusals()]
    peers = {side: PEERS[side].hex() for side in "AB"}
    peers.update({f"secret_{side}": SECRETS[side].hex() for side in "AB"})
    text = json.dumps({"peers": peers, "scenarios": scenarios}, indent=1) + "\n"
    if "--stdout" in sys.argv:
        sys.stdout.write(text)
    else:
        pathlib.Path(__file__).with_name("transcripts.json").write_text(text)


if __name__ == "__main__":
    main()
