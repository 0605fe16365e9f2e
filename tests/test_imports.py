"""What the fast commands may not import: start-up time is kept by a list of modules, not by a clock.

Each command runs in a fresh interpreter without `site` (so nothing is loaded that the command did not ask for), as
the installed script does it: import machine.cli, call main. What sys.modules then holds is all that it cost.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import certs
from machine import background, docker_context
from machine.store import Record, Store
from tests.engine.servers import Files, server_context, serving

ROOT = Path(__file__).parents[1]
RUN = """
import os, sys
sys.path.insert(0, sys.argv[1])
from machine.cli import main
status = main(sys.argv[3:])
sys.stdout.flush()
with open(sys.argv[2], "w") as file:
    file.write("\\n".join([str(status), *sys.modules]))
"""

CLOUDS = {"boto3", "botocore", "openstack", "keystoneauth1", "azure", "libcloud"}
HEAVY = {"cryptography", "paramiko", "rich", "pycdlib", "asyncio", "importlib.metadata", "h11", "keyring", *CLOUDS}
SLOW = {
    "dataclasses",
    "inspect",
    "typing",
    "pathlib",
    "logging",
    "tempfile",
    "email",
    "uuid",
    "decimal",
    "urllib.parse",
}
OUTSIDE = {"subprocess", "socket", "ssl", "http", "http.client", "select", "selectors", "threading"}
OURS = {
    "machine.model",
    "machine.options",
    "machine.drivers.base",
    "machine.drivers.registry",
    "machine.lifecycle",
    "machine.provision",
    "machine.ssh.client",
}

NOTHING = HEAVY | SLOW | OUTSIDE | OURS | {"machine.engine", "machine.secrets", "shutil"}
READS_A_RECORD = NOTHING - {"machine.secrets"}  # inspect hides old clear text with it
ASKS_AN_ENGINE = (HEAVY | SLOW | OURS | {"subprocess", "http", "http.client"}) - {"threading"}
ONLY_CREATES = {"shlex", "machine.ssh.private_key", "machine.drivers.cloud.flags", "machine.drivers.missing_options"}
ASKS_A_DRIVER = (
    HEAVY
    | {"ssl", "http", "http.client", "tempfile", "logging", "machine.provision", "machine.engine", "machine.redaction"}
    | ONLY_CREATES
)

BOUNDS = {
    "version": NOTHING | {"machine.store", "json"},
    "--version": NOTHING | {"machine.store", "json"},
    "ls -q": NOTHING,
    "ip dev": NOTHING,
    "url dev": NOTHING,
    "inspect dev": READS_A_RECORD,
    "inspect dev -f {{.HostOptions.AuthOptions.StorePath}}": READS_A_RECORD,
    "env --shell bash dev": ASKS_AN_ENGINE,
    "config dev": ASKS_AN_ENGINE,
    "ls": (HEAVY | OURS | {"subprocess", "http", "http.client"}) - {"threading"},
    "status dev": ASKS_A_DRIVER,
    "active": (HEAVY | OURS | {"subprocess", "http", "http.client"}) - {"threading"},
}


def loaded(store: Store, words: list[str], report: Path) -> tuple[set[str], str]:
    """The modules that a command loaded, and its output; it must succeed."""
    done = subprocess.run(
        [sys.executable, "-S", "-E", "-c", RUN, str(ROOT), str(report), *words],
        capture_output=True,
        text=True,
        timeout=60,
        env={
            "PATH": os.environ["PATH"],
            "HOME": os.environ["HOME"],
            "MACHINE_STORAGE_PATH": store.root,
            "DOCKER_CONFIG": str(report.parent / "docker"),
        },
        check=False,
    )
    assert report.exists(), done.stderr
    status, *modules = report.read_text().split("\n")
    assert status == "0", done.stderr
    return set(modules), done.stdout


@pytest.mark.parametrize("line", BOUNDS)
def test_a_fast_command_loads_nothing_it_does_not_need(line: str, tmp_path: Path) -> None:
    files = Files(tmp_path / "pki")
    store = Store(str(tmp_path / "store"))
    with serving(server_context(files.server, files.ca)) as port:
        store.add("dev")
        record = Record.new(store.root, "dev", "none", {"URL": f"tcp://127.0.0.1:{port}"})
        record.set_shares({"/data": {"Writable": True, "Target": "/data"}})  # as every new machine of qemu has one
        store.save(record)
        background.expect(os.path.join(store.directory("dev"), "share-0123456789ab.lock"))
        client = certs.make_client(files.authority, "test")
        for name, content in (("ca.pem", files.authority.cert), ("cert.pem", client.cert), ("key.pem", client.key)):
            Path(store.directory("dev"), name).write_bytes(content)
        environ = {"DOCKER_CONFIG": str(tmp_path / "docker")}
        docker_context.write("dev", f"tcp://127.0.0.1:{port}", store.directory("dev"), environ=environ)
        docker_context.use("dev", cert_dir=store.directory("dev"), environ=environ)
        modules, output = loaded(store, line.split(" "), tmp_path / "report")
    assert output.strip()
    assert modules & BOUNDS[line] == set()


def test_the_store_costs_json_and_os_only() -> None:
    """Whatever json and os load is free; importing machine.store adds our own small modules."""
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); import json, os; before = set(sys.modules);"
        " import machine.store; print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-S", "-E", "-c", program], capture_output=True, text=True, check=True)
    added = done.stdout.split()
    assert "machine.store.record" in added
    assert [name for name in added if not name.startswith("machine")] in ([], ["__future__"])
    assert OURS.isdisjoint(added)


def test_every_machine_is_listed_without_reading_one(tmp_path: Path) -> None:
    """ls -q on a store of damaged records neither reads nor minds them."""
    store = Store(str(tmp_path / "store"))
    for name in ("b", "a"):
        store.add(name)
        Path(store.directory(name), "config.json").write_text("{")
    modules, output = loaded(store, ["ls", "-q"], tmp_path / "report")
    assert output == "a\nb\n"
    assert modules & NOTHING == set()
