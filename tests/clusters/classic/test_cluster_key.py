"""All masters of one classic swarm get the key that its managers sign with, and nobody else does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from machine.clusters.classic import cluster_key
from machine.clusters.classic.services import services
from machine.clusters.classic.store_integration import manager_config, registry_path
from machine.console import Console
from machine.model import Endpoint, SwarmOptions
from machine.provision.host_files import SWARM_KEY
from machine.provision.spec import SwarmServices
from machine.session import Session
from machine.store import Record, Store
from machine.swarm.cli_flags import MANAGE, parse_args
from machine.swarm.cluster.signing import Keyring, SignedCreate, load_key
from machine.swarm.manager.config import manager_config_from

CREATE = SignedCreate({"Image": "x"}, "s1", "web", "id1", "n1")
ONE, OTHER = "token://0123456789abcdef", "token://fedcba9876543210"


def made(store: Store, name: str, discovery: str = ONE, *, master: bool = True, **more: Any) -> Record:
    options = SwarmOptions(True, master, True, discovery, **more)
    record = Record.new(store.root, name, "generic", {"IPAddress": "192.0.2.1"}, swarm=options)
    store.add(name)
    store.save(record)
    return record


def wanted(store: Store, record: Record) -> SwarmServices:
    found = services(Session(store, Console(), environ={}), record, Endpoint("192.0.2.1"))
    assert found is not None
    return found


def ring(text: bytes) -> Keyring:
    return Keyring(bytes.fromhex(text.decode()))


def test_two_masters_accept_each_others_containers(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    keys = [wanted(store, made(store, name)).key for name in ("a", "b")]
    assert keys[0] == keys[1]
    assert ring(keys[0]).read(ring(keys[1]).sign(CREATE)) == CREATE


def test_the_key_is_where_the_manager_on_the_master_looks_for_it(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    service = wanted(store, made(store, "a"))
    plan = manager_config_from(parse_args("manage", [*service.manager_argv[1:], ONE], MANAGE, {}), {}, "")
    assert (plan.key_file, plan.key_named) == (SWARM_KEY, True)
    assert plan.older_key_file == "/var/lib/machine-swarm/rescheduling.key"
    assert service.key.decode().strip() not in f"{service} {service.manager_argv}"


def test_it_is_kept_private_and_made_once(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    record = made(store, "a")
    first = cluster_key.ensure(store, record)
    kept = Path(store.directory("a")) / "swarm.key"
    assert kept.stat().st_mode & 0o777 == 0o600
    (tmp_path / "swarm" / "rescheduling.key").unlink()
    assert cluster_key.ensure(store, record) == first
    assert cluster_key.ensure(store, made(store, "b")) == first, "the swarm's, whatever became of the store's own"


def test_another_swarm_has_another_key_and_neither_is_the_stores(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    keys = {cluster_key.ensure(store, made(store, "a")), cluster_key.ensure(store, made(store, "b", OTHER))}
    keys.add((tmp_path / "swarm" / "rescheduling.key").read_bytes())
    assert len(keys) == 3


def test_a_node_gets_none_and_neither_does_who_names_a_file(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    assert wanted(store, made(store, "node", master=False)).key == b""
    named = wanted(store, made(store, "a", flags=("cluster-opt=swarm.key=/etc/mine",)))
    assert named.key == b""
    assert SWARM_KEY not in " ".join(named.manager_argv)


def test_a_master_that_came_without_its_key_keeps_what_it_has(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    record = made(store, "a")
    record.raw["Machine"]["Imported"] = "2026-01-01T00:00:00Z"
    service = wanted(store, record)
    assert (service.key, f"swarm.key={SWARM_KEY}" in service.manager_argv) == (b"", True)


@pytest.mark.parametrize("named", [[], ["--cluster-opt", "swarm.key=/etc/mine"]])
def test_a_manager_on_this_computer_has_it_too(tmp_path: Path, named: list[str]) -> None:
    store = Store(str(tmp_path))
    given = parse_args("manage", [*named, ONE], MANAGE, {})
    plan, _ = manager_config(store, given, manager_config_from(given, {}, registry_path(store)), {})
    before = plan.key_file
    key = cluster_key.ensure(store, made(store, "a"))
    plan, _ = manager_config(store, given, manager_config_from(given, {}, registry_path(store)), {})
    assert (plan.key_file == before) == bool(named)
    assert plan.older_key_file == str(tmp_path / "swarm" / "rescheduling.key")
    assert named or load_key(plan.key_file).hex() == key.decode().strip()
