"""On which engines the volumes and networks are that a create needs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TypeVar

from machine.swarm.api.scope import is_spanning
from machine.swarm.pipeline import ApiError
from machine.swarm.placing.engine_view import EngineView
from machine.swarm.resolve import EngineObjects, pick_network, pick_volume
from machine.swarm.scheduler.placement_request import PlacementRequest, RequiredObject

V = TypeVar("V", bound=EngineView)


async def locate(
    engines: Sequence[V], placement: PlacementRequest, *, pinned_names: Collection[str] = (), one_per_name: bool = False
) -> tuple[RequiredObject, ...]:
    """Return what exists already of the volumes and networks that a create names, and on which engines.

    Engines that do not answer count, for what they have must not be made again on another one. Names in `pinned_names`
    were given with their node and are left out. With `one_per_name` the engines' networks of one name stand for one
    network, as an aggregate makes it on every engine: it is where its containers are.
    """
    of_network = _network_engines if one_per_name else network_holders
    found = [
        *[
            ("volume", name, await volume_holders(engines, name))
            for name in placement.volumes
            if name not in pinned_names
        ],
        *[("network", name, of_network(engines, name)) for name in placement.networks if name not in pinned_names],
    ]
    return tuple(
        RequiredObject(kind, name, frozenset(e.address for e in holders)) for kind, name, holders in found if holders
    )


def network_holders(engines: Sequence[V], text: str) -> list[V]:
    """Return the engines that have the network of that id, name, or beginning of an id."""
    return [network.engine for network in pick_network(text, EngineObjects((e, e.networks) for e in engines))]


def engines_with_members(engines: Sequence[V], text: str) -> list[V]:
    """Return the engines that have containers on the network `text`, running or not."""
    networks = pick_network(text, EngineObjects((e, e.networks) for e in engines))
    names = {name for network in networks for name in (network.id, *network.names)}
    return [
        network.engine
        for network in networks
        if any(not names.isdisjoint(c.networks) for c in network.engine.node.all_containers())
    ]


def _network_engines(engines: Sequence[V], text: str) -> list[V]:
    """Return the engines that have containers of a network, else those that have it, where others lack it."""
    found = pick_network(text, EngineObjects((e, e.networks) for e in engines))
    if any(is_spanning(network) for _, network in found):
        return []
    return engines_with_members(engines, text) or ([e for e, _ in found] if len(found) < len(engines) else [])


async def volume_holders(engines: Sequence[V], name: str) -> list[V]:
    """Return the engines on which a volume is; of several those where it is in use, else those where it has data."""
    named = pick_volume(name, EngineObjects((e, e.volumes) for e in engines))
    holders = [engine for engine, volume in named if not is_spanning(volume)]
    if len(holders) == 1:
        return holders
    users = [e for e in holders or engines if any(name in c.volumes for c in e.node.all_containers())]
    if holders and not users:
        sizes = [(e, await volume_size(e, name)) for e in holders if e.reachable]
        users = [e for e, size in sizes if size]
    return users or holders


async def volume_size(engine: EngineView, name: str) -> int | None:
    """Return the bytes in a volume, as its engine counts them; None if it does not say."""
    try:
        usage = await engine.get("/system/df", {"type": ["volume"]})
    except ApiError:
        return None
    volumes = usage.get("Volumes") if isinstance(usage, dict) else None
    for volume in volumes if isinstance(volumes, list) else ():
        if isinstance(volume, dict) and volume.get("Name") == name:
            data = volume.get("UsageData")
            size = data.get("Size") if isinstance(data, dict) else None
            return size if isinstance(size, int) and size >= 0 else None
    return None
