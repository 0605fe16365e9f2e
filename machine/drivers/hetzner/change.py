"""What `machine set` changes of a server: its type, while it is off, and with that its disk, which only grows.

https://docs.hetzner.cloud/reference/cloud#server-actions-change-the-type-of-a-server
"""

from __future__ import annotations

from typing import Any

from machine.drivers.cloud.errors import refuse
from machine.drivers.hetzner.client import Api
from machine.drivers.hetzner.config import Config
from machine.drivers.hetzner.preflight import server_type
from machine.errors import InProgress

TYPE = "hetzner-server-type"


def check_type(api: Api, server: Any, wanted: Config) -> None:
    """Refuse a type that there is not, of another processor, or with a smaller disk than the server has."""
    new, old = server_type(api, wanted), server.server_type
    if new.architecture != old.architecture:
        brief = f"the server type {new.name} is for {new.architecture}, the machine for {old.architecture}"
        refuse(brief, f"choose a --{TYPE} for {old.architecture}")
    disk = int(server.primary_disk_size or 0)
    if int(new.disk) < disk:
        brief = f"the server type {new.name} has a disk of {new.disk} GB, the machine one of {disk} GB"
        refuse(f"{brief}: disks grow, and never shrink", f"choose a --{TYPE} with {disk} GB or more, or make another")


def change_type(api: Api, server: Any, wanted: str) -> bool:
    """Change the type of a server that is off; return whether it is that now.

    Raises InProgress, or WrongState, while Hetzner is at it: its answer says only that it has begun.
    """
    if str(server.server_type.name) == wanted:
        return True
    if server.status == "off":
        api.change_type(int(server.id), wanted)
    if server.status in ("off", "migrating"):
        raise InProgress(f"Hetzner is changing the type of the server {server.id}")
    return False
