"""Clusters of real hosts: formed by `create`, changed, broken and mended, and left by `rm`."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from machine.clusters.swarm_mode import leave
from machine.console import Console
from machine.lifecycle import power
from machine.lifecycle.driver_record import open_driver
from machine.session import Session
from machine.store import Store
from tests.e2e.hosts import IMAGE, generic, record, until
from tests.labs.nspawn import Host, Lab
from tests.lifecycle.kill_moments import distinct
from tests.program import Program

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def three(lab: Lab) -> Iterator[list[Host]]:
    """Three hosts with an image to run."""
    hosts = lab.hosts(["m1", "w1", "w2"])
    for host in hosts:
        host.import_busybox(IMAGE)
    yield hosts
    for host in hosts:
        lab.drop(host)


@pytest.fixture
def alone(three: list[Host]) -> list[Host]:
    """The same, none of them in a cluster and no rule in their firewalls."""
    for host in three:
        host.run("docker swarm leave --force 2>/dev/null; iptables -F INPUT; true")
    return three


def create(program: Program, host: Host, role: str, *more: str) -> list[str]:
    """The words of a create."""
    return [*generic(host), "--swarm-mode", role, *more, host.name]


def nodes(program: Program) -> dict[str, dict[str, str]]:
    """What `swarm-mode ls --json` says, by the machine's name."""
    found = json.loads(program("swarm-mode", "ls", "--json").fine().out)
    return {row["machine"]: row for row in found}


def swarm(host: Host) -> Any:
    """What the host's own engine says."""
    return json.loads(host.run("docker info -f '{{json .Swarm}}'"))


def running(host: Host, service: str) -> list[str]:
    """The nodes on which a service's tasks run."""
    listed = host.run(
        f"docker service ps -f desired-state=running --format '{{{{.Node}}}} {{{{.CurrentState}}}}' {service}"
    )
    return sorted(line.split()[0] for line in listed.splitlines() if "Running" in line)


def test_the_life_of_a_cluster(alone: list[Host], program: Program) -> None:
    m1, w1, w2 = alone
    lonely = program(*create(program, w1, "worker"))
    assert lonely.status == 3
    assert "--swarm-mode manager" in lonely.err
    assert program.names() == []

    first = program.start(*create(program, m1, "manager", "--swarm-cert-expiry", "720h"))
    until((program.store / "machines" / "m1" / "config.json").exists)
    others = [program.start(*create(program, host, "worker")) for host in (w1, w2)]  # wait for the manager
    for process in (first, *others):
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        assert "not checked" not in errors
    rows = nodes(program)
    assert {name: (row["role"], row["manager"], row["state"]) for name, row in rows.items()} == {
        "m1": ("manager", "Leader", "ready"),
        "w1": ("worker", "", "ready"),
        "w2": ("worker", "", "ready"),
    }
    assert {row["address"] for row in rows.values()} == {host.address for host in alone}
    assert swarm(m1)["Cluster"]["Spec"]["CAConfig"]["NodeCertExpiry"] == 720 * 3600 * 10**9
    assert record(program, "w1")["Machine"]["SwarmMode"]["NodeId"] == swarm(w1)["NodeID"]

    before = swarm(w1)["NodeID"]
    assert "nothing changed" in program("provision", "w1").fine().err
    assert swarm(w1)["NodeID"] == before
    token = program("swarm-mode", "token", "worker").fine().out.strip()
    assert token.startswith("SWMTKN-1-")
    written = [path for path in program.place.rglob("*") if path.is_file() and b"SWMTKN" in path.read_bytes()]
    assert written == [], "tokens are kept nowhere"
    assert program("swarm-mode", "token", "worker", "--rotate").fine().out.strip() not in ("", token)

    m1.run(f"docker service create -d --stop-grace-period 1s --name web --replicas 4 {IMAGE} sleep 3600")
    until(lambda: len(running(m1, "web")) == 4, 60)
    assert set(running(m1, "web")) == {"m1", "w1", "w2"}
    program("rm", "-y", "w2").fine()
    assert "w2" not in m1.run("docker node ls --format '{{.Hostname}}'").split(), "an id may begin so, too"
    assert swarm(w2)["LocalNodeState"] == "inactive"
    until(lambda: len(running(m1, "web")) == 4, 60)
    assert set(running(m1, "web")) == {"m1", "w1"}

    refused = program("rm", "-y", "m1")
    assert refused.status == 1
    assert "only manager" in refused.err
    assert "promote" in refused.err
    program("swarm-mode", "promote", "w1").fine()
    assert swarm(w1)["ControlAvailable"]
    program("rm", "-y", "m1").fine()
    assert {name: row["manager"] for name, row in nodes(program).items()} == {"w1": "Leader"}
    assert program("swarm-mode", "demote", "w1").status == 1
    program("swarm-mode", "leave", "w1").fine()
    assert swarm(w1)["LocalNodeState"] == "inactive"
    assert "SwarmMode" not in record(program, "w1")["Machine"]
    program("rm", "-y", "w1").fine()


def test_a_whole_cluster_is_removed_at_once(alone: list[Host], program: Program) -> None:
    m1, w1, w2 = alone
    pair = [program.start(*create(program, host, "manager", "--swarm-discovery", "shop")) for host in (m1, w1)]
    until((program.store / "machines" / "m1" / "config.json").exists)
    for process in (*pair, program.start(*create(program, w2, "worker", "--swarm-discovery", "shop"))):
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
    assert len({swarm(host)["Cluster"]["ID"] for host in (m1, w1)}) == 1, "one of the two started it, the other joined"
    assert {row["state"] for row in nodes(program).values()} == {"ready"}
    program("rm", "-y", "w2", "m1", "w1").fine()
    assert program.names() == []
    assert [swarm(host)["LocalNodeState"] for host in alone] == ["inactive"] * 3


def test_a_whole_cluster_of_machines_that_end_with_it(alone: list[Host], program: Program) -> None:
    """As `rm` does it with virtual machines, whose engines need not be told: the manager goes last, and may."""
    for host, role in zip(alone, ("manager", "worker", "manager"), strict=True):
        program(*create(program, host, role)).fine()
    store = Store(str(program.store))
    session = Session(store, Console(io.StringIO()), environ=program.environ())
    names = [host.name for host in alone]
    for name in reversed(names):
        leave.leave(session, store.load(name), keep_host=False, force=False, also_removed=names)
        store.delete(name)
    assert alone[0].run("docker node ls --format '{{.Hostname}}'").split() == ["m1"]


def test_a_closed_port_is_named_and_resume_goes_on(alone: list[Host], program: Program) -> None:
    m1, w1, _ = alone
    program(*create(program, m1, "manager")).fine()
    w1.run("iptables -I INPUT -p udp --dport 4789 -j DROP; iptables -I INPUT -p tcp --dport 7946 -j DROP")
    made = program(*create(program, w1, "worker"))
    assert made.status == 1
    assert f"m1 does not reach w1 ({w1.address}) at 7946/tcp, 4789/udp" in made.err
    assert f"let 7946/tcp, 4789/udp from {m1.address} into the firewall of w1" in made.err
    assert "--resume w1" in made.err
    assert swarm(w1)["LocalNodeState"] == "inactive"
    w1.run("iptables -F INPUT")
    program("create", "--resume", "w1").fine()
    assert nodes(program)["w1"]["state"] == "ready"
    program("rm", "-y", "m1", "w1").fine()


def test_an_autolocked_manager_is_unlocked_from_here(alone: list[Host], program: Program) -> None:
    m1 = alone[0]
    more = (
        "--swarm-availability",
        "drain",
        "--swarm-data-path-addr",
        "eth0",
        "--swarm-default-addr-pool",
        "10.96.0.0/16",
    )
    program(*create(program, m1, "manager", "--swarm-autolock", *more)).fine()
    assert nodes(program)["m1"]["availability"] == "drain"
    assert swarm(m1)["Cluster"]["DefaultAddrPool"] == ["10.96.0.0/16"]
    key = program("swarm-mode", "unlock-key").fine().out.strip()
    kept = program.store / "machines" / "m1" / "secrets.json"
    assert json.loads(kept.read_text())["SwarmUnlockKey"] == key
    assert kept.stat().st_mode & 0o777 == 0o600
    holders = [path for path in program.place.rglob("*") if path.is_file() and key.encode() in path.read_bytes()]
    assert holders == [kept]
    m1.run("systemctl reset-failed docker; systemctl restart docker")
    assert swarm(m1)["LocalNodeState"] == "locked"
    assert "no manager answers" in program("swarm-mode", "ls").fine().out
    program("swarm-mode", "unlock", "m1").fine()
    m1.run("systemctl reset-failed docker; systemctl restart docker")
    program("provision", "m1").fine()
    m1.run("systemctl reset-failed docker; systemctl restart docker")
    store = Store(str(program.store))
    session = Session(store, Console(io.StringIO()), environ=program.environ())
    power.wait_until_ready(
        session, store.load("m1"), open_driver(session, store.load("m1"))
    )  # what start and restart end with
    assert nodes(program)["m1"]["manager"] == "Leader"
    program("rm", "-y", "m1").fine()


def test_a_member_of_another_cluster_is_left_there(alone: list[Host], program: Program) -> None:
    m1, w1, _ = alone
    w1.run(f"docker swarm init --advertise-addr {w1.address}")
    node = swarm(w1)["NodeID"]
    program(*create(program, m1, "manager")).fine()
    made = program(*create(program, w1, "worker"))
    assert made.status == 1
    assert "another cluster" in made.err
    assert swarm(w1)["NodeID"] == node
    program("rm", "-y", "-f", "w1").fine()
    program("rm", "-y", "m1").fine()


def moments(log: Path) -> list[str]:
    """The moments of a listing that have to do with the cluster."""
    passed = [line for line in distinct(log.read_text().splitlines()) if "EngineClient." in line]
    assert len(passed) >= 2, passed
    return passed


def test_kills_around_every_change_of_the_cluster(alone: list[Host], program: Program, tmp_path: Path) -> None:
    """kill -9 before and after each request: create goes on with --resume, rm with rm, nothing is left."""
    m1, w1, _ = alone
    log = tmp_path / "found"
    program.killed(log, "never", *create(program, m1, "manager")).fine()
    program("rm", "-y", "m1").fine()
    for moment in moments(log):
        assert program.killed(tmp_path / "log", moment, *create(program, m1, "manager")).status == -9, moment
        program("create", "--resume", "m1").fine()
        assert nodes(program)["m1"]["manager"] == "Leader", moment
        program("rm", "-y", "m1").fine()
        assert swarm(m1)["LocalNodeState"] == "inactive", moment

    program(*create(program, m1, "manager")).fine()
    program.killed(tmp_path / "joined", "never", *create(program, w1, "worker")).fine()
    program.killed(tmp_path / "gone", "never", "rm", "-y", "w1").fine()
    for moment in moments(tmp_path / "joined"):
        assert program.killed(tmp_path / "log2", moment, *create(program, w1, "worker")).status == -9, moment
        program("rm", "-y", "w1").fine()
        assert len(m1.run("docker node ls -q").split()) == 1, moment
    for moment in moments(tmp_path / "gone"):
        if moment.startswith("before"):
            continue  # the same as after the one that went before it
        program(*create(program, w1, "worker")).fine()
        assert program.killed(tmp_path / "log3", moment, "rm", "-y", "w1").status == -9, moment
        program("rm", "-y", "w1").fine()
        assert len(m1.run("docker node ls -q").split()) == 1, moment
        assert swarm(w1)["LocalNodeState"] == "inactive", moment
    program("rm", "-y", "m1").fine()


def test_a_host_with_a_cluster_of_its_own_is_refused_and_left_as_it_is(alone: list[Host], program: Program) -> None:
    """No other machine of this store contradicts, which proves nothing: the service and the secret are somebody's."""
    m1, w1, _ = alone
    m1.run(f"docker swarm init --advertise-addr {m1.address}; echo s | docker secret create key -")
    m1.run(f"docker service create -d --name web {IMAGE} sleep 3600")
    w1.run(f"docker swarm join --token {worker_token(m1)} {m1.address}:2377")
    until(lambda: running(m1, "web") != [], 60)
    for host in (m1, w1):
        before = host.run("cat /etc/docker/daemon.json 2>/dev/null; systemctl show docker.service -p ExecMainPID")
        refused = program(*create(program, host, "manager", "--swarm-discovery", host.name))
        assert refused.status != 0
        assert f"{host.name} is in another cluster already" in refused.err
        assert "docker swarm leave --force" in refused.err
        assert before == host.run(
            "cat /etc/docker/daemon.json 2>/dev/null; systemctl show docker.service -p ExecMainPID"
        ), "it was refused before anything was changed"
        program("rm", "-y", host.name).fine()
        assert swarm(host)["LocalNodeState"] == "active"
    assert m1.run("docker service ls -q; docker secret ls -q").split() != []
    assert running(m1, "web") != []


def worker_token(host: Host) -> str:
    """What another engine needs to join the host's cluster."""
    return host.run("docker swarm join-token -q worker").strip()
