"""The proxies of a machine: where they are kept, what its host gets, and who is reached without them."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from machine import paths
from machine.console import Console
from machine.drivers import registry
from machine.drivers.base import Driver
from machine.lifecycle import engine_proxies
from machine.lifecycle.driver_record import open_driver
from machine.model import Endpoint, SwarmOptions
from machine.provision import Facts
from machine.provision.facts import File
from machine.provision.host_files import APT_PROXIES
from machine.provision.package_proxies import steps
from machine.provision.steps import Run, WriteFile
from machine.session import Session
from machine.store import Record, Store
from tests.provision.test_cases import spec

URL = "http://me:hunter2@127.0.0.1:3128"
LOCAL = next(name for name in registry.TABLE if registry.traits_of(name).host_gateway)
GATEWAY = registry.traits_of(LOCAL).host_gateway


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(Store(str(tmp_path)), Console(io.StringIO()), environ={"HTTPS_PROXY": URL, "HTTP_PROXY": URL})


def machine(session: Session, name: str, driver: str, address: str, *, swarm: bool = False) -> Record:
    """A machine on record, maybe of a classic swarm."""
    session.store.add(name)
    options = SwarmOptions(is_swarm=swarm, is_node=swarm, discovery="token://x" if swarm else "")
    record = Record.new(session.store.root, name, driver, {"IPAddress": address}, swarm=options)
    session.store.save(record)
    return record


def driver(session: Session, driver_name: str) -> Driver:
    """The driver of a machine that is not on record yet, with its defaults."""
    record = Record.new(session.store.root, "new", driver_name, {"IPAddress": "192.0.2.1"})
    return open_driver(session, record)


def variables(session: Session, record: Record) -> dict[str, str]:
    pairs = engine_proxies.variables(session, record, Endpoint(record.address(), peer_address="10.84.0.9"))
    return dict(pair.split("=", 1) for pair in pairs)


def test_they_are_kept_with_the_secrets_and_translated(session: Session, tmp_path: Path) -> None:
    record = machine(session, "dev", LOCAL, "127.84.0.1")
    engine_proxies.keep(session, record, engine_proxies.wanted(session, driver(session, LOCAL), ""))
    directory = tmp_path / "machines" / "dev"
    assert "hunter2" not in (directory / paths.CONFIG).read_text()
    assert (directory / paths.SECRETS).stat().st_mode & 0o777 == 0o600
    found = variables(replace(session, environ={}), record)
    assert found["https_proxy"] == f"http://me:hunter2@{GATEWAY}:3128"
    assert found["NO_PROXY"].split(",")[-2:] == ["127.84.0.1", "10.84.0.9"]
    engine_proxies.keep(session, record, {})
    assert variables(session, record) == {}
    assert json.loads((directory / paths.SECRETS).read_text()) == {}


def test_a_password_is_masked_wherever_it_is_printed(session: Session) -> None:
    engine_proxies.wanted(session, driver(session, LOCAL), "")
    assert "hunter2" not in session.console.mask(f"dockerd said {URL}")


def test_a_host_elsewhere_gets_none_unless_asked_and_not_what_is_on_our_loopback(tmp_path: Path) -> None:
    said = io.StringIO()
    session = Session(Store(str(tmp_path)), Console(said), environ={"HTTPS_PROXY": URL})
    far = next(name for name in registry.TABLE if not registry.traits_of(name).behind_nat and _has_host(name))
    assert engine_proxies.wanted(session, driver(session, far), "") == {}
    assert said.getvalue() == ""
    record = machine(session, "dev", far, "192.0.2.1")
    engine_proxies.keep(session, record, engine_proxies.wanted(session, driver(session, far), "env"))
    assert "HTTPS_PROXY listens on this computer's loopback" in said.getvalue()
    assert "hunter2" not in said.getvalue()
    assert variables(session, record) == {}


def _has_host(name: str) -> bool:
    return registry.traits_of(name).has_host


def test_members_of_clusters_are_reached_directly(session: Session) -> None:
    session = replace(session, environ={"HTTPS_PROXY": "http://proxy.example:3128"})
    record = machine(session, "a", LOCAL, "127.84.0.1", swarm=True)
    machine(session, "b", LOCAL, "127.84.0.2", swarm=True)
    machine(session, "c", LOCAL, "127.84.0.3")
    engine_proxies.keep(session, record, engine_proxies.wanted(session, driver(session, LOCAL), ""))
    hosts = variables(session, record)["NO_PROXY"].split(",")
    assert "127.84.0.2" in hosts
    assert "127.84.0.3" not in hosts


def test_a_member_of_a_cluster_does_not_reach_our_loopback(tmp_path: Path) -> None:
    """Whoever may use the cluster could, too; so its machines do without a proxy there, and it is said."""
    said = io.StringIO()
    session = Session(Store(str(tmp_path)), Console(said), environ={"HTTPS_PROXY": URL})
    record = machine(session, "a", "qemu", "127.84.0.1", swarm=True)
    engine_proxies.keep(session, record, engine_proxies.wanted(session, open_driver(session, record), ""))
    assert "which a does not reach" in said.getvalue()
    assert variables(session, record) == {}


DEBIAN = Facts(os_id="debian", package_manager="apt-get")


@pytest.mark.parametrize(("url", "mode"), [("http://p:1", 0o644), ("http://me:hunter2@p:1", 0o600)])
def test_apt_has_a_file_that_is_private_where_a_password_is_in_it(url: str, mode: int) -> None:
    pairs = (f"HTTP_PROXY={url}", f"HTTPS_PROXY={url}", "NO_PROXY=localhost")
    (file,) = steps(DEBIAN, replace(spec({}), package_proxies=pairs))
    assert isinstance(file, WriteFile)
    assert (file.path, file.mode, file.secret) == (APT_PROXIES, mode, mode == 0o600)
    assert steps(replace(DEBIAN, package_manager="apk"), replace(spec({}), package_proxies=pairs)) == []


def test_it_goes_with_the_proxies() -> None:
    assert steps(DEBIAN, spec({})) == []
    (step,) = steps(replace(DEBIAN, files={APT_PROXIES: File(0o644, "0" * 64)}), spec({}))
    assert isinstance(step, Run)
    assert step.script == f"rm -f {APT_PROXIES}"
