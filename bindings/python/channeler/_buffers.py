"""Python's buffers as the library's `const uint8_t *` and length."""

from __future__ import annotations

import ctypes
from typing import Any, NamedTuple, Union

from .errors import BufferTooSmall, ErrorCode

Buffer = Union[bytes, bytearray, memoryview]
"""What is sent: any of these, read as bytes."""

WritableBuffer = Union[bytearray, memoryview]
"""Where messages are read to."""


class Bytes(NamedTuple):
    """Memory for the library. Keep it until the library is done with it."""

    pointer: Any
    """For an argument of type `void *`."""
    length: int

    def address(self) -> int | None:
        """The same for a field of type `void *`."""
        return ctypes.cast(self.pointer, ctypes.c_void_p).value


def readable(data: Buffer) -> Bytes:
    """The memory of `data` itself; a copy of a view of something that may not be written."""
    if isinstance(data, bytes):
        # Points to the bytes, and keeps them.
        return Bytes(ctypes.c_char_p(data), len(data))
    view = memoryview(data)
    if view.readonly or not view.c_contiguous:
        return readable(view.tobytes())
    return Bytes((ctypes.c_char * view.nbytes).from_buffer(view), view.nbytes)


def writable(data: WritableBuffer) -> Bytes:
    """The memory of `data` itself."""
    view = memoryview(data)
    if view.readonly or not view.c_contiguous:
        raise BufferTooSmall(
            ErrorCode.INSUFFICIENT_BUFFER_SIZE, "the buffer cannot be written, or has gaps"
        )
    return Bytes((ctypes.c_char * view.nbytes).from_buffer(view), view.nbytes)
