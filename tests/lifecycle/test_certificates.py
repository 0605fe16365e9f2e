"""Certificates and addresses that change under machines in use, and keys that must not: a real store, no machine."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

import certs
from machine import docker_context
from machine.console import Console
from machine.drivers import registry
from machine.errors import DriverError
from machine.lifecycle import certificates, create, provision
from machine.lifecycle.certificates import authority_of
from machine.lifecycle.driver_record import save_endpoint
from machine.model import Endpoint
from machine.session import Session
from machine.store import Record, Store
from tests.lifecycle.test_remove import Cloud

HERE = Endpoint("192.0.2.7")


@pytest.fixture
def session(tmp_path: Path) -> Session:
    environ = {"HOME": str(tmp_path), "DOCKER_CONFIG": str(tmp_path / "docker")}
    return Session(Store(str(tmp_path / "store")), Console(io.StringIO()), environ=environ)


def ready(session: Session, name: str) -> Record:
    """A machine with its address, its certificates and a docker context."""
    session.store.add(name)
    record = Record.new(session.store.root, name, "generic", {"IPAddress": HERE.address, "EnginePort": 2376})
    record.phase = "ready"
    session.store.save(record)
    provision.server_pair(session, record, HERE)
    docker_context.write(name, record.url(), record.cert_dir(), environ=session.environ)
    return record


def said(session: Session) -> str:
    """What the console has said."""
    assert isinstance(session.console.err, io.StringIO)
    return session.console.err.getvalue()


def held(session: Session) -> dict[str, bytes]:
    """What the docker client has in its contexts, by file name; of one machine."""
    return {path.name: path.read_bytes() for path in Path(session.environ["DOCKER_CONFIG"]).rglob("*.pem")}


def test_a_key_whose_certificate_was_not_written_any_more_is_not_given_to_the_engine(session: Session) -> None:
    record = ready(session, "dev")
    newer = authority_of(session).issue_server("dev", [HERE.address])
    Path(record.cert_dir(), "server-key.pem").write_bytes(newer.key)
    pair = provision.server_pair(session, record, HERE)
    assert certs.belongs_together(pair.cert, pair.key)
    assert Path(record.cert_dir(), "server-key.pem").read_bytes() == pair.key
    assert provision.server_pair(session, record, HERE) == pair, "and then it stays"


def test_a_machine_that_changes_its_ca_is_warned_of(session: Session) -> None:
    record = ready(session, "dev")
    assert "instead of the CA" not in said(session)
    theirs = certs.make_ca("them")
    Path(record.cert_dir(), "ca.pem").write_bytes(theirs.cert)
    server = certs.make_server(theirs, "them", provision.server_names(record, HERE))
    Path(record.cert_dir(), "server.pem").write_bytes(server.cert)
    Path(record.cert_dir(), "server-key.pem").write_bytes(server.key)
    assert provision.server_pair(session, record, HERE) == server, "good, so it is kept"
    assert "instead of the CA" not in said(session)
    moved = provision.server_pair(session, record, Endpoint("192.0.2.99"))
    assert certs.issued_by(moved.cert, authority_of(session).ca)
    assert "instead of the CA it was made with (does not carry 192.0.2.99)" in said(session)


def test_a_new_client_pair_reaches_contexts_and_records_of_machines_that_were_not_named(session: Session) -> None:
    record = ready(session, "dev")
    record.certificates_end = "2001-01-01T00:00:00Z"
    session.store.save(record)
    certificates.renew_client(session)
    fresh = Path(record.cert_dir(), "key.pem").read_bytes()
    assert fresh == authority_of(session).client.key
    assert held(session)["key.pem"] == fresh
    assert session.store.load("dev").certificates_end > "2026"


def test_contexts_that_cannot_be_written_stop_nothing(session: Session) -> None:
    record = ready(session, "dev")
    for path in Path(session.environ["DOCKER_CONFIG"]).rglob("key.pem"):
        path.unlink()
        path.mkdir()
    certificates.renew_client(session)
    assert "docker contexts keep their old certificates" in said(session)
    assert Path(record.cert_dir(), "cert.pem").read_bytes() == authority_of(session).client.cert


def test_a_machine_that_somebody_works_on_is_passed_over(session: Session) -> None:
    record = ready(session, "dev")
    record.certificates_end = "2001-01-01T00:00:00Z"
    session.store.save(record)
    with session.store.lock("machine-dev", what="work"):
        certificates.renew_client(session)
    assert session.store.load("dev").certificates_end == "2001-01-01T00:00:00Z"
    assert held(session)["cert.pem"] == authority_of(session).client.cert


def test_certificates_that_cannot_be_read_are_no_crash(session: Session) -> None:
    record = ready(session, "dev")
    for name in ("server.pem", "ca.pem", "cert.pem"):
        Path(record.cert_dir(), name).write_bytes(b"half")
    certificates.record_expiry(session, record)
    assert session.store.load("dev").certificates_end == ""


def test_a_docker_context_follows_the_address(session: Session) -> None:
    record = ready(session, "dev")
    save_endpoint(session, record, Endpoint("192.0.2.99"))
    assert [one.host for one in docker_context.own_contexts(session.environ)] == ["tcp://192.0.2.99:2376"]
    assert session.store.load("dev").address() == "192.0.2.99"


def test_a_context_that_was_pointed_elsewhere_does_not_follow(session: Session) -> None:
    record = ready(session, "dev")
    docker_context.write("dev", "tcp://gateway.example:2376", record.cert_dir(), environ=session.environ)
    save_endpoint(session, record, Endpoint("192.0.2.99"))
    assert [one.host for one in docker_context.own_contexts(session.environ)] == ["tcp://gateway.example:2376"]


def test_resuming_a_machine_of_docker_machine_leaves_its_key_alone(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry.TABLE, "cloud", "tests.lifecycle.test_remove:Cloud")
    monkeypatch.setattr(Cloud, "accounts", {"first": set()})
    session.store.add("old")
    key = session.store.directory("old") + "/id_rsa"
    Path(key).write_text("a key\n")
    record = Record.new(session.store.root, "old", "cloud", {"AccessToken": "first", "SSHKeyPath": key})
    del record.raw["Machine"]
    session.store.save(record)
    with pytest.raises(DriverError):  # it is gone from the cloud, which is as far as this needs to go
        create.resume(session, "old")
    assert session.store.load("old").ssh_key_path() == key
    assert not Path(session.store.directory("old"), "id_ed25519").exists()


def test_resuming_an_engine_of_somebody_else_leaves_its_certificates_alone(session: Session) -> None:
    session.store.add("theirs")
    record = Record.new(session.store.root, "theirs", "none", {"URL": "tcp://192.0.2.7:2376"})
    session.store.save(record)
    create.resume(session, "theirs", docker_context=False)
    place = Path(record.cert_dir(), "key.pem")
    assert place.read_bytes() == authority_of(session).client.key
    place.write_bytes(b"of another CA")
    create.resume(session, "theirs", docker_context=False)
    assert place.read_bytes() == b"of another CA"
