"""The keys by which peers know each other."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

from . import _abi
from ._lib import library
from .errors import ErrorCode, InvalidArgument, check
from .values import PeerId, text_to_c

PUBLIC_KEY_BYTES = ctypes.sizeof(_abi.channeler_public_key)


@dataclass(frozen=True, order=True)
class PublicKey:
    """A peer's public key: 44 bytes, an Ed25519 key as SubjectPublicKeyInfo (RFC 8410)."""

    raw: bytes

    def __post_init__(self) -> None:
        raw = bytes(self.raw)
        if len(raw) != PUBLIC_KEY_BYTES:
            raise InvalidArgument(
                ErrorCode.INVALID_ARGUMENT,
                f"a public key has {PUBLIC_KEY_BYTES} bytes, not {len(raw)}",
            )
        object.__setattr__(self, "raw", raw)

    @property
    def peer_id(self) -> PeerId:
        """What others know its owner by. Raises `DecodeError` when the bytes are no key."""
        key = _abi.channeler_public_key.from_buffer_copy(self.raw)
        out = _abi.channeler_peer_id()
        check(library.channeler_public_key_peer_id(ctypes.byref(key), ctypes.byref(out)))
        return PeerId._from_c(out)

    def __bytes__(self) -> bytes:
        return self.raw

    @staticmethod
    def _from_c(key: _abi.channeler_public_key) -> PublicKey:
        return PublicKey(bytes(key.bytes))

    @staticmethod
    def _from_c_or_none(key: _abi.channeler_public_key) -> PublicKey | None:
        return PublicKey._from_c(key) if any(key.bytes) else None


class Identity:
    """The private key that makes a node the peer that others know: a secret.

    Keep its `pem` in a file that only you can read, and give it to the next node. Without one each
    node is a new peer.
    """

    __slots__ = ("_pem", "_public_key")

    def __init__(self, pem: str) -> None:
        """Reads what `pem` gives, and openssl writes; the same as `from_pem`."""
        out = _abi.channeler_public_key()
        check(library.channeler_identity_public_key(text_to_c(pem), ctypes.byref(out)))
        self._pem = pem
        self._public_key = PublicKey._from_c(out)

    @staticmethod
    def generate() -> Identity:
        """A fresh one."""
        buffer = ctypes.create_string_buffer(_abi.CHANNELER_IDENTITY_PEM_MAX)
        check(library.channeler_identity_generate(buffer, len(buffer)))
        return Identity._take(buffer)

    @staticmethod
    def from_pem(pem: str | bytes) -> Identity:
        """Reads an unencrypted Ed25519 private key: PKCS#8, as PEM text.

        Raises `DecodeError` when there is none in the text.
        """
        return Identity(pem if isinstance(pem, str) else pem.decode(errors="surrogateescape"))

    @property
    def pem(self) -> str:
        """The private key as text."""
        return self._pem

    @property
    def public_key(self) -> PublicKey:
        """What others may know of it."""
        return self._public_key

    @property
    def peer_id(self) -> PeerId:
        """What others know it by."""
        return self._public_key.peer_id

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Identity):
            return NotImplemented
        return other._public_key == self._public_key

    def __hash__(self) -> int:
        return hash(self._public_key)

    def __repr__(self) -> str:
        return f"<channeler.Identity of {self.peer_id}>"

    @staticmethod
    def _take(buffer: ctypes.Array[ctypes.c_char]) -> Identity:
        """Reads the text in a buffer, and wipes it: one copy of a secret less."""
        try:
            return Identity(buffer.value.decode())
        finally:
            ctypes.memset(buffer, 0, len(buffer))
