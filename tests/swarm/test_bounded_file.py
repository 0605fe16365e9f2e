"""Files that flags and URLs name may be pipes: those that bring something are read, and no other stops the program."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import certs
from machine.errors import CertificateError, UsageError
from machine.swarm import bounded_file, limits
from machine.swarm.cluster.ledger import Ledger
from machine.swarm.cluster.signing import load_key
from machine.swarm.discovery import DiscoveryError, from_url, tls_of
from machine.swarm.http.address import TlsConfig

SWARM = (sys.executable, "-m", "machine", "swarm")


@pytest.fixture
def pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A pipe that nobody writes to, and little patience."""
    monkeypatch.setattr(bounded_file.read, "__defaults__", (limits.FILE, 0.2))
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return str(path)


@pytest.mark.parametrize("command", ["list", "manage"])
def test_a_discovery_at_a_pipe_that_nobody_writes_to_ends_and_can_be_ended(command: str, tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    words = ["-H", f"unix://{tmp_path}/s"] if command == "manage" else []
    environ = os.environ | {"MACHINE_STORAGE_PATH": str(tmp_path / "store")}
    argv = [*SWARM, command, *words, f"file://{path}"]
    process = subprocess.Popen(argv, stderr=subprocess.PIPE, env=environ, text=True)
    try:
        if command == "manage":
            time.sleep(2)
            process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=20)
    finally:
        process.kill()
    if command == "list":
        assert process.returncode == 1
        assert f"{path} cannot be read: it is no plain file, and was not written to its end within 5 s" in said
    else:
        assert process.returncode in (0, 143, -signal.SIGTERM)


def test_a_list_comes_through_a_pipe_of_the_shell(tmp_path: Path) -> None:
    argv = ["bash", "-c", f"{shlex.join(SWARM)} list file://<(echo a:1; sleep 0.3; echo b:1)"]
    environ = os.environ | {"MACHINE_STORAGE_PATH": str(tmp_path)}
    done = subprocess.run(argv, capture_output=True, text=True, env=environ, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "a:1\nb:1\n", "")


async def test_engines_that_came_through_a_pipe_stay(pipe: str) -> None:
    found = from_url(f"file://{pipe}")
    _write(pipe, b"a:1\n")
    assert [await found.nodes() for _ in range(3)] == [["a:1"]] * 3


def test_certificates_that_come_through_pipes_are_good_for_both_sides_of_a_manager(tmp_path: Path, pipe: str) -> None:
    pair = certs.make_ca("test")
    paths = []
    for name, content in (("ca", pair.cert), ("cert", pair.cert), ("key", pair.key)):
        paths.append(str(tmp_path / name))
        os.mkfifo(paths[-1])
        _write(paths[-1], content)
    ca, cert, key = paths
    trust = TlsConfig(ca, cert, key)
    assert trust.for_client().cert_store_stats()["x509"] == 1
    assert trust.for_server().cert_store_stats()["x509"] == 1
    assert tls_of({"kv.cacertfile": paths[0], "kv.certfile": paths[1], "kv.keyfile": paths[2]}) is not None


def test_certificates_and_keys_at_a_pipe_that_nobody_writes_to_are_refused(pipe: str) -> None:
    for trust in (TlsConfig(pipe, pipe, pipe), TlsConfig(pipe, pipe, pipe, verify=False)):
        for load in (trust.for_client, trust.for_server):
            with pytest.raises(CertificateError) as caught:
                load()
            assert "it is no plain file, and was not written" in caught.value.details
    with pytest.raises(DiscoveryError, match="it is no plain file"):
        tls_of({"kv.cacertfile": pipe})
    with pytest.raises(UsageError, match="it is no plain file"):
        load_key(pipe)


def test_a_key_comes_through_a_pipe(pipe: str) -> None:
    _write(pipe, b"ab" * 32)
    os.chmod(pipe, 0o600)
    assert load_key(pipe) == b"\xab" * 32


def test_what_was_removed_is_kept_in_memory_where_its_file_is_a_pipe(pipe: str) -> None:
    said: list[str] = []
    ledger = Ledger(pipe, said.append)
    ledger.record_container("id", 0, "key")
    assert ledger.knows("id")
    assert len(said) == 2


def test_what_never_ends_is_refused() -> None:
    with pytest.raises(OSError, match="it has more than 1048576 bytes"):
        bounded_file.read("/dev/zero", 1 << 20)


def _write(path: str, content: bytes) -> None:
    def write() -> None:
        with open(path, "wb") as file:
            file.write(content)

    threading.Thread(target=write, daemon=True).start()
