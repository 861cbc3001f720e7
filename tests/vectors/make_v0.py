#!/usr/bin/env python3
"""Writes v0.json, golden bytes of protocol v0, made from the description of the wire alone.

Independent of the Rust code on purpose: nothing here was taken from it. Standard library only.
Without arguments it writes v0.json and the seeds of the fuzz targets' corpora; `--stdout` prints
the vectors instead. The output is committed, and a test checks that it is up to date.
"""

import hashlib
import json
import pathlib
import re
import struct
import sys
import zlib

PROTOCOL_ID = int(hashlib.sha512(b"Testing v0.1").hexdigest()[:8], 16)
ENVELOPE = 52
ENCRYPTED, SPIN = 1, 2
ALICE = bytes(range(16))
BOB = bytes(range(0xF0, 0xE0, -1))


def make_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


TABLE = make_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def varint(value):
    """How many values are shorter decides the length; the rest is plain base 128."""
    length, shorter = 1, 0
    while value >= shorter + 128**length:
        shorter += 128**length
        length += 1
    rest = value - shorter
    groups = [(rest >> (7 * place)) & 0x7F for place in reversed(range(length))]
    return bytes([group | 0x80 for group in groups[:-1]] + groups[-1:])


def wire_id(initiator, responder):
    return struct.pack(">HH", responder, initiator)


def new(initiator, cookie1):
    return varint(10) + struct.pack(">HI", initiator, cookie1)


def acknowledge(initiator, responder, cookie1, cookie2):
    return varint(11) + wire_id(initiator, responder) + struct.pack(">II", cookie1, cookie2)


def finalize(initiator, responder, cookie2, capabilities):
    return varint(12) + wire_id(initiator, responder) + struct.pack(">IH", cookie2, capabilities)


def cookie(either, capabilities):
    return varint(13) + struct.pack(">IH", either, capabilities)


def data(payload):
    return varint(20) + varint(len(payload)) + payload


def packet(size, payload, initiator=0x1234, responder=0x5678, flags=0, sequence=0, wrong=None):
    """`wrong` replaces single fields: protocol, size, payload_size, checksum (xor)."""
    wrong = wrong or {}
    padding = size - ENVELOPE - len(payload)
    body = struct.pack(">I", wrong.get("protocol", PROTOCOL_ID)) + ALICE + BOB
    body += wire_id(initiator, responder)
    body += struct.pack(">HH", flags, wrong.get("size", size))
    body += struct.pack(">HH", sequence, wrong.get("payload_size", len(payload)))
    body += payload + bytes([padding % 255]) * padding
    checksum = crc32c(body) ^ wrong.get("checksum", 0)
    return body + struct.pack(">I", checksum)


def filler(length):
    return bytes((index * 7 + 3) & 0xFF for index in range(length))


def varints():
    edges = [0, 1, 2, 10, 13, 20, 63, 64, 1000, 1448, 1500, 9000, 65535, 65536, 2**31, 2**32 - 1]
    shorter = 0
    for length in range(1, 10):
        shorter += 128**length
        edges += [shorter - 1, shorter, shorter + 1]
    for bits in range(7, 64, 7):
        edges += [2**bits - 1, 2**bits, 2**bits + 1]
    edges += [2**63 - 1, 2**63, 2**64 - 2, 2**64 - 1]
    valid = [{"value": str(v), "hex": varint(v).hex()} for v in sorted(set(edges))]
    longest = varint(2**64 - 1)
    bad = [
        ("empty", b"", "short"),
        ("a lone continuation byte", b"\x80", "short"),
        ("two continuation bytes", b"\xff\xff", "short"),
        ("the largest value cut off", longest[:-1], "short"),
        ("nine continuation bytes", b"\x80" * 9, "short"),
        ("2^64", varint(2**64), "overflow"),
        ("2^64, more bytes behind it", varint(2**64) + b"\x00\x00", "overflow"),
        ("2^70", varint(2**70), "overflow"),
        ("ten continuation bytes", b"\x80" * 10, "overflow"),
        ("ten continuation bytes, all bits set", b"\xff" * 10, "overflow"),
        ("eleven bytes", b"\x80" * 10 + b"\x00", "overflow"),
    ]
    return {
        "valid": valid,
        "bad": [{"name": name, "hex": raw.hex(), "error": error} for name, raw, error in bad],
    }


def messages():
    halves, cookies = [0, 1, 0x1234, 0xBEEF, 0xF0F0, 0xFFFF], [0, 1, 0xDEADD00D, 0xFFFFFFFF]
    capabilities = [0, 1, 2, 4, 7, 0x8000, 0xFFFF]
    valid = []

    def add(kind, raw, **fields):
        valid.append({"type": kind, "hex": raw.hex(), **fields})

    for index, half in enumerate(halves):
        one, two = cookies[index % 4], cookies[(index + 1) % 4]
        other, bits = halves[-1 - index], capabilities[index]
        add("CHANNEL_NEW", new(half, one), initiator=half, cookie1=one)
        raw = acknowledge(half, other, one, two)
        add("CHANNEL_ACKNOWLEDGE", raw, initiator=half, responder=other, cookie1=one, cookie2=two)
        raw = finalize(half, other, two, bits)
        add("CHANNEL_FINALIZE", raw, initiator=half, responder=other, cookie2=two,
            capabilities=bits)
        add("CHANNEL_COOKIE", cookie(one, bits), cookie=one, capabilities=bits)
    add("CHANNEL_COOKIE", cookie(1, capabilities[-1]), cookie=1, capabilities=capabilities[-1])
    for length in [0, 1, 2, 127, 128, 129, 255, 1445]:
        add("DATA", data(filler(length)), data=filler(length).hex())
    return {"valid": valid, "bad": bad_messages()}


def bad_messages():
    bad = [(f"unknown type {t}", varint(t) + b"\0" * 20, "unknown")
           for t in [0, 1, 9, 14, 19, 21, 22, 127, 128, 65535]]
    for wrapped in [65536 + 10, 65536 + 20, 2**32 + 11, 2**56 + 12, 2**64 - 65536 + 13]:
        bad.append((f"type {wrapped} is not {wrapped % 65536}", varint(wrapped) + b"\0" * 20,
                    "unknown"))
    whole = {
        "CHANNEL_NEW": new(0x1234, 0xBEEFB4BE),
        "CHANNEL_ACKNOWLEDGE": acknowledge(0x1234, 0x5678, 0xBEEFB4BE, 0xDEADD00D),
        "CHANNEL_FINALIZE": finalize(0x1234, 0x5678, 0x3987886E, 1),
        "CHANNEL_COOKIE": cookie(0xDEADD00D, 1),
        "DATA": data(b"hello"),
    }
    for name, raw in whole.items():
        for end in range(1, len(raw)):
            bad.append((f"{name} cut to {end} of {len(raw)}", raw[:end], "malformed"))
    for length in [1, 127, 128, 16384, 2**31, 2**32, 2**63 - 1, 2**63] + list(
            range(2**64 - 20, 2**64)):
        bad.append((f"DATA of {length} bytes, 0 present", varint(20) + varint(length),
                    "malformed"))
        if length > 1:
            raw = varint(20) + varint(length) + b"\xee"
            bad.append((f"DATA of {length} bytes, 1 present", raw, "malformed"))
    bad += [
        ("no message", b"", "malformed"),
        ("a type that does not end", b"\x80", "malformed"),
        ("a type past 64 bits", varint(2**64) + b"\0" * 20, "malformed"),
        ("a length that does not end", varint(20) + b"\x80\x80", "malformed"),
        ("a length past 64 bits", varint(20) + varint(2**64) + b"\0" * 20, "malformed"),
    ]
    return [{"name": name, "hex": raw.hex(), "error": error} for name, raw, error in bad]


def payloads():
    """What is read before the end or the first error; `remaining` is what is left then."""
    one, two = new(0x1234, 0xBEEFB4BE), data(b"hello")
    cases = [
        ("empty", b"", [], None, 0),
        ("two messages", one + two, ["CHANNEL_NEW", "DATA"], None, 0),
        ("empty data, then a message", data(b"") + one, ["DATA", "CHANNEL_NEW"], None, 0),
        ("an unknown type ends it", two + b"\x7f" + one, ["DATA"], "unknown", 8),
        ("a cut message ends it", two + one[:-1], ["DATA"], "malformed", 6),
        ("data that hides a message", b"\x14\x40" + one, [], "malformed", 9),
        ("a length that steps back", one + varint(20) + varint(2**64 - 18) + b"\xee",
         ["CHANNEL_NEW"], "malformed", 12),
        ("padding read as messages", one + b"\x3d" * 20, ["CHANNEL_NEW"], "unknown", 20),
        ("a packet full of NEWs", one * 206, ["CHANNEL_NEW"] * 206, None, 0),
    ]
    names = ("name", "hex", "types", "error", "remaining")
    return [dict(zip(names, (name, raw.hex(), *rest))) for name, raw, *rest in cases]


def packets():
    default = {"initiator": 0xF0F0, "responder": 0xF0F0}
    cases = [
        ("smallest, default channel", 52, b"", default),
        ("partial channel", 52, b"", {"initiator": 0xF0F0, "responder": 0x5678}),
        ("sequence number", 52, b"", {"sequence": 0x01FA}),
        ("spin", 52, b"", {"flags": SPIN}),
        ("flags without a meaning", 52, b"", {"flags": 0xFFFE, "sequence": 0xFFFF}),
        ("NEW, unpadded", 59, new(0x1234, 0xBEEFB4BE), default),
        ("NEW in 120", 120, new(0x1234, 0xBEEFB4BE), default),
        ("ACKNOWLEDGE in 120", 120, acknowledge(0x1234, 0x5678, 0xBEEFB4BE, 0xDEADD00D), default),
        ("FINALIZE in 120", 120, finalize(0x1234, 0x5678, 0x3987886E, 7), default),
        ("COOKIE and DATA in 120", 120, cookie(0xDEADD00D, 7) + data(b"hello"), {}),
        ("three DATA in 200", 200, data(b"hello") * 3, {}),
        ("one byte of padding", 60, data(b"hello"), {}),
        ("padding 254", 306, b"", {}),
        ("padding 255", 307, b"", {}),
        ("padding 256", 308, b"", {}),
        ("padding 510", 562, b"", {}),
        ("NEW in 1500", 1500, new(0x1234, 0xBEEFB4BE), default),
        ("largest DATA in 1232", 1232, data(filler(1177)), {}),
        ("largest DATA in 1500", 1500, data(filler(1445)), {}),
    ]
    valid = []
    for name, size, payload, fields in cases:
        raw = packet(size, payload, **fields)
        fields = {"initiator": 0x1234, "responder": 0x5678, "flags": 0, "sequence": 0, **fields}
        valid.append({"name": name, "sender": ALICE.hex(), "recipient": BOB.hex(), "size": size,
                      "payload": payload.hex(), "hex": raw.hex(), **fields})
    return {"valid": valid, "longer": longer_datagrams(), "bad": bad_packets()}


def longer_datagrams():
    """The packet ends where its size field says; the datagram may go on."""
    raw = packet(60, data(b"hello"))
    return [
        {"name": "one byte behind", "hex": (raw + b"\0").hex(), "size": 60},
        {"name": "another packet behind", "hex": (raw + raw).hex(), "size": 60},
        {"name": "another checksum behind", "hex": (raw + raw[-4:]).hex(), "size": 60},
    ]


def bad_packets():
    hello = data(b"hello")
    good = packet(120, hello)
    bad = [(f"all zero, {size} bytes", bytes(size), "unknown_protocol") for size in (52, 120)]
    bad += [(f"cut to {size}", good[:size], "too_short") for size in (0, 1, 4, 43, 47, 48, 51)]
    bad += [(f"cut to {size}", good[:size], "bad_size") for size in (52, 119)]
    for size in [0, 1, 2, 3, 4, 5, 44, 47, 48, 51, 121, 32768, 65535]:
        raw = packet(120, hello, wrong={"size": size})
        bad.append((f"size field {size} in 120", raw, "bad_size"))
    # The checksum of the short packet is right, in the place where its size field says.
    short = packet(120, hello, wrong={"size": 51, "payload_size": 65535})
    short = short[:47] + struct.pack(">I", crc32c(short[:47])) + short[51:]
    bad.append(("size field 51, payload of 65535, checksum right", short, "bad_size"))
    for size in [69, 72, 116, 120, 4096, 65535]:
        raw = packet(120, hello, wrong={"payload_size": size})
        bad.append((f"payload size {size} in 120", raw, "bad_size"))
    bad.append(("payload size 1 in 52", packet(52, b"", wrong={"payload_size": 1}), "bad_size"))
    bad.append(("size field one less", packet(120, hello, wrong={"size": 119}), "bad_checksum"))
    for bit in [0, 8, 31]:
        raw = packet(120, hello, wrong={"checksum": 1 << bit})
        bad.append((f"checksum bit {bit}", raw, "bad_checksum"))
    for at in [4, 20, 36, 45, 48, 115]:
        flipped = good[:at] + bytes([good[at] ^ 0x10]) + good[at + 1:]
        bad.append((f"byte {at} changed", flipped, "bad_checksum"))
    bad += [
        ("encrypted", packet(120, hello, flags=ENCRYPTED), "encrypted"),
        ("encrypted, with a MAC",
         packet(120, hello, flags=ENCRYPTED | SPIN, wrong={"checksum": 5}), "encrypted"),
    ]
    for protocol in [0, 0x0901D03F, PROTOCOL_ID + 1, 0xFFFFFFFF]:
        raw = packet(120, hello, wrong={"protocol": protocol})
        bad.append((f"protocol {protocol:08x}", raw, "unknown_protocol"))
    return [{"name": name, "hex": raw.hex(), "error": error} for name, raw, error in bad]


def cookies():
    secrets = [b"", b"secret A!", b"secret B", bytes(range(32)), b"\xff" * 64]
    out = []
    for index, secret in enumerate(secrets):
        for initiator, responder in [(ALICE, BOB), (BOB, ALICE), (bytes(16), b"\xff" * 16)]:
            halves = ([0x1234, 0, 0xFFFF][index % 3], [0x5678, 0xF0F0][index % 2])
            peers = secret + initiator + responder
            out.append({
                "secret": secret.hex(), "initiator_peer": initiator.hex(),
                "responder_peer": responder.hex(), "initiator": halves[0], "responder": halves[1],
                "cookie1": zlib.crc32(peers + struct.pack(">H", halves[0])),
                "cookie2": zlib.crc32(peers + wire_id(*halves)),
            })
    return out


def write_corpora(vectors, corpora):
    """One file a vector; what a fuzzer found is beside them under other names, and stays."""
    seeds = {
        "varint": [{**v, "name": v["value"]} for v in vectors["varints"]["valid"]]
        + vectors["varints"]["bad"],
        "message": [{**v, "name": f"{v['type']} {index}"}
                    for index, v in enumerate(vectors["messages"]["valid"])]
        + vectors["messages"]["bad"] + vectors["payloads"],
        "packet": [v for kind in ("valid", "longer", "bad") for v in vectors["packets"][kind]],
    }
    for target, cases in seeds.items():
        folder = corpora / target
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("v0-*"):
            old.unlink()
        for raw, name in {case["hex"]: case["name"] for case in reversed(cases)}.items():
            slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
            path = folder / f"v0-{slug}"
            assert not path.exists(), path
            path.write_bytes(bytes.fromhex(raw))


def main():
    assert crc32c(b"123456789") == 0xE3069283
    vectors = {"varints": varints(), "messages": messages(), "payloads": payloads(),
               "packets": packets(), "cookies": cookies()}
    text = json.dumps(vectors, indent=1) + "\n"
    if "--stdout" in sys.argv:
        sys.stdout.write(text)
        return
    here = pathlib.Path(__file__).resolve().parent
    (here / "v0.json").write_text(text)
    write_corpora(vectors, here.parent / "fuzz" / "corpus")


if __name__ == "__main__":
    main()
