"""Certificates of machines in use: renewed, exchanged, warned about, while a container runs through all of it."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import certs
from tests.e2e.hosts import generic, record, running_container
from tests.labs.nspawn import Host
from tests.program import Program
from tests.provision.hosts import Boot, publish_newer, settled

pytestmark = pytest.mark.lab


def served(host: Host) -> certs.CertFacts:
    """The certificate that the host's engine has on its disk."""
    return certs.describe(host.run("cat /etc/docker/server.pem").encode())


def store_ca(program: Program) -> certs.Pair:
    here = program.store / "certs"
    return certs.Pair((here / "ca.pem").read_bytes(), (here / "ca-key.pem").read_bytes())


def put(path: Path, content: bytes) -> None:
    """Replace a file's content and keep its mode."""
    path.write_bytes(content)


def ends_in(days: float) -> str:
    return f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%d}"


def test_new_certificates_leave_containers_alone(boot: Boot, program: Program) -> None:
    host = boot("renewed", engine="running")
    program(*generic(host), "dev").fine()
    settled(host)
    alive = running_container(host)
    before, serial = alive(), served(host).serial
    program("regenerate-certs", "-f", "dev").fine()
    assert served(host).serial != serial
    client = (program.store / "certs/cert.pem").read_bytes()
    program("regenerate-certs", "-f", "--client-certs", "dev").fine()
    assert (program.store / "certs/cert.pem").read_bytes() != client
    assert (program.store / "machines/dev/cert.pem").read_bytes() == (program.store / "certs/cert.pem").read_bytes()
    program("config", "dev").fine()
    assert alive() == before


def test_a_new_client_certificate_reaches_all_machines(boot: Boot, program: Program) -> None:
    for name in ("one", "two"):
        program(*generic(boot(name, engine="running")), name).fine()
    old = [(program.store / f"machines/{name}/cert.pem").read_bytes() for name in ("one", "two")]
    program("regenerate-certs", "-f", "--client-certs", "one").fine()
    new = [(program.store / f"machines/{name}/cert.pem").read_bytes() for name in ("one", "two")]
    assert new[0] == new[1] != old[0] == old[1]
    for name in ("one", "two"):
        program("config", name).fine()
        program.run(["docker", "--context", name, "version"], "", 60, {}).fine()


def test_upgrade_says_from_what_to_what(boot: Boot, program: Program) -> None:
    host = boot("older", engine="running")
    program(*generic(host), "dev").fine()
    settled(host)
    alive = running_container(host)
    before = alive()
    old = host.run("dpkg-query -W -f '${Version}' docker.io")
    publish_newer(host)
    told = program("upgrade", "dev").fine()
    new = host.run("dpkg-query -W -f '${Version}' docker.io")
    assert new == f"{old}+lab1"
    assert f"Docker was upgraded from {old} to {new}" in told.err
    assert alive() == before
    assert f"Docker {new} is already the newest available" in program("upgrade", "dev").fine().err
    assert alive() == before


def test_a_server_certificate_near_its_end(boot: Boot, program: Program) -> None:
    """Issued for 20 days, put where 805 days of use would have brought it."""
    host = boot("ageing", engine="running")
    program(*generic(host), "dev").fine()
    assert "certificate" not in program("ls").fine().err + program("env", "dev").fine().err
    machine = program.store / "machines" / "dev"
    old = certs.describe((machine / "server.pem").read_bytes())
    aged = certs.make_server(store_ca(program), old.organisation, old.names, days=20)
    for name, content in (("server.pem", aged.cert), ("server-key.pem", aged.key)):
        put(machine / name, content)
        host.run(f"cat >/etc/docker/{name}", stdin=content.decode())
    text = (machine / "config.json").read_text()
    put(
        machine / "config.json",
        text.replace(record(program, "dev")["Machine"]["CertificatesEnd"][:10], ends_in(20)).encode(),
    )
    host.run("systemctl restart docker")
    alive = running_container(host)
    before = alive()
    for command in (["ls"], ["env", "dev"]):
        told = program(*command).fine()
        assert f"the certificates of dev end on {ends_in(20)}; renew them: machine regenerate-certs" in told.err
        assert "certificates of" not in told.out
    program("provision", "dev").fine()
    assert served(host).not_after > datetime.now(UTC) + timedelta(days=365)
    assert alive() == before
    for command in (["ls"], ["env", "dev"]):
        assert "certificate" not in program(*command).fine().err
    pid = host.main_pid()
    program("provision", "dev").fine()
    assert host.main_pid() == pid


def test_a_client_certificate_near_its_end_is_renewed_by_itself(boot: Boot, program: Program) -> None:
    host = boot("aged", engine="running")
    program(*generic(host), "dev").fine()
    aged = certs.make_client(store_ca(program), "me", days=20)
    for place in (program.store / "certs", program.store / "machines/dev"):
        put(place / "cert.pem", aged.cert)
        put(place / "key.pem", aged.key)
    program("config", "dev").fine()
    pid = host.main_pid()
    told = program("provision", "dev").fine()
    assert f"the client certificate ends on {ends_in(20)}: made a new one" in told.err
    assert host.main_pid() == pid  # nothing of it concerns the engine
    now = certs.describe((program.store / "machines/dev/cert.pem").read_bytes())
    assert now.not_after > datetime.now(UTC) + timedelta(days=365)
    program("config", "dev").fine()


def test_a_ca_near_its_end_is_warned_of_and_exchanged(boot: Boot, program: Program) -> None:
    host = boot("founding", engine="running")
    ca = certs.make_ca("me", days=20)
    here = program.store / "certs"
    here.mkdir(parents=True, mode=0o700)
    (here / "ca.pem").write_bytes(ca.cert)
    with open(os.open(here / "ca-key.pem", os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
        file.write(ca.key)
    told = program(*generic(host), "dev").fine()
    assert f"the CA of this store ends on {ends_in(20)}" in told.err
    settled(host)
    alive = running_container(host)
    before = alive()
    advice = next(line for line in program("ls").fine().err.splitlines() if "the certificates of dev end on" in line)
    words = advice.rpartition("machine ")[2].split()
    assert words == ["regenerate-certs", "--client-certs", "dev"]
    program(*words, "-f").fine()
    program("config", "dev").fine()
    assert store_ca(program).cert != ca.cert
    assert (here / "ca.pem.bak").read_bytes() == ca.cert
    assert alive() == before
    assert "certificate" not in program("ls").fine().err
