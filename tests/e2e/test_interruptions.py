"""Signals, rivals and a full disk in the middle of a create: what is said, what is left, how it goes on."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import IO

import pytest

from tests.e2e.hosts import docker, generic, record, until
from tests.labs.nspawn import Host, Lab
from tests.program import Program
from tests.provision.hosts import Boot

pytestmark = pytest.mark.lab
STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
PHASES = (
    "Taking over the host",
    "Logging in",
    "Gathering facts about the machine",
    "Setting up Docker",
    "Checking the engine from here",
)
# One way leads from every signal to what is said and done: each phase gets one, and one phase gets each.
STRUCK = [
    *((phase, signal.SIGINT) for phase in PHASES),
    *(("Setting up Docker", number) for number in STATUS if number != signal.SIGINT),
]


@pytest.fixture(scope="module")
def host(lab: Lab) -> Iterator[Host]:
    made = lab.host("struck", engine="running")
    yield made
    lab.drop(made)


def read_until(stream: IO[str], text: str) -> str:
    """What a process has said, up to the line with `text`."""
    seen = ""
    for line in stream:
        seen += line
        if text in line:
            return seen
    raise AssertionError(f"it never said {text!r}:\n{seen}")


@contextlib.contextmanager
def stopped(host: Host, process: str) -> Iterator[None]:
    """A program on the host that has frozen."""
    pid = int(host.run(f"systemctl show -p MainPID --value {process}"))
    host_pid = next(  # as this computer numbers it
        int(entry.name) for entry in Path("/proc").glob("[0-9]*") if _number_inside(entry, host.root) == pid
    )
    os.kill(host_pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(host_pid, signal.SIGCONT)


@contextlib.contextmanager
def engine_out_of_reach(host: Host) -> Iterator[None]:
    """A host whose engine's port is closed for a while, so that a check of it lasts until a signal has come."""
    host.run("iptables -I INPUT -p tcp --dport 2376 -j DROP")
    try:
        yield
    finally:
        host.run("iptables -D INPUT -p tcp --dport 2376 -j DROP")


def _number_inside(entry: Path, root: Path) -> int:
    """The process id that a process of the host has in there; 0 for processes elsewhere."""
    try:
        if (entry / "root").stat().st_dev != root.stat().st_dev or (entry / "root").stat().st_ino != root.stat().st_ino:
            return 0
        numbers = next(line for line in (entry / "status").read_text().splitlines() if line.startswith("NSpid:"))
        return int(numbers.split()[-1])
    except OSError:
        return 0


@pytest.mark.parametrize(("phase", "number"), STRUCK, ids=lambda value: getattr(value, "name", value))
def test_a_signal_in_every_phase(host: Host, program: Program, phase: str, number: signal.Signals) -> None:
    with engine_out_of_reach(host) if phase == PHASES[-1] else contextlib.nullcontext():
        process = program.start(*generic(host), "dev")
        assert process.stderr is not None
        read_until(process.stderr, phase)
        process.send_signal(number)
        _, told = process.communicate(timeout=30)
    assert process.returncode == STATUS[number], told
    assert "Error: interrupted; dev is incomplete" in told
    assert "Try: machine create --resume dev continues from here; machine rm dev removes it" in told
    assert "Traceback" not in told
    assert record(program, "dev")["Machine"]["Phase"] != "ready"
    assert "dev" in program("ls").fine().out
    assert "incomplete" in program(*generic(host), "dev").err
    program("create", "--resume", "dev").fine()
    program("config", "dev").fine()
    program("rm", "-y", "dev").fine()
    assert program.names() == []
    assert list((program.store / "locks").glob("machine-*")) == []


def test_ctrl_c_before_there_is_anything(host: Host, program: Program) -> None:
    nobody = replace(host, address=host.address.rpartition(".")[0] + ".250")  # the check takes its three seconds
    process = program.start(*generic(nobody), "dev")
    assert process.stderr is not None
    read_until(process.stderr, "Checking what driver generic needs")
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert (process.returncode, told) == (130, "Error: interrupted; nothing was made of dev\n")
    assert not program.store.exists()


def begun_thrice(host: Host, program: Program, names: list[str]) -> None:
    """Records of creates that were cut short, all of one host: a create itself refuses to make more than one of it."""
    program(*generic(host), names[0]).fine()
    first = program.store / "machines" / names[0]
    for name in names:
        if name != names[0]:
            shutil.copytree(first, first.parent / name, ignore=shutil.ignore_patterns("known_hosts"))
        config = first.parent / name / "config.json"
        raw = json.loads(config.read_text().replace(f"/{names[0]}/", f"/{name}/"))
        raw["Name"] = raw["Driver"]["MachineName"] = name
        raw["Machine"]["Phase"] = "reachable"
        config.write_text(json.dumps(raw))


def test_ctrl_c_of_several(host: Host, program: Program) -> None:
    names = ["one", "two", "three"]
    begun_thrice(host, program, names)
    with stopped(host, "ssh.service"):
        process = program.start("create", "--resume", *names)
        assert process.stderr is not None
        for _ in names:
            read_until(process.stderr, "Logging in")
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=30)
    assert process.returncode == 130, told
    assert "Error: interrupted while working on one, three, two\n" in told
    assert "Try: machine create --resume one three two continues from here; machine rm one three two removes" in told
    program("create", "--resume", *names).fine()
    assert {record(program, name)["Machine"]["Phase"] for name in names} == {"ready"}


@pytest.mark.parametrize("phase", PHASES[1:])
def test_ctrl_c_of_several_in_the_middle_of_things(host: Host, program: Program, phase: str) -> None:
    """Threads cannot be stopped inside a system call: some may come to their end, none may leave a mess."""
    names = ["one", "two", "three"]
    begun_thrice(host, program, names)
    process = program.start("create", "--resume", *names)
    assert process.stderr is not None
    read_until(process.stderr, phase)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode in (0, 130), told
    assert "Traceback" not in told
    assert "Fatal Python error" not in told
    left = program.names()
    assert [name for name in left if record(program, name)["Machine"]["Phase"] != "ready"] == [] or process.returncode
    program("create", "--resume", *left).fine()
    assert {record(program, name)["Machine"]["Phase"] for name in left} == {"ready"}
    program("rm", "-y", *left).fine()


def test_ctrl_c_while_docker_is_being_installed(boot: Boot, lab: Lab, program: Program, tmp_path: Path) -> None:
    """The script over there is in the middle of it and knows nothing; the resume waits for its turn."""
    host = boot("installing", engine="missing")
    script = "until [ -e /run/go ]; do sleep 0.1; done; apt-get update -q; apt-get install -y -q docker.io"
    (tmp_path / "install").write_text(script)
    serve = ["python3", "-m", "http.server", "--bind", lab.gateway, "--directory", str(tmp_path), "0"]
    with subprocess.Popen(
        serve, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    ) as site:
        assert site.stdout is not None
        port = site.stdout.readline().split(" port ")[1].split()[0]
        process = program.start(*generic(host, "--engine-install-url", f"http://{lab.gateway}:{port}/install"), "dev")
        until(lambda: "install-docker.sh" in host.run("ps -eo args"))
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
        assert process.returncode == 130
        resumed = program.start("create", "--resume", "dev")
        assert resumed.stderr is not None
        read_until(resumed.stderr, "Setting up Docker")
        host.run("touch /run/go")
        _, told = resumed.communicate(timeout=200)
        site.terminate()
    assert resumed.returncode == 0, told
    program("config", "dev").fine()
    assert docker(program, "--context", "dev", "version").status == 0


def test_rivals(boot: Boot, program: Program) -> None:
    """While one process makes a machine, the others are told so and touch nothing."""
    host = boot("wanted", engine="missing")
    with stopped(host, "ssh.service"):
        first = program.start(*generic(host, "--engine-install-url", "distro"), "dev")
        assert first.stderr is not None
        read_until(first.stderr, "Logging in")
        told = program(*generic(host), "dev")
        assert told.status == 5
        assert f'Docker machine "dev" already exists: process {first.pid} is making it' in told.err
        lines = (["rm", "-y", "dev"], ["create", "--resume", "dev"], ["rm", "-f", "dev"])
        with ThreadPoolExecutor(len(lines)) as side_by_side:  # each waits its ten seconds for the lock
            answers = list(side_by_side.map(lambda line: program(*line), lines))
        for line, told in zip(lines, answers, strict=True):
            assert told.status == (0 if "-f" in line else 1), line  # rm -f as GitLab Runner has it
            assert f"is held by process {first.pid}" in told.err
            assert "that process is there to: create dev" in told.err
        assert program.names() == ["dev"]
    _, said = first.communicate(timeout=200)
    assert first.returncode == 0, said
    program("config", "dev").fine()


def test_two_creates_of_one_name_at_once(host: Host, program: Program) -> None:
    for _ in range(3):
        rivals = [program.start(*generic(host), "dev") for _ in range(3)]
        told = [process.communicate(timeout=120)[1] for process in rivals]
        assert sum(process.returncode == 0 for process in rivals) == 1, told
        for process, text in zip(rivals, told, strict=True):
            if process.returncode:
                assert "dev" in text
                words, status = ("already exists", 5) if "already exists" in text else ("is held by process", 1)
                assert words in text
                assert process.returncode == status, text
        program("config", "dev").fine()
        program("rm", "-y", "dev").fine()


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own for the store, to be sized with `mount`."""
    place = tmp_path / "tiny"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k,mode=0700", "tiny", str(place)], check=True)
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_disk_that_is_full(host: Host, program: Program, tiny: Path) -> None:
    """With every page more the create comes further; each time it says so, and nothing is left half-written."""
    ends = set()
    for pages in range(1, 24):
        subprocess.run(["mount", "-o", f"remount,size={pages * 4}k", str(tiny)], check=True)
        told = program("-s", str(tiny), *generic(host, "--no-context"), "dev")
        ends.add(told.status)
        assert "Traceback" not in told.err
        if told.status:
            assert "no space left on device" in told.err.lower()
            assert "Try: make room on that disk" in told.err
        assert [path for path in tiny.rglob("*") if path.name.endswith(".tmp")] == []
        names = program("-s", str(tiny), "ls", "-q").fine().out.split()
        if names and told.status:
            assert "create --resume dev" in told.err
            assert "Error" not in program("-s", str(tiny), "inspect", "dev").fine().err
        for name in names:
            program("-s", str(tiny), "rm", "-y", name).fine()
        for path in (tiny / "certs").glob("*"):
            path.unlink()
        if not told.status:
            break  # there is room for all of it
    assert ends == {0, 1}


def test_room_made_again_a_resume_finishes(host: Host, program: Program, tiny: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=28k", str(tiny)], check=True)
    assert program("-s", str(tiny), *generic(host), "dev").status == 1
    subprocess.run(["mount", "-o", "remount,size=1m", str(tiny)], check=True)
    program("-s", str(tiny), "create", "--resume", "dev").fine()
    program("-s", str(tiny), "config", "dev").fine()
