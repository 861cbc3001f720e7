"""The programs of the README that end by themselves do what they say, as printed."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from conftest import PATIENCE_SECONDS, REPOSITORY

PROGRAMS = re.findall(
    r"```python\n(.*?)```",
    (REPOSITORY / "bindings/python/README.md").read_text(),
    flags=re.DOTALL,
)


@pytest.mark.parametrize(
    ("beginning", "printed"),
    [
        ("import asyncio\n", "b'hello'\n"),
        ("import channeler\nfrom channeler import quic\n", "TELEMETRY b'21.5'\n"),
    ],
)
def test_a_program_runs_as_printed(beginning: str, printed: str) -> None:
    (program,) = [program for program in PROGRAMS if program.startswith(beginning)]
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert (done.returncode, done.stdout) == (0, printed), done.stderr


def test_all_of_them_can_be_compiled() -> None:
    assert len(PROGRAMS) > 3
    for program in PROGRAMS:
        compile(program, "README.md", "exec")
