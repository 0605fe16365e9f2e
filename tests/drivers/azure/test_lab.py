"""`machine create -d azure` to its end: the API is the fake ARM, the machine a real host.

The network interface gets the address of a lab host. When the machine is asked for, the host takes host key and login
key from what the API was given, and runs the custom data, as cloud-init would.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from tests.drivers import firstboot
from tests.drivers.azure.cloud import Azure
from tests.drivers.door import Answer, Call, Door, through
from tests.labs.nspawn import Host, Lab
from tests.program import Ended, Program

pytestmark = pytest.mark.lab


def boots(cloud: Azure, host: Host) -> None:
    """From now on the next machine is the host."""

    def act(door: Door, call: Call) -> Answer | None:
        found = through(door, call)
        system = json.loads(call.body)["properties"]["osProfile"]
        key = system["linuxConfiguration"]["ssh"]["publicKeys"][0]["keyData"]
        firstboot.boot(host, base64.b64decode(system["customData"]).decode(), system["adminUsername"], key)
        return found

    cloud.arm.account.private = host.address
    cloud.door.on(cloud.making, act, times=1)


def run(cloud: Azure, program: Program, *words: str) -> Ended:
    """The program with the secret of the service principal."""
    return program(*words, environ=cloud.credentials())


def test_from_nothing_to_a_container_and_back(cloud: Azure, lab: Lab, tmp_path: Path) -> None:
    host = lab.host("azure", engine="running")
    host.import_busybox()
    user_data = tmp_path / "custom-data"
    user_data.write_text("#!/bin/sh\necho told > /srv/told\n")
    program = Program(tmp_path / "p")
    network = host.address.rsplit(".", 1)[0] + ".0/24"
    line = [
        *("create", "-d", "azure"),
        *(f"--{option}={value}" for option, value in cloud.options().items()),
        *("--azure-no-public-ip", "--azure-ssh-user=ubuntu", f"--azure-subnet-prefix={network}"),
        *(f"--azure-private-ip-address={host.address}", f"--azure-custom-data={user_data}", "dev"),
    ]
    before = cloud.listing()
    boots(cloud, host)
    run(cloud, program, *line).fine()
    assert host.run("cat /srv/told") == "told\n"
    assert run(cloud, program, "ip", "dev").fine().out.strip() == host.address
    assert run(cloud, program, "status", "dev").fine().out.strip() == "Running"
    assert program("ssh", "dev", "whoami").fine().out.strip() == "ubuntu"
    said = program.shell('eval "$(machine env dev)"; docker run --rm busybox:lab echo from the cloud').fine()
    assert said.out.strip() == "from the cloud"
    for verb in ("stop", "start", "restart"):
        run(cloud, program, verb, "dev").fine()
    run(cloud, program, "rm", "-y", "dev").fine()
    assert cloud.listing() == before
    assert program.names() == []
