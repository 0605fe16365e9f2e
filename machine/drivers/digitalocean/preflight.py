"""The read-only look before a create: is everything there that the machine shall be made of? Makes nothing.

What has to be looked up anyway is kept in the config: the key's id, the volumes' ids, the VPC's network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from machine.drivers.cloud import errors, quota
from machine.drivers.cloud.firewall import closed_port_warnings
from machine.drivers.cloud.quota import Quota
from machine.drivers.digitalocean import requests
from machine.drivers.digitalocean.client import (
    ACCOUNT,
    FIREWALL,
    IMAGE,
    REGION,
    RESERVED_IP,
    SIZE,
    SSH_KEY,
    VOLUME,
    VPC,
    Api,
    Json,
    ResourceType,
)
from machine.drivers.digitalocean.config import Config
from machine.drivers.digitalocean.errors import ERRORS
from machine.drivers.digitalocean.options import NEW


def preflight(api: Api, config: Config, log: Callable[[str], None], cluster_ports: Sequence[int]) -> None:
    """Raises CloudError, naming the flag, for the first thing that is not right.

    A port that the firewalls of --digitalocean-firewall do not let in is a line in the log.
    """
    _quota(api, config, log)
    region = _region(api, config)
    _image(api, config, _size(api, config, region))
    if config.ssh_key_fingerprint and not config.ssh_key_id:
        named = _one(api, SSH_KEY, config.ssh_key_fingerprint, errors.BadKey, "the account has no ssh key")
        config.ssh_key_id = int(named["id"])
    config.peer_cidrs = _peer_cidrs(api, config)
    config.volume_ids = _volumes(api, config)
    firewalls = api.list_all(FIREWALL) if config.firewalls_to_join else []
    config.attached_firewalls = _attached_firewalls(firewalls, config)
    if firewalls:
        guards = requests.selecting(firewalls, config)
        names = ", ".join(sorted(str(wall.get("name")) for wall in guards))
        for line in closed_port_warnings(requests.rules(guards), config, cluster_ports, f"the firewalls {names}"):
            log(line)
    if config.reserved_ip not in ("", NEW):
        _reserved(api, config)


def account_id(account: Json) -> str:
    """What tells accounts apart: a token is of a team, and one user may be in several."""
    return str((account.get("team") or account).get("uuid") or "")


def _one(api: Api, kind: ResourceType, key: str, missing: errors.ErrorClass, said: str) -> Json:
    """A thing that has to be there; an error of the kind `missing` says otherwise."""
    try:
        return api.get(kind, key)
    except errors.NotFound as error:
        raise ERRORS.error(missing, f"{said} {key}", error.details) from None


def size_of(api: Api, slug: str) -> Json:
    """A size by its slug. Raises BadSize if there is none."""
    return _of_slug(api, SIZE, slug, errors.BadSize)


def _of_slug(api: Api, kind: ResourceType, slug: str, missing: errors.ErrorClass) -> Json:
    """A region or a size, which the API only lists."""
    found = next((one for one in api.list_all(kind) if one.get("slug") == slug), None)
    if found is None:
        raise ERRORS.error(missing, f"there is no {kind.noun} {slug}")
    return found


def _quota(api: Api, config: Config, log: Callable[[str], None]) -> None:
    try:
        account = api.get(ACCOUNT)
        config.account = account_id(account)
    except errors.NotAllowed:  # a token for certain things only
        log("the token may not read the account, so its limit is not checked")
        return
    if account.get("status") == "locked":
        raise ERRORS.error(errors.NotAllowed, "the account is locked", str(account.get("status_message") or ""))
    limit = int(account.get("droplet_limit") or 0)
    if limit:
        quota.check(ERRORS, "the account", [Quota("droplets", api.count_droplets(), limit)])


def _region(api: Api, config: Config) -> Json:
    region = _of_slug(api, REGION, config.region, errors.BadRegion)
    if not region.get("available"):
        raise ERRORS.error(errors.BadRegion, f"the region {config.region} takes no new machines at the moment")
    features = region.get("features") or []
    for wanted, feature in ((config.ipv6, "ipv6"), (config.backups, "backups")):
        if wanted and features and feature not in features:
            raise ERRORS.error(errors.BadRegion, f"the region {config.region} has no {feature}")
    return region


def _size(api: Api, config: Config, region: Json) -> Json:
    size = _of_slug(api, SIZE, config.size, errors.BadSize)
    if not size.get("available") or config.size not in (region.get("sizes") or []):
        raise ERRORS.error(errors.NoCapacity, f"the region {config.region} has no {config.size} to give at the moment")
    return size


def _image(api: Api, config: Config, size: Json) -> None:
    image = _one(api, IMAGE, config.image, errors.BadImage, "there is no image")
    if config.region not in (image.get("regions") or []):
        raise ERRORS.error(errors.BadImage, f"the image {config.image} is not in the region {config.region}")
    if image.get("status") not in ("available", None):
        raise ERRORS.error(errors.BadImage, f"the image {config.image} is {str(image['status']).lower()}")
    least, disk = int(image.get("min_disk_size") or 0), int(size.get("disk") or 0)
    if least > disk:
        raise ERRORS.error(
            errors.BadImage,
            f"the image {config.image} needs a disk of {least} GB, and {config.size} has {disk} GB",
        )


def _peer_cidrs(api: Api, config: Config) -> list[str]:
    """The network of the VPC, whose machines get in where only some networks do."""
    if config.vpc_uuid:
        vpc = _one(api, VPC, config.vpc_uuid, errors.BadNetwork, "there is no VPC")
        if vpc.get("region") != config.region:
            raise ERRORS.error(
                errors.BadNetwork, f"the VPC {config.vpc_uuid} is in {vpc.get('region')}, not in {config.region}"
            )
        return [str(vpc["ip_range"])] if vpc.get("ip_range") else []
    if not config.allow_from:
        return []
    found = [vpc for vpc in api.list_all(VPC) if vpc.get("default") and vpc.get("region") == config.region]
    return [str(vpc["ip_range"]) for vpc in found if vpc.get("ip_range")]


def _volumes(api: Api, config: Config) -> list[str]:
    wanted = config.volumes
    present = api.list_all(VOLUME) if wanted else []
    found = []
    for name in wanted:
        named = [volume for volume in present if name in (volume.get("id"), volume.get("name"))]
        volumes = [volume for volume in named if (volume.get("region") or {}).get("slug") == config.region]
        if not volumes:
            raise ERRORS.error(errors.BadVolume, f"there is no volume {name} in {config.region}")
        if volumes[0].get("droplet_ids"):
            raise ERRORS.error(errors.BadVolume, f"the volume {name} is attached to another droplet")
        found.append(str(volumes[0]["id"]))
    return found


def _attached_firewalls(present: Sequence[Json], config: Config) -> dict[str, str]:
    """Firewall id -> the tag by which it selects, "" when it has none yet."""
    found = {}
    for name in config.firewalls_to_join:
        firewall = next((wall for wall in present if name in (wall.get("id"), wall.get("name"))), None)
        if firewall is None:
            raise ERRORS.error(errors.BadFirewall, f"there is no firewall {name}")
        tags = [tag for tag in firewall.get("tags") or [] if not tag.startswith("machine-id:")]
        found[str(firewall["id"])] = str(tags[0]) if tags else ""
    return found


def _reserved(api: Api, config: Config) -> None:
    address = config.reserved_ip
    found = _one(api, RESERVED_IP, address, errors.BadNetwork, "the account has not reserved")
    if (found.get("region") or {}).get("slug") != config.region:
        raise ERRORS.error(errors.BadNetwork, f"{address} is reserved in another region than {config.region}")
    if found.get("droplet"):
        raise ERRORS.error(errors.BadNetwork, f"{address} leads to the droplet {found['droplet'].get('name')} already")
