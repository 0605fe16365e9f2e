"""Suspend, snapshots and clones on real virtual machines. One machine lives through the module's tests in order."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from machine import background
from tests.e2e.test_qemu import BUSYBOX, SERVE, answers, docker, fetch, until
from tests.e2e.vms import program, qemu_pid
from tests.program import Program

__all__ = ["program"]

pytestmark = pytest.mark.vm

CLOCK_SECONDS = 10.0  # by which the machine's clock may differ: the command that reads it takes its time, too
WORK = "echo kept >/data/file; sleep 99999"
IDENTITY = "hostname; cat /etc/machine-id /etc/ssh/ssh_host_ed25519_key.pub; sudo cat /var/lib/docker/engine-id"


@pytest.fixture(scope="module")
def created(program: Program) -> None:
    """The machine dev, with a container that runs and a file in a volume."""
    program("create", "dev", timeout=900).fine()
    docker(
        program, f"{BUSYBOX}\ndocker run -d --name web -v data:/data busybox sh -c 'echo kept >/data/file; sleep 99999'"
    )


needs_dev = pytest.mark.usefixtures("created")


def inside(program: Program, command: str, name: str = "dev") -> str:
    return program("ssh", name, command).fine().out.strip()


def started(program: Program) -> str:
    """When the container was started: another time if it was not the same one that went on."""
    return docker(program, "docker inspect -f '{{.State.Running}} {{.State.StartedAt}}' web").strip()


@needs_dev
def test_a_suspended_machine_goes_on_where_it_was(program: Program) -> None:
    before, boot = started(program), inside(program, "cat /proc/sys/kernel/random/boot_id")
    program("suspend", "dev").fine()
    assert program("status", "dev").fine().out.strip() == "Saved"
    with pytest.raises(AssertionError):
        qemu_pid(program, "dev")
    assert "already suspended" in program("suspend", "dev").fine().err
    assert "off already" in program("stop", "dev").fine().err
    refused = program("snapshot", "dev", "early")
    assert (refused.status, "dev is Saved" in refused.err) == (1, True), refused.err
    program("start", "dev").fine()
    assert started(program) == before
    assert inside(program, "cat /proc/sys/kernel/random/boot_id") == boot
    assert abs(float(inside(program, "date +%s.%N")) - time.time()) < CLOCK_SECONDS


@needs_dev
def test_published_ports_answer_as_soon_as_a_machine_goes_on(program: Program) -> None:
    """Its port reporter would say so up to 15 seconds later. Its forwarder was killed before, for good measure."""
    docker(program, f"docker run -d --name site -p 8091:80 busybox sh -c '{SERVE}'")
    assert fetch("http://127.0.0.1:8091/") == "it works\n"
    os.kill(background.running(str(program.store / "machines/dev/helper.lock")), signal.SIGKILL)
    program("suspend", "dev").fine()
    assert not answers("127.0.0.1", 8091)
    program("start", "dev").fine()
    assert fetch("http://127.0.0.1:8091/", 3.0) == "it works\n"
    assert fetch(f"http://{program('ip', 'dev').out.strip()}:8091/", 1.0) == "it works\n"
    program("snapshot", "dev", "site").fine()
    docker(program, "docker rm -f site")
    program("snapshot", "restore", "-y", "dev", "site").fine()
    assert fetch("http://127.0.0.1:8091/", 3.0) == "it works\n"
    program("snapshot", "rm", "dev", "site").fine()
    docker(program, "docker rm -f site")
    until(lambda: not answers("127.0.0.1", 8091), "what has gone stays open")


@needs_dev
def test_a_machine_that_is_off_is_not_waited_for(program: Program, tmp_path: Path) -> None:
    program("suspend", "dev").fine()
    for line in (("share", "dev", str(tmp_path)), ("forward", "--background", "dev")):
        began = time.monotonic()
        refused = program(*line)
        assert (refused.status, "dev is suspended" in refused.err) == (1, True), refused.err
        assert "machine start dev" in refused.err
        assert time.monotonic() - began < 20
    program("start", "dev").fine()


@needs_dev
def test_a_snapshot_brings_disk_and_memory_back(program: Program) -> None:
    before = started(program)
    program("snapshot", "dev", "one").fine()
    docker(program, "docker rm -f web; docker volume rm data")
    assert "was not answered" in program("snapshot", "restore", "dev", "one").err
    program("snapshot", "restore", "-y", "dev", "one").fine()
    assert started(program) == before
    assert abs(float(inside(program, "date +%s.%N")) - time.time()) < CLOCK_SECONDS
    listed = json.loads(program("snapshot", "ls", "dev", "--json").fine().out)
    assert [(one["Tag"], one["Memory"]) for one in listed] == [("one", True)]


def for_clones(program: Program) -> list[bool]:
    """Of each snapshot of dev that was made for clones, whether it has the memory."""
    listed = json.loads(program("snapshot", "ls", "dev", "--json").fine().out)
    return [one["Memory"] for one in listed if one["Tag"].startswith("clone-")]


@needs_dev
def test_a_running_machine_is_cloned_by_its_disk_and_a_kill_leaves_no_snapshot(program: Program) -> None:
    """What was just written is on the disk of the clone. Its create is killed as soon as there is a record of it."""
    for end in ("rm", "resume"):
        inside(program, f"echo {end} >written")
        making = program.start("create", "--from", "dev", "second")
        deadline = time.monotonic() + 120
        while "CloneOf" not in record_of(program, "second"):
            assert making.poll() is None, making.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        making.kill()
        making.communicate()
        assert for_clones(program) == [False]
        if end == "resume":
            program("create", "--resume", "second", timeout=900).fine()
            assert inside(program, "cat written", "second") == end
            assert for_clones(program) == []
        program("rm", "-y", "second").fine()
        assert for_clones(program) == []


def record_of(program: Program, name: str) -> str:
    """The record of a machine; "" while there is none."""
    path = program.store / "machines" / name / "config.json"
    return path.read_text() if path.exists() else ""


@needs_dev
def test_a_clone_has_the_volumes_and_an_identity_of_its_own(program: Program) -> None:
    program("create", "--from", "dev@one", "copy", timeout=900).fine()
    assert docker(program, "docker run --rm -v data:/data busybox busybox cat /data/file", "copy").strip() == "kept"
    first, second = (inside(program, IDENTITY, name).splitlines() for name in ("dev", "copy"))
    assert second[0] == "copy"
    assert not set(first) & set(second)
    keys = inside(program, "cat ~/.ssh/authorized_keys", "copy")
    assert keys.count("ssh-") == 1
    assert "dev" not in inside(program, "cat /etc/hosts", "copy")
    refused = program("snapshot", "rm", "dev", "two")
    assert "it has: one" in refused.err
    program("snapshot", "rm", "dev", "one").fine()
    program("rm", "-f", "copy").fine()
