"""What the machine is made of: settings, cards, disks, shares; only what is not there yet is asked for."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass

from machine.drivers.virtualbox import client, hostonly, media, parse, shares
from machine.drivers.virtualbox.client import VBox
from machine.drivers.virtualbox.config import Settings

MOUNTS = "/VirtualBox/GuestAdd/SharedFolders/"


@dataclass(frozen=True, slots=True)
class HardwareSpec:
    """What a machine shall have. `macs` are those of the NAT card and the host-only card."""

    settings: Settings
    directory: str
    macs: tuple[str, str]
    network: str
    nets: bool
    nat_port: int


def is_arm64() -> bool:
    """Whether this host's processor is an ARM."""
    return platform.machine().lower() in ("arm64", "aarch64")


def configure_hardware(vbox: VBox, vm: str, info: dict[str, str], wanted: HardwareSpec) -> None:
    """All of it. `info` are the machine's fields before."""
    vbox.modify(vm, *base(wanted.settings))
    vbox.modify(vm, "--uart1", "0x3F8", "4", "--uartmode1", "file", os.path.join(wanted.directory, media.CONSOLE))
    network(vbox, vm, info, wanted)
    _storage(vbox, vm, info, wanted)
    share = shares.wanted(wanted.settings)
    if share and share[1] not in parse.shares(info):
        vbox.set_property(vm, MOUNTS + "MountPrefix", "/")
        vbox.set_property(vm, MOUNTS + "MountDir", "/")
        vbox.share(vm, share[1], share[0])


def network(vbox: VBox, vm: str, info: dict[str, str], wanted: HardwareSpec) -> None:
    """Both cards, and the way in through the NAT."""
    own = wanted.settings
    macs = [mac.replace(":", "").upper() for mac in wanted.macs]
    vbox.modify(vm, "--nic1", "nat", "--nictype1", own.nat_card, "--cableconnected1", "on", "--macaddress1", macs[0])
    card = ["--nictype2", own.card, "--nicpromisc2", own.promiscuous, "--cableconnected2", "on"]
    vbox.modify(vm, *hostonly.card(2, wanted.network, wanted.nets), *card, "--macaddress2", macs[1])
    rule = f"tcp,127.0.0.1,{wanted.nat_port},,22"
    have = parse.forwards(info).get("ssh")
    if have is not None and have != rule:
        vbox.modify(vm, "--natpf1", "delete", "ssh")
    if have != rule:
        vbox.modify(vm, "--natpf1", f"ssh,{rule}")


def cpus(settings: Settings) -> int:
    """How many processors the machine has; -1 stands for all of this host's."""
    return os.cpu_count() or 1 if settings.cpus == -1 else settings.cpus


def base(settings: Settings) -> list[str]:
    """The words of modifyvm that need no look at the host."""
    words = {
        "--ostype": "Linux26_64",
        "--cpus": str(cpus(settings)),
        "--memory": str(settings.memory),
        "--acpi": "on",
        "--ioapic": "on",
        "--rtcuseutc": "on",
        "--natdnshostresolver1": _switch(settings.resolver),
        "--natdnsproxy1": _switch(settings.dns_proxy),
        "--boot1": "dvd" if settings.boot2docker else "disk",
        "--boot2": "disk" if settings.boot2docker else "none",
        "--boot3": "none",
    }
    if is_arm64():
        words["--ostype"] = "Debian_arm64"
    else:
        words |= {
            "--firmware": "bios",
            "--bioslogofadein": "off",
            "--bioslogofadeout": "off",
            "--bioslogodisplaytime": "0",
            "--biosbootmenu": "disabled",
            "--cpuhotplug": "off",
            "--pae": "on",
            "--hpet": "on",
            "--hwvirtex": "on",
            "--nestedpaging": "on",
            "--largepages": "on",
            "--vtxvpid": "on",
            "--accelerate3d": "off",
        }
    return [word for pair in words.items() for word in pair]


def _storage(vbox: VBox, vm: str, info: dict[str, str], wanted: HardwareSpec) -> None:
    iso = media.ISO if wanted.settings.boot2docker else media.SEED
    if info.get("storagecontrollername0") != client.CONTROLLER:
        vbox.add_controller(vm)
    for port, kind, file in ((client.DVD, "dvddrive", iso), (client.DISK, "hdd", media.DISK)):
        path = os.path.join(wanted.directory, file)
        if file == media.DISK and info.get("CurrentSnapshotUUID"):
            continue  # the machine's disk is one on top of that file
        if info.get(f"{client.CONTROLLER}-{port}-0") != path:
            vbox.attach(vm, port, kind, path)


def _switch(on: bool) -> str:
    return "on" if on else "off"
