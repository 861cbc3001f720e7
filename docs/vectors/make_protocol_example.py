#!/usr/bin/env python3
"""Computes the worked example of docs/protocol.md from fixed secrets, apart from the library.

    python3 make_protocol_example.py           the example, as the text of chapter 20
    python3 make_protocol_example.py --json    the same values: tests/vectors/v1_keys.json
    python3 make_protocol_example.py --check   exit 1 unless both files hold this output

Needs `cryptography` from the package index.
"""
import hashlib
import hmac
import json
import pathlib
import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

PROTOCOL_ID = bytes.fromhex("0901d03f")
CONNECTION_CHANNEL = bytes.fromhex("f0f0f0f0")
QUIC_V1_SALT = bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a")


# Key derivation: RFC 5869, RFC 8446 7.1 and 7.5.

def extract(digest, salt, secret):
    return hmac.new(salt, secret, digest).digest()


def expand_label(digest, secret, label, context, length):
    full = b"tls13 " + label
    info = length.to_bytes(2, "big") + bytes([len(full)]) + full + bytes([len(context)]) + context
    out, block, counter = b"", b"", 1
    while len(out) < length:
        block = hmac.new(secret, block + info + bytes([counter]), digest).digest()
        out, counter = out + block, counter + 1
    return out[:length]


def tls_exporter(digest, exporter_secret, label, context, length):
    derived = expand_label(
        digest, exporter_secret, label, hashlib.new(digest).digest(),
        hashlib.new(digest).digest_size)
    return expand_label(digest, derived, b"exporter", hashlib.new(digest, context).digest(), length)


# Values of the wire.

def varint(value):
    out = [value & 0x7F]
    value >>= 7
    while value:
        value -= 1
        out.append(0x80 | value & 0x7F)
        value >>= 7
    return bytes(reversed(out))


def message(kind, body):
    return varint(kind) + varint(len(body)) + body


def aes_mask(key, sample):
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return encryptor.update(sample)[:5]


def chacha_mask(key, sample):
    # The cipher's first 16 bytes are counter and nonce together, as in RFC 9001 5.4.4.
    return Cipher(algorithms.ChaCha20(key, sample), mode=None).encryptor().update(bytes(5))


def nonce_of(iv, path, number):
    return bytes(a ^ b for a, b in zip(iv, path.to_bytes(4, "big") + number.to_bytes(8, "big")))


def xor(data, mask):
    return bytes(a ^ b for a, b in zip(data, mask))


def long_packet(keys, level, sender, recipient, cookie, number, payload):
    size = 45 + len(cookie) + 4 + len(payload) + 16
    flags = 1 | level << 2
    head = (PROTOCOL_ID + sender + recipient + CONNECTION_CHANNEL + flags.to_bytes(2, "big")
            + size.to_bytes(2, "big") + bytes([len(cookie)]) + cookie)
    aad = head + number.to_bytes(4, "big")
    sealed = AESGCM(keys["key"]).encrypt(nonce_of(keys["iv"], 0, number), payload, aad)
    mask = aes_mask(keys["hp"], sealed[:16])
    packet = head + xor(aad[-4:], mask[1:]) + sealed
    assert len(packet) == size
    return packet, aad, mask


def short_packet(suite, keys, epoch, token, path, channel, number, number_len, payload):
    first = 0x80 | (epoch & 3) << 2 | number_len - 1
    wire_number = (number & (1 << 8 * number_len) - 1).to_bytes(number_len, "big")
    aad = bytes([first]) + token + channel + wire_number
    nonce = nonce_of(keys["iv"], path, number)
    sealed = suite["aead"](keys["key"]).encrypt(nonce, payload, aad)
    sample = (wire_number + sealed)[4:20]
    number_mask = suite["mask"](keys["hn"], sample)
    channel_mask = suite["mask"](keys["hc"], sample)
    packet = (bytes([first ^ number_mask[0] & 0x0F]) + token + xor(channel, channel_mask[1:])
              + xor(wire_number, number_mask[1:]) + sealed)
    return packet, aad, nonce, sample, number_mask, channel_mask


SUITES = {
    "TLS_AES_256_GCM_SHA384": {"hash": "sha384", "aead": AESGCM, "mask": aes_mask},
    "TLS_CHACHA20_POLY1305_SHA256": {
        "hash": "sha256", "aead": ChaCha20Poly1305, "mask": chacha_mask},
}


def example_identity(show):
    seed = bytes(range(32))
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    show("Identity", [
        ("private key (seed)", seed),
        ("SPKI", spki),
        ("peer id", hashlib.sha256(b"channeler peer id v1\0" + spki).digest()[:16]),
    ])
    reset_key = extract("sha256", b"channeler v1 reset", seed)
    token = bytes.fromhex("b0b1b2b3b4b5b6b7")
    show("Stateless reset", [
        ("reset key", reset_key),
        ("token", token),
        ("reset value", hmac.new(reset_key, token, "sha256").digest()[:16]),
    ])


def example_cookie(show):
    # The form is the responder's own affair: this is that of 7.9, with 4 or 6 as the family.
    seed = bytes(range(0x10, 0x30))
    key = hmac.new(seed, b"cookie key", "sha256").digest()
    seconds = (1234).to_bytes(4, "big")
    address = bytes(10) + b"\xff\xff" + bytes([192, 0, 2, 1])
    sender, recipient = bytes(range(0x40, 0x50)), bytes(range(0x20, 0x30))
    signed = seconds + b"\x04" + address + (4567).to_bytes(2, "big") + sender + recipient
    show("Cookie for 192.0.2.1:4567 at 1234 s", [
        ("key", key),
        ("signed", signed),
        ("cookie", seconds + hmac.new(key, signed, "sha256").digest()[:16]),
    ])


def example_long(show):
    original = bytes(range(0x20, 0x30))
    initiator = bytes(range(0x40, 0x50))
    responder = bytes(range(0x60, 0x70))
    initial = extract("sha256", QUIC_V1_SALT, original)
    keys = {}
    for side, label in (("initiator", b"client in"), ("responder", b"server in")):
        secret = expand_label("sha256", initial, label, b"", 32)
        keys[side] = {
            "secret": secret,
            "key": expand_label("sha256", secret, b"quic key", b"", 16),
            "iv": expand_label("sha256", secret, b"quic iv", b"", 12),
            "hp": expand_label("sha256", secret, b"quic hp", b"", 16),
        }
    show("Level 0 keys", [
        ("original id", original),
        ("initial secret", initial),
        *((f"{side} {name}", value) for side in keys for name, value in keys[side].items()),
    ])
    payload = message(2, varint(0) * 4) + message(4, varint(0) + b"hello")
    packet, aad, mask = long_packet(
        keys["responder"], 0, responder, initiator, b"", 1, payload)
    show("A level 0 packet of the responder: number 1, ACK of number 0, CRYPTO \"hello\" at 0", [
        ("payload", payload), ("AAD", aad), ("mask", mask), ("packet", packet),
    ])
    cookie = bytes(range(0xC0, 0xD4))
    payload = message(4, varint(0) + b"hello")
    payload += bytes(1200 - 45 - len(cookie) - 4 - 16 - len(payload))
    packet, _, _ = long_packet(keys["initiator"], 0, initiator, original, cookie, 2, payload)
    assert len(packet) == 1200
    show("A padded level 0 packet of the initiator: number 2, cookie, CRYPTO \"hello\", PADDING", [
        ("first 96 bytes", packet[:96]), ("last 16 bytes", packet[-16:]),
        ("SHA-256 of all 1200", hashlib.sha256(packet).digest()),
    ])
    return original, initiator, responder


def example_short(show, name, context):
    suite = SUITES[name]
    digest = suite["hash"]
    size = hashlib.new(digest).digest_size
    exporter = bytes(range(0x80, 0x80 + size))
    secret = tls_exporter(digest, exporter, b"channeler v1 initiator", context, size)
    channel, path, token = bytes.fromhex("00000002"), 3, bytes.fromhex("a0a1a2a3a4a5a6a7")
    header = {
        "hn": expand_label(digest, secret, b"hn", b"", 32),
        "hc": expand_label(digest, secret, b"hc", b"", 32),
    }
    show(f"{name}: initiator's keys", [
        ("exporter secret", exporter), ("context", context), ("secret[0]", secret),
        ("hn", header["hn"]), ("hc", header["hc"]),
    ])
    for epoch in range(2):
        if epoch:
            secret = expand_label(digest, secret, b"ku", b"", size)
        keys = dict(header)
        keys["key"] = expand_label(digest, secret, b"key", channel, 32)
        keys["iv"] = expand_label(digest, secret, b"iv", channel, 12)
        # DATA: flags FINAL, message number 0, then the bytes.
        payload = message(20, b"\x01" + varint(0) + b"hello") if epoch == 0 else message(1, b"")
        number, number_len = (0x1234, 2) if epoch == 0 else (0x01ABCDEF, 1)
        packet, aad, nonce, sample, number_mask, channel_mask = short_packet(
            suite, keys, epoch, token, path, channel, number, number_len, pad(payload, number_len))
        show(f"{name}: epoch {epoch}, channel 00000002, path 3, number {number:#x}", [
            ("secret", secret), ("key", keys["key"]), ("iv", keys["iv"]), ("nonce", nonce),
            ("payload", pad(payload, number_len)), ("AAD", aad), ("sample", sample),
            ("number mask", number_mask), ("channel mask", channel_mask), ("packet", packet),
        ])


def pad(payload, number_len):
    """The least payload that leaves 16 bytes to sample: zeros are PADDING."""
    return payload + bytes(max(0, 4 - number_len - len(payload)))


def render(sections):
    lines = []
    for title, rows in sections:
        lines += [f"**{title}**", "", "```"]
        for name, value in rows:
            text = value.hex()
            chunks = [text[i:i + 64] for i in range(0, len(text), 64)] or [""]
            lines.append(f"{name:<20} {chunks[0]}")
            lines += [f"{'':<20} {chunk}" for chunk in chunks[1:]]
        lines += ["```", ""]
    return "\n".join(lines)


def main():
    sections = []

    def show(title, rows):
        sections.append((title, rows))

    example_identity(show)
    example_cookie(show)
    original, initiator, responder = example_long(show)
    for name in SUITES:
        example_short(show, name, original + initiator + responder)
    values = {title: {k: v.hex() for k, v in rows} for title, rows in sections}
    if "--json" in sys.argv:
        print(json.dumps(values, indent=1))
    elif "--check" in sys.argv:
        root = pathlib.Path(__file__).resolve().parents[2]
        if render(sections) not in (root / "docs/protocol.md").read_text():
            sys.exit("docs/protocol.md does not hold this script's output")
        if json.loads((root / "tests/vectors/v1_keys.json").read_text()) != values:
            sys.exit("tests/vectors/v1_keys.json is not this script's output with --json")
    else:
        print(render(sections))


if __name__ == "__main__":
    main()
