"""The cloud's root file system, in two layers that are built once and kept below tests.labs.image.cache().

    openstack-base-HASH/root     Debian 12 with OpenStack's packages (Zed) and all they need, 2.3 GB
    openstack-HASH/root          what a first start and tests.labs.openstack.seed made of it: configuration, databases,
                                 the image in Glance and in nova's own cache, 1.3 GB

HASH is of what they are made from, so that a change of this directory builds what it must. Only the build of the first
one talks to a mirror.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from tests.labs import image
from tests.labs.openstack import guest, seed, settings
from tests.labs.openstack.api import Api
from tests.labs.openstack.box import Nspawn

PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "iproute2", "iptables", "procps", "kmod", "ca-certificates", "netbase"),
    *("mariadb-server", "rabbitmq-server", "python3-pymysql", "sudo", "ipset", "ebtables", "conntrack"),
    *("iputils-arping", "genisoimage", "qemu-system-x86", "qemu-utils", "libvirt-daemon-system", "libvirt-clients"),
    *("keystone", "glance-api", "placement-api", "nova-api", "nova-conductor", "nova-scheduler", "nova-compute"),
    *("nova-compute-qemu", "neutron-server", "neutron-linuxbridge-agent", "neutron-l3-agent"),
)
MASKED = (
    *("haproxy", "keepalived", "radvd", "open-iscsi", "iscsid", "libvirt-guests", "multipathd", "rsync"),
    *("nova-api-metadata", "neutron-metadata-agent", "neutron-dhcp-agent"),
    *(
        "systemd-networkd-wait-online",
        "systemd-timesyncd",
        "systemd-resolved",
        "systemd-networkd",
        "epmd",
        "epmd.socket",
    ),
    *("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer"),
    *("getty.target", "console-getty", "systemd-update-utmp", "systemd-random-seed"),
    *("proc-sys-fs-binfmt_misc.automount", "machines.target"),
)
SERVICES = (*seed.APIS, *seed.WORKERS, *seed.AGENTS)

# uwsgi speaks HTTP/1.1 and closes without a word; a client that uses the connection again would find it reset.
# ebtables cannot delete neutron's rules against forged ARP on newer kernels, and the agent then tries for ever.
PREPARE = f"""
set -eu
sed -i 's/^processes = .*/processes = 1/; s/^threads = [0-9]\\{{2,\\}}/threads = 8/; /^apparmor-profile/d;
    s/^plugins = .*/plugins = python3/; /^add-header/d; s/^\\[uwsgi\\]/[uwsgi]\\nadd-header = Connection: close/' \\
    /etc/*/*-uwsgi.ini
sed -i 's/^processes = .*/processes = 2/' /etc/nova/nova-api-uwsgi.ini
update-alternatives --quiet --install /usr/sbin/ebtables ebtables /bin/true 100
mkdir -p /etc/systemd/journald.conf.d
printf '[Journal]\\nStorage=volatile\\n' >/etc/systemd/journald.conf.d/lab.conf
systemctl -q mask {" ".join(MASKED)}
systemctl -q disable {" ".join(SERVICES)}
: >/etc/machine-id
"""


def layers() -> list[Path]:
    """The directories of both layers, upper one first, built when they are not there yet (one builder at a time)."""
    image.check()
    base = _kept("openstack-base", [*PACKAGES, image.MIRROR], _build_base)
    here = Path(__file__).parent
    made_from = [(here / name).read_text() for name in ("settings.py", "seed.py", "guest.py")]
    cloud = _kept("openstack", [base.name, PREPARE, *made_from], lambda place: _build_cloud(base / "root", place))
    return [cloud / "root", base / "root"]


def _kept(name: str, made_from: list[str], build: Callable[[Path], None]) -> Path:
    place = image.cache() / f"{name}-{hashlib.sha256(chr(10).join(made_from).encode()).hexdigest()[:12]}"
    place.mkdir(parents=True, exist_ok=True)
    with open(place / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "complete").exists():
            shutil.rmtree(place / "root", ignore_errors=True)
            build(place)
            (place / "complete").touch()
            for older in set(image.cache().glob(f"{name}-{'[0-9a-f]' * 12}")) - {place}:
                shutil.rmtree(older, ignore_errors=True)  # nothing stands on it: a computer has one cloud
    return place


def _build_base(place: Path) -> None:
    words = ["mmdebstrap", "--quiet", "--variant=minbase", "--include=" + ",".join(PACKAGES)]
    words += [f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("man", "locale", "doc")]
    words += ["--dpkgopt=force-unsafe-io", "bookworm", str(place / "root"), *image.package_sources()]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise image.LabUnavailable(f"OpenStack's packages could not be installed: {done.stderr[-2000:]}")


def _build_cloud(base: Path, place: Path) -> None:
    """The first start: schemas, then one service after the other, then what the cloud is given."""
    with _directory(place / "work") as work:
        _configure(base, place / "root", work)
        files = guest.prepare(work / "guest")
        box = Nspawn(work / "box", [base], place / "root")
        box.start()
        try:
            box.run("systemctl start mariadb rabbitmq-server libvirtd && rabbitmqctl -q await_startup")
            box.run(seed.SCHEMAS)
            _first_start(box, files)
            box.shut_down()
        finally:
            box.end()


def _first_start(box: Nspawn, files: dict[str, Path]) -> None:
    began = time.time()
    box.run("systemctl start keystone placement-api glance-api neutron-api neutron-rpc-server nova-api")
    seed.wait("keystone does not let the administrator in", Api)
    api = Api()
    seed.identity(api)
    api = Api()  # a token's catalogue is that of its making
    for service in settings.ENDPOINTS:
        seed.wait(f"{service} does not answer", partial(seed.answering, service))
    box.run(f"systemctl start {' '.join(SERVICES)}")
    seed.wait("workers and agents are not all alive", lambda: seed.beating(api, began - 1) >= seed.HEARTBEATS)
    box.run("runuser -u nova -- nova-manage cell_v2 discover_hosts")
    seed.contents(api, files)
    cached = "ls /var/lib/nova/instances/_base/ 2>/dev/null | grep -v '[.]part$'"
    seed.wait("nova-compute does not fetch the image", lambda: box.run(cached, check=False).strip())
    box.run(f"systemctl -q enable {' '.join(SERVICES)}; systemctl stop {' '.join(reversed(SERVICES))}")


def _configure(base: Path, upper: Path, work: Path) -> None:
    """Debian's files get our changes; owners and modes of those that are replaced stay."""
    upper.mkdir(parents=True)
    with image.overlay(base, upper, work / "overlay") as root:
        done = subprocess.run(["chroot", str(root), "sh", "-c", PREPARE], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise image.LabUnavailable(f"OpenStack's host could not be prepared: {done.stderr[-2000:]}")
        for path, content in settings.FILES.items():
            target = root / path[1:]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink() if target.is_symlink() else None
            target.write_text(content)


@contextlib.contextmanager
def _directory(path: Path) -> Iterator[Path]:
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
