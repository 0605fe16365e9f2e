"""The services around a project, by HTTP on loopback: Keystone, Nova, Neutron, Glance and Cinder behind one port.

Which service is meant stands first in the path (http://HOST/compute/v2.1), or first in the host's name, as at ConoHa
(http://compute.c3j1.conoha.io/v2.1), whose requests come here when this is the program's proxy.
"""

from __future__ import annotations

import json
import re
import urllib.parse
import uuid
from dataclasses import dataclass
from typing import Any

from tests.drivers.loopback_server import JSON, Answered, LoopbackServer
from tests.drivers.openstack.project import USER, Project
from tests.drivers.openstack.refusals import Json, Refusal, new_id
from tests.drivers.openstack.routes import ROUTES, Found

PASSWORD, PROJECT = "not-a-password-but-shall-not-be-seen", "demo"
CREDENTIAL, CREDENTIAL_SECRET = "0123456789abcdef0123456789abcdef", "not-a-secret-but-shall-not-be-seen"
ISSUED, EXPIRES = "2026-01-01T00:00:00.000000Z", "2036-01-01T00:00:00.000000Z"
NOVA = ("2.1", "2.96")
CATALOG = {"compute": "v2.1", "network": "", "image": "", "volumev3": "v3/{project}", "identity": "v3"}
PATHS = {"compute": "compute", "network": "network", "image": "image", "volumev3": "volume", "identity": "identity"}
HOSTS = {"network": "networking", "image": "image-service", "volumev3": "block-storage"}


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


class Cloud(LoopbackServer):
    """Running until `stop`. `identity` are the versions of Keystone that it offers."""

    domain = "Default"
    cinder = "3.70"
    zones: list[Json] = [{"zoneName": "nova", "zoneState": {"available": True}}]  # noqa: RUF012

    def __init__(self, project: Project | None = None, *, identity: tuple[str, ...] = ("v3.14",)) -> None:
        self.project = project or Project()
        self.identity = identity
        self.tokens: set[str] = set()
        self.microversion = (2, 1)
        super().__init__()

    def network(self, network_id: str) -> Json:
        return next(one for one in self.project.networks if one["id"] == network_id)

    def groups(self) -> list[Json]:
        return list(self.project.groups.values())

    def types(self) -> list[Json]:
        return [{"id": new_id(), "name": name, "is_public": True} for name in self.project.types]

    def answer(self, method: str, path: str, headers: Any, body: bytes) -> Answered:
        """What goes back: JSON, or a page for what is a text already."""
        status, found, more = self._answer(method, path, headers, body)
        if isinstance(found, str):
            return status, found.encode(), {**more, "Content-Type": "text/html"}
        return status, b"" if found is None else json.dumps(found).encode(), {**more, **JSON}

    def _answer(self, method: str, url: str, headers: Any, body: bytes) -> tuple[int, Any, dict[str, str]]:
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
        cinder = {**self._version("v3.0", f"{here}/v3/"), "version": self.cinder, "min_version": "3.0"}
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
