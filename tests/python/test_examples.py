"""The examples: they pass the scenarios of the C ones, and talk with those, both ways."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import PATIENCE_SECONDS, REPOSITORY

LIBRARY = Path(os.environ["CHANNELER_LIBRARY"]).parent
SCENARIO_SECONDS = 240
# Under a tool, and `env` is one, the scenarios are shorter.
SHORT = "env"

# The first word of an example says which side it is.
SIDES = {
    "echo": ("server", "client"),
    "send_file": ("receive", "send"),
    "send_lines": ("receive", "send"),
}


@pytest.fixture(scope="session")
def c_examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The C examples, as programs."""
    folder = tmp_path_factory.mktemp("c")
    for name in SIDES:
        command = [os.environ.get("CC", "cc"), "-std=c11", "-g", f"-I{REPOSITORY / 'include'}"]
        command += [str(REPOSITORY / "examples-c" / f"{name}.c"), "-o", str(folder / name)]
        command += [f"-L{LIBRARY}", "-lchanneler", f"-Wl,-rpath,{LIBRARY}"]
        subprocess.run(command, check=True, timeout=PATIENCE_SECONDS)
    return folder


@pytest.fixture(scope="session")
def python_examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python examples, under the names of the C ones."""
    folder = tmp_path_factory.mktemp("python")
    for name in SIDES:
        (folder / name).symlink_to(REPOSITORY / "bindings/python/examples" / f"{name}.py")
    return folder


def environment(examples: Path) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**os.environ, "EXAMPLES": str(examples), "PATH": path}


def mixed(folder: Path, name: str, first: Path, second: Path) -> None:
    """Makes a program whose one side is written in C and the other in Python."""
    program = folder / name
    program.write_text(
        f'#!/bin/sh\ncase "$1" in\n{SIDES[name][0]}) exec {first / name} "$@" ;;\n'
        f'*) exec {second / name} "$@" ;;\nesac\n'
    )
    program.chmod(0o755)


def play(scenario: str, examples: Path, tool: str = "") -> None:
    done = subprocess.run(
        [str(REPOSITORY / "tests/examples" / f"{scenario}.sh")],
        cwd=REPOSITORY,
        env={**environment(examples), "TOOL": tool},
        capture_output=True,
        text=True,
        timeout=SCENARIO_SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", list(SIDES))
def test_python_passes_the_scenario_of_the_c_example(name: str, python_examples: Path) -> None:
    play(name, python_examples)


@pytest.mark.parametrize("name", list(SIDES))
def test_a_c_server_serves_python(
    name: str, c_examples: Path, python_examples: Path, tmp_path: Path
) -> None:
    mixed(tmp_path, name, c_examples, python_examples)
    play(name, tmp_path, SHORT)


@pytest.mark.parametrize("name", list(SIDES))
def test_a_python_server_serves_c(
    name: str, c_examples: Path, python_examples: Path, tmp_path: Path
) -> None:
    mixed(tmp_path, name, python_examples, c_examples)
    play(name, tmp_path, SHORT)
