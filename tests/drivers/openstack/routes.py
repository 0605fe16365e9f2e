"""The routes of the services around a project in memory: method, path, and what is answered."""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.drivers.openstack.project import USER, Project
from tests.drivers.openstack.refusals import Json, Refusal, new_id

if TYPE_CHECKING:
    from tests.drivers.openstack.server import Cloud

Found = tuple[int, Any]


def _public(thing: Json) -> Json:
    return {key: value for key, value in thing.items() if not key.startswith("_")}


def _all(things: Any) -> list[Json]:
    return [_public(thing) for thing in things]


def _delete(do: Callable[[Project, str], None], status: int = 204) -> Callable[..., Found]:
    def route(cloud: Cloud, words: tuple[str, ...], query: Json, body: Json) -> Found:
        do(cloud.project, words[0])
        return status, None

    return route


def _key(cloud: Cloud, name: str) -> Json:
    name = urllib.parse.unquote(name)
    if name not in cloud.project.keys:
        raise Refusal(404, "itemNotFound", f"Keypair {name} not found for user {USER}")
    return cloud.project.keys[name]


def _make_key(cloud: Cloud, body: Json) -> Found:
    """Old clients insist on the old status: https://docs.openstack.org/api-ref/compute/#keypairs-keypairs"""
    return 201 if cloud.microversion >= (2, 2) else 200, {"keypair": cloud.project.make_key(body["keypair"])}


def _remove_key(cloud: Cloud, name: str) -> Found:
    if cloud.project.keys.pop(urllib.parse.unquote(name), None) is None:
        raise Refusal(404, "itemNotFound", f"Keypair {name} not found for user {USER}")
    return 204 if cloud.microversion >= (2, 2) else 202, None


def _image(cloud: Cloud, image_id: str) -> Json:
    found = [image for image in cloud.project.images if image["id"] == image_id]
    if not found:
        raise Refusal(404, "glance", f"No image found with ID {image_id}")
    return found[0]


def _images(cloud: Cloud, query: Json) -> list[Json]:
    return [image for image in cloud.project.images if query.get("name", image["name"]) == image["name"]]


def _nova_images(cloud: Cloud, query: Json) -> list[Json]:
    """Glance's as old clients ask for them: https://docs.openstack.org/api-ref/compute/#images-deprecated"""
    if cloud.microversion > (2, 35):
        raise Refusal(404, "itemNotFound", "The resource could not be found.")
    return [
        {
            "id": image["id"],
            "name": image["name"],
            "status": image["status"].upper(),
            "minDisk": image["min_disk"],
            "minRam": image["min_ram"],
            "OS-EXT-IMG-SIZE:size": image["size"],
            "created": image["created_at"],
            "updated": image["created_at"],
            "progress": 100,
            "metadata": {},
            "links": [],
        }
        for image in _images(cloud, query)
    ]


def _volumes(cloud: Cloud, query: Json) -> list[Json]:
    return [one for one in cloud.project.volumes.values() if query.get("name", one["name"]) == one["name"]]


def _limits(cloud: Cloud) -> Json:
    have = len(cloud.project.servers)
    return {
        "maxTotalInstances": cloud.project.limit,
        "totalInstancesUsed": have,
        "maxTotalCores": -1,
        "totalCoresUsed": have,
        "maxTotalRAMSize": 51200,
        "totalRAMUsed": 2048 * have,
    }


def _quota(cloud: Cloud) -> Json:
    """https://docs.openstack.org/api-ref/network/v2/#show-quota-details-for-a-tenant"""
    have = {"port": cloud.project.ports, "floatingip": cloud.project.floating, "security_group": cloud.project.groups}
    quota = cloud.project.quota
    return {key: {"limit": quota[key], "used": len(things), "reserved": 0} for key, things in have.items()}


def _subnets(cloud: Cloud) -> list[Json]:
    found = []
    for network in cloud.project.networks:
        for version, key in ((4, "prefix"), (6, "prefix6")):
            if key in network:
                found.append({"id": new_id(), "name": "", "network_id": network["id"], "ip_version": version})
    return found


def _volume_zones(cloud: Cloud) -> list[Json]:
    """Those whose names end with `!` are not to be had at the moment."""
    names = cloud.project.volume_zones
    return [{"zoneName": name.rstrip("!"), "zoneState": {"available": not name.endswith("!")}} for name in names]


def _volume_limits(cloud: Cloud) -> Json:
    """https://docs.openstack.org/api-ref/block-storage/v3/#show-absolute-limits-for-project"""
    have = cloud.project.volumes.values()
    return {
        "maxTotalVolumes": 10,
        "totalVolumesUsed": len(have),
        "maxTotalVolumeGigabytes": cloud.project.gigabytes,
        "totalGigabytesUsed": sum(volume["size"] for volume in have),
    }


def _floating(cloud: Cloud, query: Json) -> list[Json]:
    things = cloud.project.floating.values()
    return [one for one in things if query.get("description", one["description"]) == one["description"]]


def _ports(cloud: Cloud, query: Json) -> list[Json]:
    things = cloud.project.ports.values()
    return [one for one in things if query.get("device_id", one["device_id"]) == one["device_id"]]


def _make_rules(cloud: Cloud, body: Json) -> Json:
    if "security_group_rules" in body:
        return {"security_group_rules": cloud.project.make_rules(body["security_group_rules"])}
    return {"security_group_rule": cloud.project.make_rules([body["security_group_rule"]])[0]}


def _act(cloud: Cloud, words: tuple[str, ...], body: Json) -> Found:
    ((action, how),) = body.items()
    found = cloud.project.act(words[0], action, how)
    if found is not None:
        return 200, found
    return 204 if action == "confirmResize" else 202, None


def _flavor(cloud: Cloud, flavor_id: str) -> Json:
    found = [flavor for flavor in cloud.project.flavors if flavor["id"] == flavor_id]
    if not found:
        raise Refusal(404, "itemNotFound", f"Flavor {flavor_id} could not be found.")
    return found[0]


def _act_on_volume(cloud: Cloud, volume_id: str, body: Json) -> Found:
    cloud.project.act_on_volume(volume_id, body, cloud.microversion)
    return 202, None


def _make_server(cloud: Cloud, body: Json) -> Json:
    hints = body.get("OS-SCH-HNT:scheduler_hints", {})
    return {"server": cloud.project.make_server(body["server"], hints, cloud.microversion)}


V = "/v3/[0-9a-f]+"  # of Cinder


ROUTES: list[tuple[str, str, str, Callable[..., Found]]] = [
    ("compute", "GET", "/v2.1/flavors/detail", lambda c, w, q, b: (200, {"flavors": c.project.flavors})),
    ("compute", "GET", "/v2.1/flavors/([^/]+)", lambda c, w, q, b: (200, {"flavor": _flavor(c, w[0])})),
    ("compute", "GET", "/v2.1/images/detail", lambda c, w, q, b: (200, {"images": _nova_images(c, q)})),
    ("compute", "GET", "/v2.1/limits", lambda c, w, q, b: (200, {"limits": {"rate": [], "absolute": _limits(c)}})),
    ("compute", "GET", "/v2.1/os-availability-zone", lambda c, w, q, b: (200, {"availabilityZoneInfo": c.zones})),
    ("compute", "GET", "/v2.1/os-server-groups", lambda c, w, q, b: (200, {"server_groups": c.project.server_groups})),
    ("compute", "GET", "/v2.1/os-keypairs/([^/]+)", lambda c, w, q, b: (200, {"keypair": _key(c, w[0])})),
    ("compute", "POST", "/v2.1/os-keypairs", lambda c, w, q, b: _make_key(c, b)),
    ("compute", "DELETE", "/v2.1/os-keypairs/([^/]+)", lambda c, w, q, b: _remove_key(c, w[0])),
    ("compute", "GET", "/v2.1/servers/detail", lambda c, w, q, b: (200, {"servers": _all(c.project.listed())})),
    ("compute", "GET", "/v2.1/servers/([^/]+)", lambda c, w, q, b: (200, {"server": _public(c.project.server(w[0]))})),
    ("compute", "POST", "/v2.1/servers", lambda c, w, q, b: (202, _make_server(c, b))),
    ("compute", "POST", "/v2.1/servers/([^/]+)/action", lambda c, w, q, b: _act(c, w, b)),
    ("compute", "DELETE", "/v2.1/servers/([^/]+)", _delete(Project.delete_server)),
    ("image", "GET", "/v2/images", lambda c, w, q, b: (200, {"images": _images(c, q)})),
    ("image", "GET", "/v2/images/([^/]+)", lambda c, w, q, b: (200, _image(c, w[0]))),
    ("network", "GET", "/v2.0/quotas/[0-9a-f]+/details", lambda c, w, q, b: (200, {"quota": _quota(c)})),
    ("network", "GET", "/v2.0/networks", lambda c, w, q, b: (200, {"networks": c.project.networks})),
    ("network", "GET", "/v2.0/subnets", lambda c, w, q, b: (200, {"subnets": _subnets(c)})),
    ("network", "GET", "/v2.0/networks/([^/]+)", lambda c, w, q, b: (200, {"network": c.network(w[0])})),
    ("network", "GET", "/v2.0/security-groups", lambda c, w, q, b: (200, {"security_groups": c.groups()})),
    (
        *("network", "POST", "/v2.0/security-groups"),
        lambda c, w, q, b: (201, {"security_group": c.project.make_group(b["security_group"])}),
    ),
    ("network", "POST", "/v2.0/security-group-rules", lambda c, w, q, b: (201, _make_rules(c, b))),
    ("network", "DELETE", "/v2.0/security-groups/([^/]+)", _delete(Project.delete_group)),
    ("network", "GET", "/v2.0/ports", lambda c, w, q, b: (200, {"ports": _ports(c, q)})),
    ("network", "GET", "/v2.0/floatingips", lambda c, w, q, b: (200, {"floatingips": _floating(c, q)})),
    (
        *("network", "POST", "/v2.0/floatingips"),
        lambda c, w, q, b: (201, {"floatingip": c.project.make_floating(b["floatingip"])}),
    ),
    ("network", "DELETE", "/v2.0/floatingips/([^/]+)", _delete(Project.delete_floating)),
    ("volume", "GET", f"{V}/limits", lambda c, w, q, b: (200, {"limits": {"rate": [], "absolute": _volume_limits(c)}})),
    (
        *("volume", "GET", f"{V}/os-availability-zone"),
        lambda c, w, q, b: (200, {"availabilityZoneInfo": _volume_zones(c)}),
    ),
    ("volume", "GET", f"{V}/types", lambda c, w, q, b: (200, {"volume_types": c.types()})),
    ("volume", "GET", f"{V}/volumes/detail", lambda c, w, q, b: (200, {"volumes": _all(_volumes(c, q))})),
    ("volume", "GET", f"{V}/volumes/([^/]+)", lambda c, w, q, b: (200, {"volume": _public(c.project.volume(w[0]))})),
    (
        "volume",
        "POST",
        f"{V}/volumes",
        lambda c, w, q, b: (202, {"volume": _public(c.project.make_volume(b["volume"]))}),
    ),
    ("volume", "POST", f"{V}/volumes/([^/]+)/action", lambda c, w, q, b: _act_on_volume(c, w[0], b)),
    ("volume", "DELETE", f"{V}/volumes/([^/]+)", _delete(Project.delete_volume, 202)),
]
