"""The image that servers boot: the qemu driver's Debian 13 with Docker, taught to read what OpenStack gives a server.

It is one file system without a boot loader, so it goes into Glance as three: disk, kernel, initrd.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from pathlib import Path

from machine import process
from machine.drivers.images.cache import Cache
from tests.labs import image
from tests.labs.openstack import settings

NAME = "debian-13"
COMMAND_LINE = "root=/dev/vda rw console=ttyS0 net.ifnames=0"
# One source only: with two, cloud-init asks early in the boot which are there, before the drive's driver is loaded.
CLOUD = """datasource_list: [ ConfigDrive, None ]
manage_etc_hosts: true
ssh_genkeytypes: [ ed25519 ]
"""
FILES = {
    "/etc/cloud/cloud.cfg.d/95_openstack.cfg": CLOUD,
    "/etc/modprobe.d/machine.conf": "alias net-pf-40 off\n",  # the config drive is a CD on an IDE bus
    # Nobody answers there, and the computer says so at once; without an entry each sudo would wait.
    "/etc/resolv.conf": f"nameserver {settings.PUBLIC}.1\noptions attempts:1 timeout:1\n",
}


def kept() -> Path:
    """Where the tests keep images between runs; HOME is not asked, for tests change it."""
    if "MACHINE_TEST_CACHE" in os.environ:
        return Path(os.environ["MACHINE_TEST_CACHE"])
    return Path(pwd.getpwuid(os.getuid()).pw_dir) / ".cache" / "machine-test"


def prepare(work: Path) -> dict[str, Path]:
    """`disk` (qcow2), `kernel` and `initrd` in the directory `work`; the base is built when no test has it."""
    store = work / "store"
    store.mkdir(parents=True)
    kept().mkdir(parents=True, exist_ok=True)
    (store / "cache").symlink_to(kept())
    cache = Cache(str(store), run=process.run, log=lambda text: None)
    base = cache.find(NAME, "amd64")
    if base is None or not base.taught:
        base = cache.build(NAME, "amd64", image.MIRROR)
    raw = work / "disk.raw"
    _run("qemu-img", "convert", "-O", "raw", cache.path(base.disk), str(raw))
    made = {"disk": work / "disk.qcow2", "kernel": work / "kernel", "initrd": work / "initrd"}
    for file, target in (("vmlinuz", made["kernel"]), ("initrd.img", made["initrd"])):
        _debugfs(raw, f"dump {_newest(raw, file)} {target}")
    for number, (path, content) in enumerate(FILES.items()):
        (work / f"file{number}").write_text(content)
        directory, _, name = path.rpartition("/")
        lines = [f"cd {directory}", f"rm {name}", f"write {work / f'file{number}'} {name}"]
        _debugfs(raw, "\n".join([*lines, f"set_inode_field {name} mode 0100644"]))
    _run("qemu-img", "convert", "-O", "qcow2", str(raw), str(made["disk"]))
    raw.unlink()
    shutil.rmtree(store)
    return made


def _newest(raw: Path, file: str) -> str:
    """The path of a kernel's file in the image; it holds one kernel."""
    listing = _debugfs(raw, "ls -p /boot")
    (name,) = (word for word in listing.split("/") if word.startswith(file + "-"))
    return f"/boot/{name}"


def _debugfs(raw: Path, commands: str) -> str:
    path = shutil.which("debugfs", path=os.environ["PATH"] + ":/usr/sbin:/sbin") or "debugfs"
    return _run(path, "-w", "-f", "-", str(raw), text=commands)


def _run(*argv: str, text: str = "") -> str:
    done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise image.LabUnavailable(f"{' '.join(argv)}: {done.stderr.strip()}")
    return done.stdout
