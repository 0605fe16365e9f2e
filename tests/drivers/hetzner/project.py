"""A project of Hetzner Cloud in memory: what its API does to it, without HTTP. `Refusal` is an error answer.

Its rules are those of https://docs.hetzner.cloud: names that are unique, things that must exist and be free, what a
locked server refuses, what a removal takes along, how long things take. How its answers look is judged by recorded.py.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import time
from typing import Any

from tests.drivers.hetzner import catalogue

Json = dict[str, Any]
MADE = "2026-11-20T10:00:00+00:00"


class Refusal(Exception):
    """An answer with an error."""

    def __init__(self, status: int, code: str, message: str, details: Any = None) -> None:
        super().__init__(message)
        self.status, self.body = status, {"error": {"code": code, "message": message, "details": details}}


def missing(what: str) -> Refusal:
    return Refusal(404, "not_found", f"{what} not found")


def invalid(name: str, message: str) -> Refusal:
    details = {"fields": [{"name": name, "messages": [message]}]}
    return Refusal(422, "invalid_input", f"invalid input in field '{name}': {message}", details)


def taken(field: str) -> Refusal:
    return Refusal(
        409,
        "uniqueness_error",
        f"{field} is already used",
        {"fields": [{"name": field, "messages": ["is already used"]}]},
    )


class Project:
    """One project. `boot` and `let_go` are the seconds that a server takes to be there and to be gone."""

    def __init__(self, boot: float = 0.05, let_go: float = 0.1) -> None:
        self.boot, self.let_go = boot, let_go
        self.limit = 10  # servers
        self.catalogue = catalogue.Catalogue()
        self.addresses = [f"203.0.113.{number}" for number in range(250, 1, -1)]
        self.numbers = itertools.count(1000)
        self.forget()

    def forget(self) -> None:
        """Lose everything that was made."""
        self.servers: dict[int, Json] = {}
        self.ssh_keys: dict[int, Json] = {}
        self.firewalls: dict[int, Json] = {}
        self.placement_groups: dict[int, Json] = {}
        self.networks: dict[int, Json] = {}
        self.volumes: dict[int, Json] = {}
        self.primary_ips: dict[int, Json] = {}
        self.user_data: dict[int, str] = {}
        self.asked_for: dict[int, Json] = {}  # server -> the body that it was made of
        self.due: dict[int, list[tuple[float, str]]] = {}  # server -> when, and what it is then

    def listing(self) -> Json:
        """All that can cost money or be in somebody's way, by kind."""
        kinds = ("servers", "ssh_keys", "firewalls", "placement_groups", "networks", "volumes", "primary_ips")
        return {kind: sorted(getattr(self, kind)) for kind in kinds}

    def settle(self) -> None:
        """What is due by now happens."""
        for number, steps in list(self.due.items()):
            while steps and time.monotonic() >= steps[0][0]:
                self._become(number, steps.pop(0)[1])
            if not steps:
                del self.due[number]

    def _become(self, number: int, status: str) -> None:
        server = self.servers.get(number)
        if server is None:
            return
        if status == "gone":
            self._let_go(self.servers.pop(number))
            return
        server["status"], server["locked"] = status, status not in ("running", "off") or len(self.due[number]) > 0
        if status == "running":
            server["private_net"] = server["private_net"] or [
                self._interface(network, server) for network in self.asked_for[number].get("networks", [])
            ]

    def _interface(self, network: int, server: Json) -> Json:
        self.networks[network]["servers"].append(server["id"])
        digits = f"{server['id']:08x}"
        mac = "86:00:" + ":".join(digits[at : at + 2] for at in range(0, 8, 2))
        return {"network": network, "ip": f"10.0.1.{server['id'] % 250 + 2}", "alias_ips": [], "mac_address": mac}

    def _let_go(self, server: Json) -> None:
        number = server["id"]
        for things in (self.networks, self.placement_groups):
            for thing in things.values():
                thing["servers"] = [one for one in thing["servers"] if one != number]
        for wall in self.firewalls.values():
            wall["applied_to"] = [one for one in wall["applied_to"] if one.get("server", {}).get("id") != number]
        for volume in self.volumes.values():
            volume["server"] = None if volume["server"] == number else volume["server"]
        for key, address in list(self.primary_ips.items()):
            if address["assignee_id"] == number:
                address["assignee_id"] = None
                if address["auto_delete"]:
                    del self.primary_ips[key]

    # keys, firewalls, groups, and what a test has made beforehand

    def make_ssh_key(self, body: Json) -> Json:
        words = body["public_key"].split()
        try:
            digest = hashlib.md5(base64.b64decode(words[1], validate=True), usedforsecurity=False).hexdigest()
        except (IndexError, ValueError):
            raise invalid("public_key", "SSH key is invalid") from None
        print_ = ":".join(digest[at : at + 2] for at in range(0, 32, 2))
        if any(key["fingerprint"] == print_ for key in self.ssh_keys.values()):
            raise taken("public_key")
        return self._keep(self.ssh_keys, body, {"fingerprint": print_, "public_key": body["public_key"]})

    def make_firewall(self, body: Json) -> Json:
        empty: Json = {"destination_ips": [], "source_ips": [], "port": None, "description": None}
        for number, rule in enumerate(body.get("rules", [])):
            if rule["protocol"] in ("tcp", "udp") and not rule.get("port"):
                raise invalid(f"rules.{number}.port", "is required")
        rules = [{**empty, **rule} for rule in body.get("rules", [])]
        return self._keep(self.firewalls, body, {"rules": rules, "applied_to": []})

    def make_placement_group(self, body: Json) -> Json:
        return self._keep(self.placement_groups, body, {"servers": [], "type": body["type"]})

    def make_network(self, name: str) -> Json:
        subnet = {"type": "cloud", "ip_range": "10.0.1.0/24", "network_zone": "eu-central", "gateway": "10.0.0.1"}
        more = {
            "ip_range": "10.0.0.0/16",
            "subnets": [subnet],
            "routes": [],
            "expose_routes_to_vswitch": False,
            "servers": [],
            "protection": {"delete": False},
        }
        return self._keep(self.networks, {"name": name}, more)

    def make_volume(self, name: str, location: str = "fsn1") -> Json:
        place = self.catalogue.location(location)
        more = {
            "server": None,
            "location": {key: value for key, value in place.items() if key != "network_zone"},
            "size": 10,
            "linux_device": "/dev/disk/by-id/scsi-0HC_Volume_1",
            "protection": {"delete": False},
            "format": None,
            "status": "available",
        }
        return self._keep(self.volumes, {"name": name}, more)

    def make_primary_ip(self, name: str, address: str, *, location: str = "fsn1", auto_delete: bool = False) -> Json:
        place = self.catalogue.location(location)
        more: Json = {
            "type": "ipv6" if ":" in address else "ipv4",
            "ip": address,
            "assignee_id": None,
            "assignee_type": "server",
            "auto_delete": auto_delete,
            "blocked": False,
            "location": {"id": place["id"], "name": place["name"]},
            "dns_ptr": [],
            "protection": {"delete": False},
        }
        return self._keep(self.primary_ips, {"name": name}, more)

    def _keep(self, things: dict[int, Json], body: Json, more: Json) -> Json:
        if any(thing["name"] == body["name"] for thing in things.values()):
            raise taken("name")
        number = next(self.numbers)
        common = {"id": number, "name": body["name"], "created": MADE, "labels": dict(body.get("labels") or {})}
        things[number] = {**common, **more}
        return things[number]

    def delete(self, kind: str, number: int) -> None:
        """A firewall, a group or a key."""
        thing = self.one(kind, number)
        if thing.get("applied_to") or thing.get("servers"):
            raise Refusal(409, "resource_in_use", f"{kind.removesuffix('s')} is still in use")
        del getattr(self, kind)[number]

    def one(self, kind: str, number: int) -> Json:
        things: dict[int, Json] = getattr(self, kind)
        if number not in things:
            raise missing(kind.removesuffix("s"))
        return things[number]

    # servers

    def make_server(self, body: Json) -> Json:
        size, image = self.catalogue.server_type(body["server_type"]), self.catalogue.image(body["image"])
        if any(server["name"] == body["name"] for server in self.servers.values()):
            raise taken("name")
        if len(self.servers) >= self.limit:
            raise Refusal(403, "resource_limit_exceeded", "server limit exceeded")
        place = self._place(body, size)
        for kind in ("ssh_keys", "networks", "volumes"):
            for number in body.get(kind, []):
                self.one(kind, number)
        if any(self.volumes[number]["server"] for number in body.get("volumes", [])):
            raise Refusal(422, "volume_already_attached", "volume already attached to another server")
        walls = [self.one("firewalls", one["firewall"]) for one in body.get("firewalls", [])]
        number = next(self.numbers)
        group = self.one("placement_groups", body["placement_group"]) if "placement_group" in body else None
        self.servers[number] = {
            **self._of_itself(body, number),
            "server_type": size,
            "image": image,
            "location": place,
            "public_net": self._public_net(body, number, [wall["id"] for wall in walls]),
            "placement_group": group,
            "volumes": list(body.get("volumes", [])),
        }
        if group:
            group["servers"].append(number)
        for wall in walls:
            wall["applied_to"].append({"type": "server", "server": {"id": number}})
        for volume in body.get("volumes", []):
            self.volumes[volume]["server"] = number
        self.user_data[number], self.asked_for[number] = body.get("user_data", ""), body
        now = time.monotonic()
        self.due[number] = [(now + self.boot, "off"), (now + 1.5 * self.boot, "running")]
        self.settle()
        return self.servers[number]

    def _place(self, body: Json, size: Json) -> Json:
        name = body.get("location") or next((one["name"] for one in size["locations"] if one["available"]), "fsn1")
        place = self.catalogue.location(name)
        offer = next((one for one in size["locations"] if one["name"] == place["name"]), None)
        if offer is None:
            raise invalid("server_type", f"unsupported location {name} for server type")
        if not offer["available"]:
            raise Refusal(412, "resource_unavailable", "error during placement")
        return place

    def _of_itself(self, body: Json, number: int) -> Json:
        return {
            "id": number,
            "name": body["name"],
            "status": "initializing",
            "created": MADE,
            "labels": dict(body.get("labels") or {}),
            "private_net": [],
            "iso": None,
            "rescue_enabled": False,
            "locked": True,
            "backup_window": None,
            "outgoing_traffic": 0,
            "ingoing_traffic": 0,
            "included_traffic": 20 * 2**40,
            "primary_disk_size": 40,
            "protection": {"delete": False, "rebuild": False},
        }

    def _public_net(self, body: Json, number: int, walls: list[int]) -> Json:
        wanted = {"enable_ipv4": True, "enable_ipv6": True, **body.get("public_net", {})}
        if not (wanted["enable_ipv4"] or wanted["enable_ipv6"] or body.get("networks")):
            raise invalid("public_net", "server without public net needs a network")
        own4 = self._assigned(wanted["ipv4"], number) if "ipv4" in wanted else None
        own6 = self._assigned(wanted["ipv6"], number) if "ipv6" in wanted else None
        v4 = {
            "id": own4["id"] if own4 else next(self.numbers),
            "ip": own4["ip"] if own4 else self.addresses.pop() if wanted["enable_ipv4"] else "",
            "blocked": False,
            "dns_ptr": "static.example.com",
        }
        v6: Json = {
            "id": own6["id"] if own6 else next(self.numbers),
            "ip": own6["ip"] if own6 else "2001:db8:7::/64",
            "blocked": False,
            "dns_ptr": [],
        }
        return {
            "ipv4": v4 if wanted["enable_ipv4"] else None,
            "ipv6": v6 if wanted["enable_ipv6"] else None,
            "floating_ips": [],
            "firewalls": [{"id": wall, "status": "applied"} for wall in walls],
        }

    def _assigned(self, address: int, number: int) -> Json:
        found = self.one("primary_ips", address)
        if found["assignee_id"]:
            raise Refusal(409, "primary_ip_assigned", "primary ip is already assigned")
        found["assignee_id"] = number
        return found

    def delete_server(self, number: int) -> Json:
        server = self._unlocked(number)
        if server["protection"]["delete"]:
            raise Refusal(403, "protected", "server deletion is protected")
        server["status"], server["locked"] = "deleting", True
        self.due[number] = [(time.monotonic() + self.let_go, "gone")]
        return self.action("delete_server", number)

    def change_type(self, number: int, body: Json) -> Json:
        """As the API's description has it: of a server that is off, to one of its processor, no disk shrinks."""
        server, size = self._unlocked(number), self.catalogue.server_type(body["server_type"])
        if server["status"] != "off":
            raise Refusal(409, "server_not_stopped", "server is not stopped")
        if size["architecture"] != server["server_type"]["architecture"] or size["disk"] < server["primary_disk_size"]:
            raise invalid("server_type", "unsupported server type")
        server["server_type"] = size
        if body["upgrade_disk"]:
            server["primary_disk_size"] = size["disk"]
        return self.action("change_server_type", number)

    def act(self, number: int, verb: str) -> Json:
        server = self._unlocked(number)
        now, on = time.monotonic(), server["status"] == "running"
        if verb == "poweron" and not on:
            server["status"], self.due[number] = "starting", [(now + self.boot, "running")]
        elif verb in ("shutdown", "poweroff") and on:
            server["status"], self.due[number] = "stopping", [(now + self.boot, "off")]
        elif verb == "reboot" and not on:
            raise Refusal(409, "server_not_running", "server is not running")
        return self.action(f"{verb}_server", number)

    def _unlocked(self, number: int) -> Json:
        server = self.one("servers", number)
        if server["locked"]:
            raise Refusal(423, "locked", "server is locked")
        return server

    def action(self, command: str, number: int) -> Json:
        return {
            "id": next(self.numbers),
            "command": command,
            "status": "running",
            "progress": 0,
            "started": MADE,
            "finished": None,
            "resources": [{"id": number, "type": "server"}],
            "error": None,
        }
