"""What the tests on lab hosts share: wishes with real certificates, a shell, and the engine seen from here."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import certs
from machine.model import EngineOptions
from machine.provision import Outcome, Spec, apply_steps, gather, plan
from machine.ssh.client import SshShell
from tests.labs import image
from tests.labs.nspawn import Host


class Boot(Protocol):
    """Boots a host in one of the lab's states."""

    def __call__(self, name: str, *, engine: str = "running") -> Host: ...


@cache
def authority() -> tuple[certs.Pair, certs.Pair]:
    """A CA, and a client that it knows."""
    ca = certs.make_ca("lab")
    return ca, certs.make_client(ca, "lab")


def wishes(host: Host, **engine: Any) -> Spec:
    """A spec with a fresh server certificate for the host."""
    ca, _ = authority()
    server = certs.make_server(ca, "lab", [host.address, "localhost"])
    options = EngineOptions(install_url="distro")
    return Spec(host.name, "generic", ca.cert, server.cert, server.key, engine=replace(options, **engine))


def shell(host: Host, user: str = "root") -> SshShell:
    known = str(Path(host.key).parent / "known_hosts")
    return SshShell.connect(
        host.address,
        host.port,
        user,
        key_path=host.key,
        known_hosts=known,
        alias=host.address,
        timeout=20,
        trust_new=True,
    )


def provision(host: Host, spec: Spec, user: str = "root") -> Outcome:
    """Facts, plan, action, as the program does it."""
    with shell(host, user) as connection:
        facts = gather(connection, lambda _: None)
        return apply_steps(plan(facts, spec), connection, lambda _: None)


def ask(host: Host, directory: Path, path: str) -> Any:
    """GET from the engine over TLS, with both sides checked; JSON if it is."""
    ca, client = authority()
    for name, content in (("ca.pem", ca.cert), ("cert.pem", client.cert), ("key.pem", client.key)):
        (directory / name).write_bytes(content)
    context = ssl.create_default_context(cafile=str(directory / "ca.pem"))
    context.load_cert_chain(str(directory / "cert.pem"), str(directory / "key.pem"))
    connection = http.client.HTTPSConnection(host.address, 2376, context=context, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    assert answer.status == 200, body
    return json.loads(body) if body.startswith((b"{", b"[")) else body.decode()


def settled(host: Host) -> None:
    """Wait until a host that boots with Docker has it running."""
    deadline = time.monotonic() + 30
    while host.run("systemctl is-active docker.service", check=False).strip() != "active":
        assert time.monotonic() < deadline, host.run("journalctl -u docker -n 20 --no-pager", check=False)
        time.sleep(0.1)


def publish_newer(host: Host) -> None:
    """Put a docker.io with a higher version into the host's mirror; its programs are the same."""
    host.run(
        "cd /srv/apt && dpkg-deb -R docker.io_*.deb /tmp/new "
        "&& sed -i 's/^Version: .*/&+lab1/' /tmp/new/DEBIAN/control "
        "&& dpkg-deb -Znone -b /tmp/new docker.io_newer.deb >/dev/null"
    )
    image.index(host.root / "srv/apt")
