#!/usr/bin/env python3
"""Writes the corpus of the fuzz target quic_frames: scripts for src/quic/play.rs."""

import pathlib
import struct

FOLDER = pathlib.Path(__file__).parent / "corpus" / "quic_frames"
TEAM = bytes(range(32))


def head(label: bytes, length: bytes | None = None) -> bytes:
    if length is None:
        size = len(label)
        length = bytes([size]) if size < 0x80 else bytes([0x80 | size & 0x7F, size >> 7])
    return b"\x01" + TEAM + length + label


def frame(body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + body


def script(kind: int, stream: bytes, chunk: int = 255, receives: int = 0) -> bytes:
    out = bytes([kind])
    for at in range(0, len(stream), chunk):
        piece = stream[at : at + chunk]
        out += bytes([len(piece)]) + piece + bytes(receives)
    return out


GOOD = [frame(head(b"TELEMETRY") + b"m" * size) for size in (0, 1, 64, 300)]
SYNC = [frame(b"\x00" + b"s" * size) for size in (0, 1, 300)]
CASES = {
    "messages": script(3, b"".join(GOOD)),
    "messages-received": script(3, b"".join(GOOD), receives=2),
    "messages-byte-by-byte": script(3, b"".join(GOOD[:3]), chunk=1),
    "messages-in-sevens": script(15, b"".join(GOOD), chunk=7, receives=1),
    "syncs": script(3, b"".join(SYNC)),
    "both": script(3, b"".join(x for pair in zip(GOOD, SYNC) for x in pair), receives=1),
    "held-by-number": script(3, SYNC[0] * 100),
    "held-by-bytes": script(2, GOOD[3] * 20, receives=0),
    "large": script(3, frame(b"\x00" + b"l" * 19_000) * 3),
    "large-and-small": script(3, (frame(b"\x00" + b"l" * 9_000) + GOOD[1]) * 4),
    "label-none": script(3, frame(head(b"") + b"x")),
    "label-127": script(3, frame(head(b"a" * 127) + b"x")),
    "label-128": script(3, frame(head(b"a" * 128) + b"x")),
    "label-256": script(3, frame(head(b"a" * 256) + b"x")),
    "label-257": script(3, frame(head(b"a" * 257) + b"x")),
    "label-says-too-much": script(3, frame(head(b"ab", b"\xff\xff\x03"))),
    "label-not-text": script(3, frame(head(b"\xc3\x28"))),
    "label-cut": script(3, frame(head(b"ab", b"\x05"))),
    "label-length-in-three-bytes": script(3, frame(head(b"ab", b"\x82\x80\x00") + b"x")),
    "team-cut": script(3, frame(head(b"")[:20])),
    "variant-unknown": script(3, frame(b"\x02abc")),
    "variant-large": script(3, frame(b"\xff\xff\xff\xff\x0fabc")),
    "variant-overflows": script(3, frame(b"\xff\xff\xff\xff\xff\xff")),
    "variant-in-two-bytes": script(3, frame(b"\x81\x00" + head(b"ab")[1:] + b"x")),
    "sync-in-two-bytes": script(3, frame(b"\x80\x00" + b"x")),
    "length-none": script(3, GOOD[0] + bytes(4)),
    "length-at-the-limit": script(0, frame(b"\x00" + b"x" * 39)),
    "length-above-the-limit": script(0, frame(b"\x00" + b"x" * 40)),
    "length-huge": script(3, GOOD[0] + b"\xff\xff\xff\xff"),
    "ends-in-length": script(3, GOOD[0] + b"\x00\x00"),
    "ends-in-head": script(3, GOOD[2][:12]),
    "ends-in-message": script(3, GOOD[3][:200]),
}

if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, data in CASES.items():
        (FOLDER / name).write_bytes(data)
    print(f"wrote {len(CASES)} files to {FOLDER}")
