"""The driver on a VBoxManage that keeps state: a life, every moment of a kill, and each way to fail."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pycdlib
import pytest

from machine.drivers.base import Snapshot
from machine.drivers.virtualbox import errors, media
from machine.drivers.virtualbox.driver import VirtualBoxDriver
from machine.drivers.virtualbox.snapshots import read
from machine.errors import DriverError, PreflightFailed
from machine.model import State, Verb
from machine.process import Completed
from tests.drivers import contexts
from tests.drivers.virtualbox import paths
from tests.drivers.virtualbox.fake_vboxmanage import Fake

pytestmark = pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")


def test_a_life(tmp_path: Path, vbox: Fake) -> None:
    made = paths.driver(tmp_path, vbox.run, no_share=False, share_folder=f"{tmp_path}:data")
    made.check()
    assert made.state() is State.MISSING
    assert made.endpoint() is None
    made.create()
    (vm,) = vbox.listing()["vms"].values()
    assert vm["state"] == "running"
    assert vm["disks"] == {"0": contexts.file_of(made, media.SEED), "1": contexts.file_of(made, media.DISK)}
    assert vm["shares"] == {"data": str(tmp_path)}
    assert vm["set"]["--uartmode1"] == f"file,{contexts.file_of(made, media.CONSOLE)}"
    assert vm["set"]["--hostonlyadapter2"] == "vboxnet0"
    assert vbox.listing()["interfaces"] == {"vboxnet0": ["192.168.59.1", "255.255.255.0"]}
    endpoint = made.endpoint()
    assert endpoint is not None
    assert endpoint.address.startswith("192.168.59.")
    assert (endpoint.ssh_user, endpoint.ssh_port, endpoint.engine_port) == ("machine", 22, 2376)
    before = len(vbox.calls())
    made.create()
    assert [call[0] for call in vbox.calls()[before:]] == ["showvminfo"], "a second call only looks"

    again = paths.driver(tmp_path, vbox.run)
    assert again.endpoint() == endpoint
    for verb, state in (
        (Verb.START, State.RUNNING),
        (Verb.RESTART, State.RUNNING),
        (Verb.STOP, State.STOPPED),
        (Verb.STOP, State.STOPPED),
        (Verb.START, State.RUNNING),
        (Verb.KILL, State.STOPPED),
        (Verb.KILL, State.STOPPED),
        (Verb.RESTART, State.RUNNING),
    ):
        again.power(verb)
        assert again.state() is state
    vbox.run(["VBoxManage", "controlvm", again.uuid, "pause"])
    assert again.state() is State.PAUSED
    again.power(Verb.START)
    assert again.state() is State.RUNNING
    again.remove()
    again.remove()
    assert again.state() is State.MISSING
    assert paths.files(tmp_path) == []
    assert vbox.listing()["vms"] == {}
    assert vbox.listing()["media"] == []
    with pytest.raises(DriverError, match="any more"):
        again.power(Verb.START)


def test_the_seed_says_what_the_machine_needs(tmp_path: Path, vbox: Fake) -> None:
    made = paths.driver(tmp_path, vbox.run, no_share=False, share_folder=f"{tmp_path}:data")
    made.create()
    disc = pycdlib.PyCdlib()
    disc.open(contexts.file_of(made, media.SEED))
    try:
        texts = {}
        for name in ("user-data", "network-config"):
            with disc.open_file_from_iso(joliet_path=f"/{name}") as file:
                texts[name] = file.read().decode()
    finally:
        disc.close()
    (vm,) = vbox.listing()["vms"].values()
    for number in (1, 2):
        mac = vm["set"][f"--macaddress{number}"].lower()
        assert ":".join(mac[i : i + 2] for i in range(0, 12, 2)) in texts["network-config"]
    assert f"{made.data['IPAddress']}/24" in texts["network-config"]
    assert '"dhcp4": true' in texts["network-config"]
    assert "PRIVATE" in texts["user-data"]
    assert "Where=/data" in texts["user-data"]


def test_after_a_restart_of_the_host(tmp_path: Path, vbox: Fake) -> None:
    """The interface is gone and the port of the way in is taken: start makes both anew, the address stays."""
    import socket

    made = paths.driver(tmp_path, vbox.run)
    made.create()
    address, port = made.data["IPAddress"], made.data["NATPort"]
    made.power(Verb.KILL)
    with vbox.state() as space:
        space["interfaces"].clear()
    assert "host-only" in made.explain()
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", port))
        made.power(Verb.START)
    (vm,) = vbox.listing()["vms"].values()
    assert made.data["IPAddress"] == address
    assert list(vbox.listing()["interfaces"].values()) == [["192.168.59.1", "255.255.255.0"]]
    assert vm["nat"] == {"ssh": f"tcp,127.0.0.1,{made.data['NATPort']},,22"}
    assert made.data["NATPort"] != port


def test_on_windows_lines_end_in_their_own_way(tmp_path: Path, vbox: Fake) -> None:
    def run(argv: list[str], **how: Any) -> Completed:
        done = vbox.run(argv, **how)
        return Completed(done.status, *(text.replace("\n", "\r\n") for text in (done.stdout, done.stderr)))

    made = paths.driver(tmp_path, run, no_share=False, share_folder=f"{tmp_path}:data")
    made.check()
    made.create()
    assert made.state() is State.RUNNING
    made.power(Verb.KILL)
    made.power(Verb.START)
    made.remove()
    assert made.state() is State.MISSING
    with pytest.raises(errors.NotRegistered) as caught:
        made.vbox.call("showvminfo", "nosuch")
    assert "\r" not in caught.value.details


def test_on_macos_there_are_networks_in_place_of_interfaces(
    tmp_path: Path, vbox: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made once, shared by all, switched on again when somebody has switched it off; no DHCP server beside it."""
    monkeypatch.setattr(VirtualBoxDriver, "platform", "darwin")
    vbox.nets = True
    other = ("--netmask", "255.255.0.0", "--lower-ip", "10.7.0.1", "--upper-ip", "10.7.0.99", "--enable")
    assert vbox.run(["VBoxManage", "hostonlynet", "add", "--name", "somebody's", *other]).status == 0
    made = [paths.driver(tmp_path, vbox.run, name=name) for name in ("one", "two")]
    for each in made:
        each.check()
        each.create()
    seen = vbox.listing()
    assert set(seen["nets"]) == {"somebody's", "machine-192.168.59.0"}
    assert seen["interfaces"] == {}
    assert {(vm["set"]["--nic2"], vm["set"]["--host-only-net2"]) for vm in seen["vms"].values()} == {
        ("hostonlynet", "machine-192.168.59.0")
    }
    assert not [call for call in vbox.calls() if call[0] in ("hostonlyif", "dhcpserver")]
    assert len({each.data["IPAddress"] for each in made}) == 2
    made[0].power(Verb.KILL)
    vbox.run(["VBoxManage", "hostonlynet", "modify", "--name", "machine-192.168.59.0", "--disable"])
    made[0].power(Verb.START)
    assert vbox.listing()["nets"]["machine-192.168.59.0"]["state"] == "Enabled"
    for each in made:
        assert each.explain() == ""
        each.remove()
    assert set(vbox.listing()["nets"]) == {"somebody's", "machine-192.168.59.0"}


def test_an_image_without_a_boot_loader(tmp_path: Path, vbox: Fake) -> None:
    image = tmp_path / "flat.img"
    image.write_bytes(bytes(1 << 20))
    made = paths.driver(tmp_path, vbox.run, image=str(image))
    with pytest.raises(media.NotBootable) as caught:
        made.create()
    assert "--virtualbox-image" in caught.value.resolution
    made.remove()
    assert paths.files(tmp_path) == []


def test_a_qcow2_image_and_a_vdi(tmp_path: Path, vbox: Fake) -> None:
    import subprocess

    raw = paths.bootable(tmp_path / "x.img")
    for kind in ("qcow2", "vdi"):
        image = tmp_path / f"x.{kind}"
        subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", kind, raw, str(image)], check=True)
        made = paths.driver(tmp_path / kind, vbox.run, name=kind, image=f"{tmp_path}/./x.{kind}", disk_size=3000)
        made.create()
        disk = contexts.file_of(made, media.DISK)
        assert subprocess.run(["qemu-img", "compare", "-q", raw, disk], check=False).returncode == 0
        made.remove()
    assert vbox.listing()["media"] == []


def test_a_saved_machine(tmp_path: Path, vbox: Fake) -> None:
    made = paths.driver(tmp_path, vbox.run)
    made.create()
    for _ in range(2):
        vbox.run(["VBoxManage", "controlvm", made.uuid, "savestate"])
        assert made.state() is State.SAVED
        made.power(Verb.START)
        assert made.state() is State.RUNNING
    vbox.run(["VBoxManage", "controlvm", made.uuid, "savestate"])
    made.remove()
    assert made.state() is State.MISSING


def test_a_suspended_machine_goes_on_or_is_given_up(tmp_path: Path, vbox: Fake) -> None:
    made = paths.driver(tmp_path, vbox.run)
    made.create()
    made.suspend()
    assert made.state() is State.SAVED
    made.power(Verb.START)
    assert made.state() is State.RUNNING
    made.suspend()
    made.power(Verb.KILL)
    assert made.state() is State.STOPPED


def test_snapshots_are_listed_restored_and_removed(tmp_path: Path, vbox: Fake) -> None:
    made = paths.driver(tmp_path, vbox.run)
    made.create()
    snapshots = made.snapshots()
    assert snapshots.all() == []
    assert snapshots.take("running", memory=True)
    made.power(Verb.KILL)
    assert not snapshots.take("stopped", memory=True)
    assert [(one.tag, one.memory) for one in snapshots.all()] == [("running", True), ("stopped", False)]
    assert snapshots.all()[0].made.endswith("+00:00")
    snapshots.restore(snapshots.all()[0])
    assert made.state() is State.SAVED
    made.power(Verb.KILL)
    with pytest.raises(errors.WrongState) as caught:
        snapshots.remove("running")
    assert "machine snapshot ls dev" in caught.value.resolution
    snapshots.remove("stopped")
    assert [one.tag for one in snapshots.all()] == ["running"]
    snapshots.remove("running")
    assert snapshots.all() == []
    (vm,) = vbox.listing()["vms"].values()
    assert vm["disks"]["1"] == contexts.file_of(made, media.DISK)


def test_create_leaves_the_disk_that_is_on_top_of_a_snapshot(tmp_path: Path, vbox: Fake) -> None:
    """A create that is repeated gives the machine no older disk."""
    made = paths.driver(tmp_path, vbox.run)
    made.create()
    made.power(Verb.KILL)
    made.snapshots().take("one", memory=True)
    (before,) = vbox.listing()["vms"].values()
    made.create()
    (after,) = vbox.listing()["vms"].values()
    assert after["disks"] == before["disks"]
    assert after["disks"]["1"] != contexts.file_of(made, media.DISK)


def test_a_snapshot_that_others_made_is_listed_if_its_name_is_a_tag() -> None:
    info = {"SnapshotName": "by-hand", "SnapshotName-1": "no tag\x1b[2J", "SnapshotNameX": "x"}
    assert read(info) == [Snapshot("by-hand", "", memory=False)]


def test_no_secret_is_stored_or_said(tmp_path: Path, vbox: Fake) -> None:
    made = paths.driver(tmp_path, vbox.run)
    made.create()
    assert "PRIVATE" not in (tmp_path / "dev.json").read_text()
    assert "PRIVATE" not in str(vbox.calls())
    assert os.stat(contexts.file_of(made, media.SEED)).st_mode & 0o077 == 0


def test_lost_by_the_platform(tmp_path: Path, vbox: Fake) -> None:
    made = paths.driver(tmp_path, vbox.run)
    made.create()
    with vbox.state() as space:
        space["vms"].clear()
    assert made.state() is State.MISSING
    made.remove()
    assert paths.files(tmp_path) == []


def test_another_machine_of_that_name(tmp_path: Path, vbox: Fake) -> None:
    vbox.run(["VBoxManage", "createvm", "--basefolder", str(tmp_path / "else"), "--name", "dev", "--register"])
    made = paths.driver(tmp_path, vbox.run)
    with pytest.raises(PreflightFailed, match="another virtual machine called dev"):
        made.check()
    made.remove()
    assert len(vbox.listing()["vms"]) == 1, "it is not ours"


def test_two_stores_do_not_share_an_address(tmp_path: Path, vbox: Fake) -> None:
    addresses = set()
    for number in range(4):
        made = paths.driver(tmp_path / str(number), vbox.run, name=f"m{number}")
        made.create()
        addresses.add(made.data["IPAddress"])
    assert len(addresses) == 4
    assert list(vbox.listing()["interfaces"]) == ["vboxnet0"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"program": "/nonexistent/VBoxManage"}, "not installed"),
        ({"memory": 999999}, "--virtualbox-memory"),
        ({"image": "fedora"}, "fedora"),
        ({"image": "/nonexistent.qcow2"}, "/nonexistent.qcow2"),
        ({"boot2docker_url": "/nonexistent.iso"}, "/nonexistent.iso"),
        ({"share_folder": "/nonexistent:x", "no_share": False}, "/nonexistent"),
        ({"hostonly_cidr": "192.168.99.1/24"}, "--virtualbox-hostonly-cidr"),
        ({"boot2docker_url": "/etc/passwd", "import_boot2docker_vm": "b2d"}, "b2d"),
    ],
)
def test_the_preflight_names_what_is_wrong(tmp_path: Path, vbox: Fake, given: dict[str, Any], words: str) -> None:
    made = paths.driver(tmp_path, vbox.run, **given)
    with pytest.raises(PreflightFailed) as caught:
        made.check()
    assert words in caught.value.brief
    assert caught.value.resolution
    assert caught.value.exit_code == 3
    assert vbox.listing()["vms"] == {}
