"""Errors, peer ids, addresses and options."""

from __future__ import annotations

import pickle
import socket
from dataclasses import fields
from typing import Any

import pytest

import channeler
from channeler import _abi
from channeler.errors import check


@pytest.mark.parametrize("code", list(channeler.ErrorCode))
def test_each_number_is_an_exception_with_the_librarys_name_and_text(
    code: channeler.ErrorCode,
) -> None:
    error = channeler.error_from(code)
    assert error.code is code
    assert error.name == f"CHANNELER_ERR_{code.name}"
    assert error.detail == code.text and error.detail
    assert str(error) == f"{error.detail} ({error.name})"
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.code, again.detail) == (type(error), code, error.detail)


def test_exceptions_are_of_the_kinds_that_python_programs_expect() -> None:
    expected: dict[type[Exception], type[Exception]] = {
        channeler.WouldBlock: BlockingIOError,
        channeler.DataUnavailable: BlockingIOError,
        channeler.Timeout: TimeoutError,
        channeler.Refused: ConnectionRefusedError,
        channeler.Closed: ConnectionError,
        channeler.Idle: ConnectionError,
        channeler.WrongIdentity: ConnectionError,
        channeler.PeerClosed: ConnectionError,
        channeler.PeerReset: ConnectionResetError,
        channeler.InvalidArgument: ValueError,
        channeler.InvalidAddress: ValueError,
        channeler.SocketError: OSError,
    }
    for ours, pythons in expected.items():
        assert issubclass(ours, channeler.ChannelerError)
        assert issubclass(ours, pythons)


def test_an_unknown_number_is_still_an_error() -> None:
    with pytest.raises(channeler.ChannelerError) as raised:
        check(_abi.CHANNELER_ERR_USER)
    assert raised.value.code == 1000
    assert raised.value.name == "CHANNELER_ERR_UNKNOWN"


def test_error_codes_are_all_of_the_headers() -> None:
    header = {
        name[len("CHANNELER_ERR_") :]: value
        for name, value in vars(_abi).items()
        if name.startswith("CHANNELER_ERR_") and name != "CHANNELER_ERR_USER"
    }
    assert {code.name: code.value for code in channeler.ErrorCode} == header


def test_the_detail_says_what_was_wrong() -> None:
    with pytest.raises(channeler.InvalidArgument, match="packet_size"):
        channeler.Node(channeler.Options(packet_size=1))


def test_peer_ids_are_values() -> None:
    peer = channeler.PeerId.random()
    text = str(peer)
    assert len(text) == 34 and text.startswith("0x")
    assert channeler.PeerId.parse(text) == peer == channeler.PeerId.parse(text[2:])
    assert hash(channeler.PeerId(bytes(peer))) == hash(peer)
    assert channeler.PeerId.random() != peer


@pytest.mark.parametrize("text", ["", "0x12", "zz" * 16, "12" * 17])
def test_what_is_no_peer_id_is_refused(text: str) -> None:
    with pytest.raises(channeler.DecodeError):
        channeler.PeerId.parse(text)


def test_a_zero_byte_ends_no_text_early() -> None:
    with pytest.raises(channeler.InvalidArgument):
        channeler.PeerId.parse("12" * 16 + "\0garbage")


def test_a_peer_id_has_sixteen_bytes() -> None:
    with pytest.raises(channeler.InvalidArgument):
        channeler.PeerId(b"short")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1:7000", channeler.Address("192.0.2.1", 7000)),
        ("[2001:db8::1]:1", channeler.Address("2001:DB8:0::1", 1)),
        ("[fe80::1%3]:65535", channeler.Address("fe80::1", 65535, 3)),
    ],
)
def test_addresses_are_values(text: str, address: channeler.Address) -> None:
    assert channeler.Address.parse(text) == address
    assert str(address) == text
    assert channeler.Address.from_sockaddr(address.to_sockaddr()) == address
    assert channeler.Address.from_tuple(address.to_tuple()) == address


def test_addresses_of_sockets_are_taken() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        address = channeler.Address.from_tuple(one.getsockname())
        assert address == channeler.Address("127.0.0.1", one.getsockname()[1])
        assert address.to_tuple() == one.getsockname()


@pytest.mark.parametrize("text", ["", "localhost:1", "192.0.2.1", "192.0.2.1:65536", "::1:5"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(channeler.InvalidAddress):
        channeler.Address.parse(text)


@pytest.mark.parametrize(
    "parts", [("localhost", 1), ("192.0.2.1", -1), ("::1", 65536), ("::1", 1, -1), ("a\0b", 1)]
)
def test_parts_that_make_no_address_are_refused(parts: tuple[Any, ...]) -> None:
    with pytest.raises(channeler.InvalidAddress):
        channeler.Address(*parts)


def test_a_short_sockaddr_is_refused() -> None:
    with pytest.raises(channeler.InvalidAddress):
        channeler.Address.from_sockaddr(b"\x02")


def test_options_have_every_setting_of_the_struct() -> None:
    ours = {field.name for field in fields(channeler.Options)}
    header = {name for name, *_ in _abi.channeler_options._fields_}
    assert {name.replace("_ns", "") for name in header} - ours == {
        "struct_size",
        "mode",
        "profile",  # for the C++ drop-in, as test_abi.NOT_WRAPPED tells
        "reserved",
    }


def test_default_options_are_the_librarys() -> None:
    defaults = channeler.Options.defaults()
    assert defaults.idle_timeout == 60.0
    assert defaults.handshake_timeout == 0.2
    assert defaults.packet_size == 1232
    assert defaults.legacy is channeler.Legacy.OFF
    assert defaults.congestion is channeler.Congestion.BBR2
    assert defaults.early_data is False and defaults.dial_timeout == 30.0
    assert defaults.accept_incoming is True
    channeler.Node(defaults).close()


def test_options_reach_the_node() -> None:
    peer = channeler.PeerId(b"0123456789abcdef")
    options = channeler.Options(peer_id=peer, legacy=channeler.Legacy.ONLY)
    with channeler.Node(options) as node:
        assert node.peer_id == peer
    with pytest.raises(channeler.InvalidArgument, match="identity"):
        channeler.Node(options, legacy=channeler.Legacy.OFF)


@pytest.mark.parametrize(
    "settings",
    [
        {"packet_size": 1 << 32 | 1232},
        {"packet_size": -1},
        {"idle_timeout": -1.0},
        {"idle_timeout": float("nan")},
        {"idle_timeout": float("inf")},
        {"channels_max": 1 << 64},
        {"seed": b"short"},
        {"handshake_retries": 17},
        {"congestion": 3},
        {"dial_timeout": 0.0},
        {"linger": -1.0},
        {"half_open_max": 0},
        {"instance_label": "x" * 256},
        {"instance_label": "a\0b"},
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(channeler.InvalidArgument):
        channeler.SansIoNode(channeler.Options(**settings))


def test_a_seed_is_for_nodes_without_sockets() -> None:
    with pytest.raises(channeler.InvalidArgument, match="seed"):
        channeler.Node(channeler.Options(seed=bytes([1]) * 32))
