"""What every simulated engine has beside containers: images, networks, volumes."""

# ruff: noqa: ARG002 (every route is called alike)

from __future__ import annotations

from collections.abc import Mapping
from secrets import token_hex
from typing import Any

from machine.swarm.pipeline import ApiError
from machine.swarmd.simulator.images import Images
from machine.swarmd.simulator.responses import Response, json_response


class Resources(Images):
    """The base of an engine; bytes in, bytes out."""

    def __init__(self) -> None:
        super().__init__()
        self.volumes: dict[str, dict[str, Any]] = {}
        self.volumes_with_data: set[str] = set()  # names of volumes with data
        self.networks: dict[str, dict[str, Any]] = {}
        for net in ("bridge", "host", "none"):
            self._add_network({"Name": net, "Driver": "null" if net == "none" else net})

    def network_list(self, query: Mapping[str, str], body: Any) -> Response:
        """GET /networks"""
        return json_response(list(self.networks.values()))

    def network_create(self, query: Mapping[str, str], body: Any) -> Response:
        """POST /networks/create"""
        return json_response({"Id": self._add_network(_object(body)), "Warning": ""}, 201)

    def network(self, query: Mapping[str, str], body: Any, x: str) -> Response:
        """GET /networks/X"""
        return json_response(self.networks[self._network(x)])

    def network_remove(self, query: Mapping[str, str], body: Any, x: str) -> Response:
        """DELETE /networks/X"""
        del self.networks[self._network(x)]
        return Response(204)

    def volume_list(self, query: Mapping[str, str], body: Any) -> Response:
        """GET /volumes"""
        return json_response({"Volumes": list(self.volumes.values()), "Warnings": None})

    def volume_create(self, query: Mapping[str, str], body: Any) -> Response:
        """POST /volumes/create"""
        request = _object(body)
        name = request.get("Name") or token_hex(32)
        if name in self.volumes:
            return json_response(self.volumes[name], 201)
        volume = {"Name": name, "Driver": request.get("Driver") or "local", "Labels": request.get("Labels") or {}}
        self.volumes[name] = {
            **volume,
            "Mountpoint": f"/var/lib/docker/volumes/{name}/_data",
            "Scope": "local",
            "Options": request.get("DriverOpts") or {},
        }
        return json_response(self.volumes[name], 201)

    def disk(self, query: Mapping[str, str], body: Any) -> Response:
        """GET /system/df: volumes are empty but for those that `volumes_with_data` names."""
        volumes = [
            {**volume, "UsageData": {"Size": 1024 if name in self.volumes_with_data else 0, "RefCount": 0}}
            for name, volume in self.volumes.items()
        ]
        return json_response({"LayersSize": 0, "Images": [], "Containers": [], "Volumes": volumes, "BuildCache": []})

    def volume(self, query: Mapping[str, str], body: Any, x: str) -> Response:
        """GET /volumes/X"""
        if x not in self.volumes:
            raise ApiError(404, f"get {x}: no such volume")
        return json_response(self.volumes[x])

    def volume_remove(self, query: Mapping[str, str], body: Any, x: str) -> Response:
        """DELETE /volumes/X"""
        if self.volumes.pop(x, None) is None:
            raise ApiError(404, f"get {x}: no such volume")
        return Response(204)

    def _add_network(self, request: dict[str, Any]) -> str:
        identity = token_hex(32)
        network = {"Name": request.get("Name", identity), "Id": identity, "Driver": request.get("Driver") or "bridge"}
        extra = {"Scope": "local", "Containers": {}, "Options": {}, "Labels": request.get("Labels") or {}}
        self.networks[identity] = {**network, **extra, "IPAM": {"Driver": "default", "Config": []}}
        return identity

    def _network(self, x: str) -> str:
        for identity, network in self.networks.items():
            if x in (identity, network["Name"]):
                return identity
        raise ApiError(404, f"network {x} not found")


def _object(body: Any) -> dict[str, Any]:
    """A body that has to be an object; none at all is an empty one. Raises ApiError(400) if it is something else."""
    if body is not None and not isinstance(body, dict):
        raise ApiError(400, "invalid JSON: got no object")
    return body or {}
