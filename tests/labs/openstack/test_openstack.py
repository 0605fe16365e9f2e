"""The cloud itself: a member's server boots and is reached, closed groups are closed, and nothing is left behind."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.labs.openstack import seed
from tests.labs.openstack.api import Api, Refused
from tests.labs.openstack.box import NAMESPACE, WIRE
from tests.labs.openstack.cloud import Cloud, OpenStack, standing
from tests.labs.openstack.fixtures import openstack

__all__ = ["openstack"]

pytestmark = pytest.mark.vm
BOOT = 900.0


class Server:
    """A server of demo's, made by hand."""

    def __init__(self, api: Api, cloud: Cloud, place: Path) -> None:
        self.api, self.place = api, place
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", place / "key"], check=True)
        public = (place / "key.pub").read_text()
        api.post("compute", "/os-keypairs", {"keypair": {"name": "by-hand", "public_key": public}})
        image = next(row["id"] for row in api.get("image", "/images")["images"] if row["name"] == cloud.image)
        flavors = api.get("compute", "/flavors")["flavors"]
        flavor = next(row["id"] for row in flavors if row["name"] == cloud.flavor)
        (network,) = api.get("network", f"/networks?name={cloud.network}")["networks"]
        made = api.post("network", "/security-groups", {"security_group": {"name": "by-hand"}})
        self.group = made["security_group"]["id"]
        body = {"name": "by-hand", "imageRef": image, "flavorRef": flavor, "key_name": "by-hand"}
        body["security_groups"] = [{"name": self.group}]
        self.began = time.monotonic()
        made = api.post("compute", "/servers", {"server": {**body, "networks": [{"uuid": network["id"]}]}})
        self.id = made["server"]["id"]

    @property
    def seconds(self) -> float:
        """Since it was asked for."""
        return time.monotonic() - self.began

    def get(self) -> Any:
        """What nova says of it."""
        server = self.api.get("compute", f"/servers/{self.id}")["server"]
        assert server["status"] != "ERROR", server["fault"]
        return server

    @property
    def address(self) -> str:
        """On the network that is reached from here."""
        return str(self.get()["addresses"]["public"][0]["addr"])

    def ssh(self, command: str) -> subprocess.CompletedProcess[str]:
        """As the image's user."""
        options = [f"UserKnownHostsFile={self.place / 'known_hosts'}", "StrictHostKeyChecking=accept-new"]
        options += ["BatchMode=yes", "ConnectTimeout=3", "IdentitiesOnly=yes"]
        words = [word for option in options for word in ("-o", option)]
        where = ["-F", "none", "-i", str(self.place / "key"), f"debian@{self.address}"]
        return subprocess.run(["ssh", *words, *where, command], capture_output=True, text=True, timeout=60)

    def open(self, port: int) -> None:
        """Let a port of its group in."""
        rule = {"security_group_id": self.group, "direction": "ingress", "protocol": "tcp", "ethertype": "IPv4"}
        ports = {"port_range_min": port, "port_range_max": port}
        self.api.post("network", "/security-group-rules", {"security_group_rule": {**rule, **ports}})

    def remove(self) -> None:
        """And wait until nova has forgotten it."""
        self.api.delete("compute", f"/servers/{self.id}")
        seed.wait("the server does not go", lambda: self.id not in str(self.api.get("compute", "/servers")))
        self.api.delete("compute", "/os-keypairs/by-hand")
        self.api.delete("network", f"/security-groups/{self.group}")


def test_a_member_s_server_is_reached_once_its_group_lets_ssh_in(openstack: Cloud, tmp_path: Path) -> None:
    api = openstack.member()
    server = Server(api, openstack, tmp_path)
    try:
        seed.wait("not active", lambda: server.get()["status"] == "ACTIVE", BOOT)
        active = server.seconds
        login = "login:"  # the console's last word of a boot
        seed.wait("no login on the console", lambda: login in console(api, server.id), BOOT)
        assert server.ssh("true").returncode == 255, "the group lets nothing in"
        server.open(22)
        seed.wait("ssh does not answer", lambda: server.ssh("true").returncode == 0, BOOT)
        print(f"\nACTIVE after {active:.1f} s, ssh after {server.seconds:.1f} s")
        assert server.ssh("hostname").stdout.strip() == "by-hand"
        assert server.ssh("docker --version").stdout.startswith("Docker version")
        assert "config-2" in server.ssh("ls /dev/disk/by-label").stdout
    finally:
        server.remove()


def test_keystone_has_no_version_2(openstack: Cloud) -> None:
    with pytest.raises(Refused, match="404"):
        Api().get("identity", "/../v2.0/tenants")


def test_nothing_is_left_of_a_cloud(tmp_path: Path) -> None:
    if not os.environ.get("MACHINE_TEST_OPENSTACK"):
        pytest.skip("a cloud of its own takes half a minute: set MACHINE_TEST_OPENSTACK=1 to have it")
    if standing() is not None:
        pytest.skip("a cloud stands here, and there is one per computer")
    made = OpenStack()
    with made:
        assert made.box is not None
        assert len(traces(str(made.box.directory))) > 5
    assert traces(str(made.box.directory)) == []
    assert standing() is None


def traces(directory: str) -> list[str]:
    """What there is of a cloud: files, mounts, processes, networks, control groups."""
    found = [directory] if os.path.exists(directory) else []
    found += [line for line in Path("/proc/self/mounts").read_text().splitlines() if directory in line]
    for path in Path("/proc").glob("[0-9]*"):
        try:
            line, root = (path / "cmdline").read_bytes(), os.readlink(path / "root")
        except OSError:
            continue
        found += [str(path)] if directory.encode() in line or directory in root else []
    found += [str(path) for path in Path("/run/netns").glob(NAMESPACE)]
    found += [str(path) for path in Path("/sys/class/net").glob(WIRE + "*")]
    return found + [str(path) for path in Path("/sys/fs/cgroup").glob(f"*/{NAMESPACE}")]


def console(api: Api, server: str) -> str:
    """The end of what a server wrote on its serial port."""
    try:
        said = api.post("compute", f"/servers/{server}/action", {"os-getConsoleOutput": {"length": 60}})
    except Refused:
        return ""
    return str(said["output"])
