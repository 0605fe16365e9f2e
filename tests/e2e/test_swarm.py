"""A classic swarm of real virtual machines: master and worker made side by side, then the commands of the manual.

That the master has a healthy worker proves the network among machines: it asks the other engine at its peer address,
which that engine's certificate carries.
"""

from __future__ import annotations

import json

import pytest

from tests.e2e.hosts import until
from tests.e2e.test_qemu import BUSYBOX, SERVE, fetch
from tests.e2e.vms import left, program
from tests.program import Program

__all__ = ["program"]

pytestmark = pytest.mark.vm

RUN = f"docker run -d -p 80:80 busybox sh -c '{SERVE}'"


def test_a_swarm_of_two_machines(program: Program) -> None:
    token = f"token://{program('swarm', 'create').fine().out.strip()}"
    common = ["create", "-d", "qemu", "--swarm", "--swarm-discovery", token, "--qemu-memory", "1024"]
    made = [program.start(*common, "--swarm-master", "head"), program.start(*common, "worker")]
    said = [process.communicate(timeout=900)[1] for process in made]  # of both, so that none goes on after a failure
    assert [process.returncode for process in made] == [0, 0], said
    head = 'eval "$(machine env --shell bash --swarm head)"; '

    def healthy() -> bool:
        status = json.loads(program.shell(head + "docker info --format '{{json .SystemStatus}}'").fine().out)
        return [value for key, value in status if key.endswith("Status")] == ["Healthy", "Healthy"]

    until(healthy, seconds=60)
    peers = [json.loads(program("inspect", name).fine().out)["Driver"]["PeerAddress"] for name in ("head", "worker")]
    assert len(set(peers)) == 2
    status = json.loads(program.shell(head + "docker info --format '{{json .SystemStatus}}'").fine().out)
    assert f"{peers[1]}:2376" in json.dumps(status)
    addresses = {program("ip", name).fine().out.strip() for name in ("head", "worker")}
    assert len(addresses) == 2
    program.shell(head + BUSYBOX).fine()  # an image goes to every engine
    program.shell(f"{head} for i in 1 2; do {RUN}; done").fine()
    full = program.shell(head + RUN)
    assert full.status != 0, "port 80 is taken on both"
    assert "port" in full.err
    nodes = program.shell(head + "docker inspect -f '{{.Node.Name}}' $(docker ps -q)").fine().out.split()
    assert sorted(nodes) == ["head", "worker"]
    for name in ("head", "worker"):
        assert fetch(f"http://{program('ip', name).fine().out.strip()}/") == "it works\n"


def test_the_machines_go_and_leave_nothing(program: Program) -> None:
    program("rm", "-y", "worker", "head").fine()
    assert left(program) == []
