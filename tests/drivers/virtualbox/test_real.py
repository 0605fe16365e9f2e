"""The real VBoxManage, up to startvm, which wants VirtualBox's kernel modules."""

from __future__ import annotations

import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from machine import process
from machine.drivers.virtualbox import errors, hostonly, media, network, parse
from machine.drivers.virtualbox.driver import VirtualBoxDriver
from machine.errors import DriverError, PreflightFailed
from machine.model import Endpoint, State
from tests.drivers import contexts
from tests.drivers.virtualbox import paths, real

pytestmark = [pytest.mark.lab, pytest.mark.skipif(bool(real.unusable()), reason=real.unusable() or "there is one")]


def test_a_life_up_to_the_start(tmp_path: Path) -> None:
    with real.program(tmp_path) as program:
        made = paths.driver(
            tmp_path, process.run, program=program, disk_size=5000, no_share=False, share_folder="/home:home"
        )
        try:
            made.check()
        except PreflightFailed as error:
            assert (
                "virtualization" in error.brief or "kernel driver" in error.brief or "networks.conf" in error.resolution
            )
        there = made.vbox.machines()
        started = True
        for _ in range(2):  # the second finds all that the first has made
            try:
                made.create()
            except (errors.StartFailed, errors.NoKernelDriver) as error:
                started = False
                assert error.resolution
        info = made.vbox.info(made.uuid)
        assert info is not None
        assert info["SATA-0-0"] == contexts.file_of(made, media.SEED)
        assert info["SATA-1-0"] == contexts.file_of(made, media.DISK)
        assert info["memory"] == "1024"
        assert info["nic1"] == "nat"
        assert info["nic2"] in ("hostonly", "hostonlynet")
        assert info["macaddress2"] == network.mac(made.ctx.machine_id, 2).replace(":", "").upper()
        assert parse.forwards(info)["ssh"] == f"tcp,127.0.0.1,{made.data['NATPort']},,22"
        assert parse.shares(info) == {"home"}
        assert made.vbox.capacity(contexts.file_of(made, media.DISK)) == 5000
        assert made.vbox.get_property(made.uuid, "/Machine/Address") == made.data["IPAddress"]
        assert made.state() is (State.RUNNING if started else State.STOPPED)
        unmake(made)
        made.remove()
        assert made.state() is State.MISSING
        assert made.vbox.machines() == there
        assert paths.files(tmp_path) == []
        listed = subprocess.run([program, "list", "hdds"], capture_output=True, text=True, check=True).stdout
        assert str(tmp_path) not in listed


def test_snapshots_and_a_clone(tmp_path: Path) -> None:
    """Of a machine that is off, for it cannot be started without the kernel modules."""
    with real.program(tmp_path) as program:
        made = paths.driver(tmp_path, process.run, program=program, disk_size=5000)
        with pytest.raises((errors.StartFailed, errors.NoKernelDriver)):
            made.create()
        there, snapshots = made.vbox.machines(), made.snapshots()
        for tag in ("one", "two"):
            snapshots.take(tag, memory=True)
        assert [(one.tag, one.memory) for one in snapshots.all()] == [("one", False), ("two", False)]
        info = made.vbox.info(made.uuid) or {}
        assert info["SATA-1-0"] != contexts.file_of(made, media.DISK)
        with pytest.raises((errors.StartFailed, errors.NoKernelDriver)):
            made.create()
        assert (made.vbox.info(made.uuid) or {})["SATA-1-0"] == info["SATA-1-0"], "no older disk in its place"
        copy = paths.driver(tmp_path, process.run, name="copy", program=program)
        copy.clone_from(made, "two", set())
        part = contexts.file_of(copy, media.PART)
        copy.vbox.make_disk(part, 5000 << 20)  # as one that was killed has left it
        with pytest.raises((errors.StartFailed, errors.NoKernelDriver)):
            copy.create()
        own = contexts.file_of(copy, media.DISK)
        assert (copy.vbox.info(copy.uuid) or {})["SATA-1-0"] == own
        assert copy.vbox.capacity(own) == 5000
        assert part not in [disk.location for disk in copy.vbox.hard_disks().values()]
        assert content(own) == content(contexts.file_of(made, media.DISK)), "nothing was written after the snapshots"
        made.vbox.modify(made.uuid, "--memory", "1536", "--cpus", "2")
        made.settings = replace(made.settings, memory=1536, cpus=2)
        snapshots.restore(snapshots.all()[0])
        assert (made.settings.memory, made.settings.cpus, made.settings.disk) == (1024, 1, 5000)
        assert (made.vbox.info(made.uuid) or {})["memory"] == "1024"
        with pytest.raises(errors.WrongState):
            snapshots.remove("one")
        snapshots.remove("two")
        snapshots.remove("one")
        assert snapshots.all() == []
        snapshots.take("three", memory=True)
        unmake(copy)
        assert made.vbox.machines() == there
        unmake(made)
        listed = subprocess.run([program, "list", "hdds"], capture_output=True, text=True, check=True).stdout
        assert str(tmp_path) not in listed
        assert paths.files(tmp_path) == paths.files(tmp_path, "copy") == []


def content(disk: str) -> bytes:
    """The beginning of a VDI, as a machine sees it."""
    done = subprocess.run(
        ["qemu-img", "dd", "-f", "vdi", "-O", "raw", f"if={disk}", f"of={disk}.head", "bs=1M", "count=1"], check=False
    )
    assert done.returncode == 0
    head = Path(f"{disk}.head")
    found = head.read_bytes()
    head.unlink()
    return found


def unmake(made: VirtualBoxDriver) -> None:
    """Remove it, as often as VirtualBox still holds a file."""
    while True:
        try:
            made.remove()
            break
        except DriverError as error:
            assert "holds" in error.brief


LEASE = """<Lease mac="{}" network="0.0.0.0" state="{}">
<Address value="{}"/><Time issued="{}" expiration="600"/></Lease>"""


@pytest.mark.skipif(not real.TREE, reason="the leases of one's own VirtualBox are not to be written over")
def test_the_address_of_boot2docker(tmp_path: Path) -> None:
    """VirtualBox's own answers to who has an address: its DHCP server's file is written as the server would."""
    iso = tmp_path / "b2d.iso"
    iso.write_bytes(bytes(1 << 20))
    with real.program(tmp_path) as program:
        made = paths.driver(tmp_path, process.run, program=program, disk_size=5000, boot2docker_url=str(iso))
        with pytest.raises((errors.StartFailed, errors.NoKernelDriver)):
            made.create()
        assert made.endpoint() is None
        leases = real.settings(program) / f"{hostonly.PREFIX}vboxnet0-Dhcpd.leases"
        now, card = int(time.time()), network.mac(made.ctx.machine_id, 2)
        for mac, state, issued, address in (
            ("08:00:27:00:00:01", "acked", now, ""),
            (card, "offered", now, ""),
            (card, "acked", now, "192.168.59.100"),
            (card, "acked", now - 6000, ""),
            (card, "released", now, ""),
        ):
            lease = LEASE.format(mac, state, "192.168.59.100", issued)
            leases.write_text(f'<?xml version="1.0"?>\n<Leases version="1.0">{lease}</Leases>\n')
            assert (made.endpoint() or Endpoint("")).address == address, (mac, state, issued)
        info = made.vbox.info(made.uuid) or {}
        old = type(made).load(made.ctx, {"Boot2DockerURL": str(iso), "Program": program, "IPAddress": "192.168.59.9"})
        assert made.vbox.lease(info["hostonlyadapter2"], info["macaddress2"]) == ""
        leases.write_text(leases.read_text().replace("released", "acked"))
        assert made.vbox.lease(info["hostonlyadapter2"], info["macaddress2"]) == "192.168.59.100"
        assert (old.endpoint() or Endpoint("")).address == "192.168.59.100", "a machine of docker-machine's"
        unmake(made)
