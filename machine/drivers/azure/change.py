"""What `machine set` changes of a virtual machine while it is deallocated: its size, and the size of its disk.

https://learn.microsoft.com/rest/api/compute/virtual-machines/update and .../rest/api/compute/disks/update
"""

from __future__ import annotations

from machine.drivers.azure import preflight, resources
from machine.drivers.azure.client import Api
from machine.drivers.azure.config import Config
from machine.drivers.azure.resources import DISK, MACHINE, Json
from machine.drivers.cloud.errors import refuse
from machine.errors import InProgress

SIZE, DISK_SIZE = "azure-size", "azure-disk-size"

Path = tuple[str, str]  # resource group and name


def check_size(api: Api, machine: Json, wanted: Config) -> None:
    """Refuse a size that there is not, is not to be had, or does not go with the machine; write it as Azure does."""
    sizes = api.sizes()
    size = preflight.size_of(sizes, wanted)
    preflight.check_zone(size, wanted)
    preflight.check_abilities(size, wanted)
    old = preflight.sku(sizes, "virtualMachines", _size(machine)) or {}
    processors = [preflight.capability(one, "CpuArchitectureType") or "x64" for one in (old or size, size)]
    if processors[0] != processors[1]:
        brief = f"the size {wanted.size} is for {processors[1]}, the machine for {processors[0]}"
        refuse(brief, f"choose an --{SIZE} for {processors[0]}")
    generation = str(resources.properties(machine, "instanceView").get("hyperVGeneration") or "")
    possible = preflight.capability(size, "HyperVGenerations")
    if generation and possible and generation not in possible.split(","):
        brief = f"the machine is of generation {generation}, {wanted.size} is {possible}"
        refuse(brief, f"choose another --{SIZE}, or make another machine")


def check_disk(api: Api, machine: Json, wanted: Config) -> None:
    """Refuse a disk smaller than the machine has, and one that is a file in a storage account."""
    now = _gigabytes(api.get(DISK, *_disk_path(machine)))
    if wanted.disk_size < now:
        refuse(
            f"--{DISK_SIZE} {wanted.disk_size} is less than the disk has ({now} GB): disks grow, and never shrink",
            f"--{DISK_SIZE} {now}, or more; for a smaller disk, make another machine",
        )


def change_size(api: Api, machine: Json, path: Path, size: str) -> bool:
    """Change the size of a machine that is off; return whether it is that now. Raises InProgress until it is."""
    _wait_for(machine)
    api.raise_failure(MACHINE, *path, found=machine, doing="change")
    is_off = resources.power_state(machine) in ("stopped", "deallocated")
    is_redone = is_off and resources.has_failed(machine)  # what another process asked for has failed
    if _size(machine).lower() == size.lower() and not is_redone:
        return True
    if not _is_deallocated(api, machine, path):
        return False
    api.update(MACHINE, *path, body={"properties": {"hardwareProfile": {"vmSize": size}}})
    raise InProgress(f"Azure is changing the size of {machine['name']}")


def grow_disk(api: Api, machine: Json, path: Path, gigabytes: int) -> bool:
    """Grow the disk of a machine that is off; return whether it has that size now. Raises InProgress until it has."""
    disk_path = _disk_path(machine)
    disk = api.get(DISK, *disk_path) or {}
    _wait_for(disk)
    api.raise_failure(DISK, *disk_path, found=disk, doing="change")
    if _gigabytes(disk) >= gigabytes:
        return True
    if not _is_deallocated(api, machine, path):
        return False
    api.update(DISK, *disk_path, body={"properties": {"diskSizeGB": gigabytes}})
    raise InProgress(f"Azure is making the disk {disk_path[1]} larger")


def _is_deallocated(api: Api, machine: Json, path: Path) -> bool:
    """Whether a machine has no hardware; one that is off and has, as after `kill`, gives it up, as `stop` does.

    False for one that runs. Raises InProgress until the hardware is given up.
    """
    power = resources.power_state(machine)
    if power == "stopped":
        api.power("deallocate", *path)
    if power in ("stopped", "stopping", "deallocating"):
        raise InProgress(f"Azure is deallocating {machine['name']}")
    return power == "deallocated"


def _wait_for(thing: Json) -> None:
    """Raise InProgress while Azure is at a resource."""
    if lines := resources.in_progress(thing):
        raise InProgress("Azure is at something else", details="\n".join(lines))


def _size(machine: Json) -> str:
    return str(resources.properties(machine, "hardwareProfile").get("vmSize") or "")


def _disk_path(machine: Json) -> Path:
    """The resource group and name of the machine's disk. Raises PreflightFailed if it is none of Azure's own."""
    disk_id = str(resources.properties(machine, "storageProfile", "osDisk", "managedDisk").get("id") or "")
    parts = resources.id_parts(disk_id)
    if "disks" not in parts:
        refuse(
            f"the disk of {machine.get('name')} is a file in a storage account, which docker-machine made",
            "make another machine: Azure has ended such disks",
        )
    return parts["resourcegroups"], parts["disks"]


def _gigabytes(disk: Json | None) -> int:
    return int(resources.properties(disk).get("diskSizeGB") or 0)
