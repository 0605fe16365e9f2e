"""The real VBoxManage, up to startvm, which wants VirtualBox's kernel modules."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from machine import process
from machine.drivers.virtualbox import failures, media, network, parse
from machine.errors import DriverError, PreflightFailed
from machine.model import State
from tests.drivers.virtualbox import places, real

pytestmark = [pytest.mark.lab, pytest.mark.skipif(bool(real.unusable()), reason=real.unusable() or "there is one")]


def test_a_life_up_to_the_start(tmp_path: Path) -> None:
    with real.program(tmp_path) as program:
        made = places.driver(
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
            except (failures.StartFailed, failures.NoKernelDriver) as error:
                started = False
                assert error.resolution
        info = made.vbox.info(made.uuid)
        assert info is not None
        assert info["SATA-0-0"] == made._file(media.SEED)
        assert info["SATA-1-0"] == made._file(media.DISK)
        assert info["memory"] == "1024"
        assert info["nic1"] == "nat"
        assert info["nic2"] in ("hostonly", "hostonlynet")
        assert info["macaddress2"] == network.mac(made.ctx.machine_id, 2).replace(":", "").upper()
        assert parse.forwards(info)["ssh"] == f"tcp,127.0.0.1,{made.data['NATPort']},,22"
        assert parse.shares(info) == {"home"}
        assert made.vbox.capacity(made._file(media.DISK)) == 5000
        assert made.vbox.get_property(made.uuid, "/Machine/Address") == made.data["IPAddress"]
        assert made.state() is (State.RUNNING if started else State.STOPPED)
        while True:
            try:
                made.remove()
                break
            except DriverError as error:
                assert "holds" in error.brief
        made.remove()
        assert made.state() is State.MISSING
        assert made.vbox.machines() == there
        assert places.files(tmp_path) == []
        listed = subprocess.run([program, "list", "hdds"], capture_output=True, text=True, check=True).stdout
        assert str(tmp_path) not in listed
