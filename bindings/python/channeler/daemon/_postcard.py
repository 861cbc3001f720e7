"""Postcard, as far as the socket of the daemon speaks it: values to bytes and back."""

from __future__ import annotations

import re
from typing import Callable, TypeVar

from ._errors import MalformedAnswer

_T = TypeVar("_T")


def varint(number: int) -> bytes:
    """An unsigned number, seven bits a byte."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def text(text: str) -> bytes:
    """Text, behind its length."""
    data = text.encode()
    return varint(len(data)) + data


def option(value: bytes | None) -> bytes:
    """A value that may be missing."""
    return b"\x00" if value is None else b"\x01" + value


def digits(value: bytes | str, size: int, what: str) -> bytes:
    """Bytes, from hexadecimal digits if need be."""
    if isinstance(value, str):
        digits = value[2:] if value.startswith("0x") else value
        if not re.fullmatch(f"[0-9a-fA-F]{{{2 * size}}}", digits):
            raise ValueError(f"'{value}' is no {what}: {2 * size} hexadecimal digits")
        return bytes.fromhex(digits)
    if len(value) != size:
        raise ValueError(f"a {what} has {size} bytes, not {len(value)}")
    return bytes(value)


class Head:
    """Reads values; what is cut off or no value is a `MalformedAnswer`."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        end = self._at + count
        if end > len(self._data):
            raise MalformedAnswer("an answer that is cut off")
        out = bytes(self._data[self._at : end])
        self._at = end
        return out

    def varint(self, bits: int = 64) -> int:
        number = shift = 0
        while True:
            byte = self.take(1)[0]
            number |= (byte & 0x7F) << shift
            shift += 7
            if number >> bits:
                raise MalformedAnswer(f"a number of more than {bits} bits")
            if not byte & 0x80:
                return number
            if shift >= bits:
                raise MalformedAnswer("a number without an end")

    def text(self) -> str:
        try:
            return self.take(self.varint(32)).decode()
        except UnicodeDecodeError:
            raise MalformedAnswer("a text that is not UTF-8") from None

    def flag(self) -> bool:
        byte = self.take(1)[0]
        if byte > 1:
            raise MalformedAnswer(f"a truth of {byte}")
        return byte == 1

    def maybe(self, read: Callable[[], _T]) -> _T | None:
        return read() if self.flag() else None

    def many(self, read: Callable[[], _T]) -> list[_T]:
        # Each takes a byte at least: a count alone takes no memory.
        return [read() for _ in range(self.varint(32))]

    def peer(self) -> bytes:
        return self.take(16)

    def counters(self) -> dict[str, int]:
        return dict(self.many(lambda: (self.text(), self.varint())))

    def rest(self) -> bytes:
        return self.take(len(self._data) - self._at)
