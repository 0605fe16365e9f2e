"""What is checked before anything is made; each complaint names the flag or the command that helps."""

from __future__ import annotations

import errno
import re
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from machine import port_holder
from machine.drivers.qemu import config, net, preflight
from machine.drivers.qemu.accel import Host
from machine.drivers.qemu.options import OPTIONS
from machine.errors import DriverError, PreflightFailed
from machine.options import resolve
from tests.platforms import loopback_addresses

PLAIN = config.from_values(resolve(OPTIONS, {}, {}))
HOST = Host("linux", "amd64", virtualised=False, kvm_opens=True)


def test_a_program_that_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PreflightFailed) as caught:
        preflight.check_programs(PLAIN, HOST)
    assert caught.value.brief == "the program qemu-system-x86_64 is not installed"
    assert "apt-get install qemu-system" in caught.value.resolution
    assert caught.value.exit_code == 3


def test_kvm_asked_for_by_name() -> None:
    with pytest.raises(PreflightFailed, match="vmx or svm"):
        preflight.check_accel("kvm", HOST)
    with pytest.raises(PreflightFailed, match="cannot be opened"):
        preflight.check_accel("kvm", replace(HOST, virtualised=True, kvm_opens=False))
    with pytest.raises(PreflightFailed, match="macOS"):
        preflight.check_accel("hvf", HOST)
    for word in ("auto", "tcg"):
        preflight.check_accel(word, HOST)


def test_more_memory_than_there_is_names_a_value_that_fits() -> None:
    with pytest.raises(PreflightFailed, match="--qemu-memory") as caught:
        preflight.check_size(replace(PLAIN, memory=1 << 40))
    advised = re.match(r"--qemu-memory (\d+);", caught.value.resolution)
    assert advised is not None
    preflight.check_size(replace(PLAIN, memory=int(advised[1])))


def test_a_published_port_that_only_root_may_open(monkeypatch: pytest.MonkeyPatch) -> None:
    def probe(address: str, port: int, kind: str) -> None:
        if port < 1024:
            raise PermissionError(errno.EACCES, "Permission denied")
        raise OSError(errno.EADDRINUSE, "Address already in use")  # at one address: there are others

    monkeypatch.setattr(port_holder, "probe", probe)
    monkeypatch.setattr(port_holder, "UNPRIVILEGED", "/nonexistent")
    preflight.check_published(replace(PLAIN, publish=((8080, 80),)))
    with pytest.raises(PreflightFailed) as caught:
        preflight.check_published(replace(PLAIN, publish=((8080, 80), (80, 80))))
    assert caught.value.brief == (
        "--qemu-publish 80:80 cannot be done: only root may open ports below 1024 on this host"
    )
    assert "--qemu-publish 8080:80" in caught.value.resolution


def test_images(tmp_path: Path) -> None:
    with pytest.raises(PreflightFailed, match="no image called"):
        preflight.check_image("fedora")
    with pytest.raises(PreflightFailed, match="cannot be read"):
        preflight.check_image(str(tmp_path / "nothing.qcow2"))
    for word in ("debian-13", "https://host/x.qcow2"):
        preflight.check_image(word)


def test_room_also_where_the_store_is_not_made_yet(tmp_path: Path) -> None:
    preflight.check_room(str(tmp_path / "a" / "b"), 1)
    with pytest.raises(PreflightFailed) as caught:
        preflight.check_room(str(tmp_path / "a" / "b"), 1 << 60)
    assert "--storage-path" in caught.value.resolution
    assert not (tmp_path / "a").exists()


@loopback_addresses
def test_ports() -> None:
    place = net.NetworkAddress("127.84.0.79", "10.84.0.79", 20022, 22376, 23376)
    preflight.check_ports(place, [(28080, 80)])
    with socket.socket() as server:
        server.bind(("127.84.0.79", 28080))
        server.listen(1)
        with pytest.raises(DriverError, match=r"port 28080 of 127\.84\.0\.79 is taken"):
            preflight.check_ports(place, [(28080, 80)])
