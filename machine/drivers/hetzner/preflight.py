"""The read-only look before a create: is everything there that the server shall be made of? Makes nothing.

What has to be looked up anyway is kept in the config: ids, and names in Hetzner's case.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from machine.drivers.cloud import errors, lookup, price, ssh_key
from machine.drivers.cloud.firewall import closed_port_warnings
from machine.drivers.hetzner import requests
from machine.drivers.hetzner.client import Api, Kind
from machine.drivers.hetzner.config import Config
from machine.drivers.hetzner.errors import ERRORS
from machine.drivers.hetzner.options import NO_FIREWALL

Log = Callable[[str], None]


def preflight(api: Api, config: Config, log: Log, cluster_ports: Sequence[int]) -> None:
    """Raises CloudError, naming the flag, for the first thing that is not right. Warnings are lines in the log."""
    size = server_type(api, config)
    if config.location:
        config.location = str(_pick(api, Kind.LOCATION, config.location, errors.BadRegion).name)
    volumes = [_pick(api, Kind.VOLUME, name, errors.BadVolume) for name in config.volumes]
    config.volume_ids = [str(_alone(config, one, one.server, errors.BadVolume)) for one in volumes]
    config.primary_ipv4_id = _primary_ip(api, config, config.primary_ipv4, "ipv4", log)
    config.primary_ipv6_id = _primary_ip(api, config, config.primary_ipv6, "ipv6", log)
    _offer(config, size, log)
    config.network_ids = [str(_pick(api, Kind.NETWORK, name, errors.BadNetwork).id) for name in config.networks]
    if config.project_key:
        key = _pick(api, Kind.SSH_KEY, config.project_key, errors.BadKey)
        if ssh_key.fingerprint_of(config.ssh_key) not in ("", key.fingerprint):
            raise ERRORS.error(errors.BadKey, f"{config.ssh_key} is not the key {key.name} of the project")
        config.key_id = int(key.id)
    _firewalls(api, config, log, cluster_ports)
    config.found_image = _image(api, config, size, log)


def server_type(api: Api, config: Config) -> Any:
    """The type of the server; its name in the config is in Hetzner's case from now on."""
    found = _pick(api, Kind.SERVER_TYPE, config.server_type, errors.BadSize)
    config.server_type = str(found.name)
    return found


def prices(size: Any, location: str) -> list[str]:
    """What a server of the type costs, as Hetzner's list has it: a line for each price, with its locations."""
    offers = ((one["location"], one["price_hourly"], one["price_monthly"]) for one in size.prices or [])
    return price.lines(str(size.name), (offer for offer in offers if location in ("", offer[0])))


def _pick(api: Api, kind: Kind, name: str, missing: errors.ErrorClass, **query: Any) -> Any:
    """A thing by its name, in any case, or its id; a primary address by the address too."""
    present = lookup.by_name_and_id(found := api.list_all(kind, **query))
    if kind is Kind.PRIMARY_IP:
        present |= {str(one.ip).partition("/")[0]: one for one in found}
        name = name.partition("/")[0]
    return lookup.pick(name, present, ERRORS, missing, f"the {kind.noun}")


def _alone(config: Config, thing: Any, owner: Any, kind: errors.ErrorClass) -> int:
    """The id of what the server shall have alone. Where that is decides the location if no flag does."""
    config.location = config.location or str(thing.location.name)
    if owner:
        raise ERRORS.error(kind, f"{thing.name} belongs to another server")
    if thing.location.name != config.location:
        raise ERRORS.error(kind, f"{thing.name} is in {thing.location.name}, not in {config.location}")
    return int(thing.id)


def _primary_ip(api: Api, config: Config, name: str, family: str, log: Log) -> int:
    """The id of a primary address that exists, 0 for "". Raises BadNetwork if the server cannot have it."""
    if not name:
        return 0
    found = _pick(api, Kind.PRIMARY_IP, name, errors.BadNetwork)
    if found.type != family:
        raise ERRORS.error(errors.BadNetwork, f"--hetzner-primary-{family} cannot be {name}: that is {found.type}")
    if found.auto_delete:
        log(f"the primary address {name} is set to be deleted with its server: machine rm will take it along")
    return _alone(config, found, found.assignee_id, errors.BadNetwork)


def _offer(config: Config, size: Any, log: Log) -> None:
    """Whether the type is sold where it is wanted, and for how long."""
    offers = {str(one.location.name): one for one in size.locations or []}
    here = [one for name, one in offers.items() if config.location in ("", name)]
    left = [one for one in here if not _is_over(one)]
    if offers and not any(one.available for one in left):
        sold = [name for name, one in offers.items() if one.available and not _is_over(one)]
        when = "at the moment" if left else "any more" if here else "at all"
        what = f"Hetzner has no {size.name} in {config.location or 'any location'} {when}"
        raise ERRORS.error(errors.NoCapacity, what, f"it is to be had in: {', '.join(sold) or 'none'}")
    if left and all(one.deprecation for one in left):
        log(f"the type {size.name} is deprecated: no new ones from {left[0].deprecation.unavailable_after:%F} on")


def _is_over(thing: Any) -> bool:
    return bool(thing.deprecation) and thing.deprecation.unavailable_after <= datetime.now(UTC)


def _image(api: Api, config: Config, size: Any, log: Log) -> int:
    """The id of the image. Raises BadImage if the server cannot be made of it."""
    name, arch = config.image or str(config.image_id), config.image_arch or str(size.architecture)
    if arch != size.architecture:
        words = f"--hetzner-image-arch cannot be {arch}: {size.name} is {size.architecture}"
        raise ERRORS.error(errors.BadImage, words)
    found = _pick(api, Kind.IMAGE, name, errors.BadImage, architecture=[arch], include_deprecated=True)
    if found.status != "available" or _is_over(found):
        state = "not to be had any more" if _is_over(found) else found.status
        raise ERRORS.error(errors.BadImage, f"the image {name} is {state}")
    if int(found.disk_size or 0) > int(size.disk or 0):
        words = f"the image {name} needs a disk of {found.disk_size} GB, and {size.name} has {size.disk} GB"
        raise ERRORS.error(errors.BadImage, words)
    if found.deprecation:
        log(f"the image {name} is deprecated: no new servers of it from {found.deprecation.unavailable_after:%F} on")
    return int(found.id)


def _firewalls(api: Api, config: Config, log: Log, cluster_ports: Sequence[int]) -> None:
    """The firewalls that were named, by name, id or label; a line for every port that they keep closed."""
    walls: dict[str, Any] = {}
    for name in config.firewalls * (config.firewalls != [NO_FIREWALL]):
        found = api.list_all(Kind.FIREWALL, label_selector=name) if "=" in name else []
        walls |= {str(wall.id): wall for wall in found or [_pick(api, Kind.FIREWALL, name, errors.BadFirewall)]}
    config.firewall_ids = list(walls)
    if walls and not config.no_public:
        present, names = requests.rules([*walls.values()]), ", ".join(sorted(str(one.name) for one in walls.values()))
        for line in closed_port_warnings(present, config, cluster_ports, f"the firewalls {names}"):
            log(line)
