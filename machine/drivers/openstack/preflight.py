"""The read-only checks before a create: is everything there that the machine is to be made of?

What has to be looked up anyway is kept in the config: ids of flavor, image and networks, the login, the disk.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from machine.drivers.base import DriverContext
from machine.drivers.cloud import errors
from machine.drivers.cloud.firewall import closed_port_warnings
from machine.drivers.cloud.logins import login_of
from machine.drivers.openstack import client, conoha, firewall, lookup, quotas, requests
from machine.drivers.openstack.client import Api, Json
from machine.drivers.openstack.config import Config
from machine.drivers.openstack.errors import ERRORS, BadServerGroup, BadZone
from machine.errors import PreflightFailed, UsageError

T = TypeVar("T")


def preflight(api: Api, config: Config, ctx: DriverContext) -> None:
    """Raises CloudError, naming the flag, for the first thing that is not right."""
    config.account = api.log_in()
    if not config.account:
        raise ERRORS.error(
            errors.BadCredentials, "the login is for no project", "without one Keystone names no service"
        )
    if not config.profile:
        try:
            config.detect_profile(api.auth_url())
        except UsageError as error:
            raise PreflightFailed(error.brief, details=error.details, resolution=error.resolution) from None
    flavor = _flavor(api, config)
    image = _image(api, config, flavor)
    _login(config, image)
    quotas.check_servers(api, config, flavor, ctx.log)
    _disk(api, config, flavor, image, ctx.log)
    network = _network(api, config)
    if (
        network
        and not network.get("is_port_security_enabled")
        and _or_default(lambda: api.is_unguarded(config.network_id), False)
    ):
        _drop_security_groups(config, ctx.log)
    groups = api.list_all(client.SECURITY_GROUP)
    quotas.check_network(api, config, groups, ctx.log)
    _check_zones(api, config)
    if config.existing_key and api.find(client.KEY_PAIR, config.key_pair) is None:
        raise ERRORS.error(errors.BadKey, f"there is no key pair {config.key_pair}")
    _groups(groups, config, ctx)
    _check_allow_from(config, ctx)
    config.looked_up = True


def _flavor(api: Api, config: Config) -> Json:
    wanted, present = config.flavor_id or config.flavor_name, api.list_all(client.FLAVOR)
    flavor = lookup.required(present, wanted, config.account, errors.BadSize, "flavor")
    config.flavor_id = str(flavor["id"])
    return flavor


def _image(api: Api, config: Config, flavor: Json) -> Json:
    """The image, {} when there is none because a volume is booted from."""
    wanted = config.image_id or config.image_name
    if not wanted:
        return {}
    found = [] if config.image_id else api.list_all(client.IMAGE, name=wanted)
    active = [image for image in found if image.get("status") == "active"]
    newest = max(active or found, key=lambda image: str(image.get("created_at")), default=None)
    image = newest or api.find(client.IMAGE, wanted)
    if image is None:
        raise lookup.missing(errors.BadImage, f"image {wanted}", api.list_all(client.IMAGE))
    if image.get("status") != "active":
        raise ERRORS.error(errors.BadImage, f"the image {wanted} is {image.get('status')}")
    least, ram = int(image.get("min_ram") or 0), int(flavor.get("ram") or 0)
    if least > ram:
        raise ERRORS.error(errors.BadSize, f"the image {wanted} needs {least} MB, and the flavor has {ram} MB")
    config.image_id = str(image["id"])
    return image


def _login(config: Config, image: Json) -> None:
    """Set the login, unless a flag has: the one that the image names, or is known for, else root."""
    if config.ssh_user:
        return
    properties = image.get("properties") or {}
    said = image.get("os_admin_user") or properties.get("os_admin_user")
    described = f"{image.get('os_distro') or properties.get('os_distro') or ''} {image.get('name') or ''}"
    config.ssh_user = str(said or ("root" if config.is_conoha else login_of(described)))


def _disk(api: Api, config: Config, flavor: Json, image: Json, log: Callable[[str], None]) -> None:
    """Settle whether the root disk is a volume, and which; check that the image fits on it."""
    disk, least = int(flavor.get("disk") or 0), int(image.get("min_disk") or 0)
    if not disk and not config.boot_from_volume:
        log(f"the flavor {flavor.get('name')} has no disk of its own: the machine boots from a volume")
        config.boot_from_volume = True
    if not config.boot_from_volume:
        if least > disk:
            raise ERRORS.error(errors.BadSize, f"the image needs {least} GB of disk, and the flavor has {disk} GB")
    elif config.volume_id:
        volume = api.find(client.VOLUME, config.volume_id)
        if volume is None:
            raise ERRORS.error(errors.BadVolume, f"there is no volume {config.volume_id}")
        if volume.get("status") != "available":
            raise ERRORS.error(errors.BadVolume, f"the volume {config.volume_id} is {volume.get('status')}")
    else:
        config.own_volume_size = requests.volume_size(config, flavor, image)
        if least > config.own_volume_size:
            raise ERRORS.error(errors.BadVolume, f"the image needs {least} GB of disk")
        _own_volume(api, config)
        quotas.check_volumes(api, config, log)


def _own_volume(api: Api, config: Config) -> None:
    """Settle the zone and the type of the root volume that is to be made."""
    zone = config.availability_zone.partition(":")[0]
    present = _or_default(lambda: api.list_all(client.VOLUME_ZONE), list[Json]()) if zone else []
    usable = [one["name"] for one in present if (one.get("state") or {}).get("available", True)]
    if zone in usable:  # where they are others, Cinder's choice fits all
        config.volume_zone = zone
    types = [str(kind["name"]) for kind in api.list_all(client.VOLUME_TYPE)]
    if config.volume_type and config.volume_type not in types:
        there = f"there are: {', '.join(types)}"
        raise ERRORS.error(errors.BadVolume, f"there is no volume type {config.volume_type}", there)
    if config.is_conoha and not config.volume_type:
        config.volume_type = conoha.boot_type(types)


def _or_default(ask: Callable[[], T], default: T) -> T:
    """What the cloud says, or `default` where it knows no such thing, or tells it not to everybody."""
    try:
        return ask()
    except (errors.NotFound, errors.NotAllowed):
        return default


def _network(api: Api, config: Config) -> Json:
    """The network of the server ({}: the cloud chooses), and the one of its floating address."""
    name_or_id = config.network_id or config.network_name
    if config.is_conoha and not name_or_id:
        return {}  # ConoHa chooses
    present = api.list_all(client.NETWORK)
    if name_or_id:
        network = lookup.required(present, name_or_id, config.account, errors.BadNetwork, "network")
    else:
        network = _only_network(present, config)
    config.network_id, config.network_name = str(network["id"]), str(network.get("name") or "")
    if config.ip_version == 6 and not _has_ipv6(api, config.network_id):
        raise errors.BadNetwork(
            f"the network {config.network_name} has no IPv6 subnet",
            resolution="leave --openstack-ip-version out, or name another --openstack-net-name",
        )
    if config.floating_ip_pool:
        external = [one for one in present if one.get("is_router_external")]
        external_network = lookup.named(external, config.floating_ip_pool, config.account)
        if external_network is None:
            error = lookup.missing(errors.BadNetwork, f"external network {config.floating_ip_pool}", external)
            error.resolution = "check --openstack-floatingip-pool (`openstack network list --external` shows them)"
            raise error
        config.floating_ip_pool_id = str(external_network["id"])
    return network


def _has_ipv6(api: Api, network_id: str) -> bool:
    return any(int(subnet["ip_version"]) == 6 for subnet in api.list_all(client.SUBNET, network_id=network_id))


def _only_network(present: Sequence[Json], config: Config) -> Json:
    """The network that is meant when none is named."""
    ours = [one for one in present if one.get("project_id") == config.account or one.get("is_shared")]
    usable = [one for one in ours if one.get("subnet_ids")]
    if len(usable) == 1:
        return usable[0]
    many = f"there are {len(usable)} networks to choose from" if usable else "the project has no network"
    raise ERRORS.error(errors.BadNetwork, f"{many}: name one with --openstack-net-name", lookup.names(usable))


def _drop_security_groups(config: Config, log: Callable[[str], None]) -> None:
    """Leave out the security groups, as Nova wants it on a network without port security.

    Raises BadNetwork if flags ask.
    """
    open_to_all = f"the network {config.network_name} has no port security: no security group can guard a server there"
    if config.security_groups != [config.own_group] or config.allow_from:
        raise errors.BadNetwork(
            open_to_all,
            resolution="leave --openstack-sec-groups and --openstack-allow-from out, if the machine may be open to that"
            " network; else name another --openstack-net-name",
        )
    log(f"{open_to_all}, and all ports of the machine are open to it")
    config.security_groups = []


def _check_zones(api: Api, config: Config) -> None:
    zone, group = config.availability_zone, config.server_group_id or config.server_group_name
    if zone:
        zones = [str(one.get("name")) for one in api.list_all(client.ZONE)]
        if zone.partition(":")[0] not in zones:
            raise ERRORS.error(BadZone, f"there is no availability zone {zone}", f"there are: {', '.join(zones)}")
    if group:
        present = api.list_all(client.SERVER_GROUP)
        found = lookup.required(present, group, config.account, BadServerGroup, "server group")
        config.server_group_id = str(found["id"])


def _groups(present: Sequence[Json], config: Config, ctx: DriverContext) -> None:
    """Check that every group but the shared one exists, and log which needed ports none of them lets in."""
    named = {name: lookup.group(present, name, config) for name in config.security_groups}
    for name, group in named.items():
        if group is None and name != config.own_group:
            raise lookup.missing(errors.BadFirewall, f"security group {name}", present)
    if named and not config.has_own_group:
        rules = firewall.rules(group for group in named.values() if group)
        for line in closed_port_warnings(
            rules, config, ctx.cluster_ports, f"the security groups {', '.join(named)}", config.ip_version
        ):
            ctx.log(line)


def _check_allow_from(config: Config, ctx: DriverContext) -> None:
    """Check that the shared group stays as closed as its machines want it.

    Raises BadFirewall if this machine would open it and an older machine in it has --openstack-allow-from.
    """
    own = config.own_group
    for other in ctx.siblings():
        shared = config.has_own_group and own in (other.get("SecurityGroups") or [])
        same = other.get("ProjectId") == config.account
        if shared and same and other.get("AllowFrom") and not other.get("OwnGroup"):
            raise errors.BadFirewall(
                f"the security group {own} has a machine of an earlier version that only "
                f"{', '.join(other['AllowFrom'])} may reach, and this one would open it",
                resolution="give --openstack-sec-groups of your own, or --openstack-allow-from; or make that "
                "machine anew, which then gets a group of its own",
            )
