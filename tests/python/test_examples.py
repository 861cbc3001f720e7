"""The examples: they pass the scenarios of the C ones, and talk with those, both ways."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import permutations
from pathlib import Path

import pytest

from conftest import PATIENCE_SECONDS, REPOSITORY

LIBRARY = Path(os.environ["CHANNELER_LIBRARY"]).parent
SCENARIO_SECONDS = 240
COMPILE_SECONDS = 120
# Under a tool, and `env` is one, the scenarios are shorter.
SHORT = "env"

# The first word of an example says which side it is.
SIDES = {
    "echo": ("server", "client"),
    "send_file": ("receive", "send"),
    "send_lines": ("receive", "send"),
    "telemetry": ("publish", "subscribe"),
    "daemon_client": ("receive", "send"),
}


def compiled(folder: Path, name: str, source: Path, compiler: list[str]) -> None:
    command = [*compiler, "-g", f"-I{REPOSITORY / 'include'}", str(source)]
    command += ["-o", str(folder / name), f"-L{LIBRARY}", "-lchanneler", f"-Wl,-rpath,{LIBRARY}"]
    subprocess.run(command, check=True, timeout=COMPILE_SECONDS)


@pytest.fixture(scope="session")
def c_examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The C examples, as programs."""
    folder = tmp_path_factory.mktemp("c")
    for name in SIDES:
        source = REPOSITORY / "examples-c" / f"{name}.c"
        compiled(folder, name, source, [os.environ.get("CC", "cc"), "-std=c11"])
    return folder


@pytest.fixture(scope="session")
def cpp_examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one C++ example that is played with others here."""
    folder = tmp_path_factory.mktemp("cpp")
    source = REPOSITORY / "examples-cpp/telemetry.cpp"
    compiled(folder, "telemetry", source, [os.environ.get("CXX", "c++"), "-std=c++17"])
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


def play(scenario: str, examples: Path, tool: str = "", **others: str) -> None:
    done = subprocess.run(
        [str(REPOSITORY / "tests/examples" / f"{scenario}.sh")],
        cwd=REPOSITORY,
        env={**environment(examples), "TOOL": tool, **others},
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


@pytest.mark.parametrize("languages", list(permutations(("c", "cpp", "python"))), ids="-".join)
def test_publisher_and_subscribers_may_be_of_three_languages(
    languages: tuple[str, str, str],
    c_examples: Path,
    cpp_examples: Path,
    python_examples: Path,
) -> None:
    folders = {"c": c_examples, "cpp": cpp_examples, "python": python_examples}
    publisher, first, second = (folders[language] for language in languages)
    others = {"EXAMPLES_DIALLING": str(first), "EXAMPLES_SECOND": str(second)}
    play("telemetry", publisher, SHORT, **others)
