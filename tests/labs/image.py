"""The two root file systems of the lab's hosts, built once and kept: Debian 12 with sshd, and docker.io on top.

    CACHE/RECIPE/base/       systemd, openssh-server, sudo; /srv/apt has docker.io, python3 and all they need
    CACHE/RECIPE/engine/     an overlay layer over base: docker.io and python3 installed, its units enabled

CACHE is $MACHINE_TEST_LAB_CACHE or ~/.cache/machine-lab of the invoking user; RECIPE is a hash of this recipe.
Only the build talks to a mirror ($MACHINE_TEST_LAB_MIRROR, else those of this computer's apt); it takes about 45 s.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from machine.drivers.images import apt_sources

MIRROR = os.environ.get("MACHINE_TEST_LAB_MIRROR", "")
SUITE = os.environ.get("MACHINE_TEST_LAB_SUITE", "bookworm")  # trixie works too
ENGINE = ("docker.io", "apparmor", *(() if SUITE == "bookworm" else ("docker-cli",)))  # a package of its own since 13
PYTHON = ("python3",)  # beside the engine, as in every cloud's image; hosts without an engine can install it
PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "openssh-server", "sudo", "iproute2", "iptables", "procps", "kmod"),
    *("curl", "ca-certificates", "busybox-static"),
)
USER = "ubuntu"  # may use sudo without a password; root is the other way in

# What makes a boot slow or noisy and is no part of what is tested.
MASKED = (
    *("systemd-networkd-wait-online.service", "systemd-timesyncd.service", "systemd-resolved.service"),
    *("systemd-networkd.service", "systemd-networkd.socket", "apt-daily.timer"),
    *("apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "e2scrub_reap.service"),
    *("fstrim.timer", "getty.target", "console-getty.service", "systemd-logind.service"),
    *("systemd-update-utmp.service", "systemd-random-seed.service", "proc-sys-fs-binfmt_misc.automount"),
)

# nspawn mounts the v1 controllers read-only, and then no container starts.
CGROUPS_UNIT = """[Unit]
Description=Let Docker write to the v1 cgroup controllers
DefaultDependencies=no
Before=sysinit.target
[Service]
Type=oneshot
ExecStart=-/bin/sh -c 'for d in /sys/fs/cgroup /sys/fs/cgroup/*/; do mount -o remount,bind,rw "$d" 2>/dev/null; done'
[Install]
WantedBy=sysinit.target
"""

# Without a name server that answers at once, each sudo on a renamed host waits for one.
PREPARE = f"""
set -eu
useradd -m -s /bin/bash {USER}
echo '{USER} ALL=(ALL) NOPASSWD:ALL' >/etc/sudoers.d/90-{USER}
mkdir -p -m 0700 /root/.ssh /home/{USER}/.ssh
chown {USER}: /home/{USER}/.ssh
printf 'nameserver 127.0.0.1\\noptions attempts:1 timeout:1\\n' >/etc/resolv.conf
printf '127.0.0.1 localhost\\n' >/etc/hosts
: >/etc/machine-id
rm -f /etc/apt/sources.list.d/* /etc/apt/sources.list
echo 'deb [trusted=yes] file:/srv/apt ./' >/etc/apt/sources.list
systemctl mask {" ".join(MASKED)}
systemctl enable lab-cgroups.service ssh.service
mkdir -p /etc/systemd/journald.conf.d /etc/ssh/sshd_config.d
printf '[Journal]\\nStorage=volatile\\n' >/etc/systemd/journald.conf.d/lab.conf
printf 'UseDNS no\\nMaxStartups 100\\nMaxSessions 100\\n' >/etc/ssh/sshd_config.d/lab.conf
rm -f /etc/ssh/ssh_host_*
"""


class LabUnavailable(Exception):
    """This computer cannot boot lab hosts; the text says why, for a skip."""


def check() -> None:
    """LabUnavailable unless we are root on Linux and have the tools."""
    if os.name != "posix" or os.geteuid() != 0:
        raise LabUnavailable("lab hosts need root")
    missing = [tool for tool in ("systemd-nspawn", "mmdebstrap", "ip", "ssh-keygen") if not shutil.which(tool)]
    if missing:
        raise LabUnavailable("lab hosts need " + ", ".join(missing))


def cache() -> Path:
    """Where the file systems are kept; HOME is not asked, for tests change it."""
    if "MACHINE_TEST_LAB_CACHE" in os.environ:
        return Path(os.environ["MACHINE_TEST_LAB_CACHE"])
    return Path(pwd.getpwuid(os.getuid()).pw_dir) / ".cache" / "machine-lab"


def layers() -> tuple[Path, Path]:
    """The directories `base` and `engine`, built when they are not there yet (one builder at a time)."""
    check()
    recipe = "\n".join([SUITE, *PACKAGES, *ENGINE, *PYTHON, CGROUPS_UNIT, PREPARE])
    home = cache() / hashlib.sha256(recipe.encode()).hexdigest()[:12]
    home.mkdir(parents=True, exist_ok=True)
    with open(home / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "complete").exists():
            _build(home)
            (home / "complete").touch()
    return home / "base", home / "engine"


def package_sources() -> list[str]:
    """What mmdebstrap takes packages from: the mirror asked for, this computer's sources, or its own default."""
    arch = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()
    return [MIRROR] if MIRROR else apt_sources.lines(SUITE, arch)


def _build(home: Path) -> None:
    base, engine = home / "base", home / "engine"
    for path in (base, engine, home / "work"):
        if path.exists():
            shutil.rmtree(path)
    download = (
        f"apt-get install -y --no-install-recommends --download-only {' '.join(ENGINE + PYTHON)} && "
        "mkdir -p /srv/apt && mv /var/cache/apt/archives/*.deb /srv/apt/"
    )
    hook = f"--customize-hook=chroot \"$1\" sh -c '{download}'"
    include = "--include=" + ",".join(PACKAGES)
    _run(["mmdebstrap", "--variant=minbase", include, hook, SUITE, str(base), *package_sources()])
    index(base / "srv/apt")
    (base / "etc/systemd/system/lab-cgroups.service").write_text(CGROUPS_UNIT)
    _run(["chroot", str(base), "sh", "-c", PREPARE])
    _run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(base / "etc/ssh/ssh_host_ed25519_key")])
    _run(["chroot", str(base), "apt-get", "-q", "update"])
    engine.mkdir()
    with overlay(base, engine, home / "work") as root:
        (root / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
        (root / "usr/sbin/policy-rc.d").chmod(0o755)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
        _run(
            ["chroot", str(root), "apt-get", "install", "-q", "-y", "--no-install-recommends", *ENGINE, *PYTHON],
            env=environment,
        )
        (root / "usr/sbin/policy-rc.d").unlink()


def index(repository: Path) -> None:
    """Write `Packages` of a flat repository, from the packages' own control files."""
    entries = []
    for deb in sorted(repository.glob("*.deb")):
        control = subprocess.run(["dpkg-deb", "-f", deb], capture_output=True, text=True, check=True).stdout
        digest = hashlib.sha256(deb.read_bytes()).hexdigest()
        entries.append(f"{control.strip()}\nFilename: ./{deb.name}\nSize: {deb.stat().st_size}\nSHA256: {digest}\n")
    (repository / "Packages").write_text("\n".join(entries))


@contextlib.contextmanager
def overlay(lower: Path, upper: Path, work: Path) -> Iterator[Path]:
    """The two layers mounted as one, for a while."""
    root = work / "merged"
    root.mkdir(parents=True)
    (work / "work").mkdir()
    _run(
        ["mount", "-t", "overlay", "lab", "-o", f"lowerdir={lower},upperdir={upper},workdir={work / 'work'}", str(root)]
    )
    try:
        yield root
    finally:
        _run(["umount", str(root)])
        shutil.rmtree(work)


def _run(argv: list[str], **more: Any) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, **more)
    if done.returncode != 0:
        raise LabUnavailable(
            f"building the lab's hosts failed at {argv[0]}: {done.stdout[-1000:]}{done.stderr[-2000:]}"
        )
