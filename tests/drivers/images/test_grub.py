"""The boot loader before a file system."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import pytest

from machine import process
from machine.drivers.images import disks, fetch, grub, image_spec
from machine.drivers.images.cache import NAMES
from machine.errors import DriverError

OFFSET = image_spec.OFFSET
HERE = shutil.which("grub-mkimage") and Path(grub.FIRST).exists()


@pytest.mark.skipif(not HERE, reason="grub-mkimage or grub-pc-bin is not installed")
def test_a_disk_that_boots(tmp_path: Path) -> None:
    image = tmp_path / "disk"
    image.write_bytes(bytes(OFFSET) + b"file system" + bytes((8 << 20) - 11))
    grub.install(str(image), OFFSET, "machine", str(tmp_path), process.run)
    data = image.read_bytes()
    assert data[OFFSET : OFFSET + 11] == b"file system"
    assert disks.boots(str(image))
    assert len(data) == OFFSET + (8 << 20)
    length = struct.unpack_from("<QHH", data, 1024 - 12)  # where GRUB's second sector says how long the rest is
    assert length[0] == 2
    assert 20 < length[1] < OFFSET // 512
    assert struct.unpack_from("<Q", data, 0x5C)[0] == 1, "the first sector loads the second"
    active, kind, start, size = struct.unpack_from("<B3xB3xII", data, 446)
    assert (active, kind, start, size) == (0x80, 0x83, 2048, 16384)
    assert not data[462:510].strip(b"\0"), "there is no other partition"
    assert [path.name for path in tmp_path.iterdir()] == ["disk"]


def test_only_for_a_pc() -> None:
    assert grub.needs("amd64")[grub.FIRST] == "grub-pc-bin"
    with pytest.raises(DriverError, match="arm64"):
        grub.needs("arm64")


def test_generic_images() -> None:
    assert NAMES == ("debian-13", "debian-12", "debian-13-generic", "debian-12-generic")
    url, _ = fetch.official("debian-12-generic", "arm64")
    assert url == "https://cloud.debian.org/images/cloud/bookworm/latest/debian-12-generic-arm64.qcow2"
    words = image_spec.command(
        "debian-13-generic", "amd64", "http://m/debian", "/i", keyring="/k", root=True, temporary="/t"
    )
    included = next(word for word in words if word.startswith("--include=")).removeprefix("--include=").split(",")
    assert "linux-image-amd64" in included
    assert "cloud-guest-utils" in included
    assert "linux-image-cloud-amd64" not in included
    assert f"offset={OFFSET}" in image_spec.late("debian-13-generic")
    assert "offset=" not in image_spec.late("debian-13")
    texts = {path: content for path, _, content in image_spec.files("debian-13-generic")}
    assert "growpart" in texts["/etc/cloud/cloud.cfg.d/90_machine.cfg"]
    assert "MODULES=most" in texts["/etc/initramfs-tools/conf.d/machine"]
    assert "ata_piix" not in texts["/etc/modprobe.d/machine.conf"]
