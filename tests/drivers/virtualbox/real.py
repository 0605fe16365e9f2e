"""The real VBoxManage: on the PATH, or in the tree that $VBOXMANAGE_CHROOT names.

Such a tree is made by `mmdebstrap --components=main,contrib --include=virtualbox sid TREE`. It runs in
namespaces of its own with a bridge that VirtualBox takes for its host-only interface, and sees the test's directory
under the same path. How to run these tests is in CONTRIBUTING.md.
Without VirtualBox's kernel modules everything works but startvm, controlvm and hostonlyif create.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TREE = os.environ.get("VBOXMANAGE_CHROOT", "")
HOST_ADDRESS = "192.168.59.1"
PREPARE = f"""
set -e
mount --make-rprivate /
mount -t proc proc "$1/proc"
mount -t tmpfs tmpfs "$1/tmp"
mount -t tmpfs tmpfs "$1/root"
mkdir -p "$1$2"
mount --bind "$2" "$1$2"
ip link set lo up
ip link add vboxnet0 type bridge
ip addr add {HOST_ADDRESS}/24 dev vboxnet0
ip link set vboxnet0 up
touch "$2/ready"
exec sleep 3600
"""


def unusable() -> str:
    """Why there is no real program here, "" if there is."""
    if TREE:
        if os.geteuid() != 0:
            return "$VBOXMANAGE_CHROOT needs root"
        return "" if Path(TREE, "usr/lib/virtualbox/VBoxManage").exists() else f"{TREE} holds no VirtualBox"
    return "" if shutil.which("VBoxManage") else "no VBoxManage on the PATH, and VBOXMANAGE_CHROOT names no tree"


def settings(program: str) -> Path:
    """Where VirtualBox keeps its own files, for a program out of a tree."""
    inside = re.search(r"-t (\d+) ", Path(program).read_text())
    assert inside is not None
    return Path(f"/proc/{inside[1]}/root{TREE}/root/.config/VirtualBox")


@contextmanager
def program(directory: Path) -> Iterator[str]:
    """The path of a VBoxManage that works below `directory` (which exists)."""
    if not TREE:
        found = shutil.which("VBoxManage")
        assert found is not None
        yield found
        return
    words = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", PREPARE, "sh", TREE]
    holder = subprocess.Popen([*words, str(directory)])
    try:
        deadline = time.monotonic() + 20
        while not (directory / "ready").exists():
            assert holder.poll() is None, "the namespaces could not be made"
            assert time.monotonic() < deadline, "the namespaces took too long"
            time.sleep(0.05)
        inside = Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text().split()[0]
        script = directory / "VBoxManage"
        script.write_text(
            f'#!/bin/sh\nexec nsenter -t {inside} -n -m -p chroot "{TREE}" /usr/bin/env HOME="{directory}" '
            'PATH=/usr/bin:/bin LC_ALL=C /usr/lib/virtualbox/VBoxManage "$@"\n'
        )
        script.chmod(0o755)
        yield str(script)
    finally:
        holder.kill()
        holder.wait(20)
