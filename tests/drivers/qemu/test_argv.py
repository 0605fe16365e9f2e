"""The qemu command line."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from shutil import which
from typing import Any

import pytest

from machine.drivers.images.cache import Boot
from machine.drivers.qemu import argv, net

PLACE = net.NetworkAddress("127.84.7.1", "10.84.7.1", 22, 2376, 3376)
PLAIN = argv.Machine(
    program="qemu-system-x86_64",
    name="dev",
    uuid="5c1f9e0e-8f2b-4c7e-9d0a-7a84f1272376",
    arch="amd64",
    accel="tcg",
    cpus=2,
    memory=1024,
    directory="/store/machines/dev",
    sockets="/store/machines/dev",
    place=PLACE,
    lan=net.Lan(7, "239.84.1.2", 21000),
    nat_mac="52:54:00:00:00:01",
    forwards=argv.forwards(PLACE, [(8080, 80)]),
    boot=Boot("/cache/vmlinuz"),
)


def after(words: list[str], flag: str) -> list[str]:
    return [words[index + 1] for index, word in enumerate(words) if word == flag]


def built(**changes: Any) -> list[str]:
    return argv.build(replace(PLAIN, **changes))


def test_a_kernel_of_ours_boots_from_nvme_without_an_initrd() -> None:
    words = built()
    assert after(words, "-kernel") == ["/cache/vmlinuz"]
    assert "-initrd" not in words
    assert "root=/dev/nvme0n1" in after(words, "-append")[0].split()
    assert "nvme,serial=machine,drive=disk" in after(words, "-device")


def test_a_kernel_without_the_driver_gets_its_initrd() -> None:
    words = built(boot=Boot("/cache/vmlinuz", "/cache/initrd", "LABEL=machine"))
    assert after(words, "-initrd") == ["/cache/initrd"]
    assert "virtio-blk-pci,drive=disk" in after(words, "-device")


def test_a_disk_with_a_boot_loader() -> None:
    words = built(boot=None)
    assert "-kernel" not in words
    assert "-append" not in words
    assert "virtio-blk-pci,drive=disk" in after(words, "-device")


def test_only_a_software_processor_goes_unguarded() -> None:
    assert "mitigations=off" in after(built(), "-append")[0]
    words = built(accel="kvm")
    assert "mitigations" not in after(words, "-append")[0]
    assert "clearcpuid" not in after(words, "-append")[0]
    assert after(words, "-cpu") == ["host"]
    assert after(words, "-accel") == ["kvm"]


def test_forwards_of_the_first_card() -> None:
    nat, lan = after(built(), "-netdev")
    for rule in ("22-:22", "2376-:2376", "3376-:3376", "8080-:80"):
        assert f"hostfwd=tcp:127.84.7.1:{rule}" in nat
    assert lan == "socket,id=lan,mcast=239.84.1.2:21000,localaddr=127.0.0.1"


def test_a_fixed_port_is_forwarded_once() -> None:
    assert argv.forwards(PLACE, [(3376, 3376), (80, 8080)]) == [(22, 22), (2376, 2376), (3376, 3376), (80, 8080)]


def test_arm() -> None:
    words = built(arch="arm64", accel="hvf", boot=None, firmware="/fw.fd")
    assert after(words, "-machine") == ["virt"]
    assert after(words, "-bios") == ["/fw.fd"]
    assert "console=ttyAMA0" in after(built(arch="arm64"), "-append")[0]


def test_commas_in_paths_are_doubled() -> None:
    assert any("file=/a,,b/disk.qcow2" in word for word in built(directory="/a,b"))


@pytest.mark.skipif(which("qemu-system-x86_64") is None, reason="qemu-system-x86_64 is not installed")
@pytest.mark.parametrize("accel", ["tcg"])
def test_a_real_qemu_takes_it_but_for_the_files(accel: str) -> None:
    """Every option is understood: the only complaint is the disk that is not there."""
    done = subprocess.run(built(accel=accel), capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert "Could not open '/store/machines/dev/" in done.stderr or "/store/machines/dev" in done.stderr


def test_what_a_machine_without_access_to_its_host_sends_goes_through_the_guard_first() -> None:
    """qemu goes through the filters of what a card's peer gets in the reverse order."""
    words = built(guarded=True)
    filters = [word for word in words if word.startswith("filter-redirector")]
    assert [word.rpartition(",")[2] for word in filters] == ["indev=guard-in", "outdev=guard-out"]
    assert all(",netdev=nat,queue=rx," in word for word in filters)
    assert not any("guard" in word for word in built())
