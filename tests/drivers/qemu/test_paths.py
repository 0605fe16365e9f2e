"""Where a machine's sockets are: beside it, unless their paths would be too long for the system."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from machine.drivers.qemu import paths
from machine.errors import DriverError


def test_beside_the_machine_when_the_path_is_short() -> None:
    assert paths.runtime("/home/a/.docker/machine/machines/dev", "id") == "/home/a/.docker/machine/machines/dev"


def test_a_long_path_gets_a_short_directory_of_its_own(tmp_path: Path) -> None:
    long = "/" + "x" * 90
    found = paths.runtime(long, "id", str(tmp_path))
    assert os.path.dirname(found) == str(tmp_path)
    assert found == paths.runtime(long, "id", str(tmp_path))
    assert found != paths.runtime(long + "y", "id", str(tmp_path))
    for name in paths.SOCKETS:
        assert len(os.path.join(paths.runtime(long, "id"), name)) <= paths.LONGEST


def test_the_longest_that_is_taken_can_be_bound() -> None:
    with socket.socket(socket.AF_UNIX) as server, pytest.raises(OSError, match="No such file"):
        server.bind("/" + "x" * 50 + "/" + "y" * (paths.LONGEST - 52))  # too long would be another error


def test_a_directory_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    good, open_, link = tmp_path / "good", tmp_path / "open", tmp_path / "link"
    paths.prepare(str(good))
    paths.prepare(str(good))
    assert good.stat().st_mode & 0o777 == 0o700
    open_.mkdir(mode=0o755)
    os.chmod(open_, 0o755)  # noqa: S103 (the very thing that is refused)
    link.symlink_to(good)
    for bad in (open_, link):
        with pytest.raises(DriverError, match="not safe"):
            paths.prepare(str(bad))
