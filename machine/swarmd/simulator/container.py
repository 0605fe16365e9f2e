"""One container that runs nothing, and how the engine's API words it."""

from __future__ import annotations

import time
from typing import Any

from machine.swarm.scheduler.references import references


class Container:
    """`config` is the body of its create call; the rest is what has happened since."""

    def __init__(self, identity: str, name: str, image_id: str, config: dict[str, Any], address: str) -> None:
        self.id = identity
        self.name = name
        self.image_id = image_id
        self.config = config
        self.refers = references(config)
        self.address = address
        self.created = int(time.time())
        self.state = "created"  # created, running, paused, exited
        self.exit_code = 0
        self.started = ""
        self.finished = ""
        self.list_entry = b""  # its entry in the list, as bytes; b"" = out of date

    @property
    def labels(self) -> dict[str, str]:
        """Its labels."""
        return self.config.get("Labels") or {}

    @property
    def ports(self) -> list[dict[str, Any]]:
        """Its published ports as a list entry has them: [{"IP", "PrivatePort", "PublicPort", "Type"}]."""
        bindings = (self.config.get("HostConfig") or {}).get("PortBindings") or {}
        found = []
        for inside, outside in bindings.items():
            number, _, kind = inside.partition("/")
            for binding in outside or [{}]:
                public = int(binding.get("HostPort") or 0) or 32768 + int(number) % 20000
                entry = {"IP": binding.get("HostIp") or "0.0.0.0", "PrivatePort": int(number), "PublicPort": public}
                found.append({**entry, "Type": kind or "tcp"})
        return found

    def status(self) -> str:
        """The human words."""
        if self.state in ("running", "paused"):
            return "Up 2 minutes" + (" (Paused)" if self.state == "paused" else "")
        return "Created" if self.state == "created" else f"Exited ({self.exit_code}) 2 minutes ago"

    def entry(self) -> dict[str, Any]:
        """As in GET /containers/json."""
        host = self.config.get("HostConfig") or {}
        command = [*(self.config.get("Entrypoint") or []), *(self.config.get("Cmd") or ["sh"])]
        return {
            "Id": self.id,
            "Names": ["/" + self.name],
            "Image": self.config.get("Image", ""),
            "ImageID": self.image_id,
            "Command": " ".join(command),
            "Created": self.created,
            "Ports": self.ports if self.state == "running" else [],
            "Labels": self.labels,
            "State": self.state,
            "Status": self.status(),
            "HostConfig": {"NetworkMode": host.get("NetworkMode") or "default"},
            "NetworkSettings": {"Networks": self._networks()},
            "Mounts": self._mounts(),
        }

    def inspect(self) -> dict[str, Any]:
        """As in GET /containers/X/json."""
        config = {key: value for key, value in self.config.items() if key not in ("HostConfig", "NetworkingConfig")}
        command = [*(config.get("Entrypoint") or []), *(config.get("Cmd") or ["sh"])]
        bindings = (self.config.get("HostConfig") or {}).get("PortBindings") or {}
        up = self.state in ("running", "paused")
        return {
            "Id": self.id,
            "Created": _stamp(self.created),
            "Path": command[0],
            "Args": command[1:],
            "State": {
                "Status": self.state,
                "Running": up,
                "Paused": self.state == "paused",
                "Restarting": False,
                "OOMKilled": False,
                "Dead": False,
                "Pid": 4242 if up else 0,
                "ExitCode": self.exit_code,
                "Error": "",
                "StartedAt": self.started or "0001-01-01T00:00:00Z",
                "FinishedAt": self.finished or "0001-01-01T00:00:00Z",
            },
            "Image": self.image_id,
            "Name": "/" + self.name,
            "RestartCount": 0,
            "Driver": "overlay2",
            "Platform": "linux",
            "HostConfig": {"NetworkMode": "default", **(self.config.get("HostConfig") or {})},
            "Mounts": self._mounts(),
            "Config": {"Labels": {}, "Env": [], **config},
            "NetworkSettings": {
                "Ports": bindings if up else {},
                "IPAddress": self.address if up else "",
                "Networks": self._networks(),
            },
        }

    def _networks(self) -> dict[str, Any]:
        up = self.state in ("running", "paused")
        return {name: self._endpoint(up) for name in self.refers.networks or ("bridge",)}

    def _mounts(self) -> list[dict[str, Any]]:
        return [{"Type": "volume", "Name": name, "Driver": "local", "RW": True} for name in self.refers.volumes]

    def _endpoint(self, up: bool) -> dict[str, Any]:
        """One network as the container sees it; ids are those of a network and an endpoint, 64 digits."""
        last = self.address.rpartition(".")[2]
        return {
            "IPAMConfig": None,
            "Links": None,
            "Aliases": None,
            "MacAddress": f"02:42:ac:11:00:{int(last):02x}" if up else "",
            "DriverOpts": None,
            "NetworkID": self.id[32:] + self.id[:32],
            "EndpointID": self.id[::-1] if up else "",
            "Gateway": "172.17.0.1" if up else "",
            "IPAddress": self.address if up else "",
            "IPPrefixLen": 16 if up else 0,
            "IPv6Gateway": "",
            "GlobalIPv6Address": "",
            "GlobalIPv6PrefixLen": 0,
        }


def now() -> str:
    """This moment as the engine writes it."""
    return _stamp(time.time())


def _stamp(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + ".000000000Z"
