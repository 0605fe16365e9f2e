"""`machine create -d virtualbox` to its end: a real qemu boots the VDI and the seed behind the fake's startvm.

Takes minutes. The machine's network is made local to this host for the time of the test, which needs root.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.drivers.virtualbox.fake_vboxmanage import Fake
from tests.e2e.vms import program
from tests.program import Program

__all__ = ["program"]

NETWORK, HOST = "192.168.63.0/24", "192.168.63.1/24"
NEEDED = [tool for tool in ("qemu-system-x86_64", "qemu-img", "grub-mkimage", "ip") if shutil.which(tool) is None]
pytestmark = [
    pytest.mark.vm,
    pytest.mark.skipif(bool(NEEDED), reason=f"not installed: {', '.join(NEEDED)}"),
    pytest.mark.skipif(os.geteuid() != 0, reason="making a network local needs root"),
]


@pytest.fixture
def network() -> Iterator[None]:
    """Every address of the host-only network is this host's; what it sends there comes from its own one."""
    there = subprocess.run(["ip", "route", "show", "table", "all", NETWORK], capture_output=True, text=True, check=True)
    if there.stdout.strip():
        pytest.skip(f"this host has a route to {NETWORK}")
    local = ["local", NETWORK, "dev", "lo"]
    subprocess.run(["ip", "route", "add", *local], check=True)
    subprocess.run(["ip", "route", "replace", *local, "src", HOST.partition("/")[0]], check=True)  # local by now
    try:
        yield
    finally:
        subprocess.run(["ip", "route", "del", *local], check=True)


def test_create_ends_in_a_docker_host(program: Program, network: None, tmp_path: Path) -> None:
    fake = Fake(tmp_path / "virtualbox")
    (fake.directory / "boots").touch()
    flags = {
        "program": fake.script(tmp_path / "VBoxManage"),
        "hostonly-cidr": HOST,
        "hostonly-no-dhcp": "true",
        "boot-timeout": "900",
        "disk-size": "9000",
        "cpu-count": "2",
        "no-share": "true",
    }
    line = [f"--virtualbox-{name}={value}" for name, value in flags.items()]
    try:
        made = program("create", "-d", "virtualbox", *line, "dev", timeout=2400).fine()
        print(made.err)
        (vm,) = fake.listing()["vms"].values()
        assert program("ip", "dev").fine().out.strip() == vm["properties"]["/Machine/Address"]
        assert program("ssh", "dev", "hostname").fine().out.strip() == "dev"
        mega = program("ssh", "dev", "df --output=size -m / | tail -1").fine().out
        assert int(mega) > 8000, "the partition and the file system fill the disk"
        assert "Server" in program.shell('eval "$(machine env dev)"; docker version').fine().out
        assert "Linux version" in (program.store / "machines" / "dev" / "console.log").read_text(errors="replace")
        assert "is switched off" not in program("stop", "dev", timeout=300).fine().err
        assert program("status", "dev").fine().out == "Stopped\n"
        program("start", "dev", timeout=1200).fine()
        assert "Server" in program.shell('eval "$(machine env dev)"; docker version').fine().out
    finally:
        program("rm", "-fy", "dev", timeout=300)
    assert fake.listing()["vms"] == {}
    assert fake.listing()["media"] == []
