"""Identities and public keys: made, kept as text, read again; and what is none."""

from __future__ import annotations

from pathlib import Path

import pytest

import channeler

# Of the private key 9d61b1.. in RFC 8032, section 7.1, test 1, as openssl writes it.
KNOWN_PEM = """\
-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
"""
KNOWN_PUBLIC_KEY = bytes.fromhex(
    "302a300506032b6570032100d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
)


def test_a_key_goes_out_and_in_again(tmp_path: Path) -> None:
    identity = channeler.Identity.generate()
    file = tmp_path / "key.pem"
    file.write_text(identity.pem)
    again = channeler.Identity.from_pem(file.read_bytes())
    assert again == identity and hash(again) == hash(identity) and again.pem == identity.pem
    with channeler.SansIoNode(identity=again) as node:
        assert node.peer_id == identity.peer_id
        assert node.public_key == identity.public_key
        assert node.identity == identity
    assert channeler.Identity.generate() != identity
    assert identity != identity.pem


def test_the_key_of_others_is_read_as_they_mean_it() -> None:
    key = channeler.Identity.from_pem(KNOWN_PEM).public_key
    assert bytes(key) == KNOWN_PUBLIC_KEY
    assert channeler.PublicKey(KNOWN_PUBLIC_KEY) == key
    assert key.peer_id == channeler.Identity(KNOWN_PEM).peer_id


def test_a_fresh_key_of_a_node_can_be_kept() -> None:
    with channeler.SansIoNode() as node:
        identity, peer = node.identity, node.peer_id
    with channeler.SansIoNode(channeler.Options(identity=identity)) as node:
        assert node.peer_id == peer == identity.peer_id


def test_a_secret_is_not_printed() -> None:
    identity = channeler.Identity.generate()
    secret = identity.pem.splitlines()[1]
    options = channeler.Options(identity=identity)
    assert secret not in repr(identity) and secret not in repr(options)
    assert str(identity.peer_id) in repr(identity)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
        KNOWN_PEM.replace("PRIVATE", "PUBLIC"),
        KNOWN_PEM.replace("VwBC", "VuBC"),  # of X25519
        b"\xff\xfe",
    ],
)
def test_what_is_no_key_is_refused(text: str | bytes) -> None:
    with pytest.raises(channeler.DecodeError):
        channeler.Identity.from_pem(text)


def test_a_zero_byte_ends_no_key_early() -> None:
    with pytest.raises(channeler.InvalidArgument):
        channeler.Identity(KNOWN_PEM + "\0")


def test_a_public_key_has_44_bytes_that_are_a_key() -> None:
    with pytest.raises(channeler.InvalidArgument):
        channeler.PublicKey(KNOWN_PUBLIC_KEY[1:])
    with pytest.raises(channeler.DecodeError):
        channeler.PublicKey(bytes(44)).peer_id


def test_version_0_alone_has_no_key() -> None:
    with channeler.SansIoNode(legacy=channeler.Legacy.ONLY) as node:
        with pytest.raises(channeler.Unsupported):
            node.public_key
        with pytest.raises(channeler.Unsupported):
            node.identity
    with pytest.raises(channeler.InvalidArgument, match="identity"):
        channeler.SansIoNode(
            identity=channeler.Identity.generate(), legacy=channeler.Legacy.ONLY
        )
