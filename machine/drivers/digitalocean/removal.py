"""What goes when a machine of driver digitalocean goes: newest first, by record first and by tag second."""

from __future__ import annotations

from collections.abc import Iterable

from machine.drivers.base import DriverContext
from machine.drivers.cloud import errors
from machine.drivers.digitalocean.client import Api, Json
from machine.drivers.digitalocean.config import Config
from machine.drivers.digitalocean.options import NEW
from machine.errors import InProgress


def remove(api: Api, config: Config, ctx: DriverContext) -> None:
    """All that `create` made; absent is success. InProgress while a volume is still attached."""
    droplets = {config.droplet_id} - {0}
    tag = config.tag
    if tag:
        droplets |= {int(droplet["id"]) for droplet in api.droplets(tag)}
    _reserved_addresses(api, config, droplets)
    for droplet in sorted(droplets):
        api.delete_droplet(droplet)
    _firewalls(api, config, tag)
    _volume(api, config, ctx)
    _key(api, config)
    if tag:
        api.delete_tag(tag)


def addresses_of(reserved: Iterable[Json], droplets: set[int]) -> list[str]:
    """The reserved addresses that lead to one of the droplets."""
    return [str(one["ip"]) for one in reserved if (one.get("droplet") or {}).get("id") in droplets]


def _reserved_addresses(api: Api, config: Config, droplets: set[int]) -> None:
    """While the droplet is there: afterwards nothing tells whose address it was, but the record."""
    if config.reserved_ip != NEW:
        return
    kept = config.reserved_address
    for address in {kept, *addresses_of(api.reserved_ips(), droplets)} - {""}:
        api.delete_reserved_ip(address)


def _firewalls(api: Api, config: Config, tag: str) -> None:
    for firewall, selecting_tag in (config.attached_firewalls or {}).items():
        if not selecting_tag:
            api.leave_firewall(firewall, tag)
    if config.firewall_id:
        api.delete_firewall(config.firewall_id)
    elif config.firewall_name:
        for wall in api.firewalls():
            if wall.get("name") == config.firewall_name:
                api.delete_firewall(str(wall["id"]))


def _volume(api: Api, config: Config, ctx: DriverContext) -> None:
    name = config.own_volume_name
    if not name:
        return
    found = [str(volume["id"]) for volume in api.volumes(name=name, region=config.region)]
    try:
        for volume in found:
            api.delete_volume(volume)
    except errors.InUse as error:
        raise InProgress(
            f"DigitalOcean is still ending the droplet of {ctx.name}",
            details=error.details,
            resolution=f"machine rm {ctx.name} again removes its volume too",
        ) from None


def _key(api: Api, config: Config) -> None:
    """The key that was added for the machine: not one that the account had before."""
    named = config.key_name
    own = config.ssh_key_fingerprint or config.ssh_key
    if config.ssh_key_id and (named or (named is None and not own)):  # docker-machine writes no KeyName
        api.delete_key(config.ssh_key_id)
    elif named:
        for key in api.ssh_keys():
            if key.get("name") == named:
                api.delete_key(int(key["id"]))
