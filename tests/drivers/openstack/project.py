"""A project of an OpenStack cloud in memory: what Nova, Neutron, Glance and Cinder keep, and their rules and refusals.

Names, states and sentences are those of the real services (https://docs.openstack.org/api-ref/, and the lab of
tests/labs/openstack). Time passes: a server is built, stopped and deleted a moment after it was asked for.
"""

from __future__ import annotations

import base64
import binascii
import re
import time
import uuid
from typing import Any

from tests.drivers.openstack import resizing
from tests.drivers.openstack.neutron import Neutron
from tests.drivers.openstack.refusals import Json, Refusal, bad, new_id

USER = "alice"
SERVER_KEYS = {
    *("name", "flavorRef", "imageRef", "key_name", "security_groups", "metadata", "networks", "user_data"),
    *("config_drive", "availability_zone", "adminPass", "block_device_mapping_v2"),
}
VOLUME_KEYS = {"name", "size", "imageRef", "metadata", "description", "volume_type", "availability_zone"}


class Project(Neutron):
    """Everything in it. `build`, `power` and `end` are seconds."""

    def __init__(self, *, build: float = 0.1, power: float = 0.1, end: float = 0.1) -> None:
        self.build, self.power, self.end = build, power, end
        self.id = uuid.uuid4().hex
        self.flavors = [self._flavor("m1.small", 2048, 20), self._flavor("volume.small", 2048, 0)]
        self.images = [self._image("ubuntu-24.04", min_disk=8), self._image("debian-12", os_admin_user="debian")]
        self.networks: list[Json] = []
        self.network("private", "10.89.0")
        self.network("public", "10.88.0", external=True)
        self.keys: dict[str, Json] = {}
        self.groups: dict[str, Json] = {}
        self.servers: dict[str, Json] = {}
        self.volumes: dict[str, Json] = {}
        self.floating: dict[str, Json] = {}
        self.ports: dict[str, Json] = {}
        self.server_groups = [{"id": new_id(), "name": "apart", "policy": "anti-affinity", "members": []}]
        self.types = ["standard", "fast"]
        self.limit = 10  # servers
        self.gigabytes = 1000  # of all volumes together
        self.quota = {"port": 500, "floatingip": 50, "security_group": 10}
        self.reclaim = False  # whether a deleted server is kept until somebody insists
        self.volume_zones = ["nova"]
        self.addresses: list[str] = []  # given out before all others
        self.requests: dict[str, Json] = {}  # server id -> the body that asked for it
        self.fault = ""  # of the next server
        self.full = False  # whether no host has room for a larger server
        default = self.make_group({"name": "default", "description": "Default security group"})
        for family in ("IPv4", "IPv6"):
            self.make_rule({"ethertype": family, "security_group_id": default["id"], "remote_group_id": default["id"]})
        self._fixed = {id(thing) for thing in self.groups.values()}

    # what there is from the start

    def _flavor(self, name: str, ram: int, disk: int) -> Json:
        return {"id": str(len(name) + ram), "name": name, "ram": ram, "vcpus": 1, "disk": disk, "swap": "", "links": []}

    def _image(self, name: str, **more: Any) -> Json:
        return {
            "id": new_id(),
            "name": name,
            "status": "active",
            "min_disk": 0,
            "min_ram": 0,
            "size": 5 * 2**28,
            "created_at": "2026-01-01T00:00:00Z",
            "visibility": "public",
            "disk_format": "qcow2",
            **more,
        }

    def settle(self) -> None:
        """What is over by now is over."""
        now = time.monotonic()
        for server in list(self.servers.values()):
            done = server["_then"]
            if done is None or now < done[0]:
                continue
            server["_then"] = None
            if done[1] == "gone":
                self._end(server)
                continue
            server.update(done[2])
        for volume in list(self.volumes.values()):
            if volume["_at"] > now:
                continue
            if volume["status"] == "deleting":
                del self.volumes[volume["id"]]
            elif volume["status"] in ("creating", "downloading"):
                volume["status"] = "available"
            elif volume["status"] == "extending":
                volume["status"], volume["size"] = volume.pop("_grown")

    def _end(self, server: Json) -> None:
        del self.servers[server["id"]]
        for port in [port for port in self.ports.values() if port["device_id"] == server["id"]]:
            del self.ports[port["id"]]
            for address in self.floating.values():
                if address["port_id"] == port["id"]:
                    address.update(port_id=None, status="DOWN")
        for disk in server["_disks"]:
            volume = self.volumes.get(disk["uuid"])
            if volume is not None:
                volume["status"] = "available"
                if disk["delete_on_termination"]:
                    del self.volumes[volume["id"]]

    def listing(self) -> Json:
        """Everything that can be made."""
        return {
            "keys": sorted(self.keys),
            "groups": sorted((group["name"], len(group["security_group_rules"])) for group in self.groups.values()),
            "servers": sorted(self.servers),
            "volumes": sorted(self.volumes),
            "floating": sorted(self.floating),
            "ports": sorted(self.ports),
        }

    def forget(self) -> None:
        for things in (self.servers, self.volumes, self.floating, self.ports, self.keys):
            things.clear()
        for group in [group for group in self.groups.values() if id(group) not in self._fixed]:
            del self.groups[group["id"]]

    # Nova

    def make_key(self, body: Json) -> Json:
        name = str(body["name"])
        if not re.fullmatch(r"[\w .@-]{1,255}", name):
            raise bad(f"Invalid input for field/attribute name. Value: {name}.")
        if name in self.keys:
            raise Refusal(409, "conflictingRequest", f"Key pair '{name}' already exists.")
        if not str(body.get("public_key", "")).startswith(("ssh-", "ecdsa-")):
            raise bad("Keypair data is invalid: failed to generate fingerprint")
        self.keys[name] = {"name": name, "type": "ssh", "fingerprint": "00:11", "public_key": body["public_key"]}
        return self.keys[name]

    def make_server(self, body: Json, hints: Json, microversion: tuple[int, int]) -> Json:
        self._check_body(body, microversion)
        if len(self.servers) >= self.limit:
            have = len(self.servers)
            text = f"Quota exceeded for instances: Requested 1, but already used {have} of {self.limit} instances"
            raise Refusal(403, "forbidden", text)
        flavor = next((one for one in self.flavors if one["id"] == body["flavorRef"]), None)
        if flavor is None:
            raise bad(f"Flavor {body['flavorRef']} could not be found.")
        if body.get("key_name") and body["key_name"] not in self.keys:
            raise bad("Invalid key_name provided.")
        groups = self._groups_of(body)
        disks = self._disks(body, flavor)
        network = self._network_of(body)
        server_id = new_id()
        address = self.addresses.pop(0) if self.addresses else self.free_address(network)
        port = {
            "id": new_id(),
            "device_id": server_id,
            "network_id": network["id"],
            "status": "ACTIVE",
            "security_groups": [group["id"] for group in groups],
            "project_id": self.id,
            "fixed_ips": [{"subnet_id": network["subnets"][0], "ip_address": address}],
        }
        self.ports[port["id"]] = port
        for disk in disks:
            self.volumes[disk["uuid"]]["status"] = "in-use"
        server = {
            "id": server_id,
            "name": body["name"],
            "status": "BUILD",
            "OS-EXT-STS:task_state": "scheduling",
            "metadata": body.get("metadata", {}),
            "key_name": body.get("key_name"),
            "addresses": {},
            "tenant_id": self.id,
            "security_groups": [{"name": group["name"]} for group in groups],
            "flavor": resizing.embedded(flavor),
            "image": "",
            "links": [],
            "_disks": disks,
        }
        where = {network["name"]: [{"version": 4, "addr": address, "OS-EXT-IPS:type": "fixed"}]}
        if prefix := network.get("prefix6"):
            where[network["name"]] += [
                {"version": 6, "addr": prefix + address.rpartition(".")[2], "OS-EXT-IPS:type": "fixed"}
            ]
        up: Json = {
            "status": "ACTIVE",
            "OS-SRV-USG:launched_at": "2026-01-01T00:00:00.000000",
            "OS-EXT-STS:task_state": None,
            "addresses": where,
        }
        if self.fault:
            up = {"status": "ERROR", "OS-EXT-STS:task_state": None, "fault": {"code": 500, "message": self.fault}}
            self.fault = ""
        server["_then"] = (time.monotonic() + self.build, "is", up)
        self.servers[server_id] = server
        self.requests[server_id] = {**body, "hints": hints}
        return {"id": server_id, "adminPass": "made-up", "links": [], "security_groups": server["security_groups"]}

    def _check_body(self, body: Json, microversion: tuple[int, int]) -> None:
        for key in body:
            if key not in SERVER_KEYS:
                raise bad(f"Invalid input for field/attribute server. Additional properties are not allowed ('{key}')")
        if microversion >= (2, 37) and "networks" not in body:
            raise bad("Invalid input for field/attribute server. 'networks' is a required property")
        if not body.get("name"):
            raise bad("Invalid input for field/attribute name. '' is too short")
        try:
            data = base64.b64decode(body.get("user_data", ""), validate=True)
        except binascii.Error:
            raise bad("Invalid input for field/attribute user_data. is not a 'base64'") from None
        if len(data) > 49149:
            raise bad("Invalid input for field/attribute user_data. is too long")
        if not all(isinstance(value, str) and len(value) < 256 for value in body.get("metadata", {}).values()):
            raise bad("Invalid input for field/attribute metadata.")

    def _groups_of(self, body: Json) -> list[Json]:
        found = []
        if not self._network_of(body).get("port_security_enabled", True):
            if body.get("security_groups"):
                raise bad(
                    "Network requires port_security_enabled and subnet associated in order to apply security groups."
                )
            return []
        for wanted in body.get("security_groups") or [{"name": "default"}]:
            group = next((one for one in self.groups.values() if wanted["name"] in (one["id"], one["name"])), None)
            if group is None:
                raise bad(f"Unable to find security_group with name or id '{wanted['name']}'")
            found.append(group)
        return found

    def _disks(self, body: Json, flavor: Json) -> list[Json]:
        disks: list[Json] = body.get("block_device_mapping_v2", [])
        if not disks:
            if body.get("imageRef") not in [image["id"] for image in self.images]:
                raise bad(f"Image {body.get('imageRef')} could not be found.")
            if not flavor["disk"]:
                raise Refusal(403, "forbidden", "Only volume-backed servers are allowed for flavors with zero disk.")
        for disk in disks:
            volume = self.volumes.get(disk["uuid"])
            if volume is None or volume["status"] != "available":
                raise bad(f"Block Device Mapping is Invalid: failed to get volume {disk['uuid']}.")
        return disks

    def _network_of(self, body: Json) -> Json:
        wanted = body.get("networks")
        if not wanted:
            own = [network for network in self.networks if network["project_id"] == self.id or network["shared"]]
            if len(own) != 1:
                text = "Multiple possible networks found, use a Network ID to be more specific."
                raise Refusal(409, "conflictingRequest", text)
            return own[0]
        found = next((network for network in self.networks if network["id"] == wanted[0]["uuid"]), None)
        if found is None:
            raise bad(f"Network {wanted[0]['uuid']} could not be found.")
        return found

    def listed(self) -> list[Json]:
        """Nova's list leaves those out that it keeps for a while after their removal."""
        return [server for server in self.servers.values() if server["status"] != "SOFT_DELETED"]

    def server(self, server_id: str) -> Json:
        if server_id not in self.servers:
            raise Refusal(404, "itemNotFound", f"Instance {server_id} could not be found.")
        return self.servers[server_id]

    def act(self, server_id: str, action: str, how: Any) -> Any:
        server = self.server(server_id)
        status, task = server["status"], server["OS-EXT-STS:task_state"]
        if action == "os-getConsoleOutput":
            return {"output": f"booting {server['name']}\nlogin: "}
        if action == "forceDelete":
            return self.delete_server(server_id, at_once=True)
        if action == "resize":
            return resizing.resize(server, self.flavors, how["flavorRef"], self.power, fails=self.full)
        if action == "confirmResize":
            return resizing.confirm(server, self.power)
        known = {
            "os-start": ("SHUTOFF", "powering-on", "ACTIVE"),
            "os-stop": ("ACTIVE", "powering-off", "SHUTOFF"),
            "reboot": ("ACTIVE", "rebooting", "ACTIVE"),
            "unpause": ("PAUSED", "unpausing", "ACTIVE"),
            "resume": ("SUSPENDED", "resuming", "ACTIVE"),
            "unshelve": ("SHELVED_OFFLOADED", "unshelving", "ACTIVE"),
        }
        if action not in known:
            raise bad(f"There is no such action: {action}")
        before, during, after = known[action]
        if status != before or task:
            raise resizing.in_wrong_state(server, action.removeprefix("os-"))
        server["OS-EXT-STS:task_state"] = during
        if action == "reboot":  # Nova's API words an active server that reboots so (nova/api/openstack/common.py)
            server["status"] = "REBOOT"
        server["_then"] = (time.monotonic() + self.power, "is", {"status": after, "OS-EXT-STS:task_state": None})
        return None

    def delete_server(self, server_id: str, *, at_once: bool = False) -> None:
        server, keeps = self.server(server_id), self.reclaim and not at_once
        server["OS-EXT-STS:task_state"] = "soft-deleting" if keeps else "deleting"
        how = ("is", {"status": "SOFT_DELETED", "OS-EXT-STS:task_state": None}) if keeps else ("gone", {})
        server["_then"] = (time.monotonic() + self.end, *how)

    # Cinder

    def make_volume(self, body: Json) -> Json:
        for key in body:
            if key not in VOLUME_KEYS:
                raise bad(f"Invalid input for field/attribute volume. Additional properties ('{key}')")
        if body.get("imageRef") not in [image["id"] for image in self.images]:
            raise bad(f"Image {body.get('imageRef')} could not be found.")
        if body.get("volume_type") and body["volume_type"] not in self.types:
            raise Refusal(404, "itemNotFound", f"Volume type {body['volume_type']} could not be found.")
        volume = {
            "id": new_id(),
            "name": body["name"],
            "size": body["size"],
            "status": "creating",
            "bootable": "true",
            "metadata": body.get("metadata", {}),
            "volume_type": body.get("volume_type"),
            "attachments": [],
            "availability_zone": body.get("availability_zone") or self.volume_zones[0],
            "_at": time.monotonic() + self.build,
        }
        self.volumes[volume["id"]] = volume
        return volume

    def volume(self, volume_id: str) -> Json:
        if volume_id not in self.volumes:
            raise Refusal(404, "itemNotFound", f"Volume {volume_id} could not be found.")
        return self.volumes[volume_id]

    def act_on_volume(self, volume_id: str, body: Json, microversion: tuple[int, int]) -> None:
        ((action, how),) = body.items()
        if action != "os-extend":
            raise bad(f"There is no such action: {action}")
        resizing.extend(self.volume(volume_id), how["new_size"], microversion, self.build)

    def delete_volume(self, volume_id: str) -> None:
        volume = self.volume(volume_id)
        if volume["status"] not in ("available", "error"):
            text = (
                "Invalid volume: Volume status must be available or error or error_restoring or error_extending or "
                "error_managing and must not be migrating, attached, belong to a group, have snapshots"
            )
            raise bad(text)
        volume.update(status="deleting", _at=time.monotonic() + self.end)
