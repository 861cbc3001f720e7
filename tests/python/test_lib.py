"""How the library is found, and what is said when it is not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from conftest import REPOSITORY

PRINT_IT = "import channeler; print(channeler.library_version())"


def run(
    code: str, package: Path = REPOSITORY / "bindings/python", **environment: str
) -> subprocess.CompletedProcess[str]:
    inherited = {k: v for k, v in os.environ.items() if k != "CHANNELER_LIBRARY"}
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**inherited, "PYTHONPATH": str(package), **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def library_from(folder: Path, source: str) -> str:
    (folder / "fake.c").write_text(source)
    path = folder / "libfake.so"
    subprocess.run(
        [os.environ.get("CC", "cc"), "-shared", "-fPIC", str(folder / "fake.c"), "-o", str(path)],
        check=True,
        timeout=60,
    )
    return str(path)


def test_the_file_that_the_environment_names_is_taken() -> None:
    done = run(PRINT_IT, CHANNELER_LIBRARY=os.environ["CHANNELER_LIBRARY"])
    assert done.stdout == "0.1.0\n", done.stderr


def test_a_checkout_finds_what_was_built_in_it() -> None:
    code = "import channeler._lib; print(channeler._lib.library._name)"
    done = run(code)
    assert done.stdout.startswith(str(REPOSITORY / "target")), done.stderr


def test_outside_a_checkout_an_installed_library_is_found(tmp_path: Path) -> None:
    shutil.copytree(REPOSITORY / "bindings/python/channeler", tmp_path / "site/channeler")
    installed = tmp_path / "libchanneler.so.0"
    shutil.copy(os.environ["CHANNELER_LIBRARY"], installed)
    done = run(PRINT_IT, tmp_path / "site", LD_LIBRARY_PATH=str(tmp_path))
    assert done.stdout == "0.1.0\n", done.stderr


def test_a_missing_file_is_named() -> None:
    done = run(PRINT_IT, CHANNELER_LIBRARY="/nowhere/libchanneler.so")
    assert done.returncode == 1
    assert "LibraryNotFound: libchanneler was not found. Tried:" in done.stderr
    assert "/nowhere/libchanneler.so: " in done.stderr
    assert "make install" in done.stderr and "CHANNELER_LIBRARY" in done.stderr


def test_another_abi_is_refused(tmp_path: Path) -> None:
    path = library_from(tmp_path, "unsigned channeler_abi_version(void) { return 999; }")
    done = run(PRINT_IT, CHANNELER_LIBRARY=path)
    assert f"{path}: its ABI number is 999; this package needs 1" in done.stderr


def test_a_library_that_lacks_functions_is_refused(tmp_path: Path) -> None:
    path = library_from(tmp_path, "unsigned channeler_abi_version(void) { return 1; }")
    done = run(PRINT_IT, CHANNELER_LIBRARY=path)
    assert f"{path}: it lacks channeler_version, " in done.stderr


def test_some_other_library_is_refused(tmp_path: Path) -> None:
    path = library_from(tmp_path, "int something_else(void) { return 1; }")
    done = run(PRINT_IT, CHANNELER_LIBRARY=path)
    assert "this is no libchanneler" in done.stderr
