"""A host that is a machine of the store is not taken over, whatever driver made that machine: one check for all."""

from __future__ import annotations

import io
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from machine import paths
from machine.console import Console
from machine.drivers.generic.driver import GenericDriver
from machine.errors import PreflightFailed
from machine.lifecycle import create, host_conflict
from machine.lifecycle.driver_record import driver_context
from machine.model import Endpoint
from machine.options import resolve
from machine.session import Session
from machine.store import Record, Store
from tests.program import Program
from tests.sshd import free_port, keygen

QEMU = {"IPAddress": "127.84.191.2", "PeerAddress": "10.84.191.2", "SSHPort": 2222, "EnginePort": 2376}
FORWARDED = {"IPAddress": "192.168.99.100", "SSHPort": 40123}  # of docker-machine's virtualbox
ADOPTED = {"IPAddress": "host.invalid", "SSHPort": 2222, "EnginePort": 4000}


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(Store(str(tmp_path / "store")), Console(io.StringIO()), environ={"HOME": str(tmp_path)})


def add(session: Session, driver_name: str, driver_object: dict[str, Any], phase: str = "ready") -> Record:
    """Write the record of machine `head`."""
    session.store.add("head")
    record = Record.new(session.store.root, "head", driver_name, driver_object)
    record.phase = phase
    session.store.save(record)
    return record


def refusal(session: Session, address: str, **options: Any) -> PreflightFailed:
    """Return what the check of a create -d generic says. Nothing listens on the host's ssh port in these tests."""
    record = Record.new(session.store.root, "g", "generic", {})
    values = {"generic-ip-address": address, **{f"generic-{key}-port": value for key, value in options.items()}}
    given = resolve(GenericDriver.traits.options, values, {})
    driver = GenericDriver.configure(driver_context(session, record), given)
    with pytest.raises(PreflightFailed) as caught:
        create.check(session, record, driver)
    return caught.value


@pytest.mark.parametrize(
    ("driver_name", "known", "address", "ports"),
    [
        ("qemu", QEMU, "127.84.191.2", {"ssh": 2222, "engine": 4000}),
        ("qemu", QEMU, "127.84.191.2", {"ssh": 1, "engine": 2376}),
        ("amazonec2", {"IPAddress": "2001:db8::7"}, "2001:DB8:0::7", {}),
        ("some-plugin", {"IPAddress": "host.invalid"}, "Host.Invalid", {}),
        ("none", {"URL": "tcp://127.84.191.2:2376"}, "127.84.191.2", {"ssh": 1}),
        ("virtualbox", FORWARDED, "192.168.99.100", {}),
        ("virtualbox", FORWARDED, "localhost", {"ssh": 40123}),
    ],
)
def test_a_machine_of_another_driver_is_refused(
    session: Session, driver_name: str, known: dict[str, Any], address: str, ports: dict[str, int]
) -> None:
    add(session, driver_name, known)
    found = refusal(session, address, **ports)
    assert "is already machine head, of the driver" in found.brief
    assert found.exit_code == 3
    assert ("machine rm" in found.resolution) is (driver_name == "none"), "it would remove the host itself"


def test_a_machine_that_is_being_made_is_refused(session: Session) -> None:
    add(session, "qemu", QEMU, phase="created")
    assert "create --resume head" in refusal(session, "127.84.191.2", ssh=2222).resolution


@pytest.mark.parametrize(
    ("known", "address", "ports"),
    [
        (ADOPTED, "Host.Invalid", {"ssh": 2222}),
        (ADOPTED, "host.invalid.", {"ssh": 2222}),
        (ADOPTED, "host.invalid", {"ssh": 1, "engine": 4000}),
        ({"IPAddress": "127.0.0.1", "SSHPort": 2222}, "localhost", {"ssh": 2222}),
        ({"IPAddress": "localhost"}, "127.0.0.1", {}),
        ({"IPAddress": "2001:db8::7"}, "[2001:DB8:0:0::7]", {}),
        ({"IPAddress": "[2001:db8::7]"}, "2001:db8::7", {}),
    ],
)
def test_an_adopted_machine_is_refused_in_every_spelling_of_its_address(
    session: Session, known: dict[str, Any], address: str, ports: dict[str, int]
) -> None:
    add(session, "generic", known)
    found = refusal(session, address, **ports)
    assert found.brief == f"{address.strip('[]')} is already machine head"
    assert found.resolution == "use that one, or forget it first (the host stays as it is): machine rm head"
    assert found.exit_code == 3


def test_an_adopted_machine_that_is_incomplete_is_refused(session: Session) -> None:
    add(session, "generic", ADOPTED, phase="recorded")
    found = refusal(session, "host.invalid", ssh=2222)
    assert found.brief == "host.invalid is being made into machine head, or was left incomplete"
    assert "create --resume head" in found.resolution
    assert "machine rm head" in found.resolution


def test_a_machine_is_not_its_own_rival(session: Session) -> None:
    """As `create --resume` would find it."""
    address = Endpoint("host.invalid", ssh_port=2222)
    record = add(session, "generic", ADOPTED)
    host_conflict.check(session, record, address)
    with pytest.raises(PreflightFailed, match="already machine head"):
        host_conflict.check(session, Record.new(session.store.root, "g", "generic", {}), address)


@pytest.mark.parametrize(
    ("driver_name", "known"),
    [
        ("generic", {"IPAddress": "127.0.0.1", "SSHPort": 1}),
        ("generic", {"IPAddress": "127.0.0.2", "EnginePort": 4000}),
        ("qemu", {**QEMU, "IPAddress": "127.0.0.1"}),
        ("none", {"URL": "tcp://127.0.0.1:2376"}),
        ("virtualbox", {**FORWARDED, "UUID": "1"}),
        ("openstack", {"IPAddress": ""}),
    ],
)
def test_other_ports_are_another_host(session: Session, driver_name: str, known: dict[str, Any]) -> None:
    """127.0.0.1 has the forwarded ports of many hosts."""
    add(session, driver_name, known)
    assert "no sshd answers" in refusal(session, "127.0.0.1", ssh=free_port(), engine=4000).brief


def test_a_machine_that_was_imported_without_keys_may_be_adopted(session: Session) -> None:
    record = add(session, "qemu", {**QEMU, "IPAddress": "127.0.0.1", "SSHPort": free_port()})
    record.raw["Machine"]["Imported"] = "2026-01-01T00:00:00Z"
    session.store.save(record)
    port = record.driver_object["SSHPort"]
    assert "no sshd answers" in refusal(session, "127.0.0.1", ssh=port).brief
    Path(record.cert_dir(), paths.KEY).write_text("key")
    assert "already machine head" in refusal(session, "127.0.0.1", ssh=port).brief


@contextmanager
def running(program: Program, *line: str) -> Iterator[subprocess.Popen[str]]:
    """Run `machine LINE...` until the block ends."""
    process = program.start(*line)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_of_two_creates_at_once_one_is_refused(tmp_path: Path) -> None:
    """Two processes that have both passed their checks wait for the lock under which records are written."""
    program, key = Program(tmp_path), keygen(tmp_path / "key")
    store = Store(str(program.store))
    with socket.create_server(("127.0.0.1", 0)) as host, ExitStack() as stack:
        host.settimeout(60)
        line = ["create", "-d", "generic", "--generic-ssh-port", str(host.getsockname()[1])]
        line += ["--generic-ssh-key", str(key), "--generic-ip-address"]
        with store.lock("create", what="the test"):
            creates = {
                name: stack.enter_context(running(program, *line, address, name))
                for name, address in (("one", "127.0.0.1"), ("two", "localhost"))
            }
            for _ in creates:  # each looks whether an sshd is there, after it has looked into the store
                host.accept()[0].close()
        host.accept()[0].close()  # the one that was faster logs in
        assert len(store.names()) == 1
        winner, loser = ("one", "two") if store.exists("one") else ("two", "one")
        _, said = creates[loser].communicate(timeout=60)
        assert creates[loser].returncode == 3, said
        assert f"is being made into machine {winner}, or was left incomplete" in said
        assert store.names() == [winner]
