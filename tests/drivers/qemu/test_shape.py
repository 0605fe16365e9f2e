"""What makes two machines of one kind: all that qemu restores, and nothing that is a machine's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from machine.drivers.images.cache import Boot
from machine.drivers.qemu import argv, net, shape
from tests.drivers.qemu.test_argv import PLACE, PLAIN

MACHINE = replace(
    PLAIN, boot=Boot("/store/cache/images/kernel", "/store/cache/images/initrd", "/dev/vda"), incoming=True
)


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "image.qcow2"
    path.write_bytes(b"disk")
    return path


def key(disk: Path, user: str = "machine", megabytes: int = 20000, **changes: Any) -> str:
    return shape.key(replace(MACHINE, **changes), user, megabytes, str(disk))


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "web"},
        {"uuid": "00000000-065c-5d58-afd4-f71551cca3e6"},
        {"directory": "/other/machines/dev"},
        {"sockets": "/tmp/machine-0-1"},
        {"place": replace(PLACE, address="127.84.7.7", peer="10.84.7.7", ssh_port=2222)},
        {"lan": net.lan_of("/other")},
        {"nat_mac": "52:54:00:00:00:02"},
        {"forwards": ((22, 22), (8080, 80))},
        {"incoming": False},
        {"boot": Boot("/other/cache/images/kernel", "/other/cache/images/initrd", "/dev/vda")},
    ],
)
def test_what_is_a_machines_own_makes_no_other_kind(disk: Path, changes: dict[str, Any]) -> None:
    assert key(disk, **changes) == key(disk)


@pytest.mark.parametrize(
    "changes",
    [
        {"memory": 2048},
        {"cpus": 1},
        {"accel": "kvm"},
        {"arch": "arm64"},
        {"program": "/usr/bin/env"},
        {"boot": Boot("/store/cache/images/kernel2", "/store/cache/images/initrd", "/dev/vda")},
        {"boot": None},
        {"unrandomized": True},
        {"firmware": "/x.fd"},
        {"user": "somebody"},
        {"megabytes": 6000},
    ],
)
def test_what_qemu_restores_makes_another(disk: Path, changes: dict[str, Any]) -> None:
    assert key(disk, **changes) != key(disk)


def test_another_image_makes_another(disk: Path, tmp_path: Path) -> None:
    before = key(disk)
    disk.write_bytes(b"another disk")
    assert key(disk) != before


@pytest.mark.parametrize("module", ["template_unit", "port_reporter_unit"])
def test_another_version_of_ours_makes_another(disk: Path, monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    before = key(disk)
    monkeypatch.setattr(f"machine.drivers.qemu.shape.{module}.VERSION", "another")
    assert key(disk) != before


def test_the_machine_that_becomes_a_template_reaches_nobody() -> None:
    named = replace(MACHINE, name="secret-name")
    words = argv.build(shape.of_template(named, "/t/.making", "/t/.making", "00000000-0000-4000-8000-000000000001"))
    text = " ".join(words)
    assert "hostfwd" not in text
    assert "mcast" not in text
    assert "-incoming" not in words
    for own in ("secret-name", MACHINE.uuid, MACHINE.nat_mac, PLACE.address, "/store/machines"):
        assert own not in text
