"""Option values of driver virtualbox."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from machine.drivers.virtualbox import config, hardware, shares
from machine.drivers.virtualbox.client import program
from machine.drivers.virtualbox.options import OPTIONS
from machine.errors import UsageError
from machine.options import resolve


def of(**given: Any) -> config.Settings:
    return config.from_values(resolve(OPTIONS, {f"virtualbox-{k.replace('_', '-')}": v for k, v in given.items()}, {}))


def test_all_of_docker_machines_flags_and_variables() -> None:
    known = {option.name: option.env for option in OPTIONS}
    for flag, variable in {
        "virtualbox-memory": "VIRTUALBOX_MEMORY_SIZE",
        "virtualbox-cpu-count": "VIRTUALBOX_CPU_COUNT",
        "virtualbox-disk-size": "VIRTUALBOX_DISK_SIZE",
        "virtualbox-boot2docker-url": "VIRTUALBOX_BOOT2DOCKER_URL",
        "virtualbox-import-boot2docker-vm": "VIRTUALBOX_BOOT2DOCKER_IMPORT_VM",
        "virtualbox-host-dns-resolver": "VIRTUALBOX_HOST_DNS_RESOLVER",
        "virtualbox-nat-nictype": "VIRTUALBOX_NAT_NICTYPE",
        "virtualbox-hostonly-cidr": "VIRTUALBOX_HOSTONLY_CIDR",
        "virtualbox-hostonly-nictype": "VIRTUALBOX_HOSTONLY_NIC_TYPE",
        "virtualbox-hostonly-nicpromisc": "VIRTUALBOX_HOSTONLY_NIC_PROMISC",
        "virtualbox-ui-type": "VIRTUALBOX_UI_TYPE",
        "virtualbox-hostonly-no-dhcp": "VIRTUALBOX_HOSTONLY_NO_DHCP",
        "virtualbox-no-share": "VIRTUALBOX_NO_SHARE",
        "virtualbox-no-dns-proxy": "VIRTUALBOX_NO_DNS_PROXY",
        "virtualbox-no-vtx-check": "VIRTUALBOX_NO_VTX_CHECK",
        "virtualbox-share-folder": "VIRTUALBOX_SHARE_FOLDER",
    }.items():
        assert known[flag] == variable


def test_they_survive_the_record() -> None:
    wanted = of(memory=2048, cpu_count=-1, share_folder=r"C:\data:data", no_dns_proxy=True, hostonly_cidr="10.9.9.1/24")
    assert config.load(json.loads(json.dumps(config.dump(wanted)))) == wanted
    assert config.load(config.dump(of())) == of()


def test_a_record_of_docker_machine() -> None:
    old = {
        "VBoxManager": {},
        "HostInterfaces": {},
        "CPU": 2,
        "Memory": 512,
        "HostOnlyCIDR": "192.168.99.1/24",
        "Boot2DockerURL": "",
    }
    found = config.load(old)
    assert found.user == "docker"
    assert (found.cpus, found.memory, found.cidr, found.dns_proxy) == (2, 512, "192.168.99.1/24", True)


@pytest.mark.parametrize(
    "given",
    [
        {"cpu_count": 0},
        {"cpu_count": 65},
        {"memory": 12},
        {"disk_size": 10},
        {"image": " "},
        {"nat_nictype": "rtl8139"},
        {"hostonly_nicpromisc": "some"},
        {"ui_type": "tk"},
        {"share_folder": "nowhere"},
        {"ssh_user": "root"},
        {"hostonly_cidr": "x"},
        {"import_boot2docker_vm": "old"},
        {"boot_timeout": 0},
    ],
)
def test_nonsense_names_its_flag(given: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        of(**given)
    assert f"--virtualbox-{next(iter(given)).replace('_', '-')}" in caught.value.brief
    assert caught.value.resolution


def test_words_for_the_machine() -> None:
    words = hardware.base(of(host_dns_resolver=True, no_dns_proxy=True, memory=2048))
    pairs = dict(zip(words[::2], words[1::2], strict=True))
    assert (pairs["--natdnshostresolver1"], pairs["--natdnsproxy1"], pairs["--memory"]) == ("on", "off", "2048")
    assert pairs["--boot1"] == "disk"
    assert dict(zip(*[iter(hardware.base(of(boot2docker_url="x.iso")))] * 2, strict=True))["--boot1"] == "dvd"


def test_shares() -> None:
    assert shares.wanted(of()) is None, "the keys of all machines are in the home directory"
    assert shares.wanted(of(no_share=True, share_folder="/a:b")) is None
    assert shares.wanted(of(share_folder=r"D:\x:y")) == (r"D:\x", "y")
    assert shares.mount_unit("c/Users")[0] == "c-Users.mount"
    name, text = shares.mount_unit("my-data")
    assert name == r"my\x2ddata.mount"
    assert "Where=/my-data\n" in text
    assert "Type=vboxsf\n" in text


def test_where_it_is_found(tmp_path: Path) -> None:
    assert program("/nonexistent/VBoxManage", "") == ""
    exe = tmp_path / "VBoxManage.exe"
    exe.write_text("")
    assert program("", str(tmp_path), "win32") == os.path.join(tmp_path, "VBoxManage.exe")
