"""`machine context`, `export` and `import` as typed; the docker client is the real one."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.lines import CommandLine, none

needs_docker = pytest.mark.skipif(shutil.which("docker") is None, reason="the docker client is not installed")


@pytest.fixture
def stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """Two stores; the first is the current one."""
    monkeypatch.setenv("MACHINE_STORAGE_PATH", str(tmp_path / "mine"))
    return str(tmp_path / "mine"), str(tmp_path / "theirs")


def docker(*words: str) -> str:
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=True, timeout=60).stdout.strip()


@needs_docker
def test_a_context_is_made_listed_and_removed(stores: tuple[str, str]) -> None:
    assert none("dev").status == 0
    assert CommandLine(["context", "create", "dev"]).out == "dev\n"
    assert docker("context", "inspect", "dev", "--format", "{{.Endpoints.docker.Host}}") == "tcp://127.0.0.1:2376"
    docker("context", "use", "dev")
    lines = CommandLine(["context", "ls"]).out.splitlines()
    assert lines[0].split() == ["NAME", "MACHINE", "CURRENT", "ENDPOINT"]
    assert lines[1].split() == ["dev", "dev", "*", "tcp://127.0.0.1:2376"]
    assert CommandLine(["context", "update", "dev"]).status == 0
    assert CommandLine(["context", "rm", "dev"]).out == "dev\n"
    assert docker("context", "show") == "default"
    again = CommandLine(["context", "rm", "dev"])
    assert (again.status, again.out) == (4, "")
    assert "no docker context dev" in again.err


@needs_docker
def test_rm_takes_the_context_along_and_leaves_others(stores: tuple[str, str]) -> None:
    none("dev")
    CommandLine(["context", "create", "dev"])
    docker("context", "create", "mine", "--docker", "host=tcp://10.0.0.1:2375")
    assert CommandLine(["rm", "-y", "dev"]).status == 0
    assert docker("context", "ls", "-q").split() == ["default", "mine"]


@needs_docker
def test_somebody_elses_context_is_refused(stores: tuple[str, str]) -> None:
    none("dev")
    CommandLine(["context", "rm", "dev"])
    docker("context", "create", "dev", "--docker", "host=tcp://10.0.0.1:2375")
    done = CommandLine(["context", "create", "dev"])
    assert (done.status, done.out) == (1, "")
    assert "was not made by machine" in done.err
    assert "Try: docker context rm dev" in done.err


@pytest.mark.parametrize(
    ("line", "status"), [(["context", "nope"], 2), (["context", "create"], 4), (["context", "create", "nope"], 4)]
)
def test_what_makes_no_sense_is_an_error(stores: tuple[str, str], line: list[str], status: int) -> None:
    done = CommandLine(line)
    assert (done.status, done.out) == (status, "")
    assert done.err


def test_a_machine_goes_to_a_colleague(stores: tuple[str, str], tmp_path: Path) -> None:
    none("dev")
    out = str(tmp_path / "dev.tar.gz")
    sent = CommandLine(["export", "dev", "--with-keys", "-o", out])
    assert (sent.status, sent.out) == (0, out + "\n"), sent.err
    assert "private keys" in sent.err
    got = CommandLine(["-s", stores[1], "import", out, "--name", "shared"])
    assert (got.status, got.out) == (0, "shared\n"), got.err
    assert CommandLine(["-s", stores[1], "url", "shared"]).out == "tcp://127.0.0.1:2376\n"
    for name in ("ca.pem", "cert.pem", "key.pem"):
        theirs = Path(stores[1], "machines", "shared", name)
        assert theirs.read_bytes() == Path(stores[0], "machines", "dev", name).read_bytes()
    again = CommandLine(["-s", stores[1], "import", out, "--name", "shared"])
    assert again.status == 5
    assert "already exists" in again.err


def test_without_keys_the_advice_says_what_to_ask_for(stores: tuple[str, str], tmp_path: Path) -> None:
    none("dev")
    out = str(tmp_path / "dev.tar.gz")
    assert "--with-keys" in CommandLine(["export", "dev", "-o", out]).err
    got = CommandLine(["-s", stores[1], "import", out])
    assert (got.status, got.out) == (0, "dev\n")
    assert "machine export --with-keys dev" in got.err


def test_a_file_is_not_overwritten_unless_forced(stores: tuple[str, str], tmp_path: Path) -> None:
    none("dev")
    out = tmp_path / "dev.tar.gz"
    out.write_text("mine")
    done = CommandLine(["export", "dev", "-o", str(out)])
    assert done.status == 1
    assert "exists already" in done.err
    assert out.read_text() == "mine"
    assert CommandLine(["export", "dev", "-f", "-o", str(out)]).status == 0
    assert out.stat().st_mode & 0o777 == 0o600


def test_through_a_pipe(stores: tuple[str, str]) -> None:
    none("dev")
    machine = [sys.executable, "-m", "machine"]
    sent = subprocess.run([*machine, "export", "--with-keys", "-o", "-", "dev"], capture_output=True, check=True)
    got = subprocess.run([*machine, "-s", stores[1], "import", "-"], input=sent.stdout, capture_output=True, check=True)
    assert got.stdout == b"dev\n"
    assert CommandLine(["-s", stores[1], "ip", "dev"]).out == "127.0.0.1\n"


def test_import_of_nonsense(stores: tuple[str, str], tmp_path: Path) -> None:
    (tmp_path / "x").write_text("nonsense")
    for path in (str(tmp_path / "x"), str(tmp_path / "nothing")):
        done = CommandLine(["import", path])
        assert (done.status, done.out) == (1, "")
        assert "Try: " in done.err
    assert CommandLine(["ls", "-q"]).out == ""
