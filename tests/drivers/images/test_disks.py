"""qcow2 images read without qemu, held to what qemu itself makes of them."""

from __future__ import annotations

import hashlib
import os
import shutil
import struct
import subprocess
import time
import zlib
from pathlib import Path

import pytest

from machine.drivers.images import disks
from machine.errors import DriverError

pytestmark = pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")


def source(path: Path) -> Path:
    """5 MB and a bit: random bytes, text, holes."""
    with open(path, "wb") as file:
        file.write(bytes(510) + b"\x55\xaa")
        file.seek(1 << 20)
        file.write(hashlib.shake_128(b"any").digest(300_000))
        file.write(b"some text " * 20_000)
        file.truncate((5 << 20) + 512)
    return path


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["-c"],
        ["-o", "compat=0.10"],
        ["-c", "-o", "compat=0.10"],
        ["-o", "cluster_size=512"],
        ["-o", "cluster_size=2M"],
        ["-c", "-o", "cluster_size=4k"],
        ["-S", "0"],
        ["-o", "preallocation=metadata"],
    ],
    ids=" ".join,
)
def test_the_same_bytes_as_qemu_reads(tmp_path: Path, options: list[str]) -> None:
    raw, image, ours = source(tmp_path / "a.raw"), tmp_path / "a.qcow2", tmp_path / "b.raw"
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", *options, raw, image], check=True)
    assert disks.inspect(str(image)) == disks.ImageInfo("qcow2")
    disks.to_raw(str(image), str(ours))
    assert ours.read_bytes() == raw.read_bytes()
    assert disks.boots(str(ours))
    assert os.stat(ours).st_blocks * 512 < 4 << 20, "holes stay holes"


def test_an_image_with_snapshots_and_one_packed_as_tightly_as_can_be(tmp_path: Path) -> None:
    raw, image, ours = source(tmp_path / "a.raw"), tmp_path / "a.qcow2", tmp_path / "b.raw"
    with open(raw, "r+b") as file:
        file.write(b"a" * (4 << 20))
    for options in (["-c"], ["-c", "-o", "cluster_size=2M"], []):
        subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", *options, raw, image], check=True)
        for name in ("one", "two"):
            subprocess.run(["qemu-img", "snapshot", "-c", name, image], check=True)
        disks.to_raw(str(image), str(ours))
        assert ours.read_bytes() == raw.read_bytes()


def bomb(path: Path, entry: int, data: bytes) -> str:
    """A qcow2 image of some hundred KB and 8 TB, all of whose clusters are one: `entry` in its only second table."""
    size, cluster = 8 << 40, 1 << 16
    entries = size // (cluster // 8 * cluster)
    table, second, at = cluster, 4 * cluster, 5 * cluster
    assert 8 * entries <= second - table
    sizes = (16, size, 0, entries, table, at, 1, 0, 0)
    with open(path, "wb") as file:
        file.write(struct.pack(">4sIQIIQIIQQIIQ3QII", b"QFI\xfb", 3, 0, 0, *sizes, 0, 0, 0, 4, 104))
        file.seek(table)
        file.write(struct.pack(">Q", second) * entries)
        file.seek(second)
        file.write(struct.pack(">Q", entry | at) * (cluster // 8))
        file.write(data.ljust(cluster, b"\0"))
    return str(path)


def packed(data: bytes) -> bytes:
    press = zlib.compressobj(9, zlib.DEFLATED, -12)
    return press.compress(data) + press.flush()


@pytest.mark.parametrize(("entry", "data"), [(0, b""), (1 << 62, packed(bytes(1 << 16)))], ids=["plain", "packed"])
def test_an_image_that_unpacks_without_end(entry: int, data: bytes, tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(DriverError, match="many times over"):
        disks.to_raw(bomb(tmp_path / "i", entry, data), str(tmp_path / "out"))
    assert time.monotonic() - began < 60


def test_a_vdi_that_unpacks_without_end(tmp_path: Path) -> None:
    head, blocks = bytearray(1024), 1 << 20
    head[64:68], head[70:72] = b"\x7f\x10\xda\xbe", b"\x01\x00"
    struct.pack_into("<I", head, 76, 1)
    struct.pack_into("<II", head, 340, 1024, 8 << 20)
    struct.pack_into("<QIII", head, 368, blocks << 20, 1 << 20, 0, blocks)
    with open(tmp_path / "i", "wb") as file:
        file.write(head)
        file.truncate(10 << 20)
    with pytest.raises(DriverError, match="many times over"):
        disks.to_raw(str(tmp_path / "i"), str(tmp_path / "out"), "vdi")


def test_clusters_that_are_zeros_by_a_flag(tmp_path: Path) -> None:
    raw, image, ours = source(tmp_path / "a.raw"), tmp_path / "a.qcow2", tmp_path / "b.raw"
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, image], check=True)
    subprocess.run(["qemu-io", "-c", "write -z 1M 256k", str(image)], check=True, capture_output=True)
    disks.to_raw(str(image), str(ours))
    wanted = subprocess.run(["qemu-img", "compare", "-f", "raw", "-F", "qcow2", ours, image], check=False)
    assert wanted.returncode == 0
    assert not ours.read_bytes()[1 << 20 : (1 << 20) + 262144].strip(b"\0")


@pytest.mark.parametrize("kind", ["vdi", "vmdk", "vhdx"])
def test_other_formats_are_told_apart(tmp_path: Path, kind: str) -> None:
    image = tmp_path / "a.img"
    subprocess.run(["qemu-img", "create", "-q", "-f", kind, image, "10M"], check=True)
    assert disks.inspect(str(image)).format == kind


def test_what_an_image_stands_on(tmp_path: Path) -> None:
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", tmp_path / "base.qcow2", "10M"], check=True)
    over = tmp_path / "over.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", "base.qcow2", over], check=True)
    assert disks.inspect(str(over)) == disks.ImageInfo("qcow2", "base.qcow2")


def test_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    for name in ("empty", "nothing"):
        with pytest.raises(DriverError) as caught:
            disks.inspect(str(tmp_path / name))
        assert caught.value.resolution
    image, cut = tmp_path / "a.qcow2", tmp_path / "cut.qcow2"
    subprocess.run(["qemu-img", "convert", "-c", "-f", "raw", "-O", "qcow2", source(tmp_path / "r"), image], check=True)
    cut.write_bytes(image.read_bytes()[:70_000])
    with pytest.raises(DriverError, match="damaged"):
        disks.to_raw(str(cut), str(tmp_path / "out"))
    zstd = tmp_path / "z.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-o", "compression_type=zstd", zstd, "10M"], check=True)
    with pytest.raises(DriverError, match="zlib"):
        disks.to_raw(str(zstd), str(tmp_path / "out"))
    with pytest.raises(DriverError, match="cannot write"):
        disks.to_raw(str(image), str(tmp_path / "no" / "out"))
