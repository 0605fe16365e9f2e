"""Docker's swarm mode on three real machines: the tutorial's commands one by one, through the ingress network too.

One cluster lives through the module's tests in order.
"""

from __future__ import annotations

import ipaddress
import json
from typing import Any

import pytest

from tests.e2e.hosts import until
from tests.e2e.test_qemu import BUSYBOX, fetch
from tests.e2e.vms import left, program
from tests.program import Ended, Program

__all__ = ["program"]

pytestmark = pytest.mark.vm

NODES = ("m1", "w1", "w2")
SMALL = ("--qemu-memory", "1024", "--qemu-boot-timeout", "600")
PAGE = 'echo "$VERSION $(cat /etc/hostname)" > /index.html; exec httpd -f -h /'
SERVICE = (  # a task that fails on a slow host is made anew, and does not stop an update
    "docker service create -q --stop-grace-period 1s --update-failure-action continue"
    " --replicas 1 --name web -p 80:80 --env VERSION=one busybox"
)
TASKS = "docker service ps --no-trunc --format '{{.Name}} {{.Node}} {{.CurrentState}} {{.Error}}' web"


def docker(program: Program, command: str, name: str = "m1") -> str:
    """A docker command line with the environment that `machine env` prints."""
    return program.shell(f'eval "$(machine env {name})"; {command}', timeout=600).fine().out


def page(program: Program, name: str) -> list[str]:
    """What the service says at one machine's address: its version, and which container it was."""
    return fetch(f"http://{program('ip', name).fine().out.strip()}:80/", 120).split()


def running(program: Program) -> list[str]:
    """The nodes on which the tasks of the service run."""
    form = "{{.Node}} {{.CurrentState}}"
    listed = docker(program, f"docker service ps -f desired-state=running --format '{form}' web")
    return sorted(line.split()[0] for line in listed.splitlines() if "Running" in line)


def nodes(program: Program) -> dict[str, Any]:
    """`machine swarm-mode ls`, by the machine's name."""
    return {row["machine"]: row for row in json.loads(program("swarm-mode", "ls", "--json").fine().out)}


@pytest.fixture(scope="module")
def joined(program: Program) -> Ended:
    """What the create of the two workers printed, once their manager was there."""
    program("create", "--swarm-mode", "manager", *SMALL, "m1", timeout=1500).fine()
    return program("create", "--swarm-mode", "worker", *SMALL, "w1", "w2", timeout=1500).fine()


needs_cluster = pytest.mark.usefixtures("joined")


def test_three_machines_form_a_cluster(program: Program, joined: Ended) -> None:
    assert "not checked" not in joined.err
    listed = docker(program, "docker node ls --format '{{.Hostname}} {{.Status}} {{.ManagerStatus}}'").splitlines()
    assert sorted(line.strip() for line in listed) == ["m1 Ready Leader", "w1 Ready", "w2 Ready"]
    pool = docker(program, "docker network inspect -f '{{(index .IPAM.Config 0).Subnet}}' ingress").strip()
    assert not ipaddress.IPv4Network(pool).overlaps(ipaddress.IPv4Network("10.0.0.0/13")), "qemu's own net is there"


@needs_cluster
def test_a_service_is_reached_on_every_node(program: Program) -> None:
    for name in NODES:
        docker(program, BUSYBOX, name)
    docker(program, f"{SERVICE} sh -c '{PAGE}'")
    assert len(running(program)) == 1
    answers = {name: page(program, name) for name in NODES}
    assert len({tuple(answer) for answer in answers.values()}) == 1, "one container answers for all"
    assert answers["m1"][0] == "one"


@needs_cluster
def test_it_is_scaled_and_spread(program: Program) -> None:
    docker(program, "docker service scale web=3")
    assert running(program) == list(NODES)
    seen = {page(program, "w1")[1] for _ in range(6)}
    assert len(seen) == 3, "the routing mesh takes turns"


@needs_cluster
def test_it_is_updated_without_being_gone(program: Program) -> None:
    docker(program, f"docker service update -q --env-add VERSION=two web || {{ {TASKS} >&2; exit 1; }}")
    assert {page(program, name)[0] for name in NODES} == {"two"}


@needs_cluster
def test_the_tasks_of_a_killed_node_move(program: Program) -> None:
    program("kill", "w2").fine()
    until(lambda: nodes(program)["w2"]["state"] == "down", 120)
    until(lambda: len(running(program)) == 3, 180)
    assert set(running(program)) == {"m1", "w1"}
    assert page(program, "m1")[0] == page(program, "w1")[0] == "two"


@needs_cluster
def test_back_to_one_and_away(program: Program) -> None:
    docker(program, "docker service scale web=1")
    assert len(running(program)) == 1
    program("rm", "-y", "w2").fine()  # a dead node is taken off the list
    assert set(nodes(program)) == {"m1", "w1"}
    assert program("rm", "-y", "m1").status == 1
    docker(program, "docker service rm web")
    program("rm", "-y", "m1", "w1").fine()
    assert left(program) == []
