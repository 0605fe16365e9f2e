"""What an engine says is never the reason to make or remove a container on another one: only signed creates move."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import pytest

from machine.errors import UsageError
from machine.swarm import limits
from machine.swarm.cli_flags import MANAGE, parse_args
from machine.swarm.cluster import Cluster, Settings
from machine.swarm.cluster.ledger import Ledger
from machine.swarm.cluster.signing import LABEL, Keyring, SignedCreate, load_key
from machine.swarm.discovery.fixed import Nodes
from machine.swarm.manager.config import manager_config_from
from machine.swarm.manager.manager import ManagerConfig, manager
from machine.swarm.scheduler.placement_request import EXPRESSION_LABELS, ID
from tests.swarm.fleet import Fleet, SimulatedHost, engines, swarm

MOVES: dict[str, Any] = {"Env": ["reschedule:on-node-failure"]}
POLICY = {EXPRESSION_LABELS["reschedule"]: '["on-node-failure"]'}
EVIL = {"Privileged": True, "Binds": ["/:/host"]}
CREATE = SignedCreate({"Image": "x", "HostConfig": {"Memory": 5}}, "s1", "web", "id1", "n1", 2, True, 5.5)


def put(
    place: SimulatedHost, name: str, labels: dict[str, str], host: dict[str, Any] | None = None, **more: Any
) -> str:
    """Have an engine list a container that nobody made through the manager; its id."""
    body = {"Image": "busybox", "Labels": labels, "HostConfig": host or EVIL, **more}
    said = place.engine.answer("POST", f"/containers/create?name={name}", json.dumps(body).encode())
    made = json.loads(said.body)["Id"]
    place.engine.answer("POST", f"/containers/{made}/start")
    return str(made)


async def lost(fleet: Fleet, place: SimulatedHost) -> None:
    """The engine goes away, and those that see to its containers have had time to."""
    place.switch(down=True)
    await fleet.until(lambda: len(fleet.cluster.healthy()) == len(fleet.hosts) - 1)
    await asyncio.sleep(0.3)


def elsewhere(fleet: Fleet) -> list[str]:
    """Creates that the other engines of the fleet were asked for."""
    return [target for place in fleet.hosts[1:] for method, target in place.asked if "/containers/create" in target]


@pytest.mark.parametrize("more", [{}, {ID: "a" * 64}, {ID: "a" * 64, LABEL: "eJw=.AAAA"}, {LABEL: "\N{SNOWMAN}"}])
async def test_a_container_that_the_manager_never_made_is_not_made_elsewhere(
    more: dict[str, str], fleet: Fleet
) -> None:
    put(fleet.hosts[0], "evil", {**POLICY, **more})
    await fleet.until(lambda: fleet.cluster.index.with_name("evil"))
    await lost(fleet, fleet.hosts[0])
    assert elsewhere(fleet) == []
    assert any("evil of n1 stays" in line for line in fleet.lines)


async def test_what_is_made_elsewhere_is_what_was_asked_for_whatever_the_engine_says_of_it(fleet: Fleet) -> None:
    key = await fleet.create("web", start=True, **MOVES, HostConfig={"Memory": 1 << 20})
    config = fleet.hosts[0].engine.containers[key].config
    config["HostConfig"] = dict(EVIL)
    config["Image"] = "evil"
    await lost(fleet, fleet.hosts[0])
    await fleet.until(lambda: fleet.cluster.find("web").engine.name == "n2")
    found = await fleet.ask("GET", "/containers/web/json")
    assert (found["HostConfig"].get("Privileged"), found["HostConfig"]["Memory"]) == (None, 1 << 20)
    assert found["Config"]["Image"] == "busybox"


async def test_a_signature_is_of_no_use_on_another_engine_or_under_another_name(fleet: Fleet) -> None:
    await fleet.create("web", start=True, Env=["reschedule:on-node-failure", "constraint:node==n2"])
    labels = next(iter(fleet.hosts[1].engine.containers.values())).labels
    put(fleet.hosts[0], "web", labels)
    put(fleet.hosts[0], "other", labels)
    await fleet.create("mine", start=True, Env=["reschedule:on-node-failure", "constraint:node!=n2"])
    mine = next(c for c in fleet.hosts[0].engine.containers.values() if c.name == "mine")
    put(fleet.hosts[0], "copy", mine.labels)
    await fleet.until(lambda: fleet.cluster.index.with_name("copy") and len(fleet.cluster.index.with_name("web")) == 2)
    fleet.hosts[1].asked.clear()
    fleet.hosts[2].asked.clear()
    await lost(fleet, fleet.hosts[0])
    await fleet.until(lambda: any(c.engine.name != "n1" for c in fleet.cluster.index.with_name("mine")))
    assert [target.partition("name=")[2] for target in elsewhere(fleet)] == ["mine"]
    assert not [target for place in fleet.hosts[1:] for method, target in place.asked if method == "DELETE"]


@pytest.mark.parametrize("same_id", [True, False])
async def test_a_container_that_was_removed_does_not_come_back_by_its_old_signature(
    same_id: bool, fleet: Fleet
) -> None:
    key = await fleet.create("web", start=True, **MOVES)
    place = fleet.hosts[0]
    kept = place.engine.containers[key]
    await fleet.call("DELETE", f"/containers/{key}?force=1")
    place.engine.answer("POST", "/containers/create?name=later", b'{"Image":"busybox"}')
    await fleet.until(lambda: fleet.cluster.index.with_name("later"))  # and the removal before it is known
    if not same_id:
        kept.id = "b" * 64
    place.engine.containers[kept.id], place.engine.names["web"] = kept, kept.id
    kept.state, kept.list_entry = "running", b""
    await fleet.until(lambda: fleet.cluster.index.with_name("web"))
    await lost(fleet, place)
    assert elsewhere(fleet) == []
    assert any("removed or replaced before" in line for line in fleet.lines)


async def test_a_container_that_is_listed_twice_is_moved_once(fleet: Fleet) -> None:
    key = await fleet.create("web", start=True, **MOVES)
    engine = fleet.hosts[0].engine
    engine.containers["b" * 64] = twin = type(engine.containers[key])(
        "b" * 64, "web", "", engine.containers[key].config, "172.17.0.9"
    )
    twin.state = "running"
    await fleet.until(lambda: len(fleet.cluster.index.with_name("web")) == 2)
    await lost(fleet, fleet.hosts[0])
    await fleet.until(lambda: any(c.engine.name == "n2" for c in fleet.cluster.index.with_name("web")))
    await asyncio.sleep(0.2)
    assert len(elsewhere(fleet)) == 1


async def test_an_engine_that_returns_cannot_have_the_one_that_took_over_removed(fleet: Fleet) -> None:
    key = await fleet.create("web", start=True, **MOVES)
    await lost(fleet, fleet.hosts[0])
    await fleet.until(lambda: fleet.cluster.find("web").engine.name == "n2" and fleet.cluster.find("web").is_up)
    old = fleet.hosts[0].engine.containers[key]
    old.created, old.list_entry = 4_000_000_000, b""  # made in the far future, it says
    fleet.hosts[0].switch(down=False)
    await fleet.until(lambda: key not in fleet.hosts[0].engine.containers)
    await asyncio.sleep(0.2)
    assert len(fleet.hosts[1].engine.containers) == 1


async def test_what_was_made_before_a_restart_moves_after_it_and_what_was_removed_does_not(tmp_path: Path) -> None:
    made = engines(3)
    path = str(tmp_path / "log")
    key = Keyring(b"k" * 32)
    async with swarm(simulated_engines=made, keyring=key, ledger=Ledger(path)) as fleet:
        await fleet.create("web", start=True, **MOVES)
        gone = await fleet.create("gone", start=True, Env=["reschedule:on-node-failure", "constraint:node==n1"])
        kept = fleet.hosts[0].engine.containers[gone]
        await fleet.call("POST", "/containers/web/rename?name=site")
        await fleet.call("DELETE", f"/containers/{gone}?force=1")
        kept.state = "running"
        made[0].containers[gone], made[0].names["gone"] = kept, gone
    async with swarm(simulated_engines=made, keyring=Keyring(b"k" * 32), ledger=Ledger(path)) as fleet:
        await fleet.until(lambda: fleet.cluster.index.with_name("gone"))
        await lost(fleet, fleet.hosts[0])
        await fleet.until(lambda: any(c.engine.name == "n2" for c in fleet.cluster.index.with_name("site")))
        await asyncio.sleep(0.2)
        assert [target.partition("name=")[2] for target in elsewhere(fleet)] == ["site"]


async def test_a_manager_with_another_key_moves_nothing_of_it() -> None:
    made = engines(3)
    async with swarm(simulated_engines=made) as fleet:
        await fleet.create("web", start=True, **MOVES)
    async with swarm(simulated_engines=made) as fleet:
        await lost(fleet, fleet.hosts[0])
        assert elsewhere(fleet) == []


async def test_a_movable_container_without_a_name_gets_one_and_keeps_it(fleet: Fleet) -> None:
    await fleet.create(start=True, **MOVES)
    (name,) = (c.name for c in fleet.cluster.index.newest_first())
    await lost(fleet, fleet.hosts[0])
    await fleet.until(lambda: [c.engine.name for c in fleet.cluster.index.with_name(name)] == ["n2"])


async def test_a_create_that_copies_the_labels_of_another_is_a_container_of_its_own(fleet: Fleet) -> None:
    key = await fleet.create("old", start=True, **MOVES)
    labels = dict(fleet.hosts[0].engine.containers[key].labels)
    await fleet.call("DELETE", "/containers/old?force=1")
    await fleet.create("old", start=True, Labels=labels)
    home = fleet.cluster.find("old").engine
    assert fleet.cluster.find("old").is_reschedulable
    await lost(fleet, next(p for p in fleet.hosts if p.engine.name == home.name))
    await fleet.until(lambda: [c.engine is home for c in fleet.cluster.index.with_name("old")] == [False])


async def test_a_network_that_was_joined_later_is_joined_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    async with swarm() as fleet:
        await fleet.create("web", start=True, **MOVES)
        container = fleet.cluster.find("web")
        fleet.cluster.ledger.record_network(container.swarm_id, "wide", {"Aliases": ["db"]})
        fleet.cluster.ledger.record_network(container.swarm_id, "left", {})
        fleet.cluster.ledger.record_network(container.swarm_id, "left", None)
        await lost(fleet, fleet.hosts[0])
        await fleet.until(
            lambda: fleet.cluster.find("web").is_up and fleet.cluster.find("web").engine is not container.engine
        )
        asked.extend(t for place in fleet.hosts[1:] for m, t in place.asked if t.endswith("/connect"))
    assert [target.partition("/networks/")[2] for target in asked] == ["wide/connect"]


def test_a_signature_there_and_back() -> None:
    ring = Keyring(b"k" * 32)
    assert Keyring(b"k" * 32).read(ring.sign(CREATE)) == CREATE
    assert Keyring(b"x" * 32).read(ring.sign(CREATE)) is None


def test_every_change_of_what_is_signed_breaks_the_signature() -> None:
    ring = Keyring()
    label = ring.sign(CREATE)
    for place in range(0, len(label), 3):
        sign = "A" if label[place] != "A" else "B"
        read = ring.read(label[:place] + sign + label[place + 1 :])
        assert read is None or read == CREATE  # the last bits of base64 may mean nothing
    changes: list[dict[str, Any]] = [
        {}, {"name": "x"}, {"engine_id": "x"}, {"engine_name": "x"}, {"generation": 9}, {"body": {}},
    ]  # fmt: skip
    seals = {ring.sign(dataclasses.replace(CREATE, **change)).partition(".")[2] for change in changes}
    assert len(seals) == 6


@pytest.mark.parametrize("label", ["", ".", "a.b.c", "x" * 400_000, "\x00", "\ud800", "eJw=." + "A" * 44])
def test_what_is_no_signature_is_none(label: str) -> None:
    assert Keyring().read(label) is None


def test_a_body_that_is_too_long_is_not_signed() -> None:
    noise = os.urandom(limits.RESCHEDULE_SIGNED).hex()
    assert Keyring().sign(dataclasses.replace(CREATE, body={"Env": [noise]})) == ""


def test_the_key_is_made_once_and_read_again(tmp_path: Path) -> None:
    path = str(tmp_path / "state" / "key")
    key = load_key(path)
    assert (len(key), load_key(path), os.stat(path).st_mode & 0o777) == (32, key, 0o600)
    assert os.listdir(tmp_path / "state") == ["key"]


@pytest.mark.parametrize(
    ("text", "mode", "why"),
    [("ab", 0o600, "less than"), ("zz", 0o600, "hexadecimal"), ("ab" * 32, 0o644, "others may read")],
)
def test_a_key_that_does_not_do_is_refused_with_advice(tmp_path: Path, text: str, mode: int, why: str) -> None:
    path = tmp_path / "key"
    path.write_text(text)
    path.chmod(mode)
    with pytest.raises(UsageError) as error:
        load_key(str(path))
    assert why in f"{error.value.brief} {error.value.details}"
    assert error.value.resolution


def test_a_ledger_is_read_again_and_a_torn_line_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "log"
    first = Ledger(str(path))
    first.record_container("s1", 0, "a")
    first.record_container("s1", 0, "b")
    first.record_container("s2", 0, "c")
    first.record_removal("s2", "other")
    first.record_removal("s2", "c")
    first.record_name("s1", "x")
    first.record_network("s1", "net", {"Aliases": None})
    with path.open("ab") as file:
        file.write(b'["removed", "s')
    again = Ledger(str(path))
    assert (again.is_current("s1", "a"), again.is_current("s1", "b"), again.is_current("s2", "c")) == (
        True,
        False,
        False,
    )
    assert (again.name("s1", "web"), again.networks("s1"), again.knows("s2")) == ("x", {"net": {"Aliases": None}}, True)
    again.record_container("s2", 1, "d")
    assert Ledger(str(path)).is_current("s2", "d")


def test_a_ledger_that_cannot_be_written_says_so_once(tmp_path: Path) -> None:
    said: list[str] = []
    ledger = Ledger(str(tmp_path / "no" / "log"), said.append)
    ledger.record_container("s", 0, "a")
    ledger.record_container("t", 0, "b")
    assert len(said) == 1
    assert ledger.is_current("t", "b")


def test_a_long_ledger_is_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("machine.swarm.cluster.ledger.REWRITE_AT_LINES", 3)
    path = tmp_path / "log"
    ledger = Ledger(str(path))
    for generation in range(9):
        ledger.record_container("s", generation, f"id{generation}")
    ledger.record_name("s", "x")
    ledger.record_network("s", "net", {})
    assert Ledger(str(path)).is_current("s", "id8")
    assert len(path.read_text().splitlines()) == 3
    assert Ledger(str(path)).networks("s") == {"net": {}}


def test_where_a_manager_keeps_its_key(tmp_path: Path) -> None:
    def plan(environ: dict[str, str], *words: str) -> ManagerConfig:
        given = parse_args("manage", [*words, "nodes://a:1"], MANAGE, environ)
        return manager_config_from(given, environ, "")

    assert plan({"HOME": "/h"}).key_file == "/h/.local/state/machine-swarm/rescheduling.key"
    assert plan({"HOME": "/h", "STATE_DIRECTORY": "/var/lib/s"}).ledger_file == "/var/lib/s/rescheduling.log"
    assert plan({"HOME": "/h"}, "--registry", "/r/registry.db").key_file == "/r/rescheduling.key"
    named = plan({"HOME": "/h"}, "--cluster-opt", "swarm.key=/k")
    assert (named.key_file, named.key_named) == ("/k", True)


async def test_a_manager_without_a_place_for_its_key_runs_and_says_what_that_means(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said: list[str] = []

    async def start(named: bool) -> None:
        plan = ManagerConfig(Nodes("127.0.0.1:1"), Settings(), key_file=str(tmp_path / "file" / "key"), key_named=named)
        async with manager(plan, said.append):
            pass

    await start(False)
    assert "containers are rescheduled only if this process made them" in said[0]
    with pytest.raises(UsageError):
        await start(True)


def test_of_very_many_removed_containers_the_oldest_are_forgotten_and_none_that_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "RESCHEDULE_REMEMBERED", 10)
    path = str(tmp_path / "log")
    ledger = Ledger(path)
    ledger.record_container("there", 0, "key")
    for number in range(50):
        ledger.record_container(f"s{number}", 0, "k")
        ledger.record_removal(f"s{number}", "k")
    for found in (ledger, Ledger(path)):
        assert found.is_current("there", "key")
        assert (found.knows("s49"), found.knows("s0")) == (True, False)
        found.record_container("s49", 0, "k")
        assert not found.is_current("s49", "k")


def test_the_file_does_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("machine.swarm.cluster.ledger.REWRITE_AT_LINES", 100)
    path = str(tmp_path / "log")
    ledger = Ledger(path)
    for number in range(2000):
        ledger.record_container("one", number, str(number))
    assert len((tmp_path / "log").read_bytes().splitlines()) <= 110
    assert Ledger(path).is_current("one", "1999")


def test_what_was_signed_with_an_older_key_is_accepted_and_nothing_is_signed_with_it() -> None:
    old, new = Keyring(b"o" * 32), Keyring(b"n" * 32, b"o" * 32)
    assert new.read(old.sign(CREATE)) == CREATE
    assert old.read(new.sign(CREATE)) is None


async def test_a_manager_that_is_given_the_clusters_key_goes_on_accepting_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clusters: list[Cluster] = []

    def new_cluster(*args: Any, **named: Any) -> Cluster:
        clusters.append(Cluster(*args, **named))
        return clusters[-1]

    def plan(*words: str) -> ManagerConfig:
        return manager_config_from(
            parse_args("manage", [*words, "nodes://127.0.0.1:1"], MANAGE, {}), {}, str(tmp_path / "registry.db")
        )

    monkeypatch.setattr("machine.swarm.manager.manager.Cluster", new_cluster)
    for words in ([], ["--cluster-opt", f"swarm.key={tmp_path / 'given'}"]):
        async with manager(plan(*words)):
            pass
    alone, given = (cluster.keyring for cluster in clusters)
    assert given.read(alone.sign(CREATE)) == CREATE
    assert alone.read(given.sign(CREATE)) is None
