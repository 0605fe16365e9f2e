"""Membership of a machine in a cluster of swarm mode: the object Machine.SwarmMode of config.json."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from machine.errors import RecordBroken, UsageError

if TYPE_CHECKING:
    from machine.clusters.extension import MembershipRequest, PlannedMachine
    from machine.store import Record

KEY = "SwarmMode"  # of Machine in config.json
PORTS = (2377, 7946, 4789)  # control (tcp), gossip (tcp and udp), overlay networks (udp)
ROLES = ("manager", "worker")
AVAILABILITIES = ("active", "pause", "drain")
PUBLIC = "public"  # as --swarm-addr: the address by which this computer reaches the machine
DEFAULT_CLUSTER = "default"
UNLOCK_KEY = "SwarmUnlockKey"  # among the machine's secrets
SHORTEST_EXPIRY = 3600 * 10**9  # swarm mode refuses less than an hour

_SECONDS = {"h": 3600, "m": 60, "s": 1}


@dataclass(frozen=True, slots=True)
class Membership:
    """One machine's place in a cluster. The first fields are the request of `create`, the last three its result."""

    role: str  # manager or worker; follows promote and demote
    cluster: str = DEFAULT_CLUSTER  # the name that the machines of one cluster share in the store
    availability: str = "active"
    address: str = ""  # --swarm-addr: "" the one for peers, "public", or an IP address
    data_path: str = ""  # --swarm-data-path-addr, an IP address or an interface
    autolock: bool = False
    cert_expiry: str = ""  # such as 2160h
    pools: tuple[str, ...] = ()  # where overlay networks get their addresses; (): as it fits

    founder: bool = False  # it was about to start the cluster, or has
    node_id: str = ""  # "" until it is a member
    cluster_id: str = ""

    def dump(self) -> dict[str, Any]:
        """The object for config.json."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {_key(name): list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def is_requested(planned: PlannedMachine) -> bool:
    """Return whether `create` was asked for a machine in a cluster of swarm mode."""
    return planned.swarm_mode is not None


def is_member(record: Record) -> bool:
    """Return whether the machine is, or is to be, in a cluster of swarm mode."""
    return bool((record.raw.get("Machine") or {}).get(KEY))


def set_membership(record: Record, request: MembershipRequest) -> None:
    """Put what `create` was asked into a new record."""
    record.raw["Machine"][KEY] = request.dump()


def open_ports(record: Record) -> tuple[int, ...]:
    """Return what a platform's firewall has to let in for the machine: PORTS, or nothing.

    Workers get the managers' port too, for they may be promoted.
    """
    return PORTS if is_member(record) else ()


def read(found: object, name: str) -> Membership | None:
    """The object of machine `name` back; None: it is in no cluster. RecordBroken when it makes no sense."""
    if not found:
        return None
    if not isinstance(found, Mapping):
        raise _broken(name, "must be an object")
    kinds = {"autolock": bool, "founder": bool, "pools": list}
    given: dict[str, Any] = {}
    for field in fields(Membership):
        value = found.get(_key(field.name))
        if value is None:
            continue
        if not isinstance(value, kinds.get(field.name, str)):
            raise _broken(name, f"has no usable {_key(field.name)}")
        given[field.name] = tuple(map(str, value)) if isinstance(value, list) else value
    if given.get("role") not in ROLES:
        raise _broken(name, f"has no Role out of {', '.join(ROLES)}")
    return Membership(**given)


def check(given: Membership) -> Membership:
    """`given` itself; UsageError naming the flag that makes no sense."""
    if given.role not in ROLES:
        raise UsageError(f"--swarm-mode must be manager or worker, not {given.role!r}")
    if given.availability not in AVAILABILITIES:
        raise UsageError(f"--swarm-availability must be one of {', '.join(AVAILABILITIES)}, not {given.availability!r}")
    if not re.fullmatch(r"[^\s\x00-\x1f]{1,100}", given.cluster):
        raise UsageError(
            f"--swarm-discovery {given.cluster!r} cannot be the name of a cluster",
            resolution="with --swarm-mode it is any word that the cluster's machines share, such as shop",
        )
    if given.address not in ("", PUBLIC):
        _address("--swarm-addr", given.address, "an IP address of the machine, or public")
    if given.data_path and not re.fullmatch(r"[a-zA-Z0-9_.-]{1,15}", given.data_path):  # an interface's name is that
        _address("--swarm-data-path-addr", given.data_path, "an IP address or an interface of the machine")
    if given.cert_expiry and nanoseconds(given.cert_expiry) < SHORTEST_EXPIRY:
        raise UsageError(f"--swarm-cert-expiry {given.cert_expiry} is less than an hour, the least there is")
    for pool in given.pools:
        try:
            network = ipaddress.IPv4Network(pool)
        except ValueError as error:
            raise UsageError(f"--swarm-default-addr-pool {pool!r} is not a network: {error}") from None
        if network.prefixlen > 24:
            raise UsageError(f"--swarm-default-addr-pool {pool!r} has no room: every overlay network takes a /24 of it")
    cluster_wide = [flag for flag, value in _cluster_wide(given).items() if value]
    if given.role == "worker" and cluster_wide:
        raise UsageError(
            f"{' '.join(cluster_wide)} is a setting of the whole cluster", resolution="give it to the first manager"
        )
    return given


def settings(given: Membership) -> str:
    """The flags in `given` that only the first manager can act upon, as typed."""
    return " ".join(flag for flag, value in _cluster_wide(given).items() if value)


def nanoseconds(text: str) -> int:
    """A duration such as 2160h, 90m or 1h30m, as Go writes them; UsageError on anything else."""
    parts = re.findall(r"(\d+)([hms])", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise UsageError(f"{text!r} is not a duration", resolution="write it as 2160h (hours), 90m or 1h30m")
    return sum(int(number) * _SECONDS[unit] for number, unit in parts) * 10**9


def _cluster_wide(given: Membership) -> dict[str, object]:
    return {
        "--swarm-autolock": given.autolock,
        "--swarm-cert-expiry": given.cert_expiry,
        "--swarm-default-addr-pool": given.pools,
    }


def _address(flag: str, text: str, what: str) -> None:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        raise UsageError(f"{flag} must be {what}, not {text!r}") from None


def _key(name: str) -> str:
    """node_id as NodeId, in the manner of config.json."""
    return "".join(word.capitalize() for word in name.split("_"))


def _broken(name: str, what: str) -> RecordBroken:
    return RecordBroken(
        f"the record of machine {name} is broken",
        details=f"Machine.SwarmMode in config.json {what}",
        resolution=f"repair machines/{name}/config.json, or remove that object: the machine then"
        " counts as in no cluster",
    )
