"""A container as the cluster keeps it: its fields, and its entry of GET /containers/json as encoded JSON. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from sys import intern
from typing import Any, Generic, Protocol, TypeVar

from machine.swarm.api.scope import ANY_ADDRESS
from machine.swarm.cluster import status
from machine.swarm.cluster.signing import LABEL, SignedCreate
from machine.swarm.scheduler.node import ENDED
from machine.swarm.scheduler.placement_request import EXPRESSION_LABELS, ID, Port, listed_port, ports_of
from machine.swarm.scheduler.references import joined_networks, mounted_volumes

NO_LABELS: Mapping[str, str] = {}
UP = frozenset(("running", "paused", "restarting"))
HOST_DOWN = "Host Down"
POLICY = EXPRESSION_LABELS["reschedule"]
_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False)  # it was JSON before
_quoted = json.encoder.encode_basestring_ascii


class Host(Protocol):
    """The engine that a container is on, as far as is needed to show it and to tell it from others."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def reachable(self) -> bool: ...


E = TypeVar("E", bound=Host)


class ContainerRecord(Generic[E]):
    """A container on an engine of type E. `node` and `ip` are the engine's name and address, as shown in the entry.

    `inspected` is False until its reservation and its ports have been learned from an inspect.
    """

    __slots__ = (
        "_fixed_length",
        "_listed",
        "_named",
        "_node",
        "bindings",
        "cpus",
        "created",
        "engine",
        "entry",
        "exposed",
        "id",
        "image",
        "image_id",
        "inspected",
        "labels",
        "memory",
        "mode",
        "names",
        "previous_name",
        "public",
        "qualified",
        "signature_label",
        "signed",
        "state",
        "status",
        "status_valid_until",
        "volumes",
    )  # fmt: skip

    def __init__(self, engine: E) -> None:
        self.engine = engine
        self.id = ""
        self.names: tuple[str, ...] = ()  # its own, without aliases from links
        self.previous_name = ""  # its name before it was renamed through us
        self.qualified = False  # shown as NODE/NAME, because another container has the same name
        self.volumes: tuple[str, ...] = ()  # names of the volumes that it mounts
        self.cpus = self.memory = 0
        self.bindings: tuple[Port, ...] = ()  # ports of the host that its inspect fixes, also while it is stopped
        self.public: tuple[Port, ...] = ()  # ports of the host that the engine's list shows
        self.exposed: frozenset[str] = frozenset()  # ports it listens on in host mode, "80/tcp"
        self.inspected = False
        self.signed: SignedCreate | None = (
            None  # set if it may be made again elsewhere: its create, as a manager signed it
        )
        self.status = status.Status("")

    @property
    def name(self) -> str:
        """The container's first name, "" while it has none."""
        return self.names[0] if self.names else ""

    @property
    def node_names(self) -> tuple[str, str]:
        """The name and id of its engine: NODE in NODE/NAME."""
        return self.engine.name, self.engine.id

    @property
    def reachable(self) -> bool:
        """Whether the container's engine answers."""
        return self.engine.reachable

    @property
    def swarm_id(self) -> str:
        """The id that stays when it is made again on another engine; "" if it was not made through us."""
        return self.labels.get(ID, "")

    @property
    def is_up(self) -> bool:
        """Whether the container is up: `ps` without -a shows it."""
        return self.state in UP

    @property
    def ended(self) -> bool:
        """Whether it ran and does not any more: its ports are free until it is started again."""
        return self.state in ENDED

    @property
    def networks(self) -> tuple[str, ...]:
        """Names and ids of the networks that it is in, without those that every engine has; read in the entry."""
        return joined_networks(self.value())

    @property
    def ports(self) -> tuple[Port, ...]:
        """Ports of the host that it has or will have."""
        return self.bindings + self.public if self.public else self.bindings

    @property
    def is_reschedulable(self) -> bool:
        """Whether it is to be made again elsewhere when its engine fails: a manager of this cluster has signed that."""
        return self.signed is not None

    @property
    def labelled_reschedulable(self) -> bool:
        """Whether its labels, which its engine may have made up, say that it is to be made again elsewhere."""
        return "on-node-failure" in self.labels.get(POLICY, "")

    def update(self, entry: dict[str, Any], node: str, ip: str, now: float) -> None:
        """Remember what an engine's list says of it. `entry` is changed on the way; do not use it afterwards.

        Its fields are of the types that machine.swarm.api.response_shapes.CONTAINER has, or null.
        """
        names = [name.lstrip("/") for name in entry.get("Names") or ()]
        if self.id != entry["Id"]:  # an equal id or name keeps its old object, so that memory holds it once
            self.id = entry["Id"]
        own = tuple([name for name in names if "/" not in name])
        if self.names != own:
            self.names = own
        self.image = intern(entry.get("Image") or "")
        self.image_id = intern(entry.get("ImageID") or "")
        self.created = entry.get("Created") or 0
        self.state = intern(entry.get("State") or "")
        labels = entry.get("Labels")
        self.signature_label = str(labels.pop(LABEL, "")) if labels else ""  # long, and nobody's business but ours
        self.labels = {str(k): str(v) for k, v in labels.items()} if labels else NO_LABELS
        self.mode = intern((entry.get("HostConfig") or {}).get("NetworkMode") or "")
        self.volumes = mounted_volumes(entry.get("Mounts"))
        self._listed, self._node = (self.names if len(self.names) == len(names) else tuple(names)), node
        entry.pop("Names", None)
        entry["Ports"], self.public = _ports(entry.get("Ports") or (), ip)
        new_status = status.read(str(entry.pop("Status", "")), now)
        if not status.same(self.status, new_status, now):
            self.status = new_status
        self.entry = _ENCODER.encode(entry).encode("utf-8", "replace")
        self._fixed_length = len(self.entry) - 1
        self._write_names(now)

    def qualify(self, qualified: bool, now: float) -> None:
        """Show it as NODE/NAME from now on, or as NAME."""
        if qualified != self.qualified:
            self.qualified = qualified
            self._write_names(now)

    def _write_names(self, now: float) -> None:
        """Put its names and its status, which come last, into the entry."""
        before = f"/{self._node}/" if self.qualified else "/"
        names = ",".join([_quoted(before + name) for name in self._listed])  # a list at once takes twice as long
        text = f',"Names":[{names}],"Status":'  # ASCII, as all that is quoted
        self._named = self._fixed_length + len(text)
        self.entry = self.entry[: self._fixed_length] + f"{text}{self._status_text(now)}}}".encode()

    def update_status(self, now: float) -> None:
        """Bring the entry's status up to date; it holds until `status_valid_until`."""
        self.entry = self.entry[: self._named] + f"{self._status_text(now)}}}".encode()

    def _status_text(self, now: float) -> str:
        if self.engine.reachable:
            text, self.status_valid_until = self.status.at(now)
        else:
            text, self.status_valid_until = HOST_DOWN, status.NEVER
        return _quoted(text)

    def apply_inspect(self, inspect: Mapping[str, Any], cpus: int) -> None:
        """Remember what its inspect says of reservation and ports; `cpus` = the CPUs of its engine."""
        host = inspect.get("HostConfig") or {}
        self.cpus = -(-int(host.get("CpuShares") or 0) * cpus // 1024)
        self.memory = int(host.get("Memory") or 0)
        self.bindings = ports_of(host.get("PortBindings"))
        exposed = (inspect.get("Config") or {}).get("ExposedPorts") or ()
        self.exposed = frozenset(exposed) if host.get("NetworkMode") == "host" else frozenset()
        self.inspected = True

    def value(self) -> dict[str, Any]:
        """The entry as JSON values, for what is asked too seldom to be remembered."""
        found: dict[str, Any] = json.loads(self.entry)
        return found


def shares(cpus: int, total: int) -> int:
    """The CPU shares that an engine with `total` CPUs is given for a reservation of whole CPUs."""
    return -(-cpus * 1024 // max(total, 1))


def _ports(ports: Any, ip: str) -> tuple[list[dict[str, Any]], tuple[Port, ...]]:
    """The entry's ports with the engine's address for "all addresses", and what they take on the host."""
    shown, host_ports = [], []
    for port in ports:
        public = listed_port(port)
        if public:
            host_ports.append(public)
            if public.ip in ANY_ADDRESS:
                port["IP"] = ip
        if port not in shown:  # 0.0.0.0 and :: are one address now
            shown.append(port)
    return shown, tuple(host_ports)
