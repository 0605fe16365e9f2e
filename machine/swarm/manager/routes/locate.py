"""Where the volumes and networks that a create needs are, and which containers it takes the place of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from machine.swarm.cluster import Engine
from machine.swarm.manager.routes.context import ManagerContext
from machine.swarm.pipeline import Refused
from machine.swarm.resolve import EngineObjects, pick_network
from machine.swarm.scheduler.placement import is_spanning, service_of
from machine.swarm.scheduler.placement_request import Located, PlacementRequest


async def locate(
    context: ManagerContext, asked: PlacementRequest, *, avoid: frozenset[str], elsewhere: Iterable[str]
) -> tuple[Located, ...]:
    """What exists already of the volumes and networks that a create names, and on which engines.

    Engines that do not answer count, for what they have is not to be begun anew on another one; those in `avoid` do
    not. Names in `elsewhere` were given with their node and are left out.
    """
    if not asked.volumes and not asked.networks:
        return ()
    engines = [e for e in context.cluster.engines.values() if e.address not in avoid]
    skipped = frozenset(elsewhere)
    volumes = {n: await _volume_holders(engines, n) for n in asked.volumes if n not in skipped}
    networks = {n: network_holders(engines, n) for n in asked.networks if n not in skipped}
    found = [Located("volume", name, frozenset(e.address for e in having)) for name, having in volumes.items()]
    found += [Located("network", name, frozenset(e.address for e in having)) for name, having in networks.items()]
    return tuple(each for each in found if each.nodes)


def network_holders(engines: Iterable[Engine], text: str) -> list[Engine]:
    """Return the engines that have the network of that id, name, or beginning of an id."""
    return [each.engine for each in pick_network(text, EngineObjects((e, e.networks) for e in engines))]


async def _volume_holders(engines: list[Engine], name: str) -> list[Engine]:
    """The engines on which a volume is; of several those where it is in use, else those where it has data."""
    having = [e for e in engines if any(v.get("Name") == name and not is_spanning(v) for v in e.volumes)]
    if len(having) == 1:
        return having
    users = [e for e in having or engines if any(name in c.volumes for c in e.node.held())]
    if having and not users:
        sizes = {e: await volume_size(e, name) for e in having if e.reachable}
        users = [e for e, size in sizes.items() if size]
    return users or having


async def volume_size(engine: Engine, name: str) -> int | None:
    """Bytes in a volume, as its engine counts them; None if it does not say."""
    try:
        usage = await engine.get("/system/df", {"type": ["volume"]})
    except Refused:
        return None
    volumes = usage.get("Volumes") if isinstance(usage, dict) else None
    for volume in volumes if isinstance(volumes, list) else ():
        if isinstance(volume, dict) and volume.get("Name") == name:
            data = volume.get("UsageData")
            size = data.get("Size") if isinstance(data, dict) else None
            return size if isinstance(size, int) and size >= 0 else None
    return None


def replaced_by(context: ManagerContext, name: str, labels: Any) -> frozenset[str]:
    """The ids of the containers whose place a new one takes.

    They are the same number of one Compose service, whatever their state, and those that had the wanted name until
    they were renamed and have ended.
    """
    index = context.cluster.index
    service = service_of(labels)
    found = {c.id for c in index.of_service(service)} if service is not None else set()
    return frozenset(found | {c.id for c in index.formerly(name) if c.ended})
