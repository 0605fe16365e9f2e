"""What VBoxManage prints, as values. Pure; held to recorded output of VirtualBox 7.2.

Only what is asked for is understood: unknown keys are kept, unknown lines passed over.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

_VERSION = re.compile(r"^(\d+)\.(\d+)\.(\d+)\S*$", re.MULTILINE)
_VM = re.compile(r'^"(.*)" \{([0-9a-fA-F-]{36})\}$', re.MULTILINE)
_FIELD = re.compile(r'^"?([^"=]+)"?=(?:"(.*)"|(.*))$')
_ESCAPED = re.compile(r'\\([\\"])')  # inside of quotes, as in Windows' paths
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_SNAPSHOTS = re.compile(r" \[(.*)\]")  # behind each machine that uses a disk
_USER = re.compile(r"\(UUID: ([0-9a-fA-F-]{36})\)")
_MADE = re.compile(r"Interface '(.+)' was successfully created")


def version(text: str) -> tuple[int, int, int]:
    """(7, 2, 22) of `--version`, whose last line it is: a wrapper may warn before. (0, 0, 0) if not there."""
    found = _VERSION.findall(text)
    return (int(found[-1][0]), int(found[-1][1]), int(found[-1][2])) if found else (0, 0, 0)


def lacks_kernel_driver(text: str) -> bool:
    """Whether the wrapper of `--version` warns that the kernel's part of VirtualBox is not loaded."""
    return "vboxdrv" in text and "WARNING" in text


def vms(text: str) -> dict[str, str]:
    """UUID -> name, of `list vms` and `list runningvms`."""
    return {uuid.lower(): name for name, uuid in _VM.findall(text)}


def fields(text: str) -> dict[str, str]:
    """Key -> value, of `showvminfo --machinereadable`. The first one counts: a description may have lines like them."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        match = _FIELD.match(line)
        if match:
            found.setdefault(match[1].strip(), match[3] if match[2] is None else _ESCAPED.sub(r"\1", match[2]))
    return found


def number(info: Mapping[str, str], key: str) -> int:
    """The number that a field has, such as the MB of its memory; 0 if there is none, or none that a machine has."""
    text = info.get(key, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def forwards(info: dict[str, str]) -> dict[str, str]:
    """Name -> rule (protocol,host address,host port,guest address,guest port) of a machine's NAT forwards."""
    rules = (value for key, value in info.items() if key.startswith("Forwarding("))
    return {name: rest for name, _, rest in (rule.partition(",") for rule in rules)}


def shares(info: dict[str, str]) -> set[str]:
    """Names of a machine's shared folders."""
    return {value for key, value in info.items() if key.startswith("SharedFolderNameMachineMapping")}


def blocks(text: str) -> list[dict[str, str]]:
    """The paragraphs of `list hostonlyifs` and `list dhcpservers`, as key -> value."""
    found = []
    for paragraph in re.split(r"\n\s*\n", text.replace("\r\n", "\n")):
        block = _pairs(paragraph)
        if block:
            found.append(block)
    return found


def networks(text: str) -> list[dict[str, str]]:
    """The entries of `list hostonlynets` as key -> value; each has an empty line after its GUID."""
    return [block for part in re.split(r"^(?=Name:)", text, flags=re.MULTILINE) for block in [_pairs(part)] if block]


def made_interface(text: str) -> str:
    """The name that `hostonlyif create` tells, "" if it tells none."""
    match = _MADE.search(text)
    return match[1] if match else ""


def property_value(text: str) -> str:
    """The value that `guestproperty get` prints, "" for "No value set!"."""
    return text.partition("Value:")[2].strip() if text.startswith("Value:") else ""


def lease(text: str) -> str:
    """The address that `dhcpserver findlease` prints, "" if it is none now: offered, released, expired."""
    found = _pairs(text)
    return found.get("IP Address", "") if found.get("State") == "acked" else ""


@dataclass(frozen=True, slots=True)
class HardDisk:
    """A disk of `list hdds --long`: the disk that it stands on ("" for none), its file, the snapshots that it is of."""

    parent: str
    location: str
    snapshots: frozenset[str]


def hard_disks(text: str) -> dict[str, HardDisk]:
    """UUID -> disk, of `list hdds --long`."""
    found = {}
    for paragraph in re.split(r"\n\s*\n", text):
        block = _pairs(paragraph)
        if _UUID.fullmatch(block.get("UUID", "")):
            parent = block.get("Parent UUID", "")
            users = paragraph.partition("\nIn use by VMs:")[2].partition("\nChild UUIDs:")[0]
            of = frozenset(uuid.lower() for each in _SNAPSHOTS.findall(users) for uuid in _USER.findall(each))
            found[block["UUID"].lower()] = HardDisk(
                parent.lower() if _UUID.fullmatch(parent) else "", block.get("Location", ""), of
            )
    return found


def disk_of_snapshot(disks: Mapping[str, HardDisk], snapshot: str, base: str) -> str:
    """UUID of the disk that the snapshot with that UUID has on the file `base`, "" if there is none."""
    return next(
        (uuid for uuid, disk in disks.items() if snapshot in disk.snapshots and _root(disks, disk) == _same(base)), ""
    )


def _root(disks: Mapping[str, HardDisk], disk: HardDisk) -> str:
    """The file at the bottom of a disk's chain, "" if that is broken."""
    for _ in range(len(disks)):
        if not disk.parent:
            return _same(disk.location)
        if disk.parent not in disks:
            break
        disk = disks[disk.parent]
    return ""


def _same(path: str) -> str:
    """A path as it is compared: VirtualBox may know it by way of a symbolic link."""
    return os.path.normcase(os.path.realpath(path))


def _pairs(text: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in text.splitlines() if not line.startswith((" ", "\t")))
    return {key.strip(): value.strip() for key, colon, value in pairs if colon}


def megabytes(text: str) -> int:
    """The size that `showmediuminfo` tells, -1 if it tells none."""
    found = re.search(r"^Capacity:\s*([0-9]{1,15})(\s|$)", text, re.MULTILINE)
    return int(found[1]) if found else -1
