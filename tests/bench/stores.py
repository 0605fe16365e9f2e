"""Stores of machines that were never made: records and certificates as `create` would have left them."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import certs
from machine.store import Record, Store
from tests.bench.subject import ROOT

PORT = 2376  # the only one that docker-machine asks


class Fleet:
    """Addresses of one loopback net, and the certificates that all their engines have in common."""

    def __init__(self, place: Path, net: str = "127.91") -> None:
        self.place = place
        place.mkdir(parents=True)
        self.addresses = [f"{net}.{third}.{last}" for third in (1, 2, 3) for last in range(1, 101)]
        authority = certs.make_ca("bench")
        client = certs.make_client(authority, "bench")
        self.files = {"ca.pem": authority.cert, "cert.pem": client.cert, "key.pem": client.key}
        (place / "ca.pem").write_bytes(authority.cert)
        self.authority = authority

    def answering(self, count: int) -> list[str]:
        """Addresses with an engine."""
        return self.addresses[:count]

    def refusing(self, count: int) -> list[str]:
        """Addresses where nothing listens."""
        return self.addresses[100 : 100 + count]

    def silent(self, count: int) -> list[str]:
        """Addresses that swallow whatever comes."""
        return self.addresses[200 : 200 + count]

    @contextlib.contextmanager
    def engines(self, answering: int = 100, silent: int = 50) -> Iterator[None]:
        """The engines, as a process."""
        served = []
        for address in self.answering(answering):
            pair = certs.make_server(self.authority, "bench", [address, "localhost"])
            path = self.place / f"{address}.pem"
            path.write_bytes(pair.cert + pair.key)
            served.append({"address": address, "pair": str(path)})
        lists = {"answering": served, "silent": self.silent(silent), "ca": str(self.place / "ca.pem"), "port": PORT}
        spec = self.place / "engines.json"
        spec.write_text(json.dumps(lists))
        argv = [sys.executable, "-m", "tests.bench.engines", str(spec)]
        with subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            if process.stdout.readline() != b"ready\n":
                raise RuntimeError(f"the engines of the bench cannot listen at {self.addresses[0]} port {PORT}")
            try:
                yield
            finally:
                process.stdin.close()
                process.wait()

    def store(self, root: Path, addresses: Sequence[str], first: str = "") -> None:
        """A store at `root` with a machine for each address, called `first`, then m002, m003 and so on."""
        store = Store(str(root))
        for number, address in enumerate(addresses, 1):
            name = first if first and number == 1 else f"m{number:03}"
            store.add(name)
            # ssh is looked for where the engine is: docker-machine's driver calls a host running that listens there
            driver = {"IPAddress": address, "SSHUser": "root", "SSHPort": PORT, "EnginePort": PORT}
            record = Record.new(store.root, name, "generic", driver)
            record.phase = "ready"
            store.save(record)
            for file, content in self.files.items():
                Path(store.directory(name), file).write_bytes(content)
        certificates = root / "certs"
        certificates.mkdir()
        for file, content in self.files.items():
            (certificates / file).write_bytes(content)
