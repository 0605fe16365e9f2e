"""The Go programs of these tests, built where there is a Go compiler; their sources are in go/ and need no module."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

SOURCES = Path(__file__).parent / "go"


@functools.cache
def built(name: str) -> Path:
    """The program made from the package go/NAME. Skips where Go is missing."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("needs a Go compiler (package golang-go)")
    program = _directory() / name
    cache = os.environ.get("MACHINE_TEST_CACHE")
    environ = {
        **os.environ,
        "GOCACHE": str(Path(cache) / "go-build") if cache else str(_directory() / "cache"),
        "GOPATH": str(_directory() / "path"),
        "GOENV": "off",
        "GOPROXY": "off",
        "GOTOOLCHAIN": "local",
    }
    made = subprocess.run(
        [go, "build", "-o", str(program), f"./{name}"], cwd=SOURCES, env=environ, capture_output=True, text=True
    )
    assert made.returncode == 0, made.stderr
    return program


@functools.cache
def _directory() -> Path:
    import atexit

    made = tempfile.mkdtemp(prefix="machine-test-go-")
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return Path(made)


def installed(directory: Path, *names: str) -> str:
    """A PATH with the plugin testcloud under each of the driver names, and the system's programs after it."""
    directory.mkdir(parents=True, exist_ok=True)
    for name in names or ("testcloud",):
        place = directory / f"docker-machine-driver-{name}"
        if not place.exists():
            os.link(built("testcloud"), place) if _same_device(directory) else shutil.copy(built("testcloud"), place)
    return f"{directory}:{os.environ['PATH']}"


def _same_device(directory: Path) -> bool:
    return directory.stat().st_dev == built("testcloud").stat().st_dev
