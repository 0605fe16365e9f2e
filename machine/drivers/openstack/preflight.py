"""The read-only look before a create: is everything there that the machine shall be made of? Makes nothing.

What has to be looked up anyway is kept in the Driver object: ids of flavor, image and networks, the login, the disk.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from machine.drivers.cloud import errors, ports
from machine.drivers.openstack import config, conoha, firewall, limits, lookup, requests
from machine.drivers.openstack.client import Api
from machine.drivers.openstack.errors import ERRORS, BadServerGroup, BadZone
from machine.errors import PreflightFailed, UsageError

Data = dict[str, Any]
Told = TypeVar("Told")
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


def preflight(api: Api, data: Data, log: Callable[[str], None], swarm_ports: Sequence[int] = ()) -> None:
    """CloudError, naming the flag, for the first thing that is not right."""
    data["ProjectId"] = api.log_in()
    if not data["ProjectId"]:
        raise ERRORS.error(
            errors.BadCredentials, "the login is for no project", "without one Keystone names no service"
        )
    if not data.get("Profile"):
        _recognise(data, api.auth_url())
    flavor = _flavor(api, data)
    image = _image(api, data, flavor)
    _login(data, image)
    limits.servers(api, data, flavor, log)
    _disk(api, data, flavor, image, log)
    network = _network(api, data)
    if (
        network
        and not network.get("is_port_security_enabled")
        and _or_default(lambda: api.is_unguarded(str(network["id"])), False)
    ):
        _drop_security_groups(data, log)
    groups = api.groups()
    limits.network(api, data, groups, log)
    _check_zones(api, data)
    if data.get("ExistingKey") and not api.has_key(str(data["KeyPairName"])):
        raise ERRORS.error(errors.BadKey, f"there is no key pair {data['KeyPairName']}")
    _groups(groups, data, log, ports.swarm_openings(swarm_ports))
    data["Surveyed"] = True


def _recognise(data: Data, url: str) -> None:
    try:
        config.detect_profile(data, url)
    except UsageError as error:
        raise PreflightFailed(error.brief, details=error.details, resolution=error.resolution) from None


def _flavor(api: Api, data: Data) -> Data:
    wanted = str(data.get("FlavorId") or data.get("FlavorName"))
    try:
        flavor = api.flavor(wanted)
    except errors.NotFound as error:
        raise ERRORS.error(errors.BadSize, error.brief, error.details) from None
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
        raise ERRORS.error(errors.BadImage, f"there is no image {wanted}", _names(api.images()))
    if image.get("status") != "active":
        raise ERRORS.error(errors.BadImage, f"the image {wanted} is {image.get('status')}")
    least, ram = int(image.get("min_ram") or 0), int(flavor.get("ram") or 0)
    if least > ram:
        raise ERRORS.error(errors.BadSize, f"the image {wanted} needs {least} MB, and the flavor has {ram} MB")
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
    data["SSHUser"] = str(said or ("root" if config.is_conoha(data) else known))


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
            raise ERRORS.error(
                errors.BadSize, f"the image needs {image['min_disk']} GB of disk, and the flavor has {disk} GB"
            )
        return
    if data.get("VolumeId"):
        volume = api.volume(str(data["VolumeId"]))
        if volume is None:
            raise ERRORS.error(errors.BadVolume, f"there is no volume {data['VolumeId']}")
        if volume.get("status") != "available":
            raise ERRORS.error(errors.BadVolume, f"the volume {data['VolumeId']} is {volume.get('status')}")
        return
    data["OwnVolumeSize"] = requests.volume_size(data, flavor, image)
    if int(image.get("min_disk") or 0) > data["OwnVolumeSize"]:
        raise ERRORS.error(errors.BadVolume, f"the image needs {image['min_disk']} GB of disk")
    zone = str(data.get("AvailabilityZone") or "").partition(":")[0]
    if zone and zone in _or_default(
        api.volume_zones, list[str]()
    ):  # where zones of volumes are others, Cinder's choice fits all
        data["VolumeZone"] = zone
    types = api.volume_types()
    if data.get("VolumeType") and data["VolumeType"] not in types:
        raise ERRORS.error(
            errors.BadVolume, f"there is no volume type {data['VolumeType']}", f"there are: {', '.join(types)}"
        )
    if config.is_conoha(data) and not data.get("VolumeType"):
        data["VolumeType"] = conoha.boot_type(types)
    limits.volumes(api, data, log)


def _or_default(ask: Callable[[], Told], otherwise: Told) -> Told:
    """What the cloud says, or `otherwise` where it knows no such thing, or tells it not to everybody."""
    try:
        return ask()
    except (errors.NotFound, errors.NotAllowed):
        return otherwise


def _network(api: Api, data: Data) -> Data:
    """The network of the server ({}: the cloud chooses), and the one of its floating address."""
    if config.is_conoha(data) and not (data.get("NetworkId") or data.get("NetworkName")):
        return {}  # ConoHa chooses
    present = api.networks()
    wanted = str(data.get("NetworkId") or data.get("NetworkName") or "")
    if wanted:
        network = lookup.named(present, wanted, str(data["ProjectId"]))
        if network is None:
            raise ERRORS.error(errors.BadNetwork, f"there is no network {wanted}", _names(present))
    else:
        ours = [one for one in present if one.get("project_id") == data["ProjectId"] or one.get("is_shared")]
        usable = [one for one in ours if one.get("subnet_ids")]
        if len(usable) != 1:
            many = f"there are {len(usable)} networks to choose from" if usable else "the project has no network"
            raise ERRORS.error(errors.BadNetwork, f"{many}: name one with --openstack-net-name", _names(usable))
        network = usable[0]
    data["NetworkId"], data["NetworkName"] = str(network["id"]), str(network.get("name") or "")
    if data.get("IpVersion") == 6 and 6 not in api.families(data["NetworkId"]):
        raise errors.BadNetwork(
            f"the network {data['NetworkName']} has no IPv6 subnet",
            resolution="leave --openstack-ip-version out, or name another --openstack-net-name",
        )
    pool = str(data.get("FloatingIpPool") or "")
    if pool:
        external = [one for one in present if one.get("is_router_external")]
        found = lookup.named(external, pool, str(data["ProjectId"]))
        if found is None:
            error = ERRORS.error(errors.BadNetwork, f"there is no external network {pool}", _names(external))
            error.resolution = "check --openstack-floatingip-pool (`openstack network list --external` shows them)"
            raise error
        data["FloatingIpPoolId"] = str(found["id"])
    return network


def _drop_security_groups(data: Data, log: Callable[[str], None]) -> None:
    """On a network without port security Nova refuses servers with security groups: then it has none."""
    open_to_all = f"the network {data['NetworkName']} has no port security: no security group can guard a server there"
    if data.get("SecurityGroups") != [config.own_group(data)] or data.get("AllowFrom"):
        raise errors.BadNetwork(
            open_to_all,
            resolution="leave --openstack-sec-groups and --openstack-allow-from out, if the machine may be open to that"
            " network; else name another --openstack-net-name",
        )
    log(f"{open_to_all}, and all ports of the machine are open to it")
    data["SecurityGroups"] = []


def _check_zones(api: Api, data: Data) -> None:
    zone = data.get("AvailabilityZone")
    if zone:
        zones = [str(one.get("name")) for one in api.zones()]
        if str(zone).partition(":")[0] not in zones:
            raise ERRORS.error(BadZone, f"there is no availability zone {zone}", f"there are: {', '.join(zones)}")
    group = str(data.get("ServerGroupId") or data.get("ServerGroupName") or "")
    if group:
        found = lookup.named(api.server_groups(), group, str(data["ProjectId"]))
        if found is None:
            raise ERRORS.error(BadServerGroup, f"there is no server group {group}")
        data["ServerGroupId"] = str(found["id"])


def _groups(
    present: Sequence[Data], data: Data, log: Callable[[str], None], swarm_ports: Sequence[ports.Opening]
) -> None:
    """Every group but our own exists; a word about ports that none of them lets in."""
    wanted = [str(name) for name in data.get("SecurityGroups") or []]
    named = {name: lookup.group(present, name, data) for name in wanted}
    for name, group in named.items():
        if group is None and name != config.own_group(data):
            raise ERRORS.error(errors.BadFirewall, f"there is no security group {name}", _names(present))
    if not wanted or config.own_group(data) in wanted:
        return
    rules = [rule for group in named.values() if group for rule in group.get("security_group_rules") or []]
    family = "IPv6" if data.get("IpVersion") == 6 else "IPv4"
    closed = f"no rule of the security groups {', '.join(wanted)} lets port"
    for port, what in ((int(data.get("SSHPort") or 22), "ssh"), (requests.ENGINE_PORT, "Docker")):
        if all(one.startswith("group ") for one in firewall.sources(rules, port, family)):
            log(f"{closed} {port} in from here: {what} needs it")
    for opening in swarm_ports:  # those of the swarm's other machines may be let in by a group
        if not firewall.sources(rules, opening.first, family, opening.protocol):
            log(f"{closed} {opening.first}/{opening.protocol} in: the swarm needs it")


def _names(present: Sequence[Mapping[str, Any]]) -> str:
    names = sorted({str(one.get("name")) for one in present})
    return f"there are: {', '.join(names[:20])}" if names else ""
