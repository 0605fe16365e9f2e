"""The read-only look before a create: is everything there that the server shall be made of? Makes nothing.

What has to be looked up anyway is kept in the config: ids, and the name of the type in Hetzner's case.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import ipaddress
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from machine.drivers.cloud import errors
from machine.drivers.cloud.firewall import closed_port_warnings
from machine.drivers.hetzner import requests
from machine.drivers.hetzner.client import (
    FIREWALL,
    IMAGE,
    LOCATION,
    NETWORK,
    PRIMARY_IP,
    SERVER_TYPE,
    SSH_KEY,
    VOLUME,
    Api,
    ResourceType,
)
from machine.drivers.hetzner.config import Config
from machine.drivers.hetzner.errors import ERRORS
from machine.nearest import nearest
from machine.ssh import private_key

Log = Callable[[str], None]


def preflight(api: Api, config: Config, log: Log, cluster_ports: Sequence[int]) -> None:
    """Raises CloudError, naming the flag, for the first thing that is not right. Warnings are lines in the log."""
    size = server_type(api, config)
    _volumes(api, config)
    config.primary_ipv4_id = _primary_ip(api, config, config.primary_ipv4, "ipv4", log)
    config.primary_ipv6_id = _primary_ip(api, config, config.primary_ipv6, "ipv6", log)
    if config.location:
        config.location = str(_named(config.location, api.list_all(LOCATION), LOCATION, errors.BadRegion).name)
    _offer(config, size, log)
    config.network_ids = [str(_there(api, NETWORK, name, errors.BadNetwork).id) for name in config.networks]
    _keys(api, config)
    _firewalls(api, config, log, cluster_ports)
    config.found_image = _image(api, config, size, log)


def server_type(api: Api, config: Config) -> Any:
    """The type of the server; its name in the config is in Hetzner's case from now on."""
    found = _named(config.server_type, api.list_all(SERVER_TYPE), SERVER_TYPE, errors.BadSize)
    config.server_type = str(found.name)
    return found


def price(size: Any, location: str) -> str:
    """What a server of the type costs, as Hetzner's list has it, one line for every price."""
    places: dict[str, list[str]] = {}
    for one in size.prices or []:
        if location in ("", one["location"]):
            hour, month = (
                f"{_amount(one[f'price_{span}']['net'])} ({_amount(one[f'price_{span}']['gross'])} with tax) {words}"
                for span, words in (("hourly", "an hour"), ("monthly", "a month at most"))
            )
            places.setdefault(f"{hour}, {month}", []).append(str(one["location"]))
    return "\n".join(f"{size.name} in {', '.join(where)}: {costs}" for costs, where in places.items())


def _amount(text: str) -> str:
    """A price without the zeros at its end, but with cents."""
    whole, _, rest = str(text).partition(".")
    return f"{whole}.{rest.rstrip('0').ljust(2, '0')}"


def _named(name: str, present: Iterable[Any], kind: ResourceType, missing: errors.ErrorClass) -> Any:
    """The thing of that name, in any case, or of that id. The error names those that there are."""
    by_name = {str(one.name): one for one in present}
    found = next((one for one in by_name.values() if name.lower() in (str(one.name).lower(), str(one.id))), None)
    if found is None:
        near = nearest(name.lower(), by_name)
        what = f"there is no {kind.noun} {name}" + (f"; did you mean {near}?" if near else "")
        raise ERRORS.error(missing, what, f"there are: {', '.join(by_name)}")
    return found


def _there(api: Api, kind: ResourceType, name: str, missing: errors.ErrorClass) -> Any:
    """A thing of the project, by name or id."""
    found = api.find(kind, name)
    if found is None:
        names = [str(one.name) for one in api.list_all(kind)]
        raise ERRORS.error(missing, f"the project has no {kind.noun} {name}", f"it has: {', '.join(names) or 'none'}")
    return found


def _offer(config: Config, size: Any, log: Log) -> None:
    """Whether the type is sold where it is wanted, and for how long."""
    offers = {str(one.location.name): one for one in size.locations or []}
    where = [offers[config.location]] if config.location in offers else [] if config.location else [*offers.values()]
    sold = [name for name, one in offers.items() if one.available and not _over(one.deprecation)]
    there = f"it is to be had in {', '.join(sold)}" if sold else "it is to be had nowhere at the moment"
    place = config.location or "any location"
    if offers and not where:
        raise ERRORS.error(errors.NoCapacity, f"Hetzner has no {size.name} in {place}", there)
    if where and all(_over(one.deprecation) for one in where):
        raise ERRORS.error(errors.BadSize, f"the server type {size.name} is not made any more in {place}", there)
    if where and not any(one.available for one in where):
        raise ERRORS.error(errors.NoCapacity, f"Hetzner has no {size.name} to give in {place} at the moment", there)
    if where and all(one.deprecation for one in where):
        log(f"the server type {size.name} is deprecated: no new ones after {_day(where[0].deprecation)}")


def _over(deprecation: Any) -> bool:
    return bool(deprecation) and deprecation.unavailable_after <= datetime.now(UTC)


def _day(deprecation: Any) -> str:
    return str(deprecation.unavailable_after.date())


def _image(api: Api, config: Config, size: Any, log: Log) -> int:
    """The id of the image. Raises BadImage if the server cannot be made of it."""
    name = config.image or str(config.image_id)
    arch = config.image_arch or str(size.architecture)
    found = api.get(IMAGE, int(name)) if name.isdecimal() else None
    if found is None and not config.image_id:
        named = api.list_all(IMAGE, name=name, architecture=[arch], include_deprecated=True)
        found = named[0] if named else None
    if found is None:
        names = [str(one.name) for one in api.list_all(IMAGE, type=["system"], architecture=[arch]) if one.name]
        near = nearest(name, names)
        what = f"there is no image {name} for {arch}" + (f"; did you mean {near}?" if near else "")
        raise ERRORS.error(errors.BadImage, what, f"there are: {', '.join(dict.fromkeys(names))}")
    if found.architecture != size.architecture:
        words = f"the image {name} is for {found.architecture}, and {size.name} is {size.architecture}"
        raise ERRORS.error(errors.BadImage, words)
    if found.status != "available" or _over(found.deprecation):
        state = "not to be had any more" if _over(found.deprecation) else found.status
        raise ERRORS.error(errors.BadImage, f"the image {name} is {state}")
    if int(found.disk_size or 0) > int(size.disk or 0):
        words = f"the image {name} needs a disk of {found.disk_size} GB, and {size.name} has {size.disk} GB"
        raise ERRORS.error(errors.BadImage, words)
    if found.deprecation:
        log(f"the image {name} is deprecated: no new servers of it after {_day(found.deprecation)}")
    return int(found.id)


def _volumes(api: Api, config: Config) -> None:
    """The volumes are free, and where the server shall be: they decide that if nothing else does."""
    config.volume_ids = []
    for name in config.volumes:
        volume = _there(api, VOLUME, name, errors.BadVolume)
        if volume.server:
            raise ERRORS.error(errors.BadVolume, f"the volume {name} is attached to another server")
        _same_location(config, volume, f"the volume {name}", errors.BadVolume)
        config.volume_ids.append(str(volume.id))


def _same_location(config: Config, thing: Any, what: str, kind: errors.ErrorClass) -> None:
    config.location = config.location or str(thing.location.name)
    if config.location.lower() not in (str(thing.location.name), str(thing.location.id)):
        raise ERRORS.error(kind, f"{what} is in {thing.location.name}, not in {config.location}")


def _primary_ip(api: Api, config: Config, name: str, family: str, log: Log) -> int:
    """The id of a primary address that exists, 0 for "". Raises BadNetwork if the server cannot have it."""
    if not name:
        return 0
    found = next((one for one in api.list_all(PRIMARY_IP) if _is_address(name, one)), None)
    found = found or _there(api, PRIMARY_IP, name, errors.BadNetwork)
    if found.type != family:
        words = f"--hetzner-primary-{family} cannot be {name}: that is an {found.type} address"
        raise ERRORS.error(errors.BadNetwork, words)
    if found.assignee_id:
        raise ERRORS.error(errors.BadNetwork, f"the primary address {name} belongs to another server")
    _same_location(config, found, f"the primary address {name}", errors.BadNetwork)
    if found.auto_delete:
        log(f"the primary address {name} is set to be deleted with its server: machine rm will take it along")
    return int(found.id)


def _is_address(name: str, found: Any) -> bool:
    """Whether a text is the primary address, or one of its IPv6 network."""
    try:
        return ipaddress.ip_address(name.partition("/")[0]) in ipaddress.ip_network(found.ip)
    except ValueError:
        return False


def fingerprint(public_key: str) -> str:
    """The fingerprint by which Hetzner knows a key. Raises BadKey for what is no public key."""
    try:
        digest = hashlib.md5(base64.b64decode(public_key.split()[1], validate=True), usedforsecurity=False).hexdigest()
    except (IndexError, binascii.Error):
        raise ERRORS.error(errors.BadKey, f"{public_key[:40]!r} is no line of authorized_keys") from None
    return ":".join(digest[at : at + 2] for at in range(0, 32, 2))


def _keys(api: Api, config: Config) -> None:
    """The project's key that was named is the one whose private half was."""
    for line in config.additional_keys:
        fingerprint(line)
    if not config.project_key:
        return
    found = _there(api, SSH_KEY, config.project_key, errors.BadKey)
    if config.ssh_key:
        public = private_key.load(config.ssh_key).public
        if public and fingerprint(public) != found.fingerprint:
            raise ERRORS.error(errors.BadKey, f"{config.ssh_key} is not the key {found.name} of the project")
    config.key_id = int(found.id)


def _firewalls(api: Api, config: Config, log: Log, cluster_ports: Sequence[int]) -> None:
    """The firewalls that were named, by name, id or label; a line for every port that they keep closed."""
    walls: list[Any] = []
    for name in config.firewalls_to_join:
        labelled = api.list_all(FIREWALL, label_selector=name.replace("=", "==", 1)) if "=" in name else []
        walls += labelled or [_there(api, FIREWALL, name, errors.BadFirewall)]
    config.firewall_ids = list(dict.fromkeys(str(wall.id) for wall in walls))
    if walls and not config.no_public:
        names = ", ".join(sorted({str(wall.name) for wall in walls}))
        for line in closed_port_warnings(requests.rules(walls), config, cluster_ports, f"the firewalls {names}"):
            log(line)
