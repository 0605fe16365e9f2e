"""What a machine of driver qemu shall be: option values, checked, as a frozen value."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from machine.drivers.base import DriverContext
from machine.drivers.cloud.flags import DriverFlags
from machine.drivers.qemu import options
from machine.errors import UsageError
from machine.hostport import ENGINE_PORT, MANAGER_PORT
from machine.options import Values

FLAGS = DriverFlags("qemu")
ACCELERATORS = ("auto", "kvm", "hvf", "tcg")
WARM = ("on", "off")
LOCALHOST = ("auto", "on", "off")
HOST_ACCESS = ("auto", "on", "off")
LEAST_MEMORY = 256  # MB; below, Debian's own kernel and systemd do not come up
LEAST_DISK = 2000  # MB
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")


@dataclass(frozen=True, slots=True)
class Settings:
    """Memory and disk in MB, the boot timeout in seconds; `publish` is (host port, guest port)."""

    image: str
    cpus: int
    memory: int
    disk: int
    boot_timeout: int
    publish: tuple[tuple[int, int], ...]
    user: str
    accel: str
    mirror: str
    program: str
    warm: bool = True  # start from a template
    host_access: str = options.DEFAULT_HOST_ACCESS  # one of HOST_ACCESS: to what listens on this host's loopback
    localhost: str = options.DEFAULT_LOCALHOST  # one of LOCALHOST


def from_values(values: Values) -> Settings:
    """The settings that option values ask for; UsageError names the flag that makes no sense."""
    cpus = values["qemu-cpu-count"]
    if cpus != -1 and not 1 <= cpus <= 255:
        raise FLAGS.wrong("cpu-count", cpus, "a number from 1 to 255, or -1 for all of this host's")
    return Settings(
        image=_text(values, "image", "debian-13, debian-12, a URL or a path"),
        cpus=cpus,
        memory=_least(values, "memory", LEAST_MEMORY, "MB"),
        disk=_least(values, "disk-size", LEAST_DISK, "MB"),
        boot_timeout=_least(values, "boot-timeout", 1, "seconds"),
        publish=publish(values["qemu-publish"]),
        user=_user(values["qemu-ssh-user"]),
        accel=FLAGS.one_of("accel", str(values["qemu-accel"]), ACCELERATORS),
        mirror=str(values["qemu-image-mirror"]).strip().rstrip("/"),
        program=values["qemu-program"],
        warm=FLAGS.one_of("warm", str(values["qemu-warm"]), WARM) == "on",
        host_access=FLAGS.one_of("host-access", str(values["qemu-host-access"]), HOST_ACCESS),
        localhost=FLAGS.one_of("localhost", str(values["qemu-localhost"]), LOCALHOST),
    )


def publish(words: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """`HOST:GUEST` port pairs (`PORT` alone is both).

    Raises UsageError on anything else and on a host port given twice.
    """
    pairs: list[tuple[int, int]] = []
    for word in words:
        host, _, guest = word.partition(":")
        if not all(part.isascii() and part.isdigit() and 0 < int(part) < 65536 for part in (host, guest or host)):
            raise FLAGS.wrong("publish", word, "HOST:GUEST, two ports from 1 to 65535, such as 8080:80")
        pairs.append((int(host), int(guest or host)))
    hosts = [host for host, _ in pairs]
    twice = next((host for host in hosts if hosts.count(host) > 1), None)
    if twice is not None:
        raise UsageError(f"--qemu-publish names the host port {twice} twice", resolution="publish each port once")
    return tuple(pairs)


def dump(settings: Settings) -> dict[str, Any]:
    """The settings under their keys of config.json's Driver object."""
    return {
        "Image": settings.image,
        "CPU": settings.cpus,
        "Memory": settings.memory,
        "DiskSize": settings.disk,
        "BootTimeout": settings.boot_timeout,
        "Publish": [f"{host}:{guest}" for host, guest in settings.publish],
        "SSHUser": settings.user,
        "Accel": settings.accel,
        "ImageMirror": settings.mirror,
        "Program": settings.program,
        "Warm": settings.warm,
        "Localhost": settings.localhost,
        "HostAccess": settings.host_access,
    }


def load(data: Mapping[str, Any]) -> Settings:
    """The settings of a stored machine; keys that are missing get their defaults."""
    return Settings(
        image=str(data.get("Image") or options.DEFAULT_IMAGE),
        cpus=int(data.get("CPU") or options.DEFAULT_CPUS),
        memory=int(data.get("Memory") or options.DEFAULT_MEMORY),
        disk=int(data.get("DiskSize") or options.DEFAULT_DISK),
        boot_timeout=int(data.get("BootTimeout") or options.DEFAULT_BOOT_TIMEOUT),
        publish=publish(data.get("Publish") or []),
        user=str(data.get("SSHUser") or options.USER),
        accel=str(data.get("Accel") or options.DEFAULT_ACCEL),
        mirror=str(data.get("ImageMirror") or options.DEFAULT_MIRROR),
        program=str(data.get("Program") or ""),
        warm=bool(data.get("Warm", True)),
        host_access=_recorded_access(data.get("HostAccess")),
        localhost=str(data.get("Localhost") or options.DEFAULT_LOCALHOST),
    )


def _recorded_access(word: object) -> str:
    """Return what a record says of --qemu-host-access; true and false stood for on and off once."""
    if isinstance(word, bool):
        return "on" if word else "off"
    return str(word) if word in HOST_ACCESS else options.DEFAULT_HOST_ACCESS


def reaches_host(settings: Settings, ctx: DriverContext) -> bool:
    """Return whether the machine reaches what listens on this host's loopback.

    Whoever may use a cluster could, so its machines do not unless asked.
    """
    return settings.host_access == "on" or (settings.host_access == "auto" and not ctx.in_cluster)


def own_ports(settings: Settings, ctx: DriverContext) -> tuple[int, ...] | None:
    """Return the ports that are the machine's own and never on localhost; None if none of its ports is to be there.

    Whoever may use a cluster could have ports of this computer, so its machines have none unless asked.
    """
    if settings.localhost == "off" or (settings.localhost == "auto" and ctx.in_cluster):
        return None
    return (22, ENGINE_PORT, MANAGER_PORT, *ctx.cluster_ports)


def _text(values: Values, flag: str, wanted: str) -> str:
    text = str(values[f"qemu-{flag}"]).strip()
    if not text:
        raise FLAGS.wrong(flag, text, wanted)
    return text


def _least(values: Values, flag: str, least: int, unit: str) -> int:
    number = int(values[f"qemu-{flag}"])
    if number < least:
        raise FLAGS.wrong(flag, number, f"at least {least} {unit}")
    return number


def _user(name: str) -> str:
    if not _USER.fullmatch(name):
        raise FLAGS.wrong("ssh-user", name, "a login name: a-z, 0-9, - and _, beginning with a letter")
    if name == "root":
        raise FLAGS.wrong("ssh-user", name, "an ordinary user; it gets sudo rights")
    return name
