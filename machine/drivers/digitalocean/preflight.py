"""The read-only look before a create: is everything there that the machine shall be made of? Makes nothing.

What has to be looked up anyway is kept in the Driver object: the key's id, the volumes' ids, the VPC's network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from machine.drivers.cloud import errors
from machine.drivers.digitalocean import requests
from machine.drivers.digitalocean.client import Api
from machine.drivers.digitalocean.errors import ERRORS
from machine.drivers.digitalocean.options import NEW

Data = dict[str, Any]


def preflight(api: Api, data: Data, log: Callable[[str], None], swarm_ports: Sequence[int] = ()) -> None:
    """CloudError, naming the flag, for the first thing that is not right.

    A port that the firewalls of --digitalocean-firewall do not let in is a line in the log.
    """
    _quota(api, data, log)
    region = _region(api, data)
    _image(api, data, _size(api, data, region))
    firewalls = lookups(api, data)
    if firewalls:
        for line in requests.closed(requests.guarding(firewalls, data), data, swarm_ports):
            log(line)
    if data.get("ReservedIP") not in ("", None, NEW):
        _reserved(api, data)


def account_id(account: Data) -> str:
    """What tells accounts apart: a token is of a team, and one user may be in several."""
    return str((account.get("team") or account).get("uuid") or "")


def lookups(api: Api, data: Data) -> list[Data]:
    """Ids of what is named; asked again by a resumed create that does not know them.

    Returns the account's firewalls where some are joined, [] where none is.
    """
    if data.get("SSHKeyFingerprint") and not data.get("SSHKeyID"):
        data["SSHKeyID"] = _key(api, str(data["SSHKeyFingerprint"]))
    data["Neighbours"] = _neighbours(api, data)
    data["VolumeIDs"] = _volumes(api, data)
    firewalls = api.firewalls() if requests.joins(data) else []
    data["Joined"] = _joined(firewalls, data)
    return firewalls


def _quota(api: Api, data: Data, log: Callable[[str], None]) -> None:
    try:
        account = api.account()
        data["Account"] = account_id(account)
    except errors.NotAllowed:  # a token for certain things only
        log("the token may not read the account, so its limit is not checked")
        return
    if account.get("status") == "locked":
        raise ERRORS.error(errors.NotAllowed, "the account is locked", str(account.get("status_message") or ""))
    limit = int(account.get("droplet_limit") or 0)
    if limit and (present := api.count_droplets()) >= limit:
        raise ERRORS.error(errors.QuotaExceeded, f"the account has {present} droplets and may have {limit}")


def _region(api: Api, data: Data) -> Data:
    region = api.region(str(data["Region"]))
    if region is None:
        raise ERRORS.error(errors.BadRegion, f"there is no region {data['Region']}")
    if not region.get("available"):
        raise ERRORS.error(errors.BadRegion, f"the region {data['Region']} takes no new machines at the moment")
    features = region.get("features") or []
    for key, feature in (("IPv6", "ipv6"), ("Backups", "backups")):
        if data.get(key) and features and feature not in features:
            raise ERRORS.error(errors.BadRegion, f"the region {data['Region']} has no {feature}")
    return region


def _size(api: Api, data: Data, region: Data) -> Data:
    size = api.size(str(data["Size"]))
    if size is None:
        raise ERRORS.error(errors.BadSize, f"there is no size {data['Size']}")
    if not size.get("available") or data["Size"] not in (region.get("sizes") or []):
        raise ERRORS.error(
            errors.NoCapacity, f"the region {data['Region']} has no {data['Size']} to give at the moment"
        )
    return size


def _image(api: Api, data: Data, size: Data) -> None:
    try:
        image = api.image(str(data["Image"]))
    except errors.NotFound as error:
        raise ERRORS.error(errors.BadImage, f"there is no image {data['Image']}", error.details) from None
    if data["Region"] not in (image.get("regions") or []):
        raise ERRORS.error(errors.BadImage, f"the image {data['Image']} is not in the region {data['Region']}")
    if image.get("status") not in ("available", None):
        raise ERRORS.error(errors.BadImage, f"the image {data['Image']} is {str(image['status']).lower()}")
    least, disk = int(image.get("min_disk_size") or 0), int(size.get("disk") or 0)
    if least > disk:
        raise ERRORS.error(
            errors.BadImage,
            f"the image {data['Image']} needs a disk of {least} GB, and {data['Size']} has {disk} GB",
        )


def _key(api: Api, fingerprint: str) -> int:
    try:
        return int(api.key(fingerprint)["id"])
    except errors.NotFound as error:
        raise ERRORS.error(errors.BadKey, f"the account has no ssh key {fingerprint}", error.details) from None


def _neighbours(api: Api, data: Data) -> list[str]:
    """The network of the VPC, whose machines get in where only some networks do."""
    if data.get("VpcUUID"):
        try:
            vpc = api.vpc(str(data["VpcUUID"]))
        except errors.NotFound as error:
            raise ERRORS.error(errors.BadNetwork, f"there is no VPC {data['VpcUUID']}", error.details) from None
        if vpc.get("region") != data["Region"]:
            raise ERRORS.error(
                errors.BadNetwork, f"the VPC {data['VpcUUID']} is in {vpc.get('region')}, not in {data['Region']}"
            )
        return [str(vpc["ip_range"])] if vpc.get("ip_range") else []
    if not data.get("AllowFrom"):
        return []
    found = [vpc for vpc in api.vpcs() if vpc.get("default") and vpc.get("region") == data["Region"]]
    return [str(vpc["ip_range"]) for vpc in found if vpc.get("ip_range")]


def _volumes(api: Api, data: Data) -> list[str]:
    wanted = data.get("Volumes") or []
    present = api.volumes() if wanted else []
    found = []
    for name in wanted:
        here = [volume for volume in present if name in (volume.get("id"), volume.get("name"))]
        near = [volume for volume in here if (volume.get("region") or {}).get("slug") == data["Region"]]
        if not near:
            raise ERRORS.error(errors.BadVolume, f"there is no volume {name} in {data['Region']}")
        if near[0].get("droplet_ids"):
            raise ERRORS.error(errors.BadVolume, f"the volume {name} is attached to another droplet")
        found.append(str(near[0]["id"]))
    return found


def _joined(present: Sequence[Data], data: Data) -> dict[str, str]:
    """Firewall id -> the tag by which it selects, "" when it has none yet."""
    found = {}
    for name in requests.joins(data):
        firewall = next((wall for wall in present if name in (wall.get("id"), wall.get("name"))), None)
        if firewall is None:
            raise ERRORS.error(errors.BadFirewall, f"there is no firewall {name}")
        tags = [tag for tag in firewall.get("tags") or [] if not tag.startswith("machine-id:")]
        found[str(firewall["id"])] = str(tags[0]) if tags else ""
    return found


def _reserved(api: Api, data: Data) -> None:
    address = str(data["ReservedIP"])
    try:
        found = api.reserved_ip(address)
    except errors.NotFound as error:
        raise ERRORS.error(errors.BadNetwork, f"the account has not reserved {address}", error.details) from None
    if (found.get("region") or {}).get("slug") != data["Region"]:
        raise ERRORS.error(errors.BadNetwork, f"{address} is reserved in another region than {data['Region']}")
    if found.get("droplet"):
        raise ERRORS.error(errors.BadNetwork, f"{address} leads to the droplet {found['droplet'].get('name')} already")
