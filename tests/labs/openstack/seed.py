"""What a fresh cloud is given: schemas, users, catalogue, flavors, networks, an image. Done once, when it is built.

An ordinary project `demo` with the user `demo` (role member), the closed security group that Neutron makes by itself,
the network `public` (flat, shared, external: servers on it and floating IPs are reached from this computer) and the
project's own `private` behind `router1`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.labs.openstack import guest, settings
from tests.labs.openstack.api import Api, Refused, url

FLAVORS = (("m1.tiny", 512, 1, 4), ("m1.small", 1024, 1, 8), ("m1.medium", 2048, 2, 12))  # MiB, CPUs, GiB
APIS = ("keystone", "placement-api", "glance-api", "neutron-api", "nova-api")
WORKERS = ("neutron-rpc-server", "nova-conductor", "nova-scheduler", "nova-compute")
AGENTS = ("neutron-linuxbridge-agent", "neutron-l3-agent")
HEARTBEATS = {"nova-conductor", "nova-scheduler", "nova-compute", *AGENTS}  # who must have one before a server is made

SCHEMAS = f"""
set -e
for database in {" ".join(settings.DATABASES)}; do
    mariadb -e "CREATE DATABASE $database CHARACTER SET utf8"
done
mariadb -e "GRANT ALL ON *.* TO cloud@localhost IDENTIFIED BY '{settings.PASSWORD}'"
mariadb -e "GRANT ALL ON *.* TO cloud@'127.0.0.1' IDENTIFIED BY '{settings.PASSWORD}'"
rabbitmqctl -q add_user cloud {settings.PASSWORD}
rabbitmqctl -q set_permissions cloud '.*' '.*' '.*'
as() {{
    log=/var/log/schema-$1.log
    runuser -u "$1" -- "${{@:2}}" >>"$log" 2>&1 || {{ tail -n 20 "$log" >&2; exit 1; }}
}}
identity() {{
    as keystone keystone-manage fernet_setup --keystone-user keystone --keystone-group keystone
    as keystone keystone-manage credential_setup --keystone-user keystone --keystone-group keystone
    as keystone keystone-manage db_sync
    as keystone keystone-manage bootstrap --bootstrap-password {settings.PASSWORD} \\
        --bootstrap-region-id {settings.REGION} \\
        --bootstrap-admin-url {settings.KEYSTONE} --bootstrap-public-url {settings.KEYSTONE} \\
        --bootstrap-internal-url {settings.KEYSTONE}
    as placement placement-manage db sync
    as glance glance-manage db_sync
}}
compute() {{
    as nova nova-manage api_db sync
    as nova nova-manage cell_v2 map_cell0 --database_connection '{settings.database("nova_cell0")}'
    as nova nova-manage db sync
    as nova nova-manage cell_v2 create_cell --name cell1
}}
network() {{
    as neutron neutron-db-manage --config-file /etc/neutron/neutron.conf \\
        --config-file /etc/neutron/plugins/ml2/ml2_conf.ini upgrade head
}}
identity & one=$!
compute & two=$!
network & three=$!
wait $one; wait $two; wait $three
"""


def wait(what: str, true: Callable[[], object], seconds: float = 180.0) -> None:
    """Until `true()`; AssertionError that says `what` and the last error when it does not become so."""
    deadline = time.monotonic() + seconds
    last: object = "not yet"
    while time.monotonic() < deadline:
        try:
            if true():
                return
        except (Refused, OSError) as error:
            last = error
        time.sleep(0.25)
    raise AssertionError(f"{what}: {last}")


def beating(api: Api, since: float) -> set[str]:
    """The workers and agents that said they are alive after `since` (seconds since the epoch)."""
    from datetime import UTC, datetime

    def fresh(text: str | None) -> bool:
        return bool(text) and datetime.fromisoformat(str(text)[:19]).replace(tzinfo=UTC).timestamp() >= since

    services = api.get("compute", "/os-services")["services"]
    agents = api.get("network", "/agents")["agents"]
    alive = {row["binary"] for row in services if row["state"] == "up" and fresh(row["updated_at"])}
    return alive | {row["binary"] for row in agents if row["alive"] and fresh(row["heartbeat_timestamp"])}


def identity(api: Api) -> None:
    """The services' own user, the project and user `demo`, and the catalogue."""
    roles = {row["name"]: row["id"] for row in api.get("identity", "/roles")["roles"]}
    for name, project, granted in (("service", "service", ("admin", "service")), ("demo", "demo", ("member",))):
        user = {"name": name, "domain_id": "default", "password": settings.PASSWORD}
        made = api.post("identity", "/users", {"user": user})["user"]["id"]
        place = api.post("identity", "/projects", {"project": {"name": project, "domain_id": "default"}})
        for role in granted:
            if role not in roles:
                roles[role] = api.post("identity", "/roles", {"role": {"name": role}})["role"]["id"]
            api.put("identity", f"/projects/{place['project']['id']}/users/{made}/roles/{roles[role]}", {})
    for kind, (name, address) in settings.ENDPOINTS.items():
        service = api.post("identity", "/services", {"service": {"name": name, "type": kind}})["service"]["id"]
        for interface in ("public", "internal", "admin"):
            endpoint = {"service_id": service, "interface": interface, "url": address, "region_id": settings.REGION}
            api.post("identity", "/endpoints", {"endpoint": endpoint})


def contents(api: Api, files: dict[str, Path]) -> None:
    """Flavors, networks, and the image of `files` (see guest.prepare), which nova-compute is told to fetch."""
    for name, memory, cpus, disk in FLAVORS:
        api.post("compute", "/flavors", {"flavor": {"name": name, "ram": memory, "vcpus": cpus, "disk": disk}})
    _networks(api)
    kernel = _image(api, f"{guest.NAME}-kernel", files["kernel"], "aki", {})
    initrd = _image(api, f"{guest.NAME}-initrd", files["initrd"], "ari", {})
    boot = {"kernel_id": kernel, "ramdisk_id": initrd, "os_command_line": guest.COMMAND_LINE, "min_disk": 3}
    bootable = _image(api, guest.NAME, files["disk"], "qcow2", boot)
    place = api.post("compute", "/os-aggregates", {"aggregate": {"name": "all", "availability_zone": None}})
    number = place["aggregate"]["id"]
    api.post("compute", f"/os-aggregates/{number}/action", {"add_host": {"host": settings.NAME}})
    api.post("compute", f"/os-aggregates/{number}/images", {"cache": [{"id": bootable}]})


def _networks(api: Api) -> None:
    def make(kind: str, **body: Any) -> str:
        return str(api.post("network", f"/{kind}s", {kind: body})[kind]["id"])

    projects = api.get("identity", "/projects?name=demo")["projects"]
    demo = projects[0]["id"]
    flat = {"provider:network_type": "flat", "provider:physical_network": "outside"}
    public = make("network", name="public", shared=True, **flat, **{"router:external": True})
    pools = [{"start": f"{settings.PUBLIC}.20", "end": f"{settings.PUBLIC}.220"}]
    make(
        "subnet",
        name="public4",
        network_id=public,
        ip_version=4,
        enable_dhcp=False,
        cidr=f"{settings.PUBLIC}.0/24",
        gateway_ip=f"{settings.PUBLIC}.1",
        allocation_pools=pools,
    )
    private = make("network", name="private", project_id=demo)
    inner = make(
        "subnet",
        name="private4",
        network_id=private,
        project_id=demo,
        ip_version=4,
        enable_dhcp=False,
        cidr=f"{settings.PRIVATE}.0/24",
    )
    router = make("router", name="router1", project_id=demo, external_gateway_info={"network_id": public})
    api.put("network", f"/routers/{router}/add_router_interface", {"subnet_id": inner})


def _image(api: Api, name: str, file: Path, kind: str, properties: dict[str, Any]) -> str:
    container = kind if kind in ("aki", "ari") else "bare"
    body = {"name": name, "disk_format": kind, "container_format": container, "visibility": "public", **properties}
    number = str(api.post("image", "/images", body)["id"])
    api.upload(f"/images/{number}/file", file)
    return number


def answering(service: str) -> bool:
    """Whether an API answers at all; what it answers does not matter as long as it is no error of its own."""
    import urllib.error
    import urllib.request

    try:
        with urllib.request.urlopen(url(service).removesuffix("/v2.1"), timeout=30):
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500
