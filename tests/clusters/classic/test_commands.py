"""Nodes of a classic swarm by whole commands: what was registered is found, moved and removed."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from machine.clusters.classic import registration
from machine.clusters.classic.join import join_swarm
from machine.console import Console
from machine.session import Session
from machine.store import Store
from machine.swarm.discovery.registry import Registry
from tests.clusters.classic.members import NODE, NONE, TOKEN, saved_member
from tests.program import Program
from tests.sshd import free_port


def entered(program: Program) -> list[str]:
    registry = Registry(str(program.store / "swarm" / "registry.db"))
    registry.add_token(TOKEN)
    return registry.nodes(TOKEN)


def test_rm_after_a_kill_finds_what_was_entered(tmp_path: Path) -> None:
    listing, log = Program(tmp_path / "listing"), tmp_path / "moments"
    listing.killed(log, "never", *NODE).fine()
    assert entered(listing) == ["192.0.2.7:2376"]
    moments = log.read_text().splitlines()
    assert "after Registry.register 1" in moments
    first = moments.index("before Registry.register 1")
    seen = 0
    for number, moment in enumerate(moments[first - 2 : first + 4]):  # before that it is as without a swarm
        program = Program(tmp_path / str(number))
        assert program.killed(tmp_path / f"log{number}", moment, *NODE).status == -9, moment
        seen += entered(program) != []
        for name in program.names():
            program("rm", "-y", name).fine()
        assert entered(program) == [], moment
    assert seen, "it was never entered when it was killed"


def test_resume_enters_and_a_new_address_takes_the_old_ones_place(tmp_path: Path) -> None:
    program = Program(tmp_path / "user")
    assert program.killed(tmp_path / "log", "before Registry.register 1", *NODE).status == -9
    program("create", "--resume", "m").fine()
    assert entered(program) == ["192.0.2.7:2376"]
    config = program.store / "machines" / "m" / "config.json"
    raw = json.loads(config.read_text())
    raw["Driver"]["URL"] = "tcp://192.0.2.8:2376"
    config.write_text(json.dumps(raw))
    program("create", "--resume", "m").fine()
    assert entered(program) == ["192.0.2.8:2376"]


def test_a_registry_that_resists_is_said_and_removing_goes_on(tmp_path: Path) -> None:
    program = Program(tmp_path / "user")
    program(*NODE).fine()
    registry = program.store / "swarm" / "registry.db"
    registry.write_bytes(b"no database")
    removed = program("rm", "-y", "m").fine()
    assert "192.0.2.7:2376 stays registered" in removed.err
    again = program(*NODE)
    assert again.status == 1
    assert "could not be registered with its swarm" in again.err
    assert "--resume m" in again.err


def test_a_service_on_this_computer_is_told(tmp_path: Path) -> None:
    """It has a registry of its own, which is not the store's; a token it does not know is an error with a way on."""
    program = Program(tmp_path / "user")
    at = f"127.0.0.1:{free_port()}"
    known = Registry(str(tmp_path / "service.db"))
    token = known.create()
    service = program.start("swarm", "discovery", "-H", f"tcp://{at}", "--registry", known.path)
    try:
        assert service.stderr is not None
        assert "listening" in service.stderr.readline()
        there = {"MACHINE_DISCOVERY_URL": f"http://{at}/v1"}
        program(*NONE, "--swarm", "--swarm-discovery", f"token://{token}", "m", environ=there).fine()
        assert known.nodes(token) == ["192.0.2.7:2376"]
        assert not (program.store / "swarm" / "registry.db").exists()
        program("rm", "-y", "m").fine()
        assert known.nodes(token) == [], "the record tells which service, whatever the environment is now"
        unknown = program(*NONE, "--swarm", "--swarm-discovery", f"token://{at}/v1/{TOKEN}", "n")
        assert unknown.status == 3
        assert "n" not in program.names(), "nothing was made"
        assert "machine swarm create makes one" in unknown.err
    finally:
        service.terminate()
        service.communicate(timeout=20)


def test_a_master_with_a_new_address_forgets_its_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own registry too, in which nobody else would look for that address. There is no engine to wait for."""
    monkeypatch.setattr(registration, "NODE_SECONDS", 0.5)
    program = Program(tmp_path / "user")
    session = Session(Store(str(program.store)), Console(io.StringIO()), environ={})
    head = saved_member(session.store, "head", {"PeerAddress": "127.9.9.10"}, master=True)
    head.driver_object["SwarmEntered"] = ["127.9.9.8:2376", "127.9.9.9:2376"]
    registry = Registry(str(program.store / "swarm" / "registry.db"))
    for address in head.driver_object["SwarmEntered"]:
        registry.register(TOKEN, address, create=True)
    manager = program.start("swarm", "manage", "-H", f"tcp://127.0.0.1:{head.manager_port()}", f"token://{TOKEN}")
    try:
        endpoint = head.endpoint()
        assert endpoint is not None
        join_swarm(session, head, endpoint)
        assert registry.nodes(TOKEN) == ["127.0.0.1:2376", "127.9.9.10:2376"]
        assert session.store.load("head").driver_object["SwarmEntered"] == ["127.0.0.1:2376", "127.9.9.10:2376"]
    finally:
        manager.terminate()
        manager.communicate(timeout=20)
