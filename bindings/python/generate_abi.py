"""Writes channeler/_abi.py from include/channeler.h: `python3 bindings/python/generate_abi.py`.

A test compares what this makes with what is committed, and with what a C compiler says.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Iterator, List, NamedTuple, Optional, Tuple

HERE = Path(__file__).resolve().parent
HEADER = HERE.parents[1] / "include/channeler.h"
CARGO = HERE.parents[1] / "Cargo.toml"
OUTPUT = HERE / "channeler/_abi.py"
LINE_MAX = 100

SCALARS = {
    "char": "c_char",
    "int": "c_int",
    "int32_t": "c_int32",
    "int64_t": "c_int64",
    "size_t": "c_size_t",
    "uint16_t": "c_uint16",
    "uint32_t": "c_uint32",
    "uint64_t": "c_uint64",
    "uint8_t": "c_uint8",
}

HEAD = '''"""Declares what include/channeler.h declares, under the same names.

Made by generate_abi.py from that header. Do not edit: run it again.
"""

from __future__ import annotations

import ctypes
from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    c_char,
    c_char_p,
    c_int,
    c_int32,
    c_int64,
    c_size_t,
    c_uint8,
    c_uint16,
    c_uint32,
    c_uint64,
    c_void_p,
)
from typing import Any

Library = ctypes.CDLL
'''

TAIL = '''

def declare(library: Library) -> Library:
    """Gives every function of the library its types."""
    for name, (result, arguments) in PROTOTYPES.items():
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    return library
'''


class Function(NamedTuple):
    """A function, or the type of one, in ctypes' words."""

    name: str
    result: str
    arguments: List[str]


class Struct(NamedTuple):
    """A struct with its fields, in ctypes' words."""

    name: str
    fields: List[Tuple[str, str]]


def constants(code: str) -> List[Tuple[str, str]]:
    """Names and values of the header's numbers and texts."""
    pairs = re.findall(r"#define (CHANNELER_\w+) (\S+)", code)
    values = {"UINT32_MAX": "2**32 - 1", "UINT64_MAX": "2**64 - 1"}
    return [(name, values.get(value, value)) for name, value in pairs]


def functions(code: str) -> List[Function]:
    """The header's functions."""
    pattern = r"\n((?:const )?\w+ \*?)(channeler_\w+)\((.*?)\);"
    body = code[code.index('extern "C" {') :]
    found = re.findall(pattern, body, flags=re.DOTALL)
    return [Function(name, ctype(result), arguments(text)) for result, name, text in found]


def types(code: str) -> Iterator[object]:
    """The header's structs and types of functions, in its order."""
    struct = r"typedef struct (\w+) \{(.*?)\} \w+;"
    callback = r"typedef (\w+) \(\*(\w+)\)\((.*?)\);"
    for match in re.finditer(f"{struct}|{callback}", code, flags=re.DOTALL):
        if match.group(1):
            yield Struct(match.group(1), [field(text) for text in split(match.group(2), ";")])
        else:
            yield Function(match.group(4), ctype(match.group(3)), arguments(match.group(5)))


def read_header(path: Path = HEADER) -> str:
    """The header without its comments."""
    return re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)


def split(text: str, by: str) -> List[str]:
    return [" ".join(part.split()) for part in text.split(by) if part.strip()]


def arguments(text: str) -> List[str]:
    return [field(part)[1] for part in split(text, ",") if part != "void"]


def field(text: str) -> Tuple[str, str]:
    match = re.fullmatch(r"(.*?)(\w+)(?:\[(\d+)\])?", text)
    assert match, text
    kind = ctype(match.group(1))
    count: Optional[str] = match.group(3)
    return match.group(2), f"{kind} * {count}" if count else kind


def ctype(text: str) -> str:
    words = text.replace("const ", "").replace("struct ", "")
    depth, base = words.count("*"), words.replace("*", "").strip()
    if base == "void" and depth == 0:
        return "None"
    if base == "char" and depth == 1:
        return "c_char_p"
    # Handles of nodes, and bytes: Python's bytes are taken as void *, not as uint8_t *.
    if base in ("void", "channeler_node", "uint8_t") and depth:
        depth, kind = depth - 1, "c_void_p"
    else:
        kind = SCALARS.get(base, base)
    return "POINTER(" * depth + kind + ")" * depth


def wrapped(before: str, items: List[str], after: str, indent: str) -> str:
    line = f"{indent}{before}{', '.join(items)}{after}"
    if len(line) <= LINE_MAX:
        return line
    inside = "".join(f"{indent}    {item},\n" for item in items)
    return f"{indent}{before}\n{inside}{indent}{after}"


def generate() -> str:
    """The text of _abi.py."""
    code = read_header()
    version = re.search(r'^version = "(\d+)', CARGO.read_text(), flags=re.MULTILINE)
    assert version
    lines = [HEAD, f"SONAME_VERSION = {version.group(1)}"]
    lines += [f"{name} = {value}" for name, value in constants(code)]
    for item in types(code):
        if isinstance(item, Struct):
            lines += ["", "", f"class {item.name}(Structure):", "    _fields_ = ["]
            lines += [f'        ("{name}", {kind}),' for name, kind in item.fields]
            lines.append("    ]")
        elif isinstance(item, Function):
            lines += ["", ""]
            kinds = [item.result, *item.arguments]
            lines.append(wrapped(f"{item.name} = CFUNCTYPE(", kinds, ")", ""))
    lines += ["", "", "PROTOTYPES: dict[str, tuple[Any, list[Any]]] = {"]
    for each in functions(code):
        before = f'"{each.name}": ({each.result}, ['
        lines.append(wrapped(before, each.arguments, "]),", "    "))
    lines.append("}")
    return "\n".join(lines) + "\n" + TAIL


if __name__ == "__main__":
    OUTPUT.write_text(generate())
    sys.stdout.write(f"wrote {OUTPUT}\n")
