"""The `Cloud` that driver openstack is tried on where a real OpenStack stands (tests/labs/openstack).

The program uses the fault proxy as its HTTP proxy: the cloud's own URLs stay as its catalog has them, and every call
passes all the same.
"""

from __future__ import annotations

import dataclasses
import json
import time
import urllib.parse
from collections.abc import Mapping
from typing import Any

from machine.drivers.openstack.options import DEFAULT_GROUP_NAME
from tests.drivers.fault_proxy import Answer, Call, FaultProxy
from tests.drivers.openstack.fake_openstack import IDS, let_in, refusal
from tests.labs.openstack import cloud, settings
from tests.labs.openstack.api import Refused

SERVICES = {urllib.parse.urlsplit(url).port: kind for kind, (_, url) in settings.ENDPOINTS.items()} | {5000: "identity"}
BY_HAND = "by-hand"  # name of the things of tests/labs/openstack/test_openstack.py
FLAVOR = "m1.tiny"  # of whose servers nobody waits for the boot


def naming(call: Call) -> str:
    """POST compute/v2.1/servers, ..., as the stand-in's calls are named."""
    parts = urllib.parse.urlsplit(call.path)
    name = f"{call.method} {SERVICES.get(parts.port)}/" + IDS.sub("/ID", parts.path).strip("/")
    return f"{name} {next(iter(json.loads(call.body)))}" if name.endswith("/action") else name


class Proxy(FaultProxy):
    """A fault proxy in front of every host."""

    def forward(self, call: Call) -> Answer:
        parts = urllib.parse.urlsplit(call.path)
        there = FaultProxy.__new__(FaultProxy)
        there.upstream = urllib.parse.urlsplit(f"{parts.scheme}://{parts.netloc}")
        path = urllib.parse.urlunsplit(("", "", parts.path, parts.query, ""))
        return FaultProxy.forward(there, dataclasses.replace(call, path=path))


class Real:
    """The project `demo`, which has nothing but its network and the default group."""

    driver_name = "openstack"
    making = "POST compute/v2.1/servers"
    secrets = (settings.PASSWORD,)
    sdk = ("openstack", "keystoneauth1", "requests")
    pausing = "keystoneauth1.session"
    impatient: Mapping[str, Any] = {"openstack-retries": 0, "openstack-api-timeout": 1}
    throttled = refusal(429, "overLimit", "This request was rate-limited.")
    broken = refusal(500, "computeFault", "Unexpected API Error.")

    def __init__(self, lab: cloud.Cloud) -> None:
        self.lab = lab
        self.proxy = Proxy(lab.auth_url, naming)
        self.member = lab.member()

    def close(self) -> None:
        self.proxy.close()

    def options(self) -> dict[str, Any]:
        return {
            "openstack-auth-url": self.lab.auth_url,
            "openstack-username": self.lab.username,
            "openstack-project-name": self.lab.project,
            "openstack-flavor-name": FLAVOR,
            "openstack-image-name": self.lab.image,
            "openstack-net-name": self.lab.private_network,
            "openstack-floatingip-pool": self.lab.floating_pool,
        }

    def credentials(self) -> dict[str, str]:
        return {"OS_PASSWORD": self.lab.password, "http_proxy": self.proxy.url, "no_proxy": ""}

    def listing(self) -> dict[str, list[Any]]:
        """All that the member sees and can make, apart from Neutron's own ports and what the lab's test has by hand."""
        ask = self.member.get
        servers = ask("compute", "/servers")["servers"]
        theirs = {one["id"] for one in servers if one["name"] == BY_HAND}
        keys = {one["keypair"]["name"] for one in ask("compute", "/os-keypairs")["keypairs"]}
        groups = ask("network", "/security-groups")["security_groups"]
        ports = [one for one in ask("network", "/ports")["ports"] if one["device_owner"].startswith("compute:")]
        return {
            "servers": sorted({one["id"] for one in servers} - theirs),
            "keys": sorted(keys - {BY_HAND}),
            "groups": sorted(one["name"] for one in groups if one["name"] != BY_HAND),
            "floating": sorted(one["id"] for one in ask("network", "/floatingips")["floatingips"]),
            "ports": sorted(one["id"] for one in ports if one["device_id"] not in theirs),
        }

    def machines(self) -> int:
        return len(self.listing()["servers"])

    def changes(self, call: str) -> bool:
        return not call.startswith("GET") and "auth/tokens" not in call and "getConsole" not in call

    def ports_open(self) -> set[str]:
        wanted = self.listing()["ports"]
        ports = [one for one in self.member.get("network", "/ports")["ports"] if one["id"] in wanted]
        groups = self.member.get("network", "/security-groups")["security_groups"]
        used = {group for port in ports for group in port["security_groups"]}
        return let_in([rule for one in groups if one["id"] in used for rule in one["security_group_rules"]])

    def lose_servers(self) -> None:
        """The servers alone: what they had of other services stays."""
        for server in self.listing()["servers"]:
            self.member.delete("compute", f"/servers/{server}")
        while self.machines():
            time.sleep(0.5)

    def forget(self) -> None:
        self.lose_servers()
        found = self.listing()
        for key in found["keys"]:
            self.member.delete("compute", f"/os-keypairs/{key}")
        for address in found["floating"]:
            self.member.delete("network", f"/floatingips/{address}")
        for group in self.member.get("network", "/security-groups")["security_groups"]:
            if group["name"] == DEFAULT_GROUP_NAME:
                self.member.delete("network", f"/security-groups/{group['id']}")

    def open(self, *ports: int) -> list[str]:
        """Rules that let ports of the group `default` in; their ids."""
        (group,) = self.member.get("network", "/security-groups?name=default")["security_groups"]
        rule = {"security_group_id": group["id"], "direction": "ingress", "protocol": "tcp", "ethertype": "IPv4"}
        made = []
        for port in ports:
            body = {"security_group_rule": {**rule, "port_range_min": port, "port_range_max": port}}
            made.append(str(self.member.post("network", "/security-group-rules", body)["security_group_rule"]["id"]))
        return made

    def shut(self, rules: list[str]) -> None:
        """Away with them."""
        for rule in rules:
            try:
                self.member.delete("network", f"/security-group-rules/{rule}")
            except Refused:
                continue
