"""What goes when a machine of driver digitalocean goes: newest first, by record first and by tag second."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from machine.drivers.base import DriverContext
from machine.drivers.cloud import errors
from machine.drivers.digitalocean.client import Api
from machine.drivers.digitalocean.options import NEW
from machine.errors import Unfinished

Data = dict[str, Any]


def remove(api: Api, data: Data, ctx: DriverContext) -> None:
    """All that `create` made; absent is success. Unfinished while a volume is still attached."""
    droplets = {int(data.get("DropletID") or 0)} - {0}
    tag = str(data.get("Tag") or "")
    if tag:
        droplets |= {int(droplet["id"]) for droplet in api.droplets(tag)}
    _reserved_addresses(api, data, droplets)
    for droplet in sorted(droplets):
        api.delete_droplet(droplet)
    _firewalls(api, data, tag)
    _volume(api, data, ctx)
    _key(api, data)
    if tag:
        api.delete_tag(tag)


def leading_to(reserved: Iterable[Data], droplets: set[int]) -> list[str]:
    """The reserved addresses that lead to one of the droplets."""
    return [str(one["ip"]) for one in reserved if (one.get("droplet") or {}).get("id") in droplets]


def _reserved_addresses(api: Api, data: Data, droplets: set[int]) -> None:
    """While the droplet is there: afterwards nothing tells whose address it was, but the record."""
    if data.get("ReservedIP") != NEW:
        return
    kept = str(data.get("ReservedAddress") or "")
    for address in {kept, *leading_to(api.reserved_ips(), droplets)} - {""}:
        api.delete_reserved_ip(address)


def _firewalls(api: Api, data: Data, tag: str) -> None:
    for firewall, joined_by in (data.get("Joined") or {}).items():
        if not joined_by:
            api.leave_firewall(firewall, tag)
    if data.get("FirewallID"):
        api.delete_firewall(str(data["FirewallID"]))
    elif data.get("FirewallName"):
        for wall in api.firewalls():
            if wall.get("name") == data["FirewallName"]:
                api.delete_firewall(str(wall["id"]))


def _volume(api: Api, data: Data, ctx: DriverContext) -> None:
    name = str(data.get("OwnVolumeName") or "")
    if not name:
        return
    found = [str(volume["id"]) for volume in api.volumes(name=name, region=str(data["Region"]))]
    try:
        for volume in found:
            api.delete_volume(volume)
    except errors.InUse as error:
        raise Unfinished(
            f"DigitalOcean is still ending the droplet of {ctx.name}",
            details=error.details,
            resolution=f"machine rm {ctx.name} again removes its volume too",
        ) from None


def _key(api: Api, data: Data) -> None:
    """The key that was added for the machine: not one that the account had before."""
    named = str(data.get("KeyName") or "")
    theirs = data.get("SSHKeyFingerprint") or data.get("SSHKey")
    if data.get("SSHKeyID") and (named or ("KeyName" not in data and not theirs)):  # docker-machine writes no KeyName
        api.delete_key(int(data["SSHKeyID"]))
    elif named:
        for key in api.ssh_keys():
            if key.get("name") == named:
                api.delete_key(int(key["id"]))
