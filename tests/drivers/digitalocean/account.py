"""An account of DigitalOcean in memory: what its API does to it, without HTTP. `Refusal` is an error answer.

Its rules are those that the API's description and its documentation state: names that must be unique, things that must
exist, what a busy droplet refuses, what a removal takes along, how long things take.
"""

from __future__ import annotations

import itertools
import time
import uuid
from typing import Any

Json = dict[str, Any]
MADE = "2026-11-20T10:00:00Z"
SIZES = {"s-1vcpu-1gb": (1024, 1, 25), "s-2vcpu-4gb": (4096, 2, 80), "gone-1gb": (1024, 1, 25)}
IMAGES = {"ubuntu-24-04-x64": (101, "Ubuntu", 7), "debian-13-x64": (102, "Debian", 7), "big-disk": (103, "Ubuntu", 50)}
SMALL = {"s-1vcpu-1gb", "s-2vcpu-4gb"}


class Refusal(Exception):
    """An answer with an error."""

    def __init__(self, status: int, identity: str, message: str) -> None:
        super().__init__(message)
        self.status, self.body = status, {"id": identity, "message": message}


def missing() -> Refusal:
    return Refusal(404, "not_found", "The resource you were accessing could not be found.")


def unprocessable(message: str) -> Refusal:
    return Refusal(422, "unprocessable_entity", message)


class Account:
    """One account. `boot` and `let_go` are the seconds that a droplet takes to start and to release its volumes."""

    def __init__(
        self, boot: float = 0.05, let_go: float = 0.1, team: str = "5df3e3004a17e242b7c20ca6c9fc25b701a47ece"
    ) -> None:
        self.boot, self.let_go, self.team = boot, let_go, team
        self.limit = 10
        self.locked = False
        self.addresses = [f"203.0.113.{number}" for number in range(250, 1, -1)]
        self.numbers = itertools.count(1000)
        self.vpcs = {"5a4981aa-9653-4bd1-bef5-d6bff52042e4": "nyc3", "c33931f2-a26a-4e61-b85c-4e95a2ec431b": "fra1"}
        self.forget()

    def forget(self) -> None:
        """Lose everything that was made."""
        self.droplets: dict[int, Json] = {}
        self.keys: dict[int, Json] = {}
        self.tags: set[str] = set()
        self.firewalls: dict[str, Json] = {}
        self.volumes: dict[str, Json] = {}
        self.reserved: dict[str, Json] = {}
        self.user_data: dict[int, str] = {}
        self.ready: dict[int, tuple[float, str]] = {}  # droplet -> when, and what it is then
        self.held: dict[str, float] = {}  # volume -> until when the droplet of late has it

    def listing(self) -> Json:
        """All that can cost money or be in somebody's way, by kind."""
        return {
            "droplets": sorted(self.droplets),
            "keys": sorted(self.keys),
            "tags": sorted(self.tags),
            "firewalls": sorted((key, tuple(wall["tags"])) for key, wall in self.firewalls.items()),
            "volumes": sorted(self.volumes),
            "reserved": sorted(self.reserved),
        }

    def settle(self) -> None:
        """What is due by now happens."""
        for droplet, (when, status) in list(self.ready.items()):
            if time.monotonic() >= when:
                del self.ready[droplet]
                if droplet in self.droplets:
                    self.droplets[droplet]["status"] = status
        for volume, when in list(self.held.items()):
            if time.monotonic() >= when:
                del self.held[volume]
                if volume in self.volumes:
                    self.volumes[volume]["droplet_ids"] = []

    # what there is

    def account(self) -> Json:
        return {
            "droplet_limit": self.limit,
            "floating_ip_limit": 3,
            "email": "somebody@example.com",
            "uuid": "b6fr89dbf6d9156cace5f3c78dc9851d957381ef",
            "team": {"uuid": self.team, "name": "Test"},
            "email_verified": True,
            "status": "locked" if self.locked else "active",
            "status_message": "",
        }

    def regions(self) -> list[Json]:
        return [self.region("nyc3"), self.region("fra1"), {**self.region("nyc1"), "available": False}]

    def region(self, slug: str) -> Json:
        features = ["backups", "ipv6", "metadata", "install_agent", "storage"]
        sizes = sorted(SMALL) if slug == "nyc3" else ["s-1vcpu-1gb"]
        return {"name": slug.upper(), "slug": slug, "features": features, "available": True, "sizes": sizes}

    def sizes(self) -> list[Json]:
        return [self.size(slug) for slug in SIZES]

    def size(self, slug: str) -> Json:
        memory, vcpus, disk = SIZES[slug]
        return {
            "slug": slug,
            "memory": memory,
            "vcpus": vcpus,
            "disk": disk,
            "transfer": 1.0,
            "price_monthly": 6.0,
            "price_hourly": 0.00893,
            "regions": ["nyc3", "fra1"],
            "available": slug in SMALL,
            "description": "Basic",
        }

    def image(self, slug_or_id: str) -> Json:
        for slug, (number, distribution, least) in IMAGES.items():
            if slug_or_id in (slug, str(number)):
                return {
                    "id": number,
                    "name": slug,
                    "type": "base",
                    "distribution": distribution,
                    "slug": slug,
                    "public": True,
                    "regions": ["nyc3"] if slug == "debian-13-x64" else ["nyc3", "fra1"],
                    "created_at": MADE,
                    "min_disk_size": least,
                    "size_gigabytes": 2.3,
                    "status": "available",
                }
        raise missing()

    def vpc(self, key: str) -> Json:
        if key not in self.vpcs:
            raise missing()
        number = list(self.vpcs).index(key)
        return {
            "id": key,
            "urn": f"do:vpc:{key}",
            "name": f"default-{self.vpcs[key]}",
            "description": "",
            "region": self.vpcs[key],
            "ip_range": f"10.{100 + number}.0.0/20",
            "default": True,
            "created_at": MADE,
        }

    # keys, tags, firewalls, volumes

    def make_key(self, body: Json) -> Json:
        if any(key["public_key"].split()[:2] == body["public_key"].split()[:2] for key in self.keys.values()):
            raise unprocessable("SSH Key is already in use on your account")
        number = next(self.numbers)
        digits = f"{number:032x}"
        fingerprint = ":".join(digits[at : at + 2] for at in range(0, 32, 2))
        self.keys[number] = {"id": number, "fingerprint": fingerprint, **body}
        return self.keys[number]

    def key(self, fingerprint_or_id: str) -> Json:
        for key in self.keys.values():
            if fingerprint_or_id in (str(key["id"]), key["fingerprint"]):
                return key
        raise missing()

    def make_tag(self, body: Json) -> Json:
        self.tags.add(body["name"])
        return self.tag(body["name"])

    def tag(self, name: str) -> Json:
        if name not in self.tags:
            raise missing()
        tagged = [d for d in self.droplets.values() if name in d["tags"]]
        return {"name": name, "resources": {"count": len(tagged), "droplets": {"count": len(tagged)}}}

    def delete_tag(self, name: str) -> None:
        self.tag(name)
        self.tags.remove(name)
        for thing in (*self.droplets.values(), *self.firewalls.values(), *self.volumes.values()):
            thing["tags"] = [tag for tag in thing["tags"] if tag != name]

    def make_firewall(self, body: Json) -> Json:
        if any(wall["name"] == body["name"] for wall in self.firewalls.values()):
            raise Refusal(409, "conflict", "duplicate name")
        self._known(body.get("tags") or [])
        key = str(uuid.uuid4())
        wall = {"id": key, "status": "succeeded", "created_at": MADE, "pending_changes": [], "droplet_ids": [], **body}
        self.firewalls[key] = {"tags": [], **wall}
        return self.firewalls[key]

    def tag_firewall(self, key: str, tags: list[str], join: bool) -> None:
        wall = self.one(self.firewalls, key)
        if join:
            self._known(tags)
        rest = [tag for tag in wall["tags"] if tag not in tags]
        wall["tags"] = [*rest, *tags] if join else rest

    def _known(self, tags: list[str]) -> None:
        for tag in tags:
            if tag not in self.tags:
                raise unprocessable(f"tag {tag} does not exist")

    def walls_of(self, droplet: Json) -> list[Json]:
        tags = set(droplet["tags"])
        return [w for w in self.firewalls.values() if droplet["id"] in w["droplet_ids"] or tags & set(w["tags"])]

    def make_volume(self, body: Json) -> Json:
        for volume in self.volumes.values():
            if (volume["name"], volume["region"]["slug"]) == (body["name"], body["region"]):
                raise Refusal(409, "conflict", "a volume with that name already exists in this region")
        key = str(uuid.uuid4())
        self.tags |= set(body.get("tags") or [])
        self.volumes[key] = {
            "tags": [],
            "description": "",
            "filesystem_type": "",
            "filesystem_label": "",
            **body,
            "id": key,
            "created_at": MADE,
            "droplet_ids": [],
            "region": self.region(body["region"]),
        }
        return self.volumes[key]

    def delete_volume(self, key: str) -> None:
        if self.one(self.volumes, key)["droplet_ids"]:
            raise Refusal(409, "conflict", "Volume is still attached to a Droplet.")
        del self.volumes[key]

    # droplets

    def make_droplet(self, body: Json) -> Json:
        if len(self.droplets) >= self.limit:
            raise unprocessable("creating this/these droplet(s) will exceed your droplet limit")
        if body["size"] not in self.region(body["region"])["sizes"]:
            raise unprocessable("Size is not available in this region.")
        if not all(key in self.keys for key in body.get("ssh_keys", [])):
            raise unprocessable("invalid key identifiers for Droplet creation.")
        volumes = [self.one(self.volumes, key) for key in body.get("volumes", [])]
        if any(volume["droplet_ids"] for volume in volumes):
            raise unprocessable("volume is attached to another droplet")
        number = next(self.numbers)
        self.tags |= set(body.get("tags") or [])
        size = self.size(body["size"])
        vpc = body.get("vpc_uuid") or next(key for key, region in self.vpcs.items() if region == body["region"])
        self.droplets[number] = {
            "id": number,
            "name": body["name"],
            "memory": size["memory"],
            "vcpus": size["vcpus"],
            "disk": size["disk"],
            "locked": False,
            "status": "new",
            "kernel": None,
            "created_at": MADE,
            "features": [word for word in ("backups", "ipv6", "monitoring") if body.get(word)],
            "backup_ids": [],
            "next_backup_window": None,
            "snapshot_ids": [],
            "image": self.image(str(body["image"])),
            "volume_ids": body.get("volumes", []),
            "size": size,
            "size_slug": body["size"],
            "networks": self._networks(bool(body.get("ipv6"))),
            "region": self.region(body["region"]),
            "tags": list(body.get("tags") or []),
            "vpc_uuid": vpc,
        }
        for volume in volumes:
            volume["droplet_ids"] = [number]
        self.user_data[number] = body.get("user_data", "")
        self.ready[number] = (time.monotonic() + self.boot, "active")
        self.settle()
        return self.droplets[number]

    def _networks(self, ipv6: bool) -> Json:
        public, private = self.addresses.pop(), f"10.100.0.{next(self.numbers) % 250 + 2}"
        v4 = [
            {"ip_address": private, "netmask": "255.255.240.0", "gateway": "", "type": "private"},
            {"ip_address": public, "netmask": "255.255.255.0", "gateway": "203.0.113.1", "type": "public"},
        ]
        v6 = [{"ip_address": "2001:db8::7", "netmask": 64, "gateway": "2001:db8::1", "type": "public"}]
        return {"v4": v4, "v6": v6 * ipv6}

    def droplet(self, number: int) -> Json:
        return self.one(self.droplets, number)

    def delete_droplet(self, number: int) -> None:
        self.one(self.droplets, number)
        del self.droplets[number]
        for address in self.reserved.values():
            if address["droplet"] is not None and address["droplet"]["id"] == number:
                address["droplet"] = None
        for key, volume in self.volumes.items():
            if number in volume["droplet_ids"]:
                self.held[key] = time.monotonic() + self.let_go

    def resize(self, number: int, body: Json) -> Json:
        droplet = self.one(self.droplets, number)
        if number in self.ready:
            raise unprocessable("Droplet already has a pending event.")
        if droplet["status"] != "off":
            raise unprocessable("Droplet is currently on. Please power it off to run this event.")
        size = next((one for one in self.sizes() if one["slug"] == body["size"]), None)
        if size is None or size["disk"] < droplet["disk"]:
            raise unprocessable("You specified an invalid size for Droplet creation.")
        droplet |= {"size_slug": size["slug"], "size": size, "memory": size["memory"], "vcpus": size["vcpus"]}
        self.ready[number] = (time.monotonic() + self.boot, "off")
        return self._action("resize", number, "droplet")

    def act(self, number: int, kind: str, body: Json) -> Json:
        if kind == "resize":
            return self.resize(number, body)
        droplet = self.one(self.droplets, number)
        if number in self.ready:
            raise unprocessable("Droplet already has a pending event.")
        on = droplet["status"] == "active"
        if on is (kind == "power_on"):
            raise unprocessable(f"Droplet is currently {'on' if on else 'off'}. Please run this event when it is not.")
        self.ready[number] = (time.monotonic() + self.boot, "off" if kind in ("shutdown", "power_off") else "active")
        return self._action(kind, number, "droplet")

    # reserved addresses

    def make_reserved(self, body: Json) -> Json:
        droplet = self._free_for_address(body["droplet_id"]) if "droplet_id" in body else None
        address = f"198.51.100.{next(self.numbers) % 250 + 2}"
        region = self.region(body["region"]) if droplet is None else droplet["region"]
        self.reserved[address] = {"ip": address, "region": region, "droplet": droplet, "locked": False}
        return self.reserved[address]

    def assign(self, address: str, body: Json) -> Json:
        self.one(self.reserved, address)["droplet"] = self._free_for_address(body["droplet_id"])
        return self._action("assign_ip", next(self.numbers), "reserved_ip")

    def _free_for_address(self, number: int) -> Json:
        droplet = self.one(self.droplets, number)
        if number in self.ready:
            raise unprocessable("Droplet already has a pending event.")
        if any(one["droplet"] is droplet for one in self.reserved.values()):
            raise unprocessable("The droplet already has a reserved IP.")
        return droplet

    def _action(self, kind: str, resource: int, resource_type: str) -> Json:
        return {
            "id": next(self.numbers),
            "status": "in-progress",
            "type": kind,
            "started_at": MADE,
            "completed_at": None,
            "resource_id": resource,
            "resource_type": resource_type,
            "region": self.region("nyc3"),
            "region_slug": "nyc3",
        }

    def one(self, things: dict[Any, Json], key: Any) -> Json:
        if key not in things:
            raise missing()
        return things[key]
