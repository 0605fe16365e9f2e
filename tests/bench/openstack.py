"""Driver openstack on a real OpenStack, where one stands on this computer (python -m tests.labs.openstack up).

A virtual machine boots in it, so each program makes one, and what the figures say is mostly how long that takes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tests.bench.clouds import CASES, Tally, compared, needs
from tests.bench.figures import Failed, Row, Samples
from tests.bench.subject import PEER, Subject, timed
from tests.drivers.openstack.real import Real
from tests.drivers.openstack.test_real import typed
from tests.labs.openstack.cloud import Cloud, standing

WHAT = "create -d openstack, a real cloud"


def rows(subject: Subject) -> Iterator[Row]:
    """Two rows; one that says why where there is no such cloud."""
    (case,) = [case for case in CASES if case.driver == "openstack"]
    if standing() is None:
        yield Row(WHAT, Samples(), remark="not measured: none stands here (python -m tests.labs.openstack up)")
        return
    try:
        needs(subject, case)
    except Failed as why:
        yield Row(WHAT, Samples(), remark=f"not measured: {why}")
        return
    tallies = [Tally(name) for name in ("ours", *[PEER] * bool(subject.peer))]
    for tally in tallies:
        with contextlib.closing(Real(Cloud())) as cloud:
            one(subject, cloud, tally)
    yield from compared(tallies, WHAT, "rm, a real cloud")


def one(subject: Subject, cloud: Real, tally: Tally) -> None:
    """A machine of ours, in a group that we make; or of docker-machine's, which makes none, in one that lets it in."""
    peer = tally.who == PEER
    program, line = (subject.peer, of_peers(cloud)) if peer else (subject.program, typed(cloud))
    environ = {**subject.environ(f"standing-{tally.who}"), **cloud.credentials()}
    rules = cloud.open(22, 2376) if peer else []
    try:
        tally.run(program, line, environ, lambda: len(cloud.proxy.names()))
        if tally.failed:  # what it made is in nobody's way
            with contextlib.suppress(Failed):
                timed([program, "rm", "-f", "-y", "dev"], environ)
    finally:
        cloud.shut(rules)


def of_peers(cloud: Real) -> list[str]:
    """`create` as docker-machine takes it: ids, where it would look names up at a Keystone of v2.0 and in Nova."""
    options = cloud.options()
    (project,) = [
        one for one in cloud.member.get("identity", "/auth/projects")["projects"] if one["name"] == cloud.lab.project
    ]
    (image,) = cloud.member.get("image", f"/images?name={cloud.lab.image}")["images"]
    names = ("auth-url", "username", "net-name", "floatingip-pool")
    flags = {
        **{name: options[f"openstack-{name}"] for name in names},
        "flavor-name": cloud.lab.flavor,
        "domain-name": cloud.lab.domain,
        "tenant-id": project["id"],
        "image-id": image["id"],
        "ssh-user": "debian",
        "sec-groups": "default",
    }
    words = [word for flag, value in flags.items() for word in (f"--openstack-{flag}", str(value))]
    return ["create", "-d", "openstack", *words, "dev"]
