"""How large a disk was at its snapshots, read from images that qemu-img made."""

from __future__ import annotations

import subprocess
from pathlib import Path
from shutil import which

import pytest

from machine.drivers.images.qcow2_snapshots import disk_size
from machine.errors import DriverError


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A disk that had 1 MiB at `small` and 2 MiB at `large`."""
    if which("qemu-img") is None:
        pytest.skip("qemu-img is not installed")
    path = tmp_path / "disk.qcow2"
    for line in ("create -f qcow2 {} 1M", "snapshot -c small {}", "resize {} 2M", "snapshot -c large {}"):
        subprocess.run(["qemu-img", *line.format(path).split()], stdout=subprocess.DEVNULL, check=True)
    return path


def test_each_snapshot_has_its_size(disk: Path) -> None:
    assert [disk_size(str(disk), name) for name in ("small", "large", "none")] == [1 << 20, 2 << 20, 0]


def test_an_image_that_is_cut_short(disk: Path) -> None:
    content = disk.read_bytes()
    at = int.from_bytes(content[64:72], "big")
    disk.write_bytes(content[: at + 20])
    with pytest.raises(DriverError, match="damaged"):
        disk_size(str(disk), "small")


def test_what_has_no_snapshots(tmp_path: Path) -> None:
    (tmp_path / "raw").write_bytes(b"\0" * 512)
    assert disk_size(str(tmp_path / "raw"), "small") == 0
    with pytest.raises(DriverError, match="cannot be read"):
        disk_size(str(tmp_path / "none"), "small")
