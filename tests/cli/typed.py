"""Command lines run in this process, and a store with machines whose engines really answer."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import certs
from machine.cli import main
from machine.store import Record, Store
from tests.engine.servers import Files, server_context, serving


class CommandResult:
    """One command line with an environment of its own: `status`, `out`, `err`."""

    def __init__(self, *line: str, environ: dict[str, str]) -> None:
        out, err = io.StringIO(), io.StringIO()
        self.status = main(line, environ=environ, stdout=out, stderr=err)
        self.out, self.err = out.getvalue(), err.getvalue()


class StoreWithEngines:
    """A store in a directory of the test, and what it takes to put machines with engines into it."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self.directory = directory
        self.stack = stack
        self.store = Store(str(directory / "store"))
        self.environ = {"MACHINE_STORAGE_PATH": self.store.root, "HOME": str(directory), "SHELL": "/bin/bash"}
        self.files = Files(directory / "pki")

    def type(self, *line: str, **environ: str) -> CommandResult:
        """Run one command line; `environ` is added to the store's."""
        return CommandResult(*line, environ=self.environ | environ)

    def engine(self) -> int:
        """The port of a new engine at 127.0.0.1 that takes this store's certificates."""
        return self.stack.enter_context(serving(server_context(self.files.server, self.files.ca)))

    def machine(self, name: str, port: int, **options: object) -> Record:
        """A generic machine at 127.0.0.1 with this store's certificates; sshd's port is closed."""
        driver = {"IPAddress": "127.0.0.1", "SSHUser": "root", "SSHPort": 1, "EnginePort": port}
        self.store.add(name)
        record = Record.new(self.store.root, name, "generic", driver)
        for key, value in options.items():
            record.raw["HostOptions"][key].update(value)
        record.phase = "ready"
        self.store.save(record)
        client = certs.make_client(self.files.authority, "test")
        for file, content in (
            ("ca.pem", self.files.authority.cert),
            ("cert.pem", client.cert),
            ("key.pem", client.key),
        ):
            Path(self.store.directory(name), file).write_bytes(content)
        return record

    def none(self, name: str, url: str, phase: str = "ready") -> None:
        """A machine of the driver none, without certificates, whose creation came as far as `phase`."""
        self.store.add(name)
        record = Record.new(self.store.root, name, "none", {"URL": url})
        record.phase = phase
        self.store.save(record)

    def broken(self, name: str, content: str = "{") -> None:
        """A machine whose config.json is damaged."""
        self.store.add(name)
        Path(self.store.directory(name), "config.json").write_text(content)


@contextmanager
def new_store_with_engines(directory: Path) -> Iterator[StoreWithEngines]:
    """A store that ends its engines."""
    with ExitStack() as stack:
        yield StoreWithEngines(directory, stack)
