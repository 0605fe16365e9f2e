"""Who may speak to a machine that was really provisioned, and whom the program takes for it."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import certs
from tests.certs.handshake import client_context
from tests.e2e.hosts import generic, until
from tests.labs.nspawn import Host, Lab
from tests.program import Program

pytestmark = pytest.mark.lab


@dataclass
class Ready:
    """A provisioned host, and whose it is."""

    host: Host
    program: Program
    refusals: int = 0  # handshakes that the engine has written down as failed

    def ca(self) -> certs.Pair:
        here = self.program.store / "certs"
        return certs.Pair((here / "ca.pem").read_bytes(), (here / "ca-key.pem").read_bytes())

    def client(self) -> certs.Pair:
        here = self.program.store / "machines" / "dev"
        return certs.Pair((here / "cert.pem").read_bytes(), (here / "key.pem").read_bytes())

    def get(self, pair: certs.Pair | None, ca: bytes = b"", path: str = "/_ping") -> str:
        """The engine's answer to a client that shows `pair`; OSError when one of the two refuses."""
        context = client_context(pair, ca or self.ca().cert)
        connection = http.client.HTTPSConnection(self.host.address, 2376, context=context, timeout=10)
        try:
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        finally:
            connection.close()


@pytest.fixture(scope="module")
def ready(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ready]:
    host = lab.host("guarded", engine="running")
    made = Ready(host, Program(tmp_path_factory.mktemp("trust") / "user"))
    made.program(*generic(host), "dev").fine()
    yield made
    lab.drop(host)


def refused(ready: Ready, pair: certs.Pair | None) -> str:
    """Why the engine did not want `pair`, in its own words; the client only sees an alert, or the end."""
    with pytest.raises((ssl.SSLError, ConnectionError)):
        ready.get(pair)
    told: list[str] = []

    def written() -> bool:
        told[:] = ready.host.run("journalctl -u docker -o cat --no-pager | grep 'TLS handshake error' || true").split(
            "\n"
        )
        return len(told) - 1 == ready.refusals + 1

    until(written)
    ready.refusals += 1
    return told[-2]


def test_our_own_certificate_is_accepted(ready: Ready) -> None:
    assert ready.get(ready.client()) == "OK"
    assert ready.get(certs.make_client(ready.ca(), "another client of this CA")) == "OK"


def test_no_certificate_is_refused(ready: Ready) -> None:
    assert "client didn't provide a certificate" in refused(ready, None)


def test_a_foreign_ca_is_refused(ready: Ready) -> None:
    foreign = certs.make_ca(certs.describe(ready.ca().cert).organisation)  # the same name, another key
    assert certs.describe(foreign.cert).issuer == certs.describe(ready.ca().cert).issuer
    assert "signed by unknown authority" in refused(ready, certs.make_client(foreign, "somebody"))


def test_an_expired_certificate_is_refused(ready: Ready) -> None:
    pair = certs.make_client(ready.ca(), "late", days=1.5 / 86400)
    time.sleep(3)
    assert "certificate has expired" in refused(ready, pair)


def test_a_server_certificate_is_no_client_certificate(ready: Ready) -> None:
    here = ready.program.store / "machines" / "dev"
    pair = certs.Pair((here / "server.pem").read_bytes(), (here / "server-key.pem").read_bytes())
    assert "incompatible key usage" in refused(ready, pair)


def test_plain_http_is_refused(ready: Ready) -> None:
    connection = http.client.HTTPConnection(ready.host.address, 2376, timeout=10)
    connection.request("GET", "/_ping")
    answer = connection.getresponse()
    assert answer.status == 400
    assert b"HTTPS" in answer.read()
    connection.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((ready.host.address, 2375), timeout=3)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_tls_is_refused(ready: Ready) -> None:
    context = client_context(ready.client(), ready.ca().cert)
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with (
        socket.create_connection((ready.host.address, 2376), timeout=10) as link,
        pytest.raises(ssl.SSLError),
        context.wrap_socket(link, server_hostname=ready.host.address),
    ):
        pass


def test_an_engine_with_another_certificate_is_not_taken_for_ours(ready: Ready) -> None:
    foreign = certs.make_ca("somebody")
    with pytest.raises(ssl.SSLCertVerificationError):
        ready.get(ready.client(), ca=foreign.cert)
    ours = ready.program.store / "machines/dev/ca.pem"
    before = ours.read_bytes()
    ours.write_bytes(foreign.cert)
    try:
        for command in ("env", "config"):
            told = ready.program(command, "dev")
            assert (told.status, told.out) == (1, "")
            assert "certificate" in told.err
            assert "Try: machine regenerate-certs dev" in told.err
        assert "dev" in ready.program("ls").fine().out
    finally:
        ours.write_bytes(before)
    ready.program("config", "dev").fine()


COMMANDS = {
    "ssh": ["ssh", "dev", "echo", "hello"],
    "native ssh": ["--native-ssh", "ssh", "dev", "echo", "hello"],
    "scp": ["scp", "dev:/etc/hostname", "COPY"],
    "provision": ["provision", "dev"],
    "upgrade": ["upgrade", "dev"],
    "regenerate-certs": ["regenerate-certs", "-f", "dev"],
    "restart": ["restart", "dev"],
    "resume": ["create", "--resume", "dev"],
}


def test_a_changed_host_key_is_refused_until_it_is_forgotten(ready: Ready, tmp_path: Path) -> None:
    host, program = ready.host, ready.program
    before = (program.store / "machines/dev/server.pem").read_bytes()
    fingerprint = new_host_key(host)
    for what, line in COMMANDS.items():
        words = [str(tmp_path / "copy") if word == "COPY" else word for word in line]
        told = program(*words)
        assert told.status in (1, 255), what
        assert "hello" not in told.out
        assert "another ssh host key than the one on record" in told.err, what
        assert fingerprint in told.err, what
        assert "Try: machine ssh --forget-host-key dev" in told.err, what
    assert not (tmp_path / "copy").exists()
    assert (program.store / "machines/dev/server.pem").read_bytes() == before
    program("ssh", "--forget-host-key", "dev").fine()
    assert program("ssh", "dev", "echo", "hello").fine().out == "hello\n"
    program("provision", "dev").fine()
    program("scp", "dev:/etc/hostname", str(tmp_path / "copy")).fine()
    assert (tmp_path / "copy").read_text().strip() == "dev"
    assert new_host_key(host) != fingerprint  # the new key is on record: a third one is refused again
    assert "Try: machine ssh --forget-host-key dev" in program("ssh", "dev", "echo", "hello").err


def new_host_key(host: Host) -> str:
    """Give a host's sshd another identity; its fingerprint."""
    print_it = "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub | cut -d' ' -f2"
    change = "rm -f /etc/ssh/ssh_host_* && ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key"
    seen = host.run(f"{change} && systemctl restart ssh && {print_it}").strip()
    (host.root.parent / "known_hosts").unlink()
    until(lambda: host.run("true; echo up", check=False) == "up\n")
    return seen
