"""Membership of a machine in a cluster of swarm mode: the object Machine.SwarmMode of config.json."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from machine.clusters.swarm_mode.detection import KEY
from machine.errors import RecordBroken, UsageError

if TYPE_CHECKING:
    from machine.clusters.hooks import MembershipRequest
    from machine.store import Record

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
        return {_json_key(name): list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def set_membership(record: Record, request: MembershipRequest) -> None:
    """Put what `create` was asked into a new record."""
    record.raw["Machine"][KEY] = request.dump()


def parse(found: object, name: str) -> Membership | None:
    """Return the membership in an object of the record of machine `name`, None for none.

    Raises RecordBroken if a value is not of the kind it must be.
    """
    if not found:
        return None
    if not isinstance(found, Mapping):
        raise _broken(name, "must be an object")
    kinds = {"autolock": bool, "founder": bool, "pools": list}
    values: dict[str, Any] = {}
    for field in fields(Membership):
        value = found.get(_json_key(field.name))
        if value is None:
            continue
        if not isinstance(value, kinds.get(field.name, str)):
            raise _broken(name, f"has no usable {_json_key(field.name)}")
        values[field.name] = tuple(map(str, value)) if isinstance(value, list) else value
    if values.get("role") not in ROLES:
        raise _broken(name, f"has no Role out of {', '.join(ROLES)}")
    return Membership(**values)


def check(membership: Membership) -> Membership:
    """Return `membership` itself. Raises UsageError naming the flag whose value cannot be used."""
    if membership.role not in ROLES:
        raise UsageError(f"--swarm-mode must be manager or worker, not {membership.role!r}")
    if membership.availability not in AVAILABILITIES:
        raise UsageError(
            f"--swarm-availability must be one of {', '.join(AVAILABILITIES)}, not {membership.availability!r}"
        )
    if not re.fullmatch(r"[^\s\x00-\x1f]{1,100}", membership.cluster):
        raise UsageError(
            f"--swarm-discovery {membership.cluster!r} cannot be the name of a cluster",
            resolution="with --swarm-mode it is any word that the cluster's machines share, such as shop",
        )
    if membership.address not in ("", PUBLIC):
        _check_address("--swarm-addr", membership.address, "an IP address of the machine, or public")
    if membership.data_path and not re.fullmatch(
        r"[a-zA-Z0-9_.-]{1,15}", membership.data_path
    ):  # an interface's name is that
        _check_address("--swarm-data-path-addr", membership.data_path, "an IP address or an interface of the machine")
    if membership.cert_expiry and nanoseconds(membership.cert_expiry) < SHORTEST_EXPIRY:
        raise UsageError(f"--swarm-cert-expiry {membership.cert_expiry} is less than an hour, the least there is")
    for pool in membership.pools:
        try:
            network = ipaddress.IPv4Network(pool)
        except ValueError as error:
            raise UsageError(f"--swarm-default-addr-pool {pool!r} is not a network: {error}") from None
        if network.prefixlen > 24:
            raise UsageError(f"--swarm-default-addr-pool {pool!r} has no room: every overlay network takes a /24 of it")
    cluster_wide = [flag for flag, value in _cluster_wide(membership).items() if value]
    if membership.role == "worker" and cluster_wide:
        raise UsageError(
            f"{' '.join(cluster_wide)} is a setting of the whole cluster", resolution="give it to the first manager"
        )
    return membership


def cluster_wide_flags(membership: Membership) -> str:
    """Return the flags set in `membership` that only the first manager of a cluster can act upon."""
    return " ".join(flag for flag, value in _cluster_wide(membership).items() if value)


def nanoseconds(text: str) -> int:
    """Return a duration such as 2160h, 90m or 1h30m in nanoseconds. Raises UsageError for anything else."""
    parts = re.findall(r"(\d+)([hms])", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise UsageError(f"{text!r} is not a duration", resolution="write it as 2160h (hours), 90m or 1h30m")
    return sum(int(number) * _SECONDS[unit] for number, unit in parts) * 10**9


def _cluster_wide(membership: Membership) -> dict[str, object]:
    return {
        "--swarm-autolock": membership.autolock,
        "--swarm-cert-expiry": membership.cert_expiry,
        "--swarm-default-addr-pool": membership.pools,
    }


def _check_address(flag: str, text: str, expected: str) -> None:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        raise UsageError(f"{flag} must be {expected}, not {text!r}") from None


def _json_key(name: str) -> str:
    """Return the key of a field in config.json: NodeId for node_id."""
    return "".join(word.capitalize() for word in name.split("_"))


def _broken(name: str, problem: str) -> RecordBroken:
    return RecordBroken(
        f"the record of machine {name} is broken",
        details=f"Machine.SwarmMode in config.json {problem}",
        resolution=f"repair machines/{name}/config.json, or remove that object: the machine then"
        " counts as in no cluster",
    )
