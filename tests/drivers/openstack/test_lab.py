"""`machine create -d openstack` to its end: the services are a stand-in, the server is a real host.

The next server gets the address of a lab host. When it is asked for, the host takes host key and login key from what
Nova was given, and runs the user data, as cloud-init would.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.drivers import fake_cloud_init, machine_lifecycle
from tests.drivers.fault_proxy import Answer, Call, FaultProxy, pass_through
from tests.drivers.openstack.conoha import AUTH_URL, Conoha
from tests.drivers.openstack.fake_openstack import Stack
from tests.drivers.openstack.project import USER
from tests.drivers.openstack.server import PASSWORD, PROJECT
from tests.labs.nspawn import Host, Lab
from tests.program import Program

pytestmark = pytest.mark.lab
TOKEN = "0123456789abcdef0123456789abcdef"


def boots(cloud: Stack, host: Host, user: str = "ubuntu") -> None:
    """From now on the next server is the host."""

    def act(proxy: FaultProxy, call: Call) -> Answer | None:
        found = pass_through(proxy, call)
        server: dict[str, Any] = json.loads(call.body)["server"]
        key = cloud.project.keys[server["key_name"]]["public_key"]
        fake_cloud_init.boot(host, base64.b64decode(server.get("user_data", "")).decode(), user, key)
        return found

    cloud.project.addresses.append(host.address)
    cloud.proxy.on(cloud.making, act, times=1)


def typed(cloud: Stack, host: Host, *more: str) -> list[str]:
    """`create` as a user of a cloud would type it."""
    return [
        *("create", "-d", "openstack"),
        *(f"--{option}={value}" for option, value in cloud.options().items()),
        *more,
        "dev",
    ]


def test_from_nothing_to_a_container_and_back(cloud: Stack, lab: Lab, tmp_path: Path) -> None:
    told: dict[str, Any] = {"user_data": "openstack-user-data-file", "user": "ubuntu"}
    more = ("--openstack-open-port=80", "--openstack-volume-size=30")
    host = lab.host("openstack", engine="running")
    machine_lifecycle.create_use_remove(cloud, host, tmp_path, typed=typed, boots=boots, more=more, **told)


@pytest.fixture
def vps() -> Iterator[Conoha]:
    """ConoHa, where there are volumes first and no floating addresses."""
    found = Conoha()
    yield found
    found.close()


def test_the_command_of_the_article(vps: Conoha, lab: Lab, tmp_path: Path) -> None:
    """As it was typed in 2015, with the variables of its openrc; the server is in the swarm."""
    host = lab.host("conoha", engine="running")
    program = Program(tmp_path / "p")
    openrc = {"OS_AUTH_URL": AUTH_URL, "OS_USERNAME": USER, "OS_PASSWORD": PASSWORD, "OS_TENANT_NAME": PROJECT}
    environ = {**openrc, **vps.proxy_environ()}
    before = vps.listing()
    boots(vps, host, "root")
    command = (
        "create -d openstack --openstack-flavor-name g-1gb --openstack-image-name vmi-ubuntu-14.04-amd64"
        " --openstack-sec-groups default,gncs-ipv4-all --swarm --swarm-discovery"
    )
    program(*command.split(), f"token://{TOKEN}", "worker-conoha00", environ=environ).fine()
    assert program("ip", "worker-conoha00").fine().out.strip() == host.address
    assert program("ssh", "worker-conoha00", "whoami").fine().out.strip() == "root"
    nodes = program("swarm", "list", f"token://{TOKEN}").fine().out.split()
    assert nodes == [f"{host.address}:2376"]
    (body,) = vps.project.requests.values()
    assert body["metadata"]["instance_name_tag"] == "worker-conoha00"
    assert re.fullmatch("worker-conoha00-[0-9a-f]{12}", body["key_name"])
    program("rm", "-y", "worker-conoha00", environ=environ).fine()
    assert vps.listing() == before
