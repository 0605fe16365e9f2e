"""Real virtual machines for tests: a program whose store keeps its images between runs, and what must not be left."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.program import Program

IMAGES = Path(os.environ.get("MACHINE_TEST_CACHE") or Path.home() / ".cache" / "machine-test")  # before HOME is changed
NEEDED = {"qemu-img": "qemu-utils", "mmdebstrap": "mmdebstrap", "docker": "docker-cli or docker.io"}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """`machine` over an empty store; only the cache of images is shared with other runs."""
    for command, package in NEEDED.items():
        if shutil.which(command) is None:
            pytest.skip(f"needs {command} (package {package})")
    made = Program(tmp_path_factory.mktemp("vms") / "home")
    IMAGES.mkdir(parents=True, exist_ok=True)
    made.store.mkdir(parents=True, mode=0o700)
    (made.store / "cache").symlink_to(IMAGES)
    yield made
    names = made.names()
    if names:
        made("rm", "-f", *names)
    assert left(made) == []


def left(program: Program, seconds: float = 20.0) -> list[str]:
    """What is still there of this store's machines after a moment: the forwarder ends when it sees qemu gone."""
    deadline = time.monotonic() + seconds
    while (found := _traces(program)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def _traces(program: Program) -> list[str]:
    """Processes that work on this store's machines, and files of machines."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            where = os.readlink(entry / "cwd")
        except OSError:
            continue
        if int(entry.name) != os.getpid() and (str(program.store) in line or where.startswith(str(program.store))):
            found.append(f"{entry.name} {line}")
    machines = program.store / "machines"
    return found + [str(path) for path in (machines.iterdir() if machines.exists() else [])]


def qemu_pid(program: Program, name: str) -> int:
    """The process of a machine, by the working directory that it was started in or its arguments."""
    directory = str(program.store / "machines" / name)
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes().decode(errors="replace")
            where = os.readlink(entry / "cwd")
        except OSError:
            continue
        if "qemu-system" in line.split("\0")[0] and (where == directory or directory in line):
            return int(entry.name)
    raise AssertionError(f"no qemu runs for {name}")
