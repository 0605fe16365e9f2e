"""Suspend, snapshots and clones on real virtual machines. One machine lives through the module's tests in order."""

from __future__ import annotations

import json
import time

import pytest

from tests.e2e.test_qemu import BUSYBOX, docker
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
def test_a_snapshot_brings_disk_and_memory_back(program: Program) -> None:
    before = started(program)
    program("snapshot", "dev", "one").fine()
    docker(program, "docker rm -f web; docker volume rm data")
    program("snapshot", "restore", "dev", "one").fine()
    assert started(program) == before
    assert abs(float(inside(program, "date +%s.%N")) - time.time()) < CLOCK_SECONDS
    listed = json.loads(program("snapshot", "ls", "dev", "--json").fine().out)
    assert [(one["Tag"], one["Memory"]) for one in listed] == [("one", True)]


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
