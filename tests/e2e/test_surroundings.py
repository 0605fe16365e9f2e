"""Odd places and missing parts: stores with odd paths, closed streams, no HOME, a disk that cannot be written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.hosts import docker, generic
from tests.labs.nspawn import Host, Lab
from tests.program import Program

pytestmark = pytest.mark.lab
MACHINE = f"{sys.executable} -m machine"
OTHER = ["create", "-d", "none", "--url", "tcp://192.0.2.1:2376", "other"]  # one more machine, of no host
TOO_LONG_FOR_A_SOCKET = "x" * 120  # sun_path has 108 bytes, sockaddr_un(7)


@pytest.fixture(scope="module")
def host(lab: Lab) -> Iterator[Host]:
    made = lab.host("plain", engine="running")
    yield made
    lab.drop(made)


@pytest.fixture(scope="module")
def made(host: Host, tmp_path_factory: pytest.TempPathFactory) -> Program:
    """A store with the machine `dev`."""
    program = Program(tmp_path_factory.mktemp("plain") / "user")
    program(*generic(host), "dev").fine()
    return program


@pytest.mark.skipif(not shutil.which("docker"), reason="needs the docker client")
@pytest.mark.parametrize("odd", ["a b'c\"d $e", "schön 日本", TOO_LONG_FOR_A_SOCKET, "-s", "%h%d", "a,b:c=d"])
def test_a_store_with_an_odd_path(host: Host, tmp_path: Path, odd: str) -> None:
    program = Program(tmp_path / odd)
    program(*generic(host), "dev").fine()
    seen = program.shell('eval "$(machine env dev)"; docker version -f "{{.Server.Os}}"; echo "$DOCKER_CERT_PATH"')
    assert seen.fine().out.splitlines() == ["linux", str(program.store / "machines" / "dev")]
    assert program("ssh", "dev", "echo", "hi").fine().out == "hi\n"
    assert program("--native-ssh", "ssh", "dev", "echo", "hi").fine().out == "hi\n"
    file = program.place / "a file"
    file.write_text("content")
    program("scp", str(file), "dev:/tmp/copy").fine()
    assert program("ssh", "dev", "cat", "/tmp/copy").fine().out == "content"
    assert docker(program, "--context", "dev", "version").status == 0
    program("provision", "dev").fine()
    program("export", "--with-keys", "dev", "-o", str(program.place / "dev.tgz")).fine()
    program("rm", "-y", "dev").fine()


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed(host: Host, tmp_path: Path, closed: str) -> None:
    """A create does its work; files do not take the streams' numbers; who has data to print says that it cannot."""
    program = Program(tmp_path / "user")
    told = shell(program, f"{MACHINE} {' '.join(generic(host))} dev {closed}")
    assert told.returncode == 0, told.stderr
    for command in ("ls", "ip dev", "url dev", "env dev", "config dev", "status dev", "inspect dev", "version", "help"):
        told = shell(program, f"{MACHINE} {command} {closed}")
        assert "Traceback" not in told.stderr
        if ">&-" in closed.split():
            assert told.returncode == 1, command
            assert told.stderr == "" or "Error: the output cannot be written: stdout is closed" in told.stderr
        else:
            assert told.returncode == 0, command
            assert told.stdout
    assert shell(program, f"{MACHINE} ssh dev true {closed}").returncode == 0
    assert shell(program, f"{MACHINE} --native-ssh ssh dev true {closed}").returncode == 0
    assert shell(program, f"{MACHINE} ip nosuch {closed}").returncode == 4
    assert shell(program, f"{MACHINE} provision dev {closed}").returncode == 0
    assert shell(program, f"{MACHINE} rm -y dev {closed}").returncode == 0
    assert not (program.store / "bug.log").exists()


def test_an_output_that_takes_nothing_more(made: Program) -> None:
    told = shell(made, f"{MACHINE} ls >/dev/full")
    assert told.returncode == 1
    assert told.stderr == (
        "Error: the output cannot be written: No space left on device\n"
        "Try: make room where stdout goes, or send it elsewhere\n"
    )
    told = shell(made, f"{MACHINE} ls | true; echo ${{PIPESTATUS[0]}}")
    assert told.stdout.strip() in ("0", "141")
    assert told.stderr == ""
    assert shell(made, f"{MACHINE} inspect dev 2>/dev/full >/dev/null").returncode == 0
    assert shell(made, f"{MACHINE} ip nosuch 2>/dev/full").returncode == 4


def test_a_pipe_that_is_full_for_a_while(made: Program) -> None:
    """The reader comes late, and with a small buffer: nothing is lost."""
    script = f"for i in 1 2 3 4 5 6 7 8; do {MACHINE} completion bash; done | (sleep 3; wc -c)"
    once = int(shell(made, f"{MACHINE} completion bash | wc -c").stdout)
    assert int(shell(made, script).stdout) == 8 * once


@pytest.mark.parametrize("variable", ["HOME", "PATH", "USER", "TERM", "LANG"])
def test_without_a_variable(made: Program, variable: str) -> None:
    environ = {**made.environ(), "SHELL": "/bin/bash"}
    environ.pop(variable, None)
    for command in ("ls", "ip dev", "env dev", "config dev", "--native-ssh ssh dev true", "provision dev"):
        told = subprocess.run(
            [sys.executable, "-m", "machine", *command.split()], env=environ, capture_output=True, text=True, timeout=60
        )
        assert told.returncode == 0, (command, told.stderr)


def test_without_any_variable(made: Program) -> None:
    environ = {"PYTHONPATH": made.environ()["PYTHONPATH"], "MACHINE_STORAGE_PATH": str(made.store)}
    line = [sys.executable, "-m", "machine", "ip", "dev"]
    assert subprocess.run(line, env=environ, capture_output=True, timeout=60).returncode == 0


@pytest.fixture
def frozen(made: Program, tmp_path: Path) -> Iterator[Path]:
    """The same store on a file system that cannot be written."""
    place = tmp_path / "frozen"
    shutil.copytree(made.store, place)
    os.makedirs(place / "locks", exist_ok=True)
    for words in (["--bind", str(place), str(place)], ["-o", "remount,bind,ro", str(place)]):
        subprocess.run(["mount", *words], check=True)
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_store_that_cannot_be_written(made: Program, host: Host, frozen: Path) -> None:
    """What only reads works; what writes says why it cannot, and has done nothing."""
    for line in ("ls", "ip dev", "url dev", "env dev", "config dev", "status dev", "inspect dev", "ssh dev true"):
        made("-s", str(frozen), *line.split()).fine()
    pid = host.main_pid()
    writers = ("provision dev", "upgrade dev", "regenerate-certs -f dev", "rm -y dev", "restart dev")
    for words in (*(line.split() for line in writers), OTHER):
        told = made("-s", str(frozen), *words)
        assert told.status == 1, words
        assert "read-only file system" in told.err
        assert "Try: check" in told.err
        assert "bug" not in told.err
    assert host.main_pid() == pid


def test_a_store_that_is_a_file(made: Program, host: Host, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a store")
    for words in (["ls"], ["ip", "dev"], [*generic(host), "dev"]):
        told = made("-s", str(tmp_path / "file"), *words)
        assert "Traceback" not in told.err
        assert "bug" not in told.err
        assert told.status == 1
        assert told.err.rstrip().rpartition("\n")[2].startswith("Try: ")


def test_a_working_directory_that_is_gone(made: Program, tmp_path: Path) -> None:
    machine = shutil.which("machine", path=str(Path(sys.executable).parent))
    leave = f"mkdir {tmp_path}/gone && cd {tmp_path}/gone && rmdir {tmp_path}/gone"
    for words in ("ls", "ip dev", "env dev", "ssh dev true"):
        told = shell(made, f"{leave} && {machine} {words}")
        assert told.returncode == 0, told.stderr
    for words in ("-s relative ls", "export dev"):
        told = shell(made, f"{leave} && {machine} {words}")
        assert told.returncode == 1
        assert told.stderr.startswith("Error: the working directory does not exist any more\nTry: cd")


def shell(program: Program, script: str) -> subprocess.CompletedProcess[str]:
    """A shell script whose own streams are open."""
    return subprocess.run(["bash", "-c", script], env=program.environ(), capture_output=True, text=True, timeout=120)
