"""The main job by somebody who is not root, with machine.pyz and qemu alone: a virtual machine is made and used."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

import pytest

from tests.e2e.vms import IMAGES, program
from tests.ordinary_user import OrdinaryUser, ordinary_user
from tests.program import Program

__all__ = ["program"]

pytestmark = pytest.mark.vm

IMAGE = "debian-13"  # the default


@pytest.fixture
def user(public: Path, dist: Path, program: Program) -> OrdinaryUser:
    """An ordinary user with machine.pyz, and with the image that the other tests start, built if none has yet."""
    if not os.access("/usr/bin/python3", os.X_OK):
        pytest.skip("needs the system's own python3")
    if IMAGE not in program("image", "ls").fine().out.split():
        program("image", "build", IMAGE, timeout=900).fine()
    found = ordinary_user(public)
    shutil.copy(dist / "machine.pyz", found.home)
    store = found.home / ".docker/machine"
    (store / "cache/images").mkdir(parents=True)
    for path in (found.home / ".docker", store, store / "cache", store / "cache/images"):
        path.chmod(0o700)
    for file in (IMAGES / "images").glob(f"{IMAGE}-*"):
        if not file.name.startswith(f"{IMAGE}-generic"):
            shutil.copy(file, store / "cache/images")
    found.give(found.home)
    return found


def test_a_virtual_machine_is_made_used_and_removed(user: OrdinaryUser) -> None:
    pyz = user.home / "machine.pyz"
    made = user.run([pyz, "create", "dev"], timeout=900)
    try:
        assert made.returncode == 0, made.stderr
        assert "dev is ready: Docker behind TLS at tcp://127." in made.stderr
        owners = {path.stat().st_uid for path in (user.home / ".docker/machine/machines/dev").rglob("*")}
        assert owners == {user.uid}
        assert user.run([pyz, "ls", "--format", "{{.Name}} {{.State}}"]).stdout == "dev Running\n"
        assert user.run([pyz, "ssh", "dev", "id", "-un"]).stdout != "root\n"
        flags = shlex.split(user.run([pyz, "config", "dev"]).stdout)
        docker = shutil.which("docker") or "docker"
        told = user.run([docker, *flags, "version", "--format", "{{.Server.Os}}"])
        assert told.stdout == "linux\n", told.stderr
    finally:
        removed = user.run([pyz, "rm", "-f", "-y", "dev"], timeout=120)
    assert removed.returncode == 0, removed.stderr
    assert list((user.home / ".docker/machine/machines").iterdir()) == []
