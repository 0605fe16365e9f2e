"""What a machine of driver virtualbox shall be: option values, checked, as a frozen value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from machine.drivers.virtualbox import network
from machine.drivers.virtualbox.options import (
    BOOT2DOCKER_USER,
    DEFAULT_CIDR,
    DEFAULT_IMAGE,
    DEFAULT_MIRROR,
    OPTIONS,
    USER,
)
from machine.errors import UsageError
from machine.options import Values

NICS = ("Am79C970A", "Am79C973", "82540EM", "82543GC", "82545EM", "virtio")  # VBoxManage modifyvm --nictype
PROMISCUOUS = ("deny", "allow-vms", "allow-all")
INTERFACES = ("headless", "gui", "sdl", "separate")
LEAST_MEMORY, LEAST_DISK = 256, 2500  # MB
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_SHARE = re.compile(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*")


@dataclass(frozen=True, slots=True)
class Settings:
    """Memory and disk in MB, the boot timeout in seconds.."""

    memory: int
    cpus: int
    disk: int
    image: str
    mirror: str
    boot2docker: str
    imported: str
    resolver: bool
    nat_card: str
    cidr: str
    card: str
    promiscuous: str
    no_dhcp: bool
    interface: str
    no_share: bool
    share: str
    dns_proxy: bool
    no_vtx_check: bool
    user: str
    boot_timeout: int
    program: str
    install_path: str


# field -> (its key in config.json, docker-machine's where it has one; what is missing means)
KEYS: dict[str, tuple[str, Any]] = {
    "memory": ("Memory", 1024),
    "cpus": ("CPU", 1),
    "disk": ("DiskSize", 20000),
    "image": ("Image", DEFAULT_IMAGE),
    "mirror": ("ImageMirror", DEFAULT_MIRROR),
    "boot2docker": ("Boot2DockerURL", ""),
    "imported": ("Boot2DockerImportVM", ""),
    "resolver": ("HostDNSResolver", False),
    "nat_card": ("NatNicType", "82540EM"),
    "cidr": ("HostOnlyCIDR", DEFAULT_CIDR),
    "card": ("HostOnlyNicType", "82540EM"),
    "promiscuous": ("HostOnlyPromiscMode", "deny"),
    "no_dhcp": ("HostOnlyNoDHCP", False),
    "interface": ("UIType", "headless"),
    "no_share": ("NoShare", False),
    "share": ("ShareFolder", ""),
    "dns_proxy": ("DNSProxy", True),
    "no_vtx_check": ("NoVTXCheck", False),
    "user": ("SSHUser", USER),
    "boot_timeout": ("BootTimeout", 300),
    "program": ("Program", ""),
    "install_path": ("InstallPath", ""),
}


def from_values(values: Values) -> Settings:
    """The settings that option values ask for; UsageError names the flag that makes no sense."""
    given = {option.name.removeprefix("virtualbox-"): values[option.name] for option in OPTIONS}
    check_sizes(given["memory"], given["cpu-count"], given["disk-size"])
    if given["import-boot2docker-vm"] and not given["boot2docker-url"]:
        raise UsageError(
            "--virtualbox-import-boot2docker-vm needs the ISO that boots that disk",
            resolution="add --virtualbox-boot2docker-url URL or PATH",
        )
    network.parse(str(given["hostonly-cidr"]))
    if given["share-folder"]:
        split_share(str(given["share-folder"]))
    return Settings(
        memory=given["memory"],
        cpus=given["cpu-count"],
        disk=given["disk-size"],
        image=_text(given, "image", "debian-13, debian-12, a URL or a path"),
        mirror=str(given["image-mirror"]).strip().rstrip("/"),
        boot2docker=str(given["boot2docker-url"]).strip(),
        imported=given["import-boot2docker-vm"],
        resolver=given["host-dns-resolver"],
        nat_card=_one_of(given, "nat-nictype", NICS),
        cidr=str(given["hostonly-cidr"]),
        card=_one_of(given, "hostonly-nictype", NICS),
        promiscuous=_one_of(given, "hostonly-nicpromisc", PROMISCUOUS),
        no_dhcp=given["hostonly-no-dhcp"],
        interface=_one_of(given, "ui-type", INTERFACES),
        no_share=given["no-share"],
        share=given["share-folder"],
        dns_proxy=not given["no-dns-proxy"],
        no_vtx_check=given["no-vtx-check"],
        user=BOOT2DOCKER_USER if given["boot2docker-url"] else _user(str(given["ssh-user"])),
        boot_timeout=_least(given, "boot-timeout", 1, "seconds"),
        program=given["program"],
        install_path=given["install-path"],
    )


def check_sizes(memory: int, cpus: int, disk: int) -> None:
    """Raise UsageError, which names the flag, for a size that no machine has. Memory and disk are in MB."""
    if cpus != -1 and not 1 <= cpus <= 64:
        raise _wrong("cpu-count", cpus, "a number from 1 to 64, or -1 for all of this host's")
    _least({"memory": memory}, "memory", LEAST_MEMORY, "MB")
    _least({"disk-size": disk}, "disk-size", LEAST_DISK, "MB")


def dump(settings: Settings) -> dict[str, Any]:
    """The settings under their keys of config.json's Driver object."""
    return {key: getattr(settings, field) for field, (key, _) in KEYS.items()}


def load(data: Mapping[str, Any]) -> Settings:
    """The settings of a stored machine, docker-machine's too; keys that are missing get their defaults."""
    found = {}
    for field, (key, default) in KEYS.items():
        value = data.get(key)
        found[field] = default if value is None or value == "" else type(default)(value)
    if "UUID" not in data and not data.get("SSHUser"):
        found["user"] = BOOT2DOCKER_USER  # docker-machine's machines are boot2docker's
    return Settings(**found)


def split_share(word: str) -> tuple[str, str]:
    """(directory, name) of DIRECTORY:NAME; the last colon counts, as Windows' paths have one too."""
    directory, _, name = word.rpartition(":")
    if not directory or not _SHARE.fullmatch(name):
        raise _wrong("share-folder", word, "DIRECTORY:NAME, such as /srv/data:data")
    return directory, name


def _text(given: Mapping[str, Any], flag: str, wanted: str) -> str:
    text = str(given[flag]).strip()
    if not text:
        raise _wrong(flag, text, wanted)
    return text


def _least(given: Mapping[str, Any], flag: str, least: int, unit: str) -> int:
    number = int(given[flag])
    if number < least:
        raise _wrong(flag, number, f"at least {least} {unit}")
    return number


def _one_of(given: Mapping[str, Any], flag: str, words: tuple[str, ...]) -> str:
    word = str(given[flag])
    for known in words:
        if known.lower() == word.lower():
            return known
    raise _wrong(flag, word, "one of " + ", ".join(words))


def _user(name: str) -> str:
    if not _USER.fullmatch(name) or name == "root":
        raise _wrong("ssh-user", name, "an ordinary login name: a-z, 0-9, - and _, beginning with a letter")
    return name


def _wrong(flag: str, value: object, wanted: str) -> UsageError:
    return UsageError(f"--virtualbox-{flag} cannot be {value!r}", resolution=f"give --virtualbox-{flag} {wanted}")
