"""Finds libchanneler, loads it and checks that it speaks our interface."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import sys
from pathlib import Path
from typing import Iterator

from . import _abi

ENVIRONMENT = "CHANNELER_LIBRARY"
"""Names the library's file; nothing else is tried then."""


class LibraryNotFound(ImportError):
    """No usable libchanneler was found; the text names what was tried."""


def load() -> _abi.Library:
    """The first library that loads and has our ABI number."""
    tried = []
    for name in _candidates():
        try:
            library = ctypes.CDLL(name)
        except OSError as error:
            tried.append(f"{name}: {error}")
            continue
        problem = _problem(library)
        if problem is None:
            return _abi.declare(library)
        tried.append(f"{name}: {problem}")
    raise LibraryNotFound(_complaint(tried))


def _candidates() -> Iterator[str]:
    named = os.environ.get(ENVIRONMENT)
    if named:
        yield named
        return
    yield from _built()
    # The loader's own search first (LD_LIBRARY_PATH, its cache), then what the compiler knows.
    yield from _installed_names()
    found = ctypes.util.find_library("channeler")
    if found and found not in _installed_names():
        yield found


def _built() -> list[str]:
    """Libraries built in the checkout that this file is part of, the youngest first."""
    root = Path(__file__).resolve().parents[3]
    if not (root / "Cargo.toml").is_file() or not (root / "include/channeler.h").is_file():
        return []
    files = [root / "target" / profile / _file_name() for profile in ("release", "debug")]
    files = [file for file in files if file.is_file()]
    return [str(file) for file in sorted(files, key=lambda file: -file.stat().st_mtime)]


def _file_name() -> str:
    if sys.platform == "win32":
        return "channeler.dll"
    return "libchanneler.dylib" if sys.platform == "darwin" else "libchanneler.so"


def _installed_names() -> list[str]:
    if sys.platform in ("win32", "darwin"):
        return [_file_name()]
    return [f"libchanneler.so.{_abi.SONAME_VERSION}", "libchanneler.so"]


def _problem(library: ctypes.CDLL) -> str | None:
    try:
        version = library.channeler_abi_version
    except AttributeError:
        return "this is no libchanneler: it has no channeler_abi_version"
    version.restype = ctypes.c_uint32
    version.argtypes = []
    number = version()
    if number != _abi.CHANNELER_ABI_VERSION:
        return f"its ABI number is {number}; this package needs {_abi.CHANNELER_ABI_VERSION}"
    missing = [name for name in _abi.PROTOTYPES if not hasattr(library, name)]
    if missing:
        return f"it lacks {', '.join(missing)}"
    return None


def _complaint(tried: list[str]) -> str:
    lines = ["libchanneler was not found. Tried:"]
    lines += [f"  {line}" for line in tried]
    lines.append(
        "Install it (`make build && sudo make install` in its repository), or let the environment"
        f" variable {ENVIRONMENT} name the file."
    )
    return "\n".join(lines)


library = load()
"""The loaded library, with every function declared."""
