"""Building an image: the recipe as text, what is checked before, what is read from the kernel after."""

from __future__ import annotations

import lzma
import os
import pwd
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

from machine import process
from machine.drivers.images import apt_sources, build, image_spec
from machine.errors import CommandFailed, DriverError
from machine.process import Completed

LINES = ("deb http://mirror.example/debian trixie main", "deb http://mirror.example/debian trixie-updates main")
CLOUD = """\
CONFIG_DEVTMPFS=y
CONFIG_BLK_DEV_INITRD=y
CONFIG_EXT4_FS=y
CONFIG_BLK_DEV_NVME=y
CONFIG_VIRTIO_BLK=m
CONFIG_VIRTIO_PCI=y
"""


@pytest.fixture(autouse=True)
def _place_for_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A build's temporary directory, which its caller removes, is in the test's own."""
    made = tmp_path / "temporary files"
    made.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(made))


def words(name: str = "debian-13", root: bool = True) -> list[str]:
    return image_spec.command(name, "amd64", LINES, "/i", keyring="/k", root=root, temporary="/t")


def test_the_kernel_decides_how_it_finds_its_disk() -> None:
    assert build.kernel_boot(CLOUD) == (build.SMALL, "/dev/vda")
    assert build.kernel_boot(CLOUD.replace("VIRTIO_BLK=m", "VIRTIO_BLK=y")) == (build.NONE, "/dev/vda")
    old = CLOUD.replace("VIRTIO_PCI=y", "VIRTIO_PCI=m")
    assert build.kernel_boot(old) == (build.NONE, "/dev/nvme0n1")
    assert build.kernel_boot(old.replace("NVME=y", "NVME=m")) == (build.FULL, "LABEL=machine")
    assert build.kernel_boot(CLOUD.replace("EXT4_FS=y", "EXT4_FS=m")) == (build.FULL, "LABEL=machine")


def test_what_an_image_must_hold() -> None:
    included = next(word for word in words() if word.startswith("--include=")).removeprefix("--include=").split(",")
    for package in ("openssh-server", "sudo", "cloud-init", "docker.io", "docker-cli", "apparmor", "iptables", "rsync"):
        assert package in included
    assert "linux-image-cloud-amd64" in included
    assert "docker-cli" not in next(word for word in words("debian-12") if word.startswith("--include="))
    assert words()[-4:] == ["trixie", "-", *LINES]


def test_without_root_a_user_namespace() -> None:
    assert "--mode=unshare" in words(root=False)
    assert "--mode=auto" in words()


def test_a_mirror_that_was_asked_for_is_the_only_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apt_sources, "lines", lambda suite, arch: ["deb http://host.example/debian x main"])
    mirror = f"file://{tmp_path}/debian"
    plain = [f"deb {mirror} trixie main", f"deb {mirror} trixie-updates main"]
    assert build.sources("debian-13", "amd64", mirror) == plain
    release = tmp_path / "debian-security/dists/trixie-security/InRelease"
    release.parent.mkdir(parents=True)
    release.touch()
    security = f"deb {mirror}-security trixie-security main"
    assert build.sources("debian-13-generic", "amd64", mirror) == [*plain, security]
    assert build.sources("debian-13", "amd64", "") == ["deb http://host.example/debian x main"]


@pytest.mark.parametrize(
    "text", [part(name) for part in (image_spec.early, image_spec.late) for name in ("debian-13", "debian-13-generic")]
)
def test_the_hooks_are_posix_shell(text: str) -> None:
    subprocess.run(["sh", "-n", "-c", text], check=True, timeout=60)


def test_the_hook_writes_the_files_with_their_modes(tmp_path: Path) -> None:
    subprocess.run(["sh", "-ec", image_spec.early("debian-13"), "sh", str(tmp_path)], check=True, timeout=60)
    assert (tmp_path / "etc/initramfs-tools/modules").read_text().split() == ["virtio_pci", "virtio_blk", "ext4"]


def test_a_program_that_is_missing_is_named_with_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(build, "SYSTEM_PATH", str(tmp_path))
    with pytest.raises(DriverError) as caught:
        build.check(str(tmp_path), root=True)
    assert "mmdebstrap" in caught.value.brief
    assert "apt-get install" in caught.value.resolution
    assert "qemu-utils" in caught.value.resolution


def test_a_user_without_subordinate_ids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    newuidmap = tmp_path / "newuidmap"
    newuidmap.write_text("")
    newuidmap.chmod(0o755)
    monkeypatch.setattr(build, "SYSTEM_PATH", str(tmp_path))
    monkeypatch.setattr(build, "TOOLS", {})
    monkeypatch.setattr(build, "KEYRING", "/")
    monkeypatch.setattr(build, "NEEDED", 0)
    user, listing = pwd.getpwuid(os.geteuid()).pw_name, tmp_path / "subuid"
    monkeypatch.setattr(build, "SUBORDINATE_IDS", str(listing))
    for owner in (user, str(os.geteuid())):
        listing.write_text(f"{owner}:100000:65536\n")
        build.check(str(tmp_path), root=False)
    for others in ("", f"{user}s:100000:65536\n", None):
        if others is None:
            listing.unlink()
        else:
            listing.write_text(others)
        with pytest.raises(DriverError) as caught:
            build.check(str(tmp_path), root=False)
        assert caught.value.brief.startswith(f"{user} has no subordinate user ids")
        assert "usermod --add-subuids" in caught.value.resolution


def test_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "NEEDED", 1 << 60)
    monkeypatch.setattr(build, "TOOLS", {"sh": "dash"})
    monkeypatch.setattr(build, "KEYRING", "/")
    with pytest.raises(DriverError) as caught:
        build.check(str(tmp_path), root=True)
    assert "--storage-path" in caught.value.resolution


def test_a_build_that_fails_shows_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(argv: list[str], **named: object) -> Completed:
        raise CommandFailed("sh ended with status 25", details="\n".join(f"line {number}" for number in range(100)))

    monkeypatch.setattr(build, "TOOLS", {"sh": "dash"})
    monkeypatch.setattr(build, "KEYRING", "/")
    (tmp_path / "subuid").write_text(f"{os.geteuid()}:100000:65536\n")  # as an ordinary user needs them
    monkeypatch.setattr(build, "SUBORDINATE_IDS", str(tmp_path / "subuid"))
    monkeypatch.setattr(build, "SYSTEM_PATH", str(tmp_path))
    (tmp_path / "newuidmap").touch(mode=0o755)
    with pytest.raises(DriverError) as caught:
        build.build("debian-13", "amd64", "file:///nowhere", str(tmp_path), run=fail, log=lambda _: None)
    assert caught.value.details.startswith("line 88")
    assert "--qemu-image-mirror" in caught.value.resolution


@pytest.mark.skipif(not build.tool_path("mke2fs") or not build.tool_path("qemu-img"), reason="no mke2fs or qemu-img")
def test_the_kernel_is_taken_out_without_mounting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real ext4 file system with two kernels in it: the newer one is taken, by number and not by letter."""
    boot = tmp_path / "tree" / "boot"
    boot.mkdir(parents=True)
    for version in ("6.9.1-cloud-amd64", "6.12.0-cloud-amd64"):
        (boot / f"vmlinuz-{version}").write_text(version)
        (boot / f"config-{version}").write_text(CLOUD)
        block = tmp_path / "tree" / "usr" / "lib" / "modules" / version / "kernel" / "drivers" / "block"
        block.mkdir(parents=True)
        (block / "virtio_blk.ko.xz").write_bytes(lzma.compress(f"module of {version}".encode()))
    (tmp_path / "tree" / "usr" / "bin").mkdir()
    (tmp_path / "tree" / "usr" / "bin" / "busybox").write_bytes(b"a shell")
    work = tmp_path / "work"
    work.mkdir()
    image = work / "root.img"
    monkeypatch.setattr(build, "check", lambda *_, **__: None)  # mmdebstrap is not needed here

    def run(argv: list[str], **named: Any) -> Completed:
        if "mmdebstrap" not in argv:
            return process.run(argv, **named)
        words = [build.tool_path("mke2fs"), "-q", "-t", "ext4", "-d", str(tmp_path / "tree"), str(image), "16M"]
        return process.run(words, timeout=60)

    built = build.build("debian-13", "amd64", "file:///nowhere", str(work), run=run, log=lambda _: None)
    assert Path(built.kernel).read_text() == "6.12.0-cloud-amd64"
    assert built.root == "/dev/vda"
    content = Path(built.initrd).read_bytes()
    assert b"module of 6.12.0-cloud-amd64" in content
    assert b"a shell" in content
    assert Path(built.disk).read_bytes()[:4] == b"QFI\xfb"
    assert not os.path.exists(image)


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_elsewhere_than_on_linux_nothing_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: str
) -> None:
    monkeypatch.setattr("sys.platform", platform)
    with pytest.raises(DriverError, match="only be built on Linux") as caught:
        build.build(
            "debian-13", "amd64", "http://m", str(tmp_path), run=process.run, log=print, driver_name="virtualbox"
        )
    assert "--virtualbox-image" in caught.value.resolution
    assert "apt-get" not in caught.value.resolution
