"""Where a new container must go because of what it refers to: volumes have data, networks have neighbours. Pure.

A volume of the driver `local` is on one engine and its data with it. A bridge network is on each engine one of its own:
containers reach each other on it, by name and by address, only when they are on the same engine. So both hold a
container where they are. Networks that span engines (overlay) and volumes that do (a plugin of scope global) hold
nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from machine.swarm.pipeline import Refused
from machine.swarm.scheduler.placement import is_spanning
from machine.swarm.scheduler.references import project_of

Entries = Mapping[str, "list[dict[str, Any]]"]  # engine -> its entries of /containers/json?all=1


class Pin(NamedTuple):
    """Only these engines will do, because of `why`; one that is not `firm` gives way to those that are."""

    engines: frozenset[str]
    why: str
    hard: bool = True


def volume_pin(name: str, holders: Mapping[str, Mapping[str, Any]], entries: Entries) -> Pin | None:
    """Return where volume `name` is; `holders` are the engines that have one of that name, with their answers.

    None when no engine has it, or when it is the same on all. Where several engines have one of their own, those count
    whose containers use it. A volume that no container uses may be new and empty, so it does not hold firmly; one that
    was made with options (an NFS share, say) does, for another engine would make a plain one in its place.
    """
    local = {engine for engine, volume in holders.items() if not is_spanning(volume)}
    if not local:
        return None
    used = {engine for engine in local if any(name in _mounted(entry) for entry in entries.get(engine, ()))}
    engines = used or {engine for engine in local if holders[engine].get("Options")} or local
    firm = bool(used) or any(holders[engine].get("Options") for engine in local)
    return Pin(frozenset(engines), f"volume {name} is on {listed(engines)}", firm)


def network_pin(name: str, holders: Mapping[str, Mapping[str, Any]], entries: Entries) -> Pin | None:
    """Return where the containers of network `name` are, else where the network is if not all of `entries` have it.

    None when it spans engines, or when no engine has it: the engine then refuses the create.
    """
    if not holders or any(map(is_spanning, holders.values())):
        return None
    joined = neighbours(name, holders, entries)
    if joined:
        return Pin(frozenset(joined), f"network {name} has its containers on {listed(joined)}")
    if len(holders) < len(entries):
        return Pin(frozenset(holders), f"network {name} is on {listed(holders)} only")
    return None


def neighbours(name: str, holders: Mapping[str, Mapping[str, Any]], entries: Entries) -> set[str]:
    """Return the engines that have containers on network `name`, running or not."""
    names = {name, *(str(network.get("Name")) for network in holders.values())}
    return {engine for engine in holders if any(names & _joined(entry) for entry in entries.get(engine, ()))}


def project_pin(project: str, entries: Entries, things: Mapping[str, Iterable[Mapping[str, Any]]]) -> Pin | None:
    """Return where the compose project is already: its containers, else its `things` (volumes or images) by engine.

    None if nowhere. It never holds firmly.
    """
    if not project:
        return None
    there = {engine for engine, items in entries.items() if any(project_of(item) == project for item in items)}
    for engine, items in things.items() if not there else ():
        if any(project_of(item) == project and not is_spanning(item) for item in items):
            there.add(engine)
    return Pin(frozenset(there), f"project {project} is on {listed(there)}", hard=False) if there else None


def allowed(pins: Iterable[Pin], engines: Collection[str], *, named: bool = False) -> set[str]:
    """Return the engines out of `engines` that every firm pin leaves. Refused(409) with all reasons when none is left.

    `named`: the client has named the engine.
    """
    left, firm = set(engines), [pin for pin in pins if pin.hard]
    for pin in firm:
        left &= pin.engines
    if not left:
        reasons = "; ".join(dict.fromkeys(pin.why for pin in firm))
        where = f"{listed(engines)} does not have" if named else "no engine has"
        raise Refused(409, f"{where} all that the container needs: {reasons}")
    return left


def narrowed(pins: Iterable[Pin], engines: set[str]) -> set[str]:
    """Return `engines` narrowed by the pins that are not firm, each as far as it leaves any."""
    left = engines
    for pin in pins:
        if not pin.hard:
            left = left & pin.engines or left
    return left


def _mounted(entry: Mapping[str, Any]) -> set[str]:
    mounts = entry.get("Mounts")
    return {str(each.get("Name")) for each in mounts if isinstance(each, dict)} if isinstance(mounts, list) else set()


def _joined(entry: Mapping[str, Any]) -> set[str]:
    settings = entry.get("NetworkSettings")
    networks = settings.get("Networks") if isinstance(settings, dict) else None
    return set(networks) if isinstance(networks, dict) else set()


def listed(engines: Iterable[str]) -> str:
    """Return the names as a text, in order."""
    return ", ".join(sorted(engines))
