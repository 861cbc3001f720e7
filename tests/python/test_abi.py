"""What _abi.py declares is what include/channeler.h says, by the word of a C compiler."""

from __future__ import annotations

import ast
import ctypes
import importlib.util
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from channeler import _abi
from conftest import REPOSITORY

PACKAGE = REPOSITORY / "bindings/python/channeler"

DROP_IN = "for C++ programs written against the reference, which bring its API with them"

NOT_WRAPPED: dict[str, str] = {
    name: DROP_IN
    for name in _abi.PROTOTYPES
    if name.startswith("channeler_wire_")
    or name
    in (
        "channeler_channel_adopt",
        "channeler_channel_complete",
        "channeler_channel_find",
        "channeler_channel_new_pending",
        "channeler_node_set_secret",
        "channeler_node_supply_halves",
    )
}
"""Functions that no Python method calls, with the reason."""
NOT_WRAPPED |= {
    f"channeler_channel_{name}": "the one with _with behind its name is called"
    for name in ("reset", "send", "send_buffer", "send_many")
}
NOT_WRAPPED["channeler_channel_send_early"] = "channeler_channel_send_with is called"


def load_generator() -> Any:
    path = REPOSITORY / "bindings/python/generate_abi.py"
    spec = importlib.util.spec_from_file_location("generate_abi", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


generator = load_generator()
HEADER = generator.read_header()


def structs() -> list[type[ctypes.Structure]]:
    found = [getattr(_abi, name) for name in dir(_abi) if name.startswith("channeler_")]
    return [kind for kind in found if issubclass(kind, ctypes.Structure)]


def test_the_committed_file_is_what_the_generator_makes() -> None:
    committed = (PACKAGE / "_abi.py").read_text()
    assert committed == generator.generate(), "run python3 bindings/python/generate_abi.py"


def test_every_function_of_the_library_is_declared() -> None:
    exported = (REPOSITORY / "tests/symbols.txt").read_text().split()
    assert sorted(_abi.PROTOTYPES) == sorted(exported)


def test_every_function_is_wrapped_or_has_a_reason_not_to_be() -> None:
    called = set()
    for path in PACKAGE.rglob("*.py"):
        if path.name == "_abi.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                if node.value.id == "library":
                    called.add(node.attr)
    assert set(_abi.PROTOTYPES) - called == set(NOT_WRAPPED)


def test_sizes_offsets_and_numbers_are_the_compilers(tmp_path: Path) -> None:
    expected: dict[str, int] = {}
    for kind in structs():
        expected[f"sizeof(struct {kind.__name__})"] = ctypes.sizeof(kind)
        for name, *_ in kind._fields_:
            field = getattr(kind, name)
            expected[f"offsetof(struct {kind.__name__}, {name})"] = field.offset
            expected[f"sizeof(((struct {kind.__name__} *)0)->{name})"] = field.size
    for name, value in vars(_abi).items():
        if name.startswith("CHANNELER_") and isinstance(value, int):
            expected[name] = value
    assert len(expected) > 200
    # As C's long long: UINT64_MAX prints as -1.
    signed = {name: ctypes.c_longlong(value).value for name, value in expected.items()}
    assert compiled(tmp_path, list(expected)) == signed


def test_no_constant_of_the_header_is_missing() -> None:
    names = {name for name, _ in generator.constants(HEADER)}
    assert names == {name for name in vars(_abi) if name.startswith("CHANNELER_")}


def test_each_prototype_has_as_many_arguments_as_the_headers() -> None:
    for function in generator.functions(HEADER):
        _, arguments = _abi.PROTOTYPES[function.name]
        text = re.search(rf"\b{function.name}\((.*?)\);", HEADER, flags=re.DOTALL)
        assert text is not None
        commas = text.group(1).count(",")
        assert len(arguments) == (0 if text.group(1) == "void" else commas + 1), function.name


def compiled(folder: Path, expressions: list[str]) -> dict[str, int]:
    prints = "\n".join(
        f'printf("%lld\\n", (long long)({expression}));' for expression in expressions
    )
    source, program = folder / "facts.c", folder / "facts"
    source.write_text(
        "#include <channeler.h>\n#include <stdio.h>\n"
        f"int main(void) {{ {prints}\nreturn 0; }}\n"
    )
    subprocess.run([*compiler(), str(source), "-o", str(program)], check=True, timeout=60)
    printed = subprocess.run([str(program)], check=True, capture_output=True, timeout=60)
    values = [int(line) for line in printed.stdout.split()]
    return dict(zip(expressions, values))


def compiler() -> list[str]:
    return [os.environ.get("CC", "cc"), "-std=c11", f"-I{REPOSITORY / 'include'}"]


@pytest.mark.parametrize("name", sorted(_abi.PROTOTYPES))
def test_the_loaded_library_has_it(name: str) -> None:
    from channeler._lib import library

    assert getattr(library, name).argtypes == _abi.PROTOTYPES[name][1]
