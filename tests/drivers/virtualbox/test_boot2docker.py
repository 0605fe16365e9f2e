"""Machines from a boot2docker ISO, and those that docker-machine made: their addresses come from the DHCP server."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from machine.drivers.virtualbox import media
from machine.drivers.virtualbox.driver import VirtualBoxDriver
from machine.errors import PreflightFailed
from machine.model import State, Verb
from tests.drivers import contexts
from tests.drivers.virtualbox import paths
from tests.drivers.virtualbox.fake_vboxmanage import Fake

pytestmark = pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")


def test_boot2docker(tmp_path: Path, vbox: Fake) -> None:
    iso = tmp_path / "b2d.iso"
    iso.write_bytes(b"iso")
    made = paths.driver(tmp_path, vbox.run, boot2docker_url=str(iso))
    made.check()
    made.create()
    (vm,) = vbox.listing()["vms"].values()
    assert vm["disks"]["0"] == contexts.file_of(made, media.ISO)
    assert vm["set"]["--boot1"] == "dvd"
    assert made.endpoint() is None, "the DHCP server has not seen it yet"
    assert "DHCP" in made.explain()
    raw = tmp_path / "raw"
    subprocess.run(["qemu-img", "convert", "-O", "raw", contexts.file_of(made, media.DISK), str(raw)], check=True)
    with tarfile.open(raw) as tar:
        names = tar.getnames()
        assert names[0] == "boot2docker, please format-me"
        key = tar.extractfile(".ssh/authorized_keys")
        assert key is not None
        assert key.read().decode().strip() == made.ctx.public_key.strip()
    made.remove()
    assert paths.files(tmp_path) == []


def test_boot2docker_is_where_the_dhcp_server_has_put_it(tmp_path: Path, vbox: Fake) -> None:
    """Known once the server has given it for good, followed when it gives another one, kept when it is silent."""
    iso = tmp_path / "b2d.iso"
    iso.write_bytes(b"iso")
    other, made = (paths.driver(tmp_path, vbox.run, name=name, boot2docker_url=str(iso)) for name in ("other", "dev"))
    other.create()
    made.create()
    first = vbox.asks_dhcp("other")
    assert made.endpoint() is None, "a lease, and not its own"
    assert vbox.asks_dhcp("dev", "offered") != first
    assert made.endpoint() is None
    address = vbox.asks_dhcp("dev")
    endpoint = made.endpoint()
    assert endpoint is not None
    assert (endpoint.address, endpoint.ssh_user, endpoint.ssh_port) == (address, "docker", 22)
    assert (first, address) == ("192.168.59.100", "192.168.59.101"), "of the range that the driver wanted"
    assert made.explain() == ""
    found = other.endpoint()
    assert found is not None
    assert found.address == first

    kept = tmp_path / "dev.json"  # as the program keeps it when it has seen an endpoint
    kept.write_text(json.dumps({**made.dump(), "IPAddress": "192.168.59.199"}))
    again = paths.driver(tmp_path, vbox.run)
    assert again.endpoint() == endpoint
    for gone in ("expired", "released"):
        vbox.asks_dhcp("dev", gone)
        found = again.endpoint()
        assert found is not None
        assert found.address == "192.168.59.199"


def test_boot2docker_on_a_mac_is_refused(tmp_path: Path, vbox: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(VirtualBoxDriver, "platform", "darwin")
    vbox.nets = True
    with pytest.raises(PreflightFailed) as caught:
        paths.driver(tmp_path, vbox.run, boot2docker_url="/etc/passwd").check()
    assert "--virtualbox-boot2docker-url" in caught.value.resolution


def test_boot2docker_without_a_dhcp_server_is_refused(tmp_path: Path, vbox: Fake) -> None:
    driver = paths.driver(tmp_path, vbox.run, boot2docker_url="/etc/passwd", hostonly_no_dhcp=True)
    with pytest.raises(PreflightFailed, match="--virtualbox-hostonly-no-dhcp"):
        driver.check()


def test_a_machine_of_docker_machine(tmp_path: Path, vbox: Fake) -> None:
    """It is known by its name, and its record's port is of another address."""
    ctx = paths.driver(tmp_path, vbox.run, name="old").ctx
    vbox.run(["VBoxManage", "createvm", "--basefolder", ctx.directory, "--name", "old", "--register"])
    old = {"IPAddress": "192.168.59.101", "SSHPort": 49153, "SSHUser": "docker", "Memory": 1024, "VBoxManager": {}}
    made = VirtualBoxDriver.load(ctx, {**old, "Program": "sh"})
    made.power(Verb.START)
    assert made.state() is State.RUNNING
    endpoint = made.endpoint()
    assert endpoint is not None
    assert (endpoint.ssh_port, endpoint.ssh_user) == (22, "docker")
    assert made.dump()["VBoxManager"] == {}
    vbox.run(["VBoxManage", "controlvm", "old", "poweroff"])
    card = ("--hostonlyadapter2", "vboxnet0", "--macaddress2", "0800271AC468")
    vbox.run(["VBoxManage", "modifyvm", "old", "--nic2", "hostonly", *card])
    assert vbox.asks_dhcp("old") == "192.168.59.100", "and not .101, as it was"
    endpoint = made.endpoint()
    assert endpoint is not None
    assert endpoint.address == "192.168.59.100"
    made.remove()
    assert vbox.listing()["vms"] == {}


def test_its_record_leads_to_ssh_at_its_own_address() -> None:
    from machine.store import Record

    old: dict[str, Any] = {"IPAddress": "192.168.99.100", "SSHPort": 49153, "SSHUser": "docker"}
    for driver, port in ((old, 22), ({**old, "UUID": "x", "SSHPort": 2222}, 2222)):
        endpoint = Record.new("/store", "dev", "virtualbox", driver).endpoint()
        assert endpoint is not None
        assert (endpoint.address, endpoint.ssh_port) == ("192.168.99.100", port)
