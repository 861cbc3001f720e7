#!/usr/bin/env python3
"""Writes v1_messages.json, plain bytes of protocol v1, made from docs/protocol.md alone.

Independent of the Rust code on purpose: nothing here was taken from it. Standard library only.
Without arguments it writes the vectors and the seeds of the fuzz targets' corpora; `--stdout`
prints the vectors instead. The output is committed, and a test checks that it is up to date.
Sealed packets are computed by docs/vectors/make_protocol_example.py.
"""

import hashlib
import json
import pathlib
import re
import struct
import sys

PROTOCOL_ID = bytes.fromhex(hashlib.sha512(b"channeler v1.0").hexdigest()[:8])
NO_CHANNEL = 0xF0F0F0F0
INITIATOR = bytes(range(0x40, 0x50))
RESPONDER = bytes(range(0x60, 0x70))
TOKEN = bytes.fromhex("a0a1a2a3a4a5a6a7")
RESET = bytes(range(0xD0, 0xE0))
LARGE = 2**62 - 1


def varint(value):
    """How many values are shorter decides the length; the rest is plain base 128."""
    length, shorter = 1, 0
    while value >= shorter + 128**length:
        shorter += 128**length
        length += 1
    rest = value - shorter
    groups = [(rest >> (7 * place)) & 0x7F for place in reversed(range(length))]
    return bytes([group | 0x80 for group in groups[:-1]] + groups[-1:])


def u8(value):
    return struct.pack(">B", value)


def u16(value):
    return struct.pack(">H", value)


def u32(value):
    return struct.pack(">I", value)


def message(kind, *body):
    body = b"".join(body)
    return varint(kind) + varint(len(body)) + body


# Fields of a message, in the order of chapter 8: name, value, bytes.

def number(name, value):
    return name, value, varint(value)


def channel(value):
    return "channel", value, u32(value)


def octet(name, value):
    return name, value, u8(value)


def raw(name, value):
    return name, value.hex(), value


def address(family, ip, port):
    return "address", [family, ip.hex(), port], u8(family) + ip + u16(port)


def label(value):
    return "label", value.hex(), u8(len(value)) + value


def ranges(*pairs):
    """Newest first, each as (smallest, largest)."""
    smallest, largest = pairs[0]
    out = varint(largest - smallest)
    for low, high in pairs[1:]:
        out += varint(smallest - high - 2) + varint(high - low)
        smallest = low
    return "ranges", [list(pair) for pair in pairs], out


def ack(kind, path, delay, counts, *pairs):
    ecn = [number(name, count) for name, count in zip(("ect0", "ect1", "ce"), counts)]
    return kind, [number("path", path), number("largest", pairs[0][1]), number("delay", delay),
                  *ecn, ranges(*pairs)]


def data(flags, message_number, offset, content):
    where = [number("offset", offset)] if flags & 2 else []
    return 20, [octet("flags", flags), number("number", message_number), *where,
                raw("bytes", content)]


IPV4 = bytes([192, 0, 2, 33])
IPV6 = bytes.fromhex("20010db8000000000000000000000001")

MESSAGES = [
    ("PING", (1, [])),
    ("ACK", ack(2, 0, 0, [], (0, 0))),
    ("ACK", ack(2, 3, 1500, [], (90, 99), (50, 80), (7, 7), (0, 3))),
    ("ACK", ack(2, 2**32 - 1, 2**24, [], (LARGE, LARGE), (0, LARGE - 2))),
    ("ACK_ECN", ack(3, 1, 25_000, [1000, 0, 17], (16_512, 20_000), (16_000, 16_500))),
    ("CRYPTO", (4, [number("offset", 0), raw("bytes", b"hello")])),
    ("CRYPTO", (4, [number("offset", 8191), raw("bytes", bytes(range(200)))])),
    ("CONNECTION_CLOSE", (5, [octet("source", 0), number("code", 0), number("cause", 0),
                              raw("reason", b"")])),
    ("CONNECTION_CLOSE", (5, [octet("source", 1), number("code", 2**64 - 1), number("cause", 20),
                              raw("reason", "größer".encode())])),
    ("ACK_RATE", (6, [number("path", 0), number("packets", 2**14), number("delay", 12_500)])),
    ("CHANNEL_NEW", (10, [channel(0), ("capabilities", 0, u16(0)), number("limit", 0),
                          octet("priority", 0), octet("weight", 1), label(b"")])),
    ("CHANNEL_NEW", (10, [channel(0x1234), ("capabilities", 7, u16(7)), number("limit", 2**20),
                          octet("priority", 3), octet("weight", 16), label(b"l" * 255)])),
    ("CHANNEL_ACCEPT", (11, [channel(3), number("limit", 1 << 62)])),
    ("CHANNEL_CLOSE", (12, [channel(2), number("count", 300), number("position", 70_000)])),
    ("CHANNEL_RESET", (13, [channel(2), octet("source", 0), number("code", 2),
                            number("position", 37), raw("reason", b"bits")])),
    ("CHANNEL_RESET", (13, [channel(2), octet("source", 1), number("code", 1000),
                            number("position", 0), raw("reason", b"")])),
    ("MAX_CHANNELS", (14, [number("count", 2**31)])),
    ("CHANNELS_BLOCKED", (15, [number("count", 4096)])),
    ("DATA", data(1, 0, 0, b"hello")),
    ("DATA", data(1, 5, 0, b"")),
    ("DATA", data(0, 128, 0, bytes(64))),
    ("DATA", data(2, 16_512, 1100, bytes(range(256)) * 4)),
    ("DATA", data(3, LARGE, 2**40, b"end")),
    ("DATA_SKIP", (21, [channel(5), number("number", 9), number("position", 1234)])),
    ("MAX_CHANNEL_DATA", (22, [channel(5), number("limit", 2**20)])),
    ("MAX_DATA", (23, [number("limit", 2**22)])),
    ("CHANNEL_DATA_BLOCKED", (24, [channel(5), number("limit", 16_511)])),
    ("DATA_BLOCKED", (25, [number("limit", 127)])),
    ("NEW_TOKEN", (30, [number("path", 2), raw("token", TOKEN), raw("reset", RESET)])),
    ("PATH_CHALLENGE", (31, [raw("bytes", b"question")])),
    ("PATH_RESPONSE", (32, [raw("bytes", b"question")])),
    ("PATH_STATUS", (33, [number("path", 1), number("sequence", 2), octet("status", 1)])),
    ("PATH_ABANDON", (34, [number("path", 1), number("code", 3)])),
    ("OBSERVED_ADDRESS", (35, [number("path", 0), number("sequence", 0),
                               address(4, IPV4, 54_321)])),
    ("OBSERVED_ADDRESS", (35, [number("path", 0), number("sequence", 300),
                               address(6, IPV6, 1)])),
    ("ADDRESS_OFFER", (36, [number("sequence", 1), address(4, IPV4, 443)])),
    ("unknown", (95, [raw("body", b"grease")])),
    ("unknown", (2**14, [raw("body", b"")])),
]


def messages():
    out = []
    for name, (kind, fields) in MESSAGES:
        encoded = message(kind, *(field[2] for field in fields))
        out.append({"name": name, "type": kind, "fields": {field[0]: field[1] for field in fields},
                    "hex": encoded.hex()})
    return out


def bad_payloads():
    """Payloads that close a connection, with the code's name, for short packets."""
    big = varint(2**32)
    cases = [
        ("a type that is no varint", b"\x80", "ENCODING"),
        ("no length", varint(1), "ENCODING"),
        ("a length past the end", varint(4) + varint(9) + b"\0hello", "ENCODING"),
        ("bytes left over", message(1, b"\0"), "ENCODING"),
        ("a body too short", message(31, b"7 bytes"), "ENCODING"),
        ("a range below 0", message(2, bytes([0, 4, 0, 5])), "ENCODING"),
        ("ranges that end after a gap", message(2, bytes([0, 4, 0, 0, 1])), "ENCODING"),
        ("a path id of 33 bits", message(34, big, varint(0)), "ENCODING"),
        ("no bytes of CRYPTO", message(4, varint(0)), "ENCODING"),
        ("a third source", message(5, bytes([2, 0, 0])), "ENCODING"),
        ("a reason of 256 bytes", message(5, bytes(3), b"x" * 256), "ENCODING"),
        ("an ACK for 0 packets", message(6, bytes([0, 0, 0])), "ENCODING"),
        ("priority 8", message(10, u32(0), u16(0), bytes([0, 8, 1, 0])), "ENCODING"),
        ("weight 0", message(10, u32(0), u16(0), bytes([0, 0, 0, 0])), "ENCODING"),
        ("a label cut off", message(10, u32(0), u16(0), bytes([0, 0, 1, 2]), b"l"), "ENCODING"),
        ("more than 2^31 channels", message(14, varint(2**31 + 1)), "ENCODING"),
        ("a DATA flag without meaning", message(20, bytes([4, 0, 1])), "ENCODING"),
        ("an offset of 0", message(20, bytes([3, 0, 0, 1])), "ENCODING"),
        ("no bytes, and not the end", message(20, bytes([0, 0])), "ENCODING"),
        ("a third status", message(33, bytes([0, 0, 2])), "ENCODING"),
        ("an address of family 5", message(36, bytes([0, 5]), bytes(6)), "ENCODING"),
    ]
    early = [
        ("CRYPTO in early data", message(4, varint(0), b"x"), "PROTOCOL"),
        ("NEW_TOKEN in early data", message(30, varint(2), TOKEN, RESET), "PROTOCOL"),
    ]
    return [{"why": why, "place": place, "hex": bad.hex(), "code": code}
            for place, group in (("S", cases), ("2", early)) for why, bad, code in group]


def long_header(level, sender, recipient, cookie, size):
    flags = 1 | level << 2
    return (PROTOCOL_ID + sender + recipient + u32(NO_CHANNEL) + u16(flags) + u16(size)
            + u8(len(cookie)) + cookie)


def long_packets():
    """Headers with the number behind them: what is authenticated, before the mask. The payload
    and the tag are zeros here."""
    cookie = bytes(range(0xC0, 0xD4))
    out = []
    for level, sender, recipient, cookie, size, packet_number in [
        (0, RESPONDER, INITIATOR, b"", 79, 1),
        (0, INITIATOR, bytes(range(0x20, 0x30)), cookie, 1200, 2),
        (1, INITIATOR, RESPONDER, b"", 66, 2**32 - 1),
        (2, INITIATOR, RESPONDER, b"c" * 64, 65_535, 0),
        (3, RESPONDER, INITIATOR, b"c" * 16, 61, None),
    ]:
        aad = long_header(level, sender, recipient, cookie, size)
        if packet_number is not None:
            aad += u32(packet_number)
        out.append({"level": level, "sender": sender.hex(), "recipient": recipient.hex(),
                    "cookie": cookie.hex(), "size": size, "number": packet_number,
                    "hex": aad.hex()})
    return out


def short_headers():
    out = []
    for spin, epoch, channel_id, packet_number, length in [
        (0, 0, 2, 0x1234, 2),
        (0, 1, 2, 0x1ABCDEF, 1),
        (1, 6, NO_CHANNEL, 0xFEDCBA987654, 4),
        (1, 3, 0xFFFFFFFF, 0, 3),
    ]:
        flags = 0x80 | spin << 5 | (epoch & 3) << 2 | length - 1
        aad = (u8(flags) + TOKEN + u32(channel_id)
               + (packet_number & (1 << 8 * length) - 1).to_bytes(length, "big"))
        out.append({"spin": bool(spin), "epoch": epoch, "token": TOKEN.hex(),
                    "channel": channel_id, "number": packet_number, "number_len": length,
                    "hex": aad.hex()})
    return out


def numbers():
    """5.5: the length of a number by what was acknowledged, and the number decoded again."""
    out = []
    for acked in (None, 0, 1000, 2**32 - 5, 2**61):
        for distance in (1, 127, 128, 32_767, 32_768, 2**23 - 1, 2**23, 2**31 - 1):
            full = distance - 1 if acked is None else acked + distance
            length = next(m for m in range(1, 5) if 256**m > 2 * distance)
            out.append({"number": full, "acked": acked, "length": length,
                        "sent": full % 256**length})
    return out


def parameters():
    def parameter(key, body):
        return varint(key) + varint(len(body)) + body

    values = {"idle_timeout": (1, 30_000), "datagram_max": (2, 1452), "data_max": (3, 2**62),
              "channel_data_max": (4, 2**20), "channels_max": (5, 4096),
              "message_max": (6, 65_536), "ack_delay_max": (7, 1000), "paths_max": (8, 4)}
    encoded = b"".join(parameter(key, varint(value)) for key, value in values.values())
    encoded += parameter(9, TOKEN) + parameter(10, RESET) + parameter(64 + 31 * 5, b"grease")
    return {"values": {name: value for name, (_, value) in values.items()},
            "token": TOKEN.hex(), "reset": RESET.hex(), "hex": encoded.hex()}


def write_seeds(folder, seeds):
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("v1-*"):
        old.unlink()
    for index, (name, seed) in enumerate(seeds):
        name = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
        (folder / f"v1-{index:02}-{name}").write_bytes(seed)


def write_corpora(vectors, corpus):
    """The frame target's first byte chooses the kind of packet: 0 to 2 levels, else short."""
    seeds = [(case["name"], b"\3" + bytes.fromhex(case["hex"])) for case in vectors["messages"]]
    for case in vectors["bad_payloads"]:
        place = b"\2" if case["place"] == "2" else b"\3"
        seeds.append((case["why"], place + bytes.fromhex(case["hex"])))
    everything = b"".join(bytes.fromhex(case["hex"]) for case in vectors["messages"])
    seeds.append(("one of each and padding", b"\3" + everything + bytes(9)))
    seeds.append(("a level 0 flight", b"\0" + message(2, bytes(4)) + message(4, b"\0hello")
                  + bytes(100)))
    write_seeds(corpus / "frame", seeds)
    packets = []
    for case in vectors["long_packets"]:
        packet = bytes.fromhex(case["hex"]).ljust(case["size"], b"\0")
        name = f"level {case['level']} cookie {len(case['cookie']) // 2}"
        if len(packet) <= 1200:
            packets.append((name, packet))
    level0, padded, level1, cookie = (packet for _, packet in packets)
    packets += [("joined", level0 + level1 + bytes.fromhex("80") + bytes(33)),
                ("another protocol id", b"\x0c\x22\x9d\x94" + level0[4:]),
                ("another channel", level0[:36] + bytes(4) + level0[40:] + level1),
                ("not encrypted", level0[:41] + b"\0" + level0[42:] + level1),
                ("spin", level0[:41] + b"\3" + level0[42:]),
                ("flags of the first byte", level0[:40] + b"\1" + level0[41:]),
                ("size 0", level0[:42] + u16(0) + level0[44:]),
                ("size past the end", level0[:42] + u16(80) + level0[44:]),
                ("cookie of 15", level0[:44] + u8(15) + level0[45:] + bytes(15)),
                ("cookie of 65", padded[:44] + u8(65) + padded[45:]),
                ("cookie at level 1", padded[:41] + b"\5" + padded[42:]),
                ("no cookie at level 3", level0[:41] + b"\x0d" + level0[42:]),
                ("cookie packet with a rest", cookie[:42] + u16(62) + cookie[44:] + b"\0"),
                ("cookie packets", cookie * 3)]
    packets += [(f"cut to {end}", level0[:end]) for end in (0, 4, 44, 45, 78)]
    write_seeds(corpus / "long", packets)
    params = bytes.fromhex(vectors["parameters"]["hex"])
    token = varint(9) + varint(8) + TOKEN
    parts = [("all", params), ("token", token), ("token twice", token * 2), ("none", b""),
             ("unknown twice", token + bytes([12, 0, 12, 0])),
             ("grease twice", token + bytes([64, 0, 64, 0])),
             ("reset short", token + bytes([10, 1, 0])), ("token short", token[:1] + b"\7" * 8),
             ("token long", b"\x09\x09" + bytes(9)), ("number without body", token + b"\3\0"),
             ("number with a rest", token + b"\3\2\1\1"), ("number cut", token + b"\3\1\x80"),
             ("channels past 2 31", token + b"\5\5" + varint(2**31 + 1)),
             ("paths 0", token + b"\x08\1\0"), ("paths 17", token + b"\x08\1\x11"),
             ("datagram 1199", token + b"\2\2" + varint(1199)),
             ("message 0", token + b"\6\1\0"), ("a length past 64 bits", b"\3" + b"\xff" * 10)]
    parts += [(f"cut to {end}", params[:end]) for end in (1, 2, 20, 45)]
    write_seeds(corpus / "params", parts)


def main():
    vectors = {"messages": messages(), "bad_payloads": bad_payloads(),
               "long_packets": long_packets(), "short_headers": short_headers(),
               "numbers": numbers(), "parameters": parameters()}
    text = json.dumps(vectors, indent=1) + "\n"
    if "--stdout" in sys.argv:
        sys.stdout.write(text)
        return
    here = pathlib.Path(__file__).resolve().parent
    (here / "v1_messages.json").write_text(text)
    write_corpora(vectors, here.parent / "fuzz" / "corpus")


if __name__ == "__main__":
    main()
