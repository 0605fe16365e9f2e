"""`machine create -d digitalocean` to its end: the droplet is a real host that boots from its user data.

The account gives the droplet the address of a lab host. When the droplet is made, the host takes host key and login
key from what the account was given, as cloud-init would.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.drivers import fake_cloud_init, machine_lifecycle
from tests.drivers.digitalocean.fake_digitalocean import Ocean
from tests.drivers.fault_proxy import Answer, Call, FaultProxy
from tests.drivers.machine_lifecycle import run
from tests.labs.nspawn import Host, Lab
from tests.program import Program

pytestmark = pytest.mark.lab


def boots(cloud: Ocean, host: Host, then: Callable[[], None] = lambda: None) -> None:
    """The next droplet is that host; `then` happens before the program hears of it."""
    account = cloud.account
    account.addresses.append(host.address)
    account.boot = 0.5  # longer than a question takes

    def act(proxy: FaultProxy, call: Call) -> Answer | None:
        found = proxy.forward(call)
        (droplet,) = account.droplets
        (key,) = account.keys.values()
        fake_cloud_init.boot(host, account.user_data[droplet], "root", key["public_key"])
        then()
        return found

    cloud.proxy.on(cloud.making, act, times=1)


def typed(cloud: Ocean, host: Host, *more: str) -> list[str]:
    """`create` as typed; the account gives the droplet its address."""
    return [
        *("create", "-d", "digitalocean"),
        *(f"--{option}={value}" for option, value in cloud.options().items()),
        *more,
        "dev",
    ]


def test_from_nothing_to_a_container_and_back(cloud: Ocean, lab: Lab, tmp_path: Path) -> None:
    more = ("--digitalocean-open-port=80", "--digitalocean-volume-size=10")
    machine_lifecycle.create_use_remove(
        cloud,
        lab.host("ocean", engine="running"),
        tmp_path,
        typed=typed,
        boots=boots,
        user_data="digitalocean-userdata",
        user="root",
        more=more,
    )


def test_resume_after_a_kill_makes_no_second_droplet(cloud: Ocean, lab: Lab, tmp_path: Path) -> None:
    """The program dies when the droplet is made and it has not heard of it."""
    host = lab.host("killed", engine="running")
    program = Program(tmp_path / "p")
    before = cloud.listing()
    running: list[subprocess.Popen[bytes]] = []
    boots(cloud, host, lambda: os.kill(running[0].pid, signal.SIGKILL))
    environ = {**program.environ(), **cloud.credentials()}
    argv = [sys.executable, "-m", "machine", *typed(cloud, host)]
    with subprocess.Popen(argv, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        running.append(process)
        assert process.wait(120) == -signal.SIGKILL
    assert cloud.machines() == 1
    run(cloud, program, "create", "--resume", "dev").fine()
    assert cloud.machines() == 1
    program("config", "dev").fine()
    run(cloud, program, "rm", "-y", "dev").fine()
    assert cloud.listing() == before
