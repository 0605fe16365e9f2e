"""Modes are set, not inherited: under a umask of 0 others may read and write nothing, and under 077 all works."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from machine import background, lock, process
from machine.cli import plugin, report
from machine.drivers.images.cache import Cache
from machine.drivers.qemu import vm
from machine.swarm.discovery.registry import Registry
from tests.drivers.images.site import Site


@pytest.fixture(params=[0, 0o077], ids=["umask-0", "umask-077"])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def open_to_others(root: Path) -> list[str]:
    """Everything below `root` that somebody else may read, write or enter."""
    return [
        f"{path} {stat.S_IMODE(path.lstat().st_mode):04o}"
        for path in [root, *root.rglob("*")]
        if not path.is_symlink() and path.lstat().st_mode & 0o077
    ]


def test_what_programs_make_that_we_run(tmp_path: Path, umask: int) -> None:
    process.run(["sh", "-c", "mkdir -p a/b; echo x >a/b/c"], cwd=str(tmp_path))
    assert open_to_others(tmp_path / "a") == []
    process.run(["sh", "-c", "mkdir d; echo x >d/e"], cwd=str(tmp_path), umask=0o022)
    assert stat.S_IMODE((tmp_path / "d").stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "d/e").stat().st_mode) == 0o644


@pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")
def test_images_and_disks(tmp_path: Path, umask: int) -> None:
    source = tmp_path / "published.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", source, "10M"], check=True)
    store = tmp_path / "new" / "store"
    own = Cache(str(store), run=process.run, log=lambda _: None, machine=str(store / "machines" / "dev"))
    with Site() as site:
        site.files["/a.qcow2"] = source.read_bytes()
        found = own.obtain(f"{site.url}/a.qcow2", "amd64", "")
    vm.make_overlay(str(store / "disk.qcow2"), own.path(found.disk), found.format, 20, process.run)
    assert open_to_others(tmp_path / "new") == []


def test_locks_helpers_registries_and_reports(tmp_path: Path, umask: int) -> None:
    new = tmp_path / "new"
    with lock.hold(str(new / "locks" / "a.lock"), what="test"):
        background.expect(str(new / "helper.lock"))
    Registry(str(new / "deep" / "down" / "registry.db")).create()
    report.bug_error(RuntimeError("x"), str(new / "other" / "store"))
    assert open_to_others(new) == []


def test_the_plugin_of_the_docker_client(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "new" / "cli-plugins" / "docker-machine"
    plugin.install(str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o755
    assert not path.parent.stat().st_mode & 0o022
    assert not path.parent.parent.stat().st_mode & 0o022
