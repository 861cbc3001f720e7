"""The first program of the README does what it says, as printed."""

from __future__ import annotations

import re
import subprocess
import sys

from conftest import PATIENCE_SECONDS, REPOSITORY


def test_the_first_program_runs_as_printed() -> None:
    text = (REPOSITORY / "bindings/python/README.md").read_text()
    programs = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", programs[0]],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert (done.returncode, done.stdout) == (0, "b'hello'\n"), done.stderr
    for program in programs:
        compile(program, "README.md", "exec")
