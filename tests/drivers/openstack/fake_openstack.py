"""The `Cloud` that driver openstack is tried on: the services of server.py behind a fault proxy."""

from __future__ import annotations

import json
import re
import urllib.parse
from typing import Any

from tests.drivers.fault_proxy import Answer, Call, FaultProxy
from tests.drivers.openstack.project import USER, Project
from tests.drivers.openstack.server import PASSWORD, PROJECT, Cloud

IDS = re.compile(r"/(?:[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f-]{27})(?=/|$)|(?<=/os-keypairs)/[^/]+")


def naming(call: Call) -> str:
    """POST compute/v2.1/servers, DELETE network/v2.0/ports/ID, ...: ids do not matter, actions do."""
    parts = urllib.parse.urlsplit(call.path)
    service = parts.netloc.partition(".")[0] + "/" if parts.netloc else ""
    name = f"{call.method} {service}" + IDS.sub("/ID", parts.path).strip("/")
    if name.endswith("/action"):
        name += " " + next(iter(json.loads(call.body)))
    return name


def refusal(status: int, kind: str, message: str, **headers: str) -> Answer:
    """An error as Nova words it."""
    body = json.dumps({kind: {"code": status, "message": message}}).encode()
    return Answer(status, body, {"Content-Type": "application/json", **headers})


def let_in(rules: list[dict[str, Any]]) -> set[str]:
    """Ports that rules of Neutron's let everybody's IPv4 reach, as `22/tcp` or `8000-8100/udp`."""
    found = set()
    for rule in rules:
        if (rule["direction"], rule["ethertype"], rule["remote_group_id"]) != ("ingress", "IPv4", None):
            continue
        if rule["remote_ip_prefix"] not in (None, "0.0.0.0/0"):
            continue
        first, last = rule["port_range_min"], rule["port_range_max"]
        found.add(f"{first}/{rule['protocol']}" if first == last else f"{first}-{last}/{rule['protocol']}")
    return found


class Stack:
    """A fresh project."""

    driver_name = "openstack"
    making = "POST compute/v2.1/servers"
    secrets = (PASSWORD,)
    sdk = ("openstack", "keystoneauth1", "requests")
    pausing = "keystoneauth1.session"
    impatient: dict[str, Any] = {"openstack-retries": 0, "openstack-api-timeout": 1}  # noqa: RUF012
    throttled = refusal(429, "overLimit", "This request was rate-limited.", **{"Retry-After": "1"})
    broken = refusal(500, "computeFault", "Unexpected API Error. Please report this.")

    def __init__(self, cloud: Cloud | None = None, **project: Any) -> None:
        self.cloud = cloud or Cloud(Project(**project))
        self.project = self.cloud.project
        self.proxy = FaultProxy(self.cloud.url, naming)

    def close(self) -> None:
        if not self.proxy.closed.is_set():
            self.proxy.close()
        self.cloud.stop()

    def options(self) -> dict[str, Any]:
        return {
            "openstack-auth-url": f"{self.proxy.url}/identity/v3",
            "openstack-username": USER,
            "openstack-project-name": PROJECT,
            "openstack-flavor-name": "m1.small",
            "openstack-image-name": "ubuntu-24.04",
        }

    def credentials(self) -> dict[str, str]:
        return {"OS_PASSWORD": PASSWORD}

    def listing(self) -> Any:
        with self.cloud.lock:
            self.project.settle()
            return self.project.listing()

    def machines(self) -> int:
        return len(self.listing()["servers"])

    def changes(self, call: str) -> bool:
        return not call.startswith("GET") and "auth/tokens" not in call and "getConsole" not in call

    def ports_open(self) -> set[str]:
        with self.cloud.lock:
            self.project.settle()
            groups = {group for port in self.project.ports.values() for group in port["security_groups"]}
            return let_in([rule for group in groups for rule in self.project.groups[group]["security_group_rules"]])

    def forget(self) -> None:
        with self.cloud.lock:
            self.project.forget()
