"""The services around a project, by HTTP on loopback: Keystone, Nova, Neutron, Glance and Cinder behind one port.

Which service is meant stands first in the path (http://HOST/compute/v2.1), or first in the host's name, as at ConoHa
(http://compute.c3j1.conoha.io/v2.1), whose requests come here when this is the program's proxy.
"""

from __future__ import annotations

import json
import re
import threading
import urllib.parse
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.drivers.openstack.project import Json, Project, Refusal, new_id

USER, PASSWORD, PROJECT = "alice", "not-a-password-but-shall-not-be-seen", "demo"
CREDENTIAL, CREDENTIAL_SECRET = "0123456789abcdef0123456789abcdef", "not-a-secret-but-shall-not-be-seen"
ISSUED, EXPIRES = "2026-01-01T00:00:00.000000Z", "2036-01-01T00:00:00.000000Z"
NOVA = ("2.1", "2.96")
CATALOG = {"compute": "v2.1", "network": "", "image": "", "volumev3": "v3/{project}", "identity": "v3"}
PATHS = {"compute": "compute", "network": "network", "image": "image", "volumev3": "volume", "identity": "identity"}
HOSTS = {"network": "networking", "image": "image-service", "volumev3": "block-storage"}
Found = tuple[int, Any]


@dataclass(frozen=True)
class Asked:
    """One request, and which service it is for."""

    method: str
    service: str
    path: str
    host: str
    query: dict[str, str]
    headers: Any
    body: Json


def _public(thing: Json) -> Json:
    return {key: value for key, value in thing.items() if not key.startswith("_")}


def _all(things: Any) -> list[Json]:
    return [_public(thing) for thing in things]


def _delete(do: Callable[[str], Any], status: int = 204) -> Callable[..., Found]:
    def route(cloud: Cloud, words: tuple[str, ...], query: Json, body: Json) -> Found:
        do_it: Any = do
        do_it(cloud.project, words[0])
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
    return (200, found) if found is not None else (202, None)


def _make_server(cloud: Cloud, body: Json) -> Json:
    hints = body.get("OS-SCH-HNT:scheduler_hints", {})
    return {"server": cloud.project.make_server(body["server"], hints, cloud.microversion)}


V = "/v3/[0-9a-f]+"  # of Cinder
ROUTES: list[tuple[str, str, str, Callable[..., Found]]] = [
    ("compute", "GET", "/v2.1/flavors/detail", lambda c, w, q, b: (200, {"flavors": c.project.flavors})),
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
    ("compute", "DELETE", "/v2.1/servers/([^/]+)", _delete(Project.delete_server)),  # type: ignore[arg-type]
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
    ("network", "DELETE", "/v2.0/security-groups/([^/]+)", _delete(Project.delete_group)),  # type: ignore[arg-type]
    ("network", "GET", "/v2.0/ports", lambda c, w, q, b: (200, {"ports": _ports(c, q)})),
    ("network", "GET", "/v2.0/floatingips", lambda c, w, q, b: (200, {"floatingips": _floating(c, q)})),
    (
        *("network", "POST", "/v2.0/floatingips"),
        lambda c, w, q, b: (201, {"floatingip": c.project.make_floating(b["floatingip"])}),
    ),
    ("network", "DELETE", "/v2.0/floatingips/([^/]+)", _delete(Project.delete_floating)),  # type: ignore[arg-type]
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
    ("volume", "DELETE", f"{V}/volumes/([^/]+)", _delete(Project.delete_volume, 202)),  # type: ignore[arg-type]
]


class Cloud:
    """Running until `stop`. `identity` are the versions of Keystone that it offers."""

    domain = "Default"
    zones: list[Json] = [{"zoneName": "nova", "zoneState": {"available": True}}]  # noqa: RUF012

    def __init__(self, project: Project | None = None, *, identity: tuple[str, ...] = ("v3.14",)) -> None:
        self.project = project or Project()
        self.identity = identity
        self.tokens: set[str] = set()
        self.microversion = (2, 1)
        self.lock = threading.Lock()
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.http.daemon_threads = True
        self.http.block_on_close = False
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def stop(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join(10)

    def network(self, network_id: str) -> Json:
        return next(one for one in self.project.networks if one["id"] == network_id)

    def groups(self) -> list[Json]:
        return list(self.project.groups.values())

    def types(self) -> list[Json]:
        return [{"id": new_id(), "name": name, "is_public": True} for name in self.project.types]

    def answer(self, method: str, url: str, headers: Any, body: bytes) -> tuple[int, Any, dict[str, str]]:
        """Status, what is said, headers."""
        parts = urllib.parse.urlsplit(url)
        host = parts.netloc or str(headers.get("Host"))
        service, path = self.which(host, parts.path)
        query = dict(urllib.parse.parse_qsl(parts.query))
        asked = Asked(method, service, path, host, query, headers, json.loads(body) if body else {})
        with self.lock:
            self.project.settle()
            try:
                return self._do(asked)
            except Refusal as refusal:
                return refusal.status, _words(refusal), {}

    def which(self, host: str, path: str) -> tuple[str, str]:
        """The service and its own path."""
        if "conoha" in host:
            label = host.partition(".")[0]
            service = {value: key for key, value in HOSTS.items()}.get(label, label)
            return PATHS[service], path
        service, _, rest = path.lstrip("/").partition("/")
        return service, f"/{rest}"

    def place(self, host: str, service: str) -> str:
        """The URL under which the catalog has a service."""
        if "conoha" in host:
            region = host.split(".")[1]
            base = f"http://{HOSTS.get(service, service)}.{region}.conoha.io"
        else:
            base = f"http://{host}/{PATHS[service]}"
        return f"{base}/{CATALOG[service].format(project=self.project.id)}".rstrip("/")

    def _do(self, asked: Asked) -> tuple[int, Any, dict[str, str]]:
        if asked.service not in PATHS.values():
            raise Refusal(404, "itemNotFound", "The resource could not be found.")
        if asked.service == "identity" and asked.path.startswith("/v3") and not self._has_v3():
            raise Refusal(404, "error", "The resource could not be found.")
        if asked.method == "GET" and (versions := self._versions(asked)):
            return (*versions, {})
        if (asked.service, asked.method, asked.path) == ("identity", "POST", "/v3/auth/tokens"):
            token = uuid.uuid4().hex
            described = self.log_in(asked.body["auth"], asked.host)
            self.tokens.add(token)
            return 201, {"token": described}, {"X-Subject-Token": token}
        if asked.headers.get("X-Auth-Token") not in self.tokens:
            raise Refusal(401, "error", "The request you have made requires authentication.")
        wanted = str(asked.headers.get("OpenStack-API-Version") or "compute 2.1").split()[-1]
        major, _, minor = wanted.partition(".")
        self.microversion = (int(major), int(minor or 0))
        for service, method, pattern, route in ROUTES:
            match = re.fullmatch(pattern, asked.path)
            if match and method == asked.method and service == asked.service:
                return (*route(self, match.groups(), asked.query, asked.body), {})
        raise Refusal(404, "itemNotFound", "The resource could not be found.")

    def _has_v3(self) -> bool:
        return any(version.startswith("v3") for version in self.identity)

    def _versions(self, asked: Asked) -> Found | None:
        """The documents by which clients find out what is spoken."""
        service = "volumev3" if asked.service == "volume" else asked.service
        here = self.place(asked.host, service).partition("/v")[0]
        keystone = [self._version(version, f"{here}/{version.partition('.')[0]}") for version in self.identity]
        nova = {**self._version("v2.1", f"{here}/v2.1/"), "version": NOVA[1], "min_version": NOVA[0]}
        cinder = {**self._version("v3.0", f"{here}/v3/"), "version": "3.70", "min_version": "3.0"}
        documents: dict[tuple[str, str], Found] = {
            ("identity", ""): (300, {"versions": {"values": keystone}}),
            ("compute", ""): (200, {"versions": [nova]}),
            ("compute", "/v2.1"): (200, {"version": nova}),
            ("image", ""): (300, {"versions": [self._version("v2.16", f"{here}/v2/")]}),
            ("network", ""): (200, {"versions": [self._version("v2.0", f"{here}/v2.0/")]}),
            ("volume", ""): (300, {"versions": [cinder]}),
            ("volume", "/v3"): (200, {"versions": [cinder]}),
        }
        if self._has_v3():
            documents["identity", "/v3"] = (200, {"version": keystone[0]})
        return documents.get((asked.service, asked.path.rstrip("/")))

    def _version(self, name: str, url: str) -> Json:
        status = "stable" if name.startswith("v3.1") else "CURRENT"
        return {"id": name, "status": status, "links": [{"rel": "self", "href": url}]}

    def log_in(self, auth: Json, host: str) -> Json:
        """The token's description; 401 for everything that is not right."""
        identity = auth["identity"]
        (method,) = identity["methods"]
        if method == "password":
            user = identity["password"]["user"]
            good = user["name"] == USER and user["password"] == PASSWORD and self._is_home(user["domain"])
            project = auth.get("scope", {}).get("project", {})
            good &= project.get("id") == self.project.id or (
                project.get("name") == PROJECT and self._is_home(project.get("domain", {}))
            )
        elif method == "application_credential":
            given = identity["application_credential"]
            if given.get("id") != CREDENTIAL:
                raise Refusal(404, "error", f"Could not find Application Credential: {given.get('id')}.")
            good = given["secret"] == CREDENTIAL_SECRET
        else:
            good = identity["token"]["id"] in self.tokens
            if good and "scope" not in auth:  # what is not asked for is not in the token
                return {"methods": [method], "issued_at": ISSUED, "expires_at": EXPIRES, "user": self._user()}
        if not good:
            raise Refusal(401, "error", "The request you have made requires authentication.")
        region = host.split(".")[1] if "conoha" in host else "RegionOne"
        catalog = []
        for service in CATALOG:
            urls = [
                {"interface": kind, "region": region, "region_id": region, "id": new_id(), "url": url}
                for kind, url in (("public", self.place(host, service)), ("internal", "http://127.0.0.1:9/nowhere"))
            ]
            catalog.append({"type": service, "name": service, "id": new_id(), "endpoints": urls})
        return {
            "methods": [method],
            "catalog": catalog,
            "issued_at": ISSUED,
            "expires_at": EXPIRES,
            "roles": [{"id": "1", "name": "member"}],
            "user": self._user(),
            "project": {"id": self.project.id, "name": PROJECT, "domain": {"id": "default", "name": self.domain}},
        }

    def _user(self) -> Json:
        return {"id": "1", "name": USER, "domain": {"id": "default", "name": self.domain}}

    def _is_home(self, domain: Json) -> bool:
        return domain in ({"id": "default"}, {"name": self.domain})


def _words(refusal: Refusal) -> Any:
    """The body of a refusal, as the service in question words it."""
    if refusal.kind == "glance":
        return f"<html><head><title>404 Not Found</title></head><body>{refusal.message}</body></html>"
    if refusal.kind == "NeutronError":
        return {"NeutronError": {"type": "Refused", "message": refusal.message, "detail": ""}}
    return {refusal.kind: {"code": refusal.status, "message": refusal.message}}


def _handler(cloud: Cloud) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, found, headers = cloud.answer(self.command, self.path, self.headers, body)
            packed = b"" if found is None else found.encode() if isinstance(found, str) else json.dumps(found).encode()
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Type", "text/html" if isinstance(found, str) else "application/json")
            self.send_header("Content-Length", str(len(packed)))
            self.end_headers()
            self.wfile.write(packed)

        do_GET = do_POST = do_DELETE = do_PUT = handle_any

        def log_message(self, *parts: Any) -> None:
            return

    return Handler
