"""Sizes that no disk can have are refused before anything is made."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from machine.drivers.images import capacity
from machine.errors import PreflightFailed


def test_sizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(total=50_000 << 20))
    deep = str(tmp_path / "not" / "yet")
    for size in (2000, 20_000, 49_000, 50_000):
        capacity.check(size, "qemu-disk-size", deep, 20_000)
    with pytest.raises(PreflightFailed, match="--qemu-disk-size 50001 is more than the disk of this host"):
        capacity.check(50_001, "qemu-disk-size", deep, 20_000)
    with pytest.raises(PreflightFailed, match="file system takes"):
        capacity.check(99_999_999, "qemu-disk-size", deep, 20_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(total=8_000 << 20))
    capacity.check(20_000, "qemu-disk-size", deep, 20_000)


@pytest.mark.parametrize(("host", "fitting"), [(16_000, 7936), (3000, 1280), (300, 256)])
def test_more_memory_than_the_host_has_names_a_value_that_fits(host: int, fitting: int) -> None:
    with pytest.raises(PreflightFailed) as caught:
        capacity.check_memory(host + 1, "qemu-memory", host)
    assert caught.value.brief == f"--qemu-memory {host + 1} is more than this host has ({host} MB)"
    assert caught.value.resolution.startswith(f"--qemu-memory {fitting};")
    assert caught.value.exit_code == 3
    capacity.check_memory(fitting, "qemu-memory", host)
    capacity.check_memory(host, "qemu-memory", host)
    capacity.check_memory(1 << 40, "qemu-memory", 0)  # a host that does not say
