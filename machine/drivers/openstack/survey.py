"""The read-only look before a create: is everything there that the machine shall be made of? Makes nothing.

What has to be looked up anyway is kept in the Driver object: ids of flavor, image and networks, the login, the disk.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from machine.drivers.openstack import conoha, failures, firewall, request, settings
from machine.drivers.openstack.api import Api
from machine.drivers.openstack.options import GROUP

Data = dict[str, Any]
LOGINS = (  # part of an image's distribution or name -> the login that its makers gave it
    ("ubuntu", "ubuntu"),
    ("debian", "debian"),
    ("rocky", "rocky"),
    ("alma", "almalinux"),
    ("fedora", "fedora"),
    ("centos", "centos"),
    ("rhel", "cloud-user"),
    ("flatcar", "core"),
    ("coreos", "core"),
    ("opensuse", "opensuse"),
    ("arch", "arch"),
    ("alpine", "alpine"),
    ("amazon", "ec2-user"),
)


def survey(api: Api, data: Data, log: Callable[[str], None]) -> None:
    """OpenStackError, naming the flag, for the first thing that is not right."""
    data["ProjectId"] = api.log_in()
    if not data["ProjectId"]:
        raise _no(failures.BadCredentials, "the login is for no project", "without one Keystone names no service")
    flavor = _flavor(api, data)
    image = _image(api, data, flavor)
    _login(data, image)
    _limits(api, data, flavor, log)
    _disk(api, data, flavor, image, log)
    _network(api, data)
    _places(api, data)
    if data.get("ExistingKey") and not api.has_key(str(data["KeyPairName"])):
        raise _no(failures.BadKey, f"there is no key pair {data['KeyPairName']}")
    _groups(api, data, log)
    data["Surveyed"] = True


def _flavor(api: Api, data: Data) -> Data:
    wanted = str(data.get("FlavorId") or data.get("FlavorName"))
    try:
        flavor = api.flavor(wanted)
    except failures.NotFound as error:
        raise _no(failures.BadFlavor, error.brief, error.details) from None
    data["FlavorId"] = str(flavor["id"])
    return flavor


def _image(api: Api, data: Data, flavor: Mapping[str, Any]) -> Data:
    """The image, {} when there is none because a volume is booted from."""
    wanted = str(data.get("ImageId") or data.get("ImageName") or "")
    if not wanted:
        return {}
    found = [] if data.get("ImageId") else api.images(wanted)
    active = [image for image in found if image.get("status") == "active"]
    image = max(active or found, key=lambda image: str(image.get("created_at")), default=None) or api.image(wanted)
    if image is None:
        raise _no(failures.BadImage, f"there is no image {wanted}")
    if image.get("status") != "active":
        raise _no(failures.BadImage, f"the image {wanted} is {image.get('status')}")
    least, ram = int(image.get("min_ram") or 0), int(flavor.get("ram") or 0)
    if least > ram:
        raise _no(failures.BadFlavor, f"the image {wanted} needs {least} MB, and the flavor has {ram} MB")
    data["ImageId"] = str(image["id"])
    return image


def _login(data: Data, image: Mapping[str, Any]) -> None:
    """What the image says, what it is known for, or root."""
    if data.get("SSHUser"):
        return
    properties = image.get("properties") or {}
    said = image.get("os_admin_user") or properties.get("os_admin_user")
    described = f"{image.get('os_distro') or properties.get('os_distro') or ''} {image.get('name') or ''}".lower()
    known = next((login for word, login in LOGINS if word in described), "root")
    data["SSHUser"] = str(said or ("root" if settings.is_conoha(data) else known))


def _limits(api: Api, data: Data, flavor: Mapping[str, Any], log: Callable[[str], None]) -> None:
    wanted = (
        ("instances_used", "instances", 1, "servers"),
        ("total_cores_used", "total_cores", int(flavor.get("vcpus") or 0), "cores"),
        ("total_ram_used", "total_ram", int(flavor.get("ram") or 0), "MB of memory"),
    )
    _within(api.limits, wanted, str(data["FlavorId"]), log)


def _within(
    ask: Callable[[], Data], wanted: Sequence[tuple[str, str, int, str]], who: str, log: Callable[[str], None]
) -> None:
    """`wanted` are key of what is used, key of the limit, how much more is needed, and what it is."""
    try:
        limits = ask()
    except (failures.NotFound, failures.NotAllowed) as error:  # the thing itself may still be allowed
        log(f"the limits of the project are not checked: {error.details or error.brief}")
        return
    for used, most, more, what in wanted:
        have, limit = limits.get(used), limits.get(most)
        if have is not None and limit is not None and 0 <= int(limit) < int(have) + more:
            raise _no(
                failures.QuotaExceeded,
                f"the project has {have} {what} and may have {limit}, and {who} needs {more} more",
            )


def _disk(
    api: Api, data: Data, flavor: Mapping[str, Any], image: Mapping[str, Any], log: Callable[[str], None]
) -> None:
    """Whether the root disk is a volume, and which."""
    disk = int(flavor.get("disk") or 0)
    if not disk and not data.get("BootFromVolume"):
        log(f"the flavor {flavor.get('name')} has no disk of its own: the machine boots from a volume")
        data["BootFromVolume"] = True
    if not data.get("BootFromVolume"):
        if int(image.get("min_disk") or 0) > disk:
            raise _no(
                failures.BadFlavor, f"the image needs {image['min_disk']} GB of disk, and the flavor has {disk} GB"
            )
        return
    if data.get("VolumeId"):
        volume = api.volume(str(data["VolumeId"]))
        if volume is None:
            raise _no(failures.BadVolume, f"there is no volume {data['VolumeId']}")
        if volume.get("status") != "available":
            raise _no(failures.BadVolume, f"the volume {data['VolumeId']} is {volume.get('status')}")
        return
    data["OwnVolumeSize"] = request.volume_size(data, flavor, image)
    if int(image.get("min_disk") or 0) > data["OwnVolumeSize"]:
        raise _no(failures.BadVolume, f"the image needs {image['min_disk']} GB of disk")
    types = api.volume_types()
    if data.get("VolumeType") and data["VolumeType"] not in types:
        raise _no(failures.BadVolume, f"there is no volume type {data['VolumeType']}", f"there are: {', '.join(types)}")
    if settings.is_conoha(data) and not data.get("VolumeType"):
        data["VolumeType"] = conoha.boot_type(types)
    more = (
        ("total_volumes_used", "max_total_volumes", 1, "volumes"),
        ("total_gigabytes_used", "max_total_volume_gigabytes", int(data["OwnVolumeSize"]), "GB of volumes"),
    )
    _within(api.volume_limits, more, "the root volume", log)


def _network(api: Api, data: Data) -> None:
    """The network of the server, and the one of its floating address."""
    if settings.is_conoha(data) and not (data.get("NetworkId") or data.get("NetworkName")):
        return  # ConoHa chooses
    present = api.networks()
    wanted = str(data.get("NetworkId") or data.get("NetworkName") or "")
    if wanted:
        network = _named(present, wanted, str(data["ProjectId"]))
        if network is None:
            raise _no(failures.BadNetwork, f"there is no network {wanted}", _names(present))
    else:
        ours = [one for one in present if one.get("project_id") == data["ProjectId"] or one.get("is_shared")]
        usable = [one for one in ours if one.get("subnet_ids")]
        if len(usable) != 1:
            many = f"there are {len(usable)} networks to choose from" if usable else "the project has no network"
            raise _no(failures.BadNetwork, f"{many}: name one with --openstack-net-name", _names(usable))
        network = usable[0]
    data["NetworkId"], data["NetworkName"] = str(network["id"]), str(network.get("name") or "")
    pool = str(data.get("FloatingIpPool") or "")
    if pool:
        external = [one for one in present if one.get("is_router_external")]
        found = _named(external, pool, str(data["ProjectId"]))
        if found is None:
            raise _no(failures.BadNetwork, f"there is no external network {pool}", _names(external))
        data["FloatingIpPoolId"] = str(found["id"])


def _places(api: Api, data: Data) -> None:
    zone = data.get("AvailabilityZone")
    if zone:
        zones = [str(one.get("name")) for one in api.zones()]
        if str(zone).partition(":")[0] not in zones:
            raise _no(failures.BadZone, f"there is no availability zone {zone}", f"there are: {', '.join(zones)}")
    group = str(data.get("ServerGroupId") or data.get("ServerGroupName") or "")
    if group:
        found = _named(api.server_groups(), group, str(data["ProjectId"]))
        if found is None:
            raise _no(failures.BadServerGroup, f"there is no server group {group}")
        data["ServerGroupId"] = str(found["id"])


def _groups(api: Api, data: Data, log: Callable[[str], None]) -> None:
    """Every group but our own exists; a word about ports that none of them lets in."""
    wanted = [str(name) for name in data.get("SecurityGroups") or []]
    present = api.groups()
    named = {name: find_group(present, name, data) for name in wanted}
    for name, group in named.items():
        if group is None and name != GROUP:
            raise _no(failures.BadGroup, f"there is no security group {name}", _names(present))
    if GROUP in wanted:
        return
    rules = [rule for group in named.values() if group for rule in group.get("security_group_rules") or []]
    family = "IPv6" if data.get("IpVersion") == 6 else "IPv4"
    for port, what in ((int(data.get("SSHPort") or 22), "ssh"), (request.ENGINE_PORT, "Docker")):
        sources = [one for one in firewall.sources(rules, port, family) if not one.startswith("group ")]
        if not sources:
            log(f"no rule of the security groups {', '.join(wanted)} lets port {port} in from here: {what} needs it")


def find_group(present: Sequence[Data], name: str, data: Mapping[str, Any]) -> Data | None:
    """A security group by id or name, the project's own ones first; ours is never another project's."""
    project = str(data.get("ProjectId") or "")
    if name == GROUP:
        present = [group for group in present if group.get("project_id") == project]
    return _named(sorted(present, key=lambda group: str(group.get("id"))), name, project)


def _named(present: Sequence[Data], wanted: str, project: str) -> Data | None:
    """By id, else by name, the project's own ones first."""
    by_id = [one for one in present if one.get("id") == wanted]
    by_name = [one for one in present if one.get("name") == wanted]
    own = [one for one in by_name if one.get("project_id") == project]
    return next(iter([*by_id, *own, *by_name]), None)


def _names(present: Sequence[Mapping[str, Any]]) -> str:
    names = sorted({str(one.get("name")) for one in present})
    return f"there are: {', '.join(names[:20])}" if names else ""


def _no(cls: type[failures.OpenStackError], brief: str, text: str = "") -> failures.OpenStackError:
    return failures.made(cls, brief, text)
