"""What every simulated engine has beside containers: images, networks, volumes; and how it words its answers."""

# ruff: noqa: ARG002 (every route is called alike)

from __future__ import annotations

import json
from collections.abc import Mapping
from secrets import token_hex
from typing import Any, NamedTuple

from machine.swarm.chain import Refused


class Said(NamedTuple):
    """An answer. `until` set: the answer comes when that container has ended; `events`: the event stream follows."""

    status: int = 200
    body: bytes = b""
    events: bool = False
    until: str = ""


class Things:
    """The base of an engine; bytes in, bytes out."""

    def __init__(self) -> None:
        self.images: dict[str, str] = {"busybox:latest": "sha256:" + "b" * 64}  # tag -> id
        self.volumes: dict[str, dict[str, Any]] = {}
        self.networks: dict[str, dict[str, Any]] = {}
        for net in ("bridge", "host", "none"):
            self._add_network({"Name": net, "Driver": "null" if net == "none" else net})

    def image_list(self, query: Mapping[str, str], body: Any) -> Said:
        """GET /images/json"""
        by_id: dict[str, list[str]] = {}
        for tag, identity in self.images.items():
            by_id.setdefault(identity, []).append(tag)
        common = {
            "ParentId": "",
            "RepoDigests": [],
            "Created": 1700000000,
            "Size": 1024,
            "Labels": {},
            "Containers": -1,
        }
        return json_said([{"Id": identity, "RepoTags": tags, **common} for identity, tags in by_id.items()])

    def image_pull(self, query: Mapping[str, str], body: Any) -> Said:
        """POST /images/create: whatever is asked for is there."""
        name = query.get("fromImage", "")
        tag = tagged(f"{name}:{query['tag']}" if query.get("tag") else name)
        self.images.setdefault(tag, "sha256:" + token_hex(32))
        return Said(200, dump({"status": f"Status: Downloaded newer image for {tag}"}) + b"\r\n")

    def image_inspect(self, query: Mapping[str, str], body: Any, x: str) -> Said:
        """GET /images/X/json"""
        identity = self._image(x)
        if identity is None:
            raise Refused(404, f"No such image: {tagged(x)}")
        tags = [tag for tag, each in self.images.items() if each == identity]
        return json_said(
            {"Id": identity, "RepoTags": tags, "RepoDigests": [], "Os": "linux", "Architecture": "amd64", "Size": 1024}
        )

    def image_remove(self, query: Mapping[str, str], body: Any, x: str) -> Said:
        """DELETE /images/X"""
        if self.images.pop(tagged(x), None) is None:
            raise Refused(404, f"No such image: {tagged(x)}")
        return json_said([{"Untagged": tagged(x)}])

    def network_list(self, query: Mapping[str, str], body: Any) -> Said:
        """GET /networks"""
        return json_said(list(self.networks.values()))

    def network_create(self, query: Mapping[str, str], body: Any) -> Said:
        """POST /networks/create"""
        return json_said({"Id": self._add_network(body or {}), "Warning": ""}, 201)

    def network(self, query: Mapping[str, str], body: Any, x: str) -> Said:
        """GET /networks/X"""
        return json_said(self.networks[self._network(x)])

    def network_remove(self, query: Mapping[str, str], body: Any, x: str) -> Said:
        """DELETE /networks/X"""
        del self.networks[self._network(x)]
        return Said(204)

    def volume_list(self, query: Mapping[str, str], body: Any) -> Said:
        """GET /volumes"""
        return json_said({"Volumes": list(self.volumes.values()), "Warnings": None})

    def volume_create(self, query: Mapping[str, str], body: Any) -> Said:
        """POST /volumes/create"""
        asked = body or {}
        name = asked.get("Name") or token_hex(32)
        made = {"Name": name, "Driver": asked.get("Driver") or "local", "Labels": asked.get("Labels") or {}}
        self.volumes[name] = {
            **made,
            "Mountpoint": f"/var/lib/docker/volumes/{name}/_data",
            "Scope": "local",
            "Options": {},
        }
        return json_said(self.volumes[name], 201)

    def volume(self, query: Mapping[str, str], body: Any, x: str) -> Said:
        """GET /volumes/X"""
        if x not in self.volumes:
            raise Refused(404, f"get {x}: no such volume")
        return json_said(self.volumes[x])

    def volume_remove(self, query: Mapping[str, str], body: Any, x: str) -> Said:
        """DELETE /volumes/X"""
        if self.volumes.pop(x, None) is None:
            raise Refused(404, f"get {x}: no such volume")
        return Said(204)

    def _image(self, name: str) -> str | None:
        found = self.images.get(tagged(name))
        if found or not name:
            return found
        ids = [
            each
            for each in self.images.values()
            if each in (name, "sha256:" + name) or each.startswith("sha256:" + name)
        ]
        return ids[0] if ids else None

    def _add_network(self, asked: dict[str, Any]) -> str:
        identity = token_hex(32)
        made = {"Name": asked.get("Name", identity), "Id": identity, "Driver": asked.get("Driver") or "bridge"}
        extra = {"Scope": "local", "Containers": {}, "Options": {}, "Labels": asked.get("Labels") or {}}
        self.networks[identity] = {**made, **extra, "IPAM": {"Driver": "default", "Config": []}}
        return identity

    def _network(self, x: str) -> str:
        for identity, each in self.networks.items():
            if x in (identity, each["Name"]):
                return identity
        raise Refused(404, f"network {x} not found")


def tagged(name: str) -> str:
    """An image's name with its tag."""
    return name if ":" in name.rpartition("/")[2] or "@" in name or not name else name + ":latest"


def value_of(body: bytes) -> Any:
    """A body as JSON, None if empty. Refused(400)."""
    if not body:
        return None
    try:
        return json.loads(body)
    except ValueError as error:
        raise Refused(400, f"invalid JSON: {error}") from error


def dump(value: Any) -> bytes:
    """JSON without spaces."""
    return json.dumps(value, separators=(",", ":")).encode()


def json_said(value: Any, status: int = 200) -> Said:
    """JSON as an answer."""
    return Said(status, dump(value))
