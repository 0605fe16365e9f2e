"""Option values: what is accepted, what is refused with the flag's name, and what is stored."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from machine.drivers.qemu import config
from machine.drivers.qemu.options import OPTIONS
from machine.errors import UsageError
from machine.options import resolve
from tests.drivers import contexts


def of(**given: Any) -> config.Settings:
    return config.from_values(resolve(OPTIONS, {name.replace("_", "-"): value for name, value in given.items()}, {}))


def test_defaults() -> None:
    wanted = of()
    assert (wanted.image, wanted.cpus, wanted.memory, wanted.disk) == ("debian-13", 2, 1024, 20000)
    assert (wanted.accel, wanted.user) == ("auto", "machine")


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("qemu_cpu_count", 0),
        ("qemu_cpu_count", -2),
        ("qemu_memory", 10),
        ("qemu_disk_size", 100),
        ("qemu_boot_timeout", 0),
        ("qemu_accel", "xen"),
        ("qemu_ssh_user", "root"),
        ("qemu_ssh_user", "a b"),
        ("qemu_image", " "),
        ("qemu_publish", ["80:x"]),
        ("qemu_publish", ["0:80"]),
        ("qemu_publish", ["70000"]),
        ("qemu_publish", ["8080:80", "8080:81"]),
    ],
)
def test_nonsense_names_its_flag(flag: str, value: Any) -> None:
    with pytest.raises(UsageError) as caught:
        of(**{flag: value})
    assert f"--{flag.replace('_', '-')}" in caught.value.brief
    assert caught.value.resolution


def test_published_ports() -> None:
    assert of(qemu_publish=["8080:80", "53"]).publish == ((8080, 80), (53, 53))


def test_what_is_stored_comes_back() -> None:
    wanted = of(qemu_publish=["8080:80"], qemu_cpu_count=-1, qemu_accel="tcg", qemu_image="/a/b.qcow2")
    assert config.load(config.dump(wanted)) == wanted


@pytest.mark.parametrize(
    ("word", "in_cluster", "reaches"),
    [("auto", False, True), ("auto", True, False), ("on", True, True), ("off", False, False)],
)
def test_who_reaches_the_loopback_of_this_host(word: str, in_cluster: bool, reaches: bool, tmp_path: Path) -> None:
    ctx = replace(contexts.real(tmp_path), in_cluster=in_cluster)
    assert config.reaches_host(of(qemu_host_access=word), ctx) is reaches


def test_a_record_of_an_older_version_gets_defaults() -> None:
    assert config.load({}) == config.from_values(resolve(OPTIONS, {}, {}))
