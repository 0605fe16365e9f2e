"""A discovery service that does not answer is told of before anything is made, where `create` would need it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from machine.clusters.classic import discovery_check, registration
from machine.clusters.classic.join import join_swarm
from machine.clusters.classic.leave import leave_swarm
from machine.console import Console
from machine.errors import MachineError, PreflightFailed
from machine.model import Endpoint, SwarmOptions
from machine.session import Session
from machine.store import Record, Store
from machine.swarm.discovery import Discovery, DiscoveryError, DiscoveryRefused
from machine.swarm.discovery.token import Token
from tests.clusters.classic.members import NONE, TOKEN, saved_member
from tests.program import Program
from tests.sshd import free_port


class Asked(Discovery):
    """A discovery that does not answer, and counts how often it was asked."""

    description = "a service"

    def __init__(self) -> None:
        self.times = 0

    async def nodes(self) -> list[str]:
        self.times += 1
        raise DiscoveryError("https://service cannot be reached", resolution="see that it runs")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    found = Asked()
    monkeypatch.setattr(registration, "local_discovery", lambda *_: found)
    return found


def member(discovery: str, *, node: bool = True) -> Record:
    return Record.new("/store", "m", "generic", {}, swarm=SwarmOptions(True, not node, node, discovery))


def session(tmp_path: Path, environ: dict[str, str] | None = None) -> tuple[Session, io.StringIO]:
    err = io.StringIO()
    return Session(Store(str(tmp_path)), Console(err), environ=environ or {}), err


@pytest.mark.parametrize(
    ("discovery", "environ"),
    [
        ("token://127.0.0.1:9/v1/abc", {}),
        ("token://localhost:9/v1/abc", {}),
        ("token://abc", {"MACHINE_DISCOVERY_URL": "https://127.0.0.1:9/v1"}),
    ],
)
def test_a_service_here_has_to_answer(tmp_path: Path, asked: Asked, discovery: str, environ: dict[str, str]) -> None:
    with pytest.raises(PreflightFailed, match="m could not be registered with its swarm") as caught:
        discovery_check.check(session(tmp_path, environ)[0], member(discovery))
    assert caught.value.details == "https://service cannot be reached"
    assert caught.value.resolution == "see that it runs"
    assert asked.times == 1


@pytest.mark.parametrize(
    "discovery", ["token://10.0.0.9:99/v1/abc", "etcd://10.0.0.9:99/p", "consul://127.0.0.1:1,c.example:99/p"]
)
def test_a_service_elsewhere_is_warned_of(tmp_path: Path, asked: Asked, discovery: str) -> None:
    """The machine may be in a network that this computer does not reach."""
    found, err = session(tmp_path)
    discovery_check.check(found, member(discovery))
    assert "the swarm's discovery does not answer here, and m has to reach it (https://service" in err.getvalue()
    assert asked.times == 1


@pytest.mark.parametrize("discovery", ["etcd://127.0.0.1:99/p", "nodes://127.0.0.1:2376", "file:///hosts"])
def test_what_is_on_the_machine_or_fixed_is_not_asked(tmp_path: Path, asked: Asked, discovery: str) -> None:
    found, err = session(tmp_path)
    discovery_check.check(found, member(discovery))
    assert (asked.times, err.getvalue()) == (0, "")


def test_a_master_that_is_no_node_is_registered_nowhere(tmp_path: Path, asked: Asked) -> None:
    discovery_check.check(session(tmp_path)[0], member("token://127.0.0.1:9/v1/abc", node=False))
    assert asked.times == 0


def test_create_makes_nothing_when_the_service_here_is_off(tmp_path: Path) -> None:
    program = Program(tmp_path / "user")
    at = f"127.0.0.1:{free_port()}"
    done = program(*NONE, "--swarm", "--swarm-discovery", f"token://{at}/v1/{TOKEN}", "m")
    assert done.status == 3
    assert f"http://{at} cannot be reached" in done.err
    assert program.names() == []


@pytest.mark.parametrize(
    ("error", "stays"),
    [
        (DiscoveryRefused("nobody listens"), False),
        (DiscoveryError("the connection broke before the answer"), True),
    ],
)
def test_only_what_may_be_registered_is_said_to_stay_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: DiscoveryError, stays: bool
) -> None:
    async def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(Token, "register", fail)
    monkeypatch.setattr(Token, "deregister", fail)
    found, err = session(tmp_path)
    node = saved_member(found.store, "node", {})
    del node.driver_object["SwarmEntered"]
    node.raw["HostOptions"]["SwarmOptions"]["Discovery"] = f"token://127.0.0.1:9/v1/{TOKEN}"
    monkeypatch.setattr(registration, "ensure_registered", lambda *_: None)
    with pytest.raises(MachineError, match="could not be registered"):
        join_swarm(found, node, Endpoint("192.0.2.1"))
    leave_swarm(found, found.store.load("node"))
    assert ("stays registered" in err.getvalue()) is stays
