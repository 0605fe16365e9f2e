"""Images that somebody else made: what could name another file of this host, or claims sizes that make no sense."""

from __future__ import annotations

import os
import shutil
import stat
import struct
import subprocess
import threading
from pathlib import Path

import pytest

from machine import files, process
from machine.drivers.images import cache, disks
from machine.drivers.images.cache import Cache
from machine.drivers.qemu import vm
from machine.errors import DriverError
from tests.drivers.images.site import Site

pytestmark = pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")

SIZE_AT, L1_SIZE_AT, L1_AT, REFS_AT, SNAPSHOTS_AT, FEATURES_AT = 24, 36, 40, 48, 60, 72  # in a header


def qcow2(path: Path, *options: str) -> Path:
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *options, str(path), "10M"], check=True)
    return path


def patched(path: Path, place: int, form: str, *values: int) -> Path:
    """A sound image with another number in its header."""
    qcow2(path)
    with open(path, "r+b") as file:
        file.seek(place)
        file.write(struct.pack(form, *values))
    return path


def data_file(where: Path) -> Path:
    (where / "secret").write_bytes(b"secret" * 100)
    return qcow2(where / "a.qcow2", "-o", f"data_file={where}/secret,data_file_raw=on")


def data_file_without_its_flag(where: Path) -> Path:
    """The name of a data file although no feature says that there is one."""
    path = data_file(where)
    with open(path, "r+b") as file:
        file.seek(FEATURES_AT)
        file.write(struct.pack(">QQQ", 0, 0, 0))
    return path


def backing(where: Path) -> Path:
    (where / "secret").write_bytes(b"s" * 4096)
    return qcow2(where / "a.qcow2", "-u", "-F", "raw", "-b", str(where / "secret"))


def vmdk(where: Path, kind: str = "monolithicFlat") -> Path:
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "vmdk", "-o", f"subformat={kind}", str(where / "a.vmdk"), "10M"], check=True
    )
    return where / "a.vmdk"


def other(where: Path, kind: str) -> Path:
    path = where / "a.img"
    subprocess.run(["qemu-img", "create", "-q", "-f", kind, str(path), "10M"], check=True)
    return path


def written(where: Path, data: bytes) -> Path:
    path = where / "a.img"
    path.write_bytes(data)
    return path


BAD = {
    "data file": (data_file, "another file"),
    "data file, no flag": (data_file_without_its_flag, "another file"),
    "backing file": (backing, "stands on another image"),
    "vmdk of extents": (vmdk, "vmdk"),
    "vmdk in one": (lambda where: vmdk(where, "monolithicSparse"), "vmdk"),
    "vhdx": (lambda where: other(where, "vhdx"), "vhdx"),
    "vdi": (lambda where: other(where, "vdi"), "vdi"),
    "qed": (lambda where: other(where, "qed"), "qed"),
    "vhd": (lambda where: other(where, "vpc"), "vhd"),
    "luks": (lambda where: written(where, b"LUKS\xba\xbe\0\1" + bytes(4096)), "luks"),
    "gzip": (lambda where: written(where, b"\x1f\x8b\x08\0" + bytes(4096)), "gunzip"),
    "a web page": (lambda where: written(where, b"<!DOCTYPE html><p>not found"), "web page"),
    "an exabyte": (lambda where: patched(where / "a", SIZE_AT, ">Q", 1 << 60), "size"),
    "no size": (lambda where: patched(where / "a", SIZE_AT, ">Q", 0), "no size"),
    "a huge table": (lambda where: patched(where / "a", L1_SIZE_AT, ">I", 0xFFFFFFFF), "table"),
    "a table beyond the end": (lambda where: patched(where / "a", L1_AT, ">Q", 1 << 50), "table"),
    "references beyond the end": (lambda where: patched(where / "a", REFS_AT, ">QI", 1 << 50, 1), "references"),
    "many snapshots": (lambda where: patched(where / "a", SNAPSHOTS_AT, ">IQ", 60000, 65536), "snapshots"),
    "corrupt": (lambda where: patched(where / "a", FEATURES_AT, ">Q", 2), "corrupt"),
    "an unknown feature": (lambda where: patched(where / "a", FEATURES_AT, ">Q", 1 << 40), "not known"),
    "encrypted": (lambda where: patched(where / "a", 32, ">I", 1), "encrypted"),
    "another version": (lambda where: patched(where / "a", 4, ">I", 1), "version 1"),
    "odd clusters": (lambda where: patched(where / "a", 20, ">I", 40), "clusters"),
    "a header longer than its cluster": (lambda where: patched(where / "a", 100, ">I", 0xFFFFFFF0), "header"),
    "cut short": (lambda where: written(where, b"QFI\xfb\0\0\0\3"), "cut short"),
}


@pytest.mark.parametrize("name", sorted(BAD))
def test_no_machine_stands_on_it(tmp_path: Path, name: str) -> None:
    make, said = BAD[name]
    image = make(tmp_path)
    with pytest.raises(DriverError) as caught:
        cache.disk_format(str(image))
    assert said in f"{caught.value.brief} {caught.value.details} {caught.value.resolution}"
    assert caught.value.resolution


@pytest.mark.parametrize("name", ["data file", "vmdk of extents", "an exabyte"])
def test_a_download_of_it_leaves_nothing(tmp_path: Path, name: str) -> None:
    image = BAD[name][0](tmp_path)
    own = Cache(str(tmp_path / "s"), run=process.run, log=lambda _: None)
    with Site() as site:
        site.files["/a.qcow2"] = image.read_bytes()
        with pytest.raises(DriverError) as caught:
            own.pull(f"{site.url}/a.qcow2", "amd64")
    assert site.url in caught.value.brief, "the user gave that, not the path in the cache"
    assert [entry for entry in os.listdir(own.directory) if not entry.endswith(".lock")] == []


@pytest.mark.parametrize("options", [(), ("-o", "compat=0.10"), ("-o", "lazy_refcounts=on"), ("-o", "extended_l2=on")])
def test_plain_images_are_taken(tmp_path: Path, options: tuple[str, ...]) -> None:
    assert cache.disk_format(str(qcow2(tmp_path / "a", *options))) == "qcow2"
    assert disks.inspect(str(tmp_path / "a")).size == 10 << 20


def test_an_image_with_a_snapshot_is_taken(tmp_path: Path) -> None:
    subprocess.run(["qemu-img", "snapshot", "-c", "one", str(qcow2(tmp_path / "a"))], check=True)
    assert cache.disk_format(str(tmp_path / "a")) == "qcow2"


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "pipe", tmp_path, Path("/dev/null")):
        ended = threading.Event()

        def look(place: Path = place, ended: threading.Event = ended) -> None:
            with pytest.raises(DriverError, match=r"file|read"):
                disks.inspect(str(place))
            ended.set()

        threading.Thread(target=look, daemon=True).start()
        assert ended.wait(60), place


def test_a_bomb_is_refused_before_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few bytes that unpack to many: every cluster of the disk is the same compressed one."""
    raw = tmp_path / "raw"
    raw.write_bytes(b"x" * (4 << 20))
    image = tmp_path / "a.qcow2"
    subprocess.run(["qemu-img", "convert", "-c", "-f", "raw", "-O", "qcow2", raw, image], check=True)
    monkeypatch.setattr(disks, "LOOK_EVERY", 1 << 20)
    monkeypatch.setattr(disks, "ROOM_LEFT", shutil.disk_usage(tmp_path).free * 2)
    with pytest.raises(DriverError, match="holds more"):
        disks.to_raw(str(image), str(tmp_path / "out"))


def test_a_vdi_is_unpacked_here_and_one_over_another_is_refused(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.write_bytes(os.urandom(100_000) + bytes(3 << 20) + b"end" * 1000 + bytes(512))
    image = tmp_path / "a.vdi"
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "vdi", raw, image], check=True)
    assert cache.disk_format(str(image), "virtualbox") == "vdi"
    disks.to_raw(str(image), str(tmp_path / "out"), "vdi")
    compared = subprocess.run(["qemu-img", "compare", "-f", "raw", "-F", "raw", raw, tmp_path / "out"], check=False)
    assert compared.returncode == 0
    with open(image, "r+b") as file:
        file.seek(76)
        file.write(struct.pack("<I", 4))
    with pytest.raises(DriverError, match="no disk image"):
        cache.disk_format(str(image), "virtualbox")


def test_an_image_that_changed_after_the_check_is_not_used(tmp_path: Path) -> None:
    base, disk = tmp_path / "base", tmp_path / "disk.qcow2"
    qcow2(base)
    vm.make_overlay(str(disk), str(base), "qcow2", 100, process.run)
    vm.check_disk(str(disk), str(base), "qcow2")
    data_file(tmp_path).replace(base)
    with pytest.raises(DriverError, match="another file"):
        vm.check_disk(str(disk), str(base), "qcow2")
    with pytest.raises(DriverError, match="another file"):
        vm.make_overlay(str(tmp_path / "new"), str(base), "qcow2", 100, process.run)
    base.write_bytes(b"raw now" * 1000)
    with pytest.raises(DriverError, match="was changed"):
        vm.check_disk(str(disk), str(base), "qcow2")


def test_a_disk_over_another_base_is_not_started(tmp_path: Path) -> None:
    base, disk = qcow2(tmp_path / "base"), tmp_path / "disk.qcow2"
    (tmp_path / "secret").write_bytes(bytes(4096))
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", tmp_path / "secret", disk], check=True
    )
    with pytest.raises(DriverError, match="not the one that was made"):
        vm.check_disk(str(disk), str(base), "qcow2")


def test_who_else_can_change_an_image(tmp_path: Path) -> None:
    image = qcow2(tmp_path / "a")
    image.chmod(0o644)
    assert files.only_ours(str(image))
    image.chmod(0o646)
    assert not files.only_ours(str(image))
    if os.geteuid() == 0:
        image.chmod(0o600)
        os.chown(image, 12345, 0)
        assert not files.only_ours(str(image))


def test_copies_are_private_and_keep_their_holes(tmp_path: Path) -> None:
    source, target = tmp_path / "a", tmp_path / "b"
    with open(source, "wb") as file:
        file.write(b"begin")
        file.truncate(50 << 20)
    source.chmod(0o666)
    before = os.umask(0)
    try:
        disks.copy(str(source), str(target))
    finally:
        os.umask(before)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert target.stat().st_size == 50 << 20
    assert target.stat().st_blocks * 512 < 4 << 20
    assert target.read_bytes() == source.read_bytes()
