"""Directories of this computer on a real virtual machine. One machine lives through the module's tests in order."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from machine import background
from tests.e2e.test_qemu import BUSYBOX, docker, until
from tests.e2e.vms import program
from tests.program import Ended, Program

__all__ = ["program"]

pytestmark = pytest.mark.vm
PATIENCE = 900.0  # seconds: an image that was built before it had sshfs gets it over the net, without KVM


@pytest.fixture(scope="module")
def project(program: Program) -> Path:
    """A directory of the home directory, beside credentials."""
    made = program.place / "project"
    (program.place / ".ssh").mkdir(parents=True)
    (program.place / ".ssh" / "id").write_text("secret")
    made.mkdir()
    (made / "file").write_text("from here")
    (made / "out").symlink_to(program.store / "certs" / "ca-key.pem")
    return made


@pytest.fixture(scope="module")
def created(program: Program, project: Path) -> Ended:
    """What `machine create dev` printed that shares the home directory, as it does unless told otherwise."""
    ended = program("create", "dev", timeout=900, environ={"MACHINE_SHARE": ""}).fine()
    until(lambda: _states(program) == ["mounted"], "the home directory is mounted", PATIENCE)
    docker(program, BUSYBOX)
    return ended


def _states(program: Program) -> list[str]:
    return [share["State"] for share in json.loads(program("share", "dev", "--json").fine().out)]


def _run(program: Program, command: str, place: Path, user: str = "0:0") -> Ended:
    """A shell command in a container of the machine that has `place` as /app."""
    words = f"docker run --rm -u {user} -v '{place}':/app busybox sh -c '{command}'"
    return program.shell(f'eval "$(machine env dev)"; {words}')


@pytest.mark.usefixtures("created")
def test_a_bind_mount_shows_and_changes_what_is_here(program: Program, project: Path) -> None:
    assert _run(program, "busybox cat /app/file", project).fine().out == "from here"
    for user in ("0:0", "1000:1000", "65534:65534"):
        name = f"by-{user.partition(':')[0]}"
        _run(program, f"echo {user} > /app/{name}", project, user).fine()
        assert (project / name).read_text() == f"{user}\n"
        assert (project / name).stat().st_uid == os.getuid()


@pytest.mark.usefixtures("created")
def test_credentials_and_the_store_are_not_there(program: Program, project: Path) -> None:
    listed = _run(program, "busybox ls -a /app", program.place).fine().out.split()
    assert "project" in listed
    assert not {".ssh", ".docker", program.store.name} & set(listed)
    for command in ("busybox cat /app/.ssh/id", "busybox mkdir /app/.ssh", "busybox cat /app/project/out"):
        assert _run(program, command, program.place).status != 0, command
    assert [path.name for path in (program.place / ".ssh").iterdir()] == ["id"]


@pytest.mark.usefixtures("created")
def test_what_is_shared_inside_it_counts_there(program: Program, project: Path) -> None:
    """Nothing is mounted anew: the machine's kernel keeps what it knew of names for some seconds."""
    keys = program.place / ".ssh"
    program("share", "dev", str(project), str(keys), timeout=120).fine()
    assert _states(program) == ["mounted"] * 3
    assert _run(program, "echo x > /app/refused", project).status != 0
    assert _run(program, "busybox cat /app/file", project).fine().out == "from here"
    _run(program, "echo x > /app/taken", program.place).fine()
    until(lambda: _run(program, "busybox cat /app/.ssh/id", program.place).out == "secret", "the keys are there", 60)
    assert _run(program, "echo x > /app/.ssh/id", program.place).status != 0
    program("share", "--stop", "dev", str(project), str(keys), timeout=120).fine()
    assert _states(program) == ["mounted"]
    _run(program, "echo x > /app/taken-again", project).fine()
    until(lambda: _run(program, "busybox cat /app/.ssh/id", program.place).status != 0, "they are hidden again", 60)
    assert not (project / "refused").exists()


@pytest.mark.usefixtures("created")
def test_a_service_that_was_killed_is_started_again(program: Program, project: Path) -> None:
    lock = next((program.store / "machines" / "dev").glob("share-*.lock"))
    pid = background.running(str(lock))
    os.kill(pid, signal.SIGKILL)
    until(lambda: not background.running(str(lock)), "it is gone")
    until(lambda: _states(program) == ["mounted"] and background.running(str(lock)), "it is back", 120)
    assert background.running(str(lock)) != pid
    assert _run(program, "busybox cat /app/file", project).fine().out == "from here"


@pytest.mark.usefixtures("created")
def test_a_stop_ends_it_and_a_start_brings_it_back(program: Program, project: Path) -> None:
    program("stop", "dev", timeout=300).fine()
    assert list((program.store / "machines" / "dev").glob("share-*.lock")) == []
    assert _states(program) == ["off"]
    program("start", "dev", timeout=600).fine()
    assert _states(program) == ["mounted"]
    assert _run(program, "busybox cat /app/file", project).fine().out == "from here"


@pytest.mark.usefixtures("created")
def test_a_directory_can_be_read_only_and_goes_again(program: Program, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("more")
    program("share", "dev", str(tmp_path), timeout=120).fine()
    assert _run(program, "busybox cat /app/file", tmp_path).fine().out == "more"
    assert _run(program, "echo x > /app/new", tmp_path).status != 0
    program("share", "--stop", "dev", str(tmp_path), timeout=120).fine()
    assert _states(program) == ["mounted"]
    assert program("ssh", "dev", "ls", "-d", str(tmp_path)).status != 0
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.usefixtures("created")
def test_a_directory_that_the_machine_has_itself_is_not_covered(program: Program) -> None:
    ended = program("share", "dev", "/usr", timeout=120)
    assert ended.status != 0
    assert "it has a directory of its own there" in ended.err
    assert _states(program) == ["mounted"], "it is not in the record"


@pytest.mark.usefixtures("created")
def test_rm_leaves_no_process(program: Program) -> None:
    """The fixture `program` sees what is left."""
    program("rm", "-f", "dev", timeout=120).fine()
