"""A host that is a machine of the store is not taken over, whatever driver made that machine."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from machine import paths
from machine.console import Console
from machine.drivers.generic.driver import GenericDriver
from machine.errors import PreflightFailed
from machine.lifecycle import create
from machine.lifecycle.driver_record import driver_context
from machine.options import resolve
from machine.session import Session
from machine.store import Record, Store
from tests.sshd import free_port

QEMU = {"IPAddress": "127.84.191.2", "PeerAddress": "10.84.191.2", "SSHPort": 2222, "EnginePort": 2376}
FORWARDED = {"IPAddress": "192.168.99.100", "SSHPort": 40123}  # of docker-machine's virtualbox


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(Store(str(tmp_path / "store")), Console(io.StringIO()), environ={"HOME": str(tmp_path)})


def add(session: Session, driver_name: str, driver: dict[str, Any], phase: str = "ready") -> Record:
    """Write the record of machine `head`."""
    session.store.add("head")
    record = Record.new(session.store.root, "head", driver_name, driver)
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
    ("driver_name", "known"),
    [
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
    port = record.driver["SSHPort"]
    assert "no sshd answers" in refusal(session, "127.0.0.1", ssh=port).brief
    Path(record.cert_dir(), paths.KEY).write_text("key")
    assert "already machine head" in refusal(session, "127.0.0.1", ssh=port).brief
