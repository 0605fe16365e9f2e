"""What goes when a machine of driver digitalocean goes: newest first, by record first and by tag second."""

from __future__ import annotations

from machine.drivers.digitalocean.client import DROPLET, FIREWALL, RESERVED_IP, SSH_KEY, TAG, VOLUME, Api
from machine.drivers.digitalocean.config import Config
from machine.drivers.digitalocean.options import NEW


def remove(api: Api, config: Config) -> None:
    """All that `create` made; absent is success. Raises InUse while a volume is still attached."""
    droplets = {config.droplet_id} - {0}
    if config.tag:
        droplets |= {int(droplet["id"]) for droplet in api.list_all(DROPLET, tag_name=config.tag)}
    if config.reserved_ip == NEW:  # while the droplet is there: afterwards only the record tells whose address it was
        for address in {config.reserved_address, *addresses_of(api, droplets)} - {""}:
            api.delete(RESERVED_IP, address)
    for droplet in sorted(droplets):
        api.delete(DROPLET, droplet)
    _firewalls(api, config)
    if config.own_volume_name:
        for volume in api.list_all(VOLUME, name=config.own_volume_name, region=config.region):
            api.delete(VOLUME, volume["id"])
    _key(api, config)
    if config.tag:
        api.delete(TAG, config.tag)


def addresses_of(api: Api, droplets: set[int]) -> list[str]:
    """The reserved addresses that lead to one of the droplets."""
    return [str(one["ip"]) for one in api.list_all(RESERVED_IP) if (one.get("droplet") or {}).get("id") in droplets]


def _firewalls(api: Api, config: Config) -> None:
    for firewall, selecting_tag in (config.attached_firewalls or {}).items():
        if not selecting_tag:
            api.leave_firewall(firewall, config.tag)
    if config.firewall_id:
        api.delete(FIREWALL, config.firewall_id)
    elif config.firewall_name:
        for wall in api.list_all(FIREWALL):
            if wall.get("name") == config.firewall_name:
                api.delete(FIREWALL, wall["id"])


def _key(api: Api, config: Config) -> None:
    """The key that was added for the machine: not one that the account had before."""
    named = config.key_name
    own = config.ssh_key_fingerprint or config.ssh_key
    if config.ssh_key_id and (named or (named is None and not own)):  # docker-machine writes no KeyName
        api.delete(SSH_KEY, config.ssh_key_id)
    elif named:
        for key in api.list_all(SSH_KEY):
            if key.get("name") == named:
                api.delete(SSH_KEY, key["id"])
