"""Eight `machine create` at once on an empty store: one CA, and every machine's copies are good for every engine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import certs
from machine import authority
from tests.certs.handshake import client_context, handshake, server_context

NAMES = [f"m{number}" for number in range(8)]


def test_a_tls_san_that_is_no_name_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    store = tmp_path / "store"
    words = [
        "-s",
        str(store),
        "create",
        "-d",
        "none",
        "--url",
        "tcp://127.0.0.1:2376",
        "--tls-san",
        "http://x:80",
        "dev",
    ]
    done = subprocess.run([sys.executable, "-m", "machine", *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "'http://x:80' is neither an IP address nor a DNS name" in done.stderr
    assert not (store / "machines").exists()


def test_eight_creates_at_once_share_one_ca(tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    create = [sys.executable, "-m", "machine", "-s", store, "create", "-d", "none", "--url", "tcp://127.0.0.1:2376"]
    processes = [
        subprocess.Popen([*create, name], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for name in NAMES
    ]
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        assert "warn" not in errors.lower()
    found = authority.ensure(store)
    servers = [found.issue_server(name, ["127.0.0.1"]) for name in NAMES]
    for name in NAMES:
        here = Path(store, "machines", name)
        pair = certs.Pair((here / "cert.pem").read_bytes(), (here / "key.pem").read_bytes())
        for server in servers:
            handshake(
                server_context(server, found.ca), client_context(pair, (here / "ca.pem").read_bytes()), "127.0.0.1"
            )
