"""Templates with real virtual machines: what two machines of one share, and what is left when a start is cut short."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from machine.drivers.images import templates
from machine.drivers.qemu import paths, process
from machine.errors import InProgress
from machine.model import State
from tests.drivers.qemu.test_driver import remove
from tests.drivers.qemu.test_vm import MISSING, Machine

pytestmark = [
    pytest.mark.vm,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
]
Make = Callable[..., Machine]
OWN = {  # what each machine has for itself: a name for it, and the command that shows it
    "hostname": "hostname",
    "machine-id": "cat /etc/machine-id",
    "boot id": "cat /proc/sys/kernel/random/boot_id",
    "product uuid": "sudo cat /sys/class/dmi/id/product_uuid",
    "host key": "cat /etc/ssh/ssh_host_ed25519_key.pub",
    "host keys": "ls /etc/ssh/ssh_host_*",
    "authorized key": "cat ~/.ssh/authorized_keys",
    "addresses of cards": "cat /sys/class/net/nat0/address /sys/class/net/lan0/address",
    "addresses of networks": "ip -br address show nat0; ip -br address show lan0",
    "random bytes": "head -c 32 /dev/urandom | sha256sum",
    "random numbers of a new program": "python3 -c 'import random, uuid; print(random.random(), uuid.uuid4())'",
    "engine": "sudo systemctl start docker && sudo cat /var/lib/docker/engine-id",
    "networks": "sudo docker network ls -q --no-trunc | sort",
    "journals": "ls /var/log/journal /run/log/journal",
}
SHARED = ("host keys",)  # of these the names, not the contents


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Machine] = []

    def new(name: str, **given: Any) -> Machine:
        machine = Machine(tmp_path, name, **given)
        made.append(machine)
        return machine

    yield new
    for machine in made:
        remove(machine.driver)


def directory_of(machine: Machine) -> Path:
    return Path(machine.ctx.store, "cache", "images", templates.DIRECTORY)


def texts(machine: Machine) -> dict[str, str]:
    return {what: machine.ssh(command) for what, command in OWN.items()}


def test_machines_of_one_template_share_nothing(make: Make) -> None:
    first, second = make("vm-one"), make("vm-two", qemu_disk_size=22000)
    for machine in (first, second):
        machine.driver.create()
        assert machine.saved[-1]["TemplateDisk"], "it was to start from a template"
    for machine in (first, second):
        machine.wait("ssh", machine.answers_ssh)
    one, two = texts(first), texts(second)
    for what in OWN:
        assert one[what], what
        assert (one[what] == two[what]) is (what in SHARED), what
    assert one["hostname"] == "vm-one"
    assert one["product uuid"] == first.driver.uuid
    assert one["host keys"].split() == ["/etc/ssh/ssh_host_ed25519_key", "/etc/ssh/ssh_host_ed25519_key.pub"]
    assert set(one["journals"].split()) <= {"/run/log/journal:", "/var/log/journal:", one["machine-id"]}
    first_disk, second_disk = (int(machine.ssh("df --output=size -m / | tail -1")) for machine in (first, second))
    assert 18000 < first_disk < 20000 < second_disk, "the file system fills the disk, also a larger one"
    assert abs(float(first.ssh("date +%s.%N")) - float(subprocess.check_output(["date", "+%s.%N"]))) < 5
    assert "template" not in first.ssh(
        "cat /etc/hostname /etc/hosts; sudo journalctl --no-pager -o cat _TRANSPORT=syslog"
    )
    template = _memory_of_template(first)
    for text in (one["host key"].split()[1], one["authorized key"].split()[1], one["machine-id"], "vm-one"):
        assert text.encode() not in template, "the template knows nobody"


def _manifest(machine: Machine) -> Path:
    """The manifest of the template that a machine was started from."""
    return next(
        path
        for path in directory_of(machine).glob("*.json")
        if json.loads(path.read_text())["disk"] == machine.saved[-1]["TemplateDisk"]
    )


def _memory_of_template(machine: Machine) -> bytes:
    """The memory that was saved, unpacked."""
    manifest = _manifest(machine)
    known = json.loads(manifest.read_text())
    memory = manifest.with_name(known["memory"])
    assert memory.stat().st_mode & 0o777 == 0o600
    return subprocess.run([known["packed"], "-dc", str(memory)], check=True, stdout=subprocess.PIPE).stdout


def test_a_template_that_is_damaged_is_not_the_end(tmp_path: Path, make: Make) -> None:
    """The machine boots, says so, and the next one makes another template: here it is only seen to be gone."""
    first = make("vm-one")
    first.driver.create()
    directory = tmp_path / "own"
    name = _manifest(first).name
    _copy_images(directory_of(first).parent, directory)
    remove(first.driver)
    (tmp_path / "store" / "cache" / "images").unlink()
    (tmp_path / "store" / "cache" / "images").symlink_to(directory)
    manifest = directory / "templates" / name
    memory = manifest.with_name(json.loads(manifest.read_text())["memory"])
    with open(memory, "r+b") as file:
        file.seek(memory.stat().st_size // 2)
        file.write(b"damaged" * 5000)
    second = make("vm-two")
    assert _created(second) or _created(second)
    assert any("did not start from its template, so it boots" in line for line in second.said), second.said
    assert not manifest.exists()
    assert not memory.exists()
    second.wait("ssh", second.answers_ssh)
    assert second.ssh("hostname") == "vm-two"


def _copy_images(source: Path, target: Path) -> None:
    subprocess.run(["cp", "-a", "--reflink=auto", "--sparse=always", str(source), str(target)], check=True)


CREATE = """
import json, sys
from pathlib import Path
from typing import Any
from tests.drivers.qemu.test_vm import Machine
Machine(Path(sys.argv[1]), sys.argv[2], **json.loads(sys.argv[3])).driver.create()
"""


def _create_elsewhere(machine: Machine, tmp_path: Path, **given: object) -> subprocess.Popen[bytes]:
    """The create of this machine, in a process of its own."""
    words = json.dumps({"machine_id": machine.ctx.machine_id, **given})
    return subprocess.Popen([sys.executable, "-c", CREATE, str(tmp_path), machine.ctx.name, words])


def test_what_a_killed_make_leaves_is_found_by_rm(tmp_path: Path, make: Make) -> None:
    machine = make("vm-one", qemu_memory=512)  # a kind of its own, so that a template is made
    running = _create_elsewhere(machine, tmp_path, qemu_memory=512)
    directory = directory_of(machine)
    try:
        machine.wait("the qemu of a template", lambda: any(directory.glob(f"{templates.MAKING}*/{paths.PID}")), 120)
        work = next(directory.glob(f"{templates.MAKING}*"))
        pid = process.recorded(str(work / paths.PID))
    finally:
        running.send_signal(signal.SIGKILL)
        running.wait()
    assert process.command_line(pid, machine.ctx.run)
    remove(machine.driver)
    assert process.gone(pid)
    assert not work.exists()


def test_a_start_that_was_killed_begins_anew(tmp_path: Path, make: Make) -> None:
    """Killed between the note that it starts from a template and the identity; then `create` comes again."""
    first = make("vm-one")
    first.driver.create()
    remove(first.driver)  # the template stays
    machine = make("vm-two")
    marker = Path(machine.ctx.directory, paths.RESTORING)
    running = _create_elsewhere(machine, tmp_path)
    try:
        machine.wait("the note", marker.exists, 120)
    finally:
        running.send_signal(signal.SIGKILL)
        running.wait()
    assert marker.exists(), "it was faster than the kill"
    assert machine.driver.state() in (State.STARTING, State.STOPPED, State.MISSING)
    machine.wait("its create", lambda: _created(machine), 300)
    machine.wait("ssh", machine.answers_ssh)
    assert machine.ssh("hostname") == "vm-two"
    assert not marker.exists()


def _created(machine: Machine) -> bool:
    try:
        machine.driver.create()
    except InProgress:
        return False
    return True
