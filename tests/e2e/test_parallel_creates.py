"""Eight machines at once on an empty store: one CA, and every client pair is good for every engine."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.hosts import docker, generic, record
from tests.labs.nspawn import Host, Lab
from tests.program import Program

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(not shutil.which("docker"), reason="needs the docker client"),
]
NAMES = ["a", "b", "c", "d", "e", "f", "g", "h"]


@pytest.fixture(scope="module")
def eight(lab: Lab) -> Iterator[list[Host]]:
    hosts = lab.hosts(NAMES, engine="running")
    yield hosts
    for host in hosts:
        lab.drop(host)


def agree(program: Program) -> None:
    """AssertionError unless the store is whole, has one CA, and each machine's pair opens each engine."""
    machines = program.store / "machines"
    assert program.names() == NAMES
    for file in ("ca.pem", "cert.pem", "key.pem"):
        assert len({(machines / name / file).read_bytes() for name in NAMES}) == 1, file
        assert (machines / "a" / file).read_bytes() == (program.store / "certs" / file).read_bytes()
    assert [p for p in program.store.rglob("*") if p.suffix in (".tmp", ".bak") or p.name == "bug.log"] == []
    assert {record(program, name)["Machine"]["Phase"] for name in NAMES} == {"ready"}
    assert len({record(program, name)["Machine"]["Id"] for name in NAMES}) == 8
    for mine in NAMES:
        pair = program("config", mine).fine().out.splitlines()[:4]
        for theirs in NAMES:
            url = program("url", theirs).fine().out.strip()
            seen = docker(program, *pair, "-H", url, "version", "-f", "{{.Server.Version}}").fine()
            assert seen.out.strip(), (mine, theirs)


def test_eight_processes(eight: list[Host], tmp_path: Path) -> None:
    program = Program(tmp_path / "user")
    started = [program.start(*generic(host), name) for name, host in zip(NAMES, eight, strict=True)]
    for process in started:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        assert "Warning" not in errors
    agree(program)


def test_a_host_of_one_machine_is_refused_to_eight_at_once(eight: list[Host], tmp_path: Path) -> None:
    """Eight processes want one host: one gets it, the others are told whose it is, and nothing is left of them."""
    program = Program(tmp_path / "user")
    started = {name: program.start(*generic(eight[0]), name) for name in NAMES}
    ends = {}
    for name, process in started.items():
        _, errors = process.communicate(timeout=300)
        ends[name] = process.returncode
        assert process.returncode == 0 or "machine rm" in errors, errors
    assert sorted(ends.values()) == [0] + [3] * 7
    assert program.names() == [name for name, status in ends.items() if status == 0]
    program("config", program.names()[0]).fine()
