"""The initrd: read by cpio, and refused when the module cannot be unpacked."""

from __future__ import annotations

import lzma
import shutil
import subprocess
from pathlib import Path

import pytest

from machine.drivers.images import initrd


@pytest.mark.skipif(not shutil.which("busybox"), reason="no busybox, whose cpio reads the archive")
@pytest.mark.parametrize("name", ["virtio_blk.ko", "virtio_blk.ko.xz"])
def test_cpio_reads_it(tmp_path: Path, name: str) -> None:
    module = b"\x7fELF module"
    packed = lzma.compress(module) if name.endswith(".xz") else module
    archive = initrd.build(b"\x7fELF shell!", packed, name)
    subprocess.run(["busybox", "cpio", "-i", "-d"], input=archive, cwd=tmp_path, check=True, timeout=30)
    assert (tmp_path / "virtio_blk.ko").read_bytes() == module
    assert (tmp_path / "bin" / "busybox").read_bytes() == b"\x7fELF shell!"
    assert (tmp_path / "init").read_text() == initrd.INIT
    assert (tmp_path / "init").stat().st_mode & 0o111
    assert (tmp_path / "root").is_dir()


def test_a_damaged_module() -> None:
    with pytest.raises(ValueError, match=r"virtio_blk\.ko\.xz"):
        initrd.build(b"", b"no xz", "virtio_blk.ko.xz")


def test_the_script_is_one_for_a_shell(tmp_path: Path) -> None:
    script = tmp_path / "init"
    script.write_text(initrd.INIT)
    subprocess.run(["sh", "-n", str(script)], check=True, timeout=30)
