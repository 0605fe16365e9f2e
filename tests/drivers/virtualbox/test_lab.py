"""`machine create -d virtualbox` from a boot2docker ISO to its end: behind the fake's startvm a lab host is the guest.

It does what boot2docker does: it takes the login key from the beginning of the disk that the driver made, asks the
DHCP server for its address, and shows an ssh host key of its own making.
"""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import time
from pathlib import Path

import pytest

from tests.drivers.virtualbox.fake_vboxmanage import Fake
from tests.labs.nspawn import Host, Lab
from tests.program import Program

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed"),
]
USER = "docker"


def boots(host: Host, disk: str, place: Path) -> None:
    """The guest sees its disk for the first time."""
    subprocess.run(["qemu-img", "convert", "-O", "raw", disk, str(place / "raw")], check=True, timeout=60)
    with tarfile.open(place / "raw") as tar:
        assert tar.getnames()[0] == "boot2docker, please format-me"
        key = tar.extractfile(".ssh/authorized_keys")
        assert key is not None
        home = f"/home/{USER}"
        host.run(f"useradd -m -s /bin/bash -g docker {USER} && install -d -m 700 -o {USER} {home}/.ssh")
        host.run(f"cat > {home}/.ssh/authorized_keys", stdin=key.read().decode())
    host.run(f"echo '{USER} ALL=(ALL) NOPASSWD:ALL' > /etc/sudoers.d/{USER}")


def test_boot2docker_to_its_end(lab: Lab, tmp_path: Path) -> None:
    host = lab.host("b2d", engine="running")
    host.import_busybox()
    fake, program = Fake(tmp_path / "virtualbox"), Program(tmp_path / "p")
    iso = tmp_path / "b2d.iso"
    iso.write_bytes(b"iso")
    flags = [f"--virtualbox-program={fake.script(tmp_path / 'VBoxManage')}", f"--virtualbox-boot2docker-url={iso}"]
    with program.start("create", "-d", "virtualbox", *flags, "--virtualbox-no-share", "dev") as process:
        try:
            deadline = time.monotonic() + 240
            while not any(vm["state"] == "running" for vm in fake.listing()["vms"].values()):
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < deadline, "it was not started"
                time.sleep(0.1)
            (vm,) = fake.listing()["vms"].values()
            boots(host, vm["disks"]["1"], tmp_path)
            fake.asks_dhcp("dev", "offered", host.address)
            fake.asks_dhcp("dev")
            _, said = process.communicate(timeout=240)
        finally:
            process.kill()
    assert process.returncode == 0, said
    assert program("ip", "dev").fine().out.strip() == host.address
    assert program("ssh", "dev", "whoami").fine().out.strip() == USER
    shown = (host.root / "etc/ssh/ssh_host_ed25519_key.pub").read_text().split()[1]
    assert shown in (program.store / "machines" / "dev" / "known_hosts").read_text()
    ran = program.shell('eval "$(machine env dev)"; docker run --rm busybox:lab echo from the cloud').fine()
    assert ran.out == "from the cloud\n"
    program("rm", "-y", "dev").fine()
    assert fake.listing()["vms"] == {}
