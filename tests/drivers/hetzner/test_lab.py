"""`machine create -d hetzner` to its end: the server is a real host that boots from its user data.

The project gives the server the address of a lab host. When the server is made, the host takes host key and login key
from what the project was given, as cloud-init would.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.drivers import fake_cloud_init, machine_lifecycle
from tests.drivers.fault_proxy import Answer, Call, FaultProxy
from tests.drivers.hetzner.fake_hetzner import Hetzner
from tests.labs.nspawn import Host, Lab

pytestmark = pytest.mark.lab


def boots(cloud: Hetzner, host: Host) -> None:
    """The next server is that host."""
    project = cloud.project
    project.addresses.append(host.address)
    project.boot = 0.5  # longer than a question takes

    def act(proxy: FaultProxy, call: Call) -> Answer | None:
        found = proxy.forward(call)
        (server,) = project.servers
        keys = project.asked_for[server]["ssh_keys"]
        fake_cloud_init.boot(host, project.user_data[server], "root", project.ssh_keys[keys[0]]["public_key"])
        return found

    cloud.proxy.on(cloud.making, act, times=1)


def typed(cloud: Hetzner, host: Host, *more: str) -> list[str]:
    """`create` as typed; the project gives the server its address."""
    options = (f"--{option}={value}" for option, value in cloud.options().items())
    return ["create", "-d", "hetzner", *options, *more, "dev"]


def test_from_nothing_to_a_container_and_back(cloud: Hetzner, lab: Lab, tmp_path: Path) -> None:
    machine_lifecycle.create_use_remove(
        cloud,
        lab.host("hetzner", engine="running"),
        tmp_path,
        typed=typed,
        boots=boots,
        user_data="hetzner-user-data-file",
        user="root",
        more=("--hetzner-open-port=80", "--hetzner-auto-spread", "--hetzner-server-type=CX23"),
    )
