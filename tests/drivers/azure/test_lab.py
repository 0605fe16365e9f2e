"""`machine create -d azure` to its end: the API is the fake ARM, the machine a real host.

The network interface gets the address of a lab host. When the machine is asked for, the host takes host key and login
key from what the API was given, and runs the custom data, as cloud-init would.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from tests.drivers import fake_cloud_init, machine_lifecycle
from tests.drivers.azure.cloud import Azure
from tests.drivers.fault_proxy import Answer, Call, FaultProxy, pass_through
from tests.labs.nspawn import Host, Lab

pytestmark = pytest.mark.lab


def boots(cloud: Azure, host: Host) -> None:
    """From now on the next machine is the host."""

    def act(proxy: FaultProxy, call: Call) -> Answer | None:
        found = pass_through(proxy, call)
        system = json.loads(call.body)["properties"]["osProfile"]
        key = system["linuxConfiguration"]["ssh"]["publicKeys"][0]["keyData"]
        fake_cloud_init.boot(host, base64.b64decode(system["customData"]).decode(), system["adminUsername"], key)
        return found

    cloud.arm.account.private = host.address
    cloud.proxy.on(cloud.making, act, times=1)


def typed(cloud: Azure, host: Host, *more: str) -> list[str]:
    """`create` as a user with a private network would type it."""
    network = host.address.rsplit(".", 1)[0] + ".0/24"
    return [
        *("create", "-d", "azure"),
        *(f"--{option}={value}" for option, value in cloud.options().items()),
        *("--azure-no-public-ip", "--azure-ssh-user=ubuntu", f"--azure-subnet-prefix={network}"),
        f"--azure-private-ip-address={host.address}",
        *more,
        "dev",
    ]


def test_from_nothing_to_a_container_and_back(cloud: Azure, lab: Lab, tmp_path: Path) -> None:
    machine_lifecycle.create_use_remove(
        cloud,
        lab.host("azure", engine="running"),
        tmp_path,
        typed=typed,
        boots=boots,
        user_data="azure-custom-data",
        user="ubuntu",
    )
