"""Machines that are made of another one's snapshot, on a VBoxManage that keeps state."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pycdlib
import pytest

from machine.drivers.record_keys import CLONE_OF
from machine.drivers.virtualbox import clone, errors, media, parse
from machine.drivers.virtualbox.driver import VirtualBoxDriver
from machine.errors import DriverError, InProgress, UsageError
from machine.model import State, Verb
from machine.process import Completed
from tests.drivers import contexts
from tests.drivers.virtualbox import paths
from tests.drivers.virtualbox.fake_vboxmanage import Fake

pytestmark = pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")

MB = 1 << 20


def source(directory: Path, vbox: Fake) -> VirtualBoxDriver:
    """The machine dev with a snapshot `one`, after which its disk was written to."""
    made = paths.driver(directory, vbox.run, disk_size=2600, memory=1536)
    made.create()
    made.power(Verb.KILL)
    made.snapshots().take("one", memory=True)
    (vm,) = vbox.listing()["vms"].values()
    write(vm["disks"]["1"], b"later")
    return made


def write(disk: str, what: bytes) -> None:
    """Have a disk begin with that, as the machine would write."""
    raw = Path(f"{disk}.raw")
    subprocess.run(["qemu-img", "convert", "-f", "vdi", "-O", "raw", disk, str(raw)], check=True)
    with raw.open("r+b") as file:
        file.write(what)
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "vdi", str(raw), disk], check=True)
    raw.unlink()


def begins(disk: str) -> bytes:
    """The first bytes of a disk."""
    raw = Path(f"{disk}.raw")
    subprocess.run(["qemu-img", "convert", "-f", "vdi", "-O", "raw", disk, str(raw)], check=True)
    with raw.open("rb") as file:
        found = file.read(519)
    raw.unlink()
    return found


def copy_of(directory: Path, run: Any, tag: str = "one", **given: Any) -> VirtualBoxDriver:
    """The machine copy, to be made of a snapshot of dev; its record if there is one."""
    if (directory / "copy.json").exists():
        return paths.driver(directory, run, name="copy")
    made = paths.driver(directory, run, name="copy", **{"image": "/gone", **given})
    made.clone_from(paths.driver(directory, run), tag, {f"virtualbox-{key.replace('_', '-')}" for key in given})
    return made


def test_a_clone_has_the_disk_of_the_snapshot_and_what_its_source_has(tmp_path: Path, vbox: Fake) -> None:
    origin = source(tmp_path, vbox)
    made = copy_of(tmp_path, vbox.run, cpu_count=2, disk_size=3000)
    made.check()
    made.create()
    disk = contexts.file_of(made, media.DISK)
    assert begins(disk) == bytes(510) + b"\x55\xaa" + b"content"
    assert made.vbox.capacity(disk) == 3000
    vm = vbox.listing()["vms"][made.uuid]
    assert (vm["state"], vm["set"]["--memory"], vm["set"]["--cpus"], vm["disks"]["1"]) == ("running", "1536", "2", disk)
    assert made.data["IPAddress"] != origin.data["IPAddress"]
    assert vbox.listing()["media"] == []
    made.remove()
    assert paths.files(tmp_path, "copy") == []
    assert [one.tag for one in origin.snapshots().all()] == ["one"]
    origin.power(Verb.START)
    assert origin.state() is State.RUNNING


def test_the_seed_of_a_clone_gives_it_an_identity(tmp_path: Path, vbox: Fake) -> None:
    source(tmp_path, vbox)
    made = copy_of(tmp_path, vbox.run)
    made.create()
    for each, has in ((made, True), (paths.driver(tmp_path, vbox.run), False)):
        disc = pycdlib.PyCdlib()
        disc.open(contexts.file_of(each, media.SEED))
        with disc.open_file_from_iso(joliet_path="/user-data") as file:
            text = file.read().decode()
        disc.close()
        ran = json.loads(text.partition("\n")[2]).get("bootcmd", [])
        assert [words[-2:] for words in ran] == [["machine-clone", each.uuid.replace("-", "")]] * has


def killed_after(here: Path, vbox: Fake, number: int) -> bool:
    """Whether a clone that is killed the moment its call `number` is done was killed at all."""
    before = len(vbox.calls())

    def run(argv: list[str], **how: Any) -> Completed:
        done = vbox.run(argv, **how)
        if len(vbox.calls()) - before >= number:
            os._exit(9)  # as a kill -9: no handler runs
        return done

    child = os.fork()
    if not child:
        try:
            copy_of(here, run).create()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


@pytest.mark.parametrize("then", ["remove", "create"])
def test_killed_after_every_call(tmp_path: Path, then: str) -> None:
    ready = Fake(tmp_path / "ready" / "virtualbox")
    source(tmp_path / "ready", ready)
    number, killed = 0, True
    while killed:
        number += 1
        here = tmp_path / "here"
        shutil.rmtree(here, ignore_errors=True)
        vbox = moved(tmp_path / "ready", here)
        before = vbox.listing()
        killed = killed_after(here, vbox, number)
        again = copy_of(here, vbox.run)
        if then == "create":
            again.create()
            assert again.state() is State.RUNNING
            assert begins(contexts.file_of(again, media.DISK)).endswith(b"content"), f"after call {number}"
            assert vbox.listing()["media"] == [], f"after call {number}"
        again.remove()
        assert vbox.listing() == before, f"after call {number}"
        assert paths.files(here, "copy") == [], f"after call {number}"
    assert number > 20


def moved(source: Path, target: Path) -> Fake:
    """The same VirtualBox and store in another directory."""
    shutil.copytree(source, target)
    state = target / "virtualbox" / "state.json"
    state.write_text(state.read_text().replace(str(source), str(target)))
    return Fake(target / "virtualbox")


def test_a_copy_that_goes_on_after_its_vboxmanage_was_killed_is_left_alone(tmp_path: Path, vbox: Fake) -> None:
    """VirtualBox's service does not end with its client: the disk is its own until it has been written."""
    source(tmp_path, vbox)
    made = copy_of(tmp_path, vbox.run)
    part = contexts.file_of(made, media.PART)
    made.ctx.save(made)
    made.vbox.make_disk(part, 2600 * MB)
    vbox.copying.add(part)
    with pytest.raises(errors.Busy) as busy:
        made.create()
    assert "then try again" in busy.value.resolution
    with pytest.raises(InProgress, match="still copies"):
        made.remove()
    assert os.path.exists(part)
    vbox.copying.clear()
    made.create()
    assert made.state() is State.RUNNING
    made.remove()
    assert paths.files(tmp_path, "copy") == []


def test_an_empty_file_where_the_disk_was_to_be_does_not_stop_rm(tmp_path: Path, vbox: Fake) -> None:
    made = paths.driver(tmp_path, vbox.run)
    made.ctx.save(made)
    Path(contexts.file_of(made, media.PART)).touch()
    made.remove()
    assert paths.files(tmp_path) == []


def test_a_snapshot_that_is_gone(tmp_path: Path, vbox: Fake) -> None:
    origin = source(tmp_path, vbox)
    made = copy_of(tmp_path, vbox.run)
    origin.snapshots().remove("one")
    with pytest.raises(DriverError, match="no snapshot one of dev any more") as caught:
        made.create()
    assert "machine snapshot ls dev" in caught.value.resolution
    made.remove()
    assert paths.files(tmp_path, "copy") == []


def test_a_snapshot_that_is_removed_just_before_it_is_copied(tmp_path: Path, vbox: Fake) -> None:
    """Its disk then has what was written later, under the same UUID."""
    origin = source(tmp_path, vbox)

    def run(argv: list[str], **how: Any) -> Completed:
        if argv[1] == "clonemedium":
            vbox.run(["VBoxManage", "snapshot", origin.uuid, "delete", "one"])
        return vbox.run(argv, **how)

    made = copy_of(tmp_path, run)
    with pytest.raises(DriverError, match="any more"):
        made.create()
    assert not os.path.exists(contexts.file_of(made, media.DISK))
    made.remove()


@pytest.mark.parametrize(
    ("given", "said"),
    [({"image": "debian-12"}, "--virtualbox-image has no effect"), ({"disk_size": 2599}, "2599 is less than the disk")],
)
def test_options_that_a_clone_cannot_have(tmp_path: Path, vbox: Fake, given: dict[str, Any], said: str) -> None:
    origin = source(tmp_path, vbox)
    made = paths.driver(tmp_path, vbox.run, name="copy", **given)
    with pytest.raises(UsageError, match=said) as caught:
        made.clone_from(origin, "one", {f"virtualbox-{key.replace('_', '-')}" for key in given})
    assert "leave" in caught.value.resolution


def test_boot2docker_machines_are_not_cloned(tmp_path: Path, vbox: Fake) -> None:
    plain = paths.driver(tmp_path, vbox.run)
    for settings, data in (
        (replace(plain.settings, boot2docker="x.iso"), {"UUID": "x"}),
        (plain.settings, {}),  # docker-machine's
    ):
        with pytest.raises(UsageError, match="boot2docker"):
            clone.record("dev", settings, data, plain.uuid, "one")
    assert clone.record("dev", plain.settings, {"UUID": "x"}, plain.uuid, "one") == {
        CLONE_OF: {"Machine": "dev", "UUID": plain.uuid, "Snapshot": "one"}
    }


def test_a_chain_of_disks_that_never_ends() -> None:
    one, two = parse.HardDisk("b", "/x", frozenset({"s"})), parse.HardDisk("a", "/y", frozenset())
    assert parse.disk_of_snapshot({"a": one, "b": two}, "s", "/x") == ""
    assert parse.disk_of_snapshot({"a": one}, "s", "/x") == ""
