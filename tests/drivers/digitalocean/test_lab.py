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

from tests.drivers import firstboot
from tests.drivers.digitalocean.ocean import Ocean
from tests.drivers.door import Answer, Call, Door
from tests.labs.nspawn import Host, Lab
from tests.program import Ended, Program

pytestmark = pytest.mark.lab


def boots(cloud: Ocean, host: Host, then: Callable[[], None] = lambda: None) -> None:
    """The next droplet is that host; `then` happens before the program hears of it."""
    account = cloud.account
    account.addresses.append(host.address)
    account.boot = 0.5  # longer than a question takes

    def act(door: Door, call: Call) -> Answer | None:
        found = door.forward(call)
        (droplet,) = account.droplets
        (key,) = account.keys.values()
        firstboot.boot(host, account.user_data[droplet], "root", key["public_key"])
        then()
        return found

    cloud.door.on(cloud.making, act, times=1)


def run(cloud: Ocean, program: Program, *words: str) -> Ended:
    """The program with the account's token."""
    return program(*words, environ=cloud.credentials())


def typed(cloud: Ocean, *more: str) -> list[str]:
    """`create` as typed."""
    return [
        *("create", "-d", "digitalocean"),
        *(f"--{option}={value}" for option, value in cloud.options().items()),
        *more,
        "dev",
    ]


def test_from_nothing_to_a_container_and_back(cloud: Ocean, lab: Lab, tmp_path: Path) -> None:
    host = lab.host("ocean", engine="running")
    host.import_busybox()
    user_data = tmp_path / "user-data"
    user_data.write_text("#!/bin/sh\necho told > /srv/told\n")
    program = Program(tmp_path / "p")
    before = cloud.listing()
    boots(cloud, host)
    more = (f"--digitalocean-userdata={user_data}", "--digitalocean-open-port=80", "--digitalocean-volume-size=10")
    run(cloud, program, *typed(cloud, *more)).fine()
    assert host.run("cat /srv/told") == "told\n"
    assert run(cloud, program, "ip", "dev").fine().out.strip() == host.address
    assert run(cloud, program, "status", "dev").fine().out.strip() == "Running"
    assert program("ssh", "dev", "whoami").fine().out.strip() == "root"
    said = program.shell('eval "$(machine env dev)"; docker run --rm busybox:lab echo from the cloud').fine()
    assert said.out.strip() == "from the cloud"
    for verb in ("stop", "start", "restart"):
        run(cloud, program, verb, "dev").fine()
    run(cloud, program, "provision", "dev").fine()
    program("config", "dev").fine()
    run(cloud, program, "rm", "-y", "dev").fine()
    assert cloud.listing() == before
    assert program.names() == []


def test_resume_after_a_kill_makes_no_second_droplet(cloud: Ocean, lab: Lab, tmp_path: Path) -> None:
    """The program dies when the droplet is made and it has not heard of it."""
    host = lab.host("killed", engine="running")
    program = Program(tmp_path / "p")
    before = cloud.listing()
    running: list[subprocess.Popen[bytes]] = []
    boots(cloud, host, lambda: os.kill(running[0].pid, signal.SIGKILL))
    environ = {**program.environ(), **cloud.credentials()}
    argv = [sys.executable, "-m", "machine", *typed(cloud)]
    with subprocess.Popen(argv, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        running.append(process)
        assert process.wait(120) == -signal.SIGKILL
    assert cloud.machines() == 1
    run(cloud, program, "create", "--resume", "dev").fine()
    assert cloud.machines() == 1
    program("config", "dev").fine()
    run(cloud, program, "rm", "-y", "dev").fine()
    assert cloud.listing() == before
