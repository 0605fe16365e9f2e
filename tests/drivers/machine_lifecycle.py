"""The story of a machine in a cloud, from nothing to a container and back: the API a stand-in, the machine a lab host.

A driver's test_lab.py brings `boots(cloud, host)`, after which the next machine that is asked for is that host (which
takes host key, login key and user data from what the API was given: fake_cloud_init.boot), and
`typed(cloud, host, *more)`, `create` as a user would type it. The bench measures with the same two.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.drivers.cloud_stand_in import Cloud
from tests.labs.nspawn import Host
from tests.program import Ended, Program

Typed = Callable[..., list[str]]


def run(cloud: Cloud, program: Program, *words: str) -> Ended:
    """The program with the account's credentials in its environment."""
    return program(*words, environ=cloud.credentials())


def create_use_remove(
    cloud: Any,
    host: Host,
    place: Path,
    *,
    typed: Typed,
    boots: Callable[..., None],
    user_data: str,
    user: str,
    more: tuple[str, ...] = (),
) -> None:
    """create, a container through `env`, ssh, stop, start, restart, provision, rm; the cloud is as it was before.

    `user_data` is the flag that takes a file for cloud-init, `user` who `machine ssh` logs in as.
    """
    host.import_busybox()
    told = place / "user-data"
    told.write_text("#!/bin/sh\necho told > /srv/told\n")
    program = Program(place / "p")
    line = typed(cloud, host, f"--{user_data}={told}", *more)
    before = cloud.listing()
    boots(cloud, host)
    run(cloud, program, *line).fine()
    assert host.run("cat /srv/told") == "told\n"
    assert run(cloud, program, "ip", "dev").fine().out.strip() == host.address
    assert run(cloud, program, "status", "dev").fine().out.strip() == "Running"
    assert program("ssh", "dev", "whoami").fine().out.strip() == user
    said = program.shell('eval "$(machine env dev)"; docker run --rm busybox:lab echo from the cloud').fine()
    assert said.out.strip() == "from the cloud"
    for verb in ("stop", "start", "restart"):
        run(cloud, program, verb, "dev").fine()
    run(cloud, program, "provision", "dev").fine()
    program("config", "dev").fine()
    run(cloud, program, "rm", "-y", "dev").fine()
    assert cloud.listing() == before
    assert program.names() == []
