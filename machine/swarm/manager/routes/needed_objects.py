"""Where the volumes and networks that a create needs are, and which containers it takes the place of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from machine.swarm.manager.routes.context import ManagerContext
from machine.swarm.placing import locate as placing
from machine.swarm.scheduler.compose_labels import service_of
from machine.swarm.scheduler.placement_request import PlacementRequest, RequiredObject


async def locate(
    context: ManagerContext, placement: PlacementRequest, *, avoid: frozenset[str], pinned_names: Iterable[str]
) -> tuple[RequiredObject, ...]:
    """Return where what a create names is already; engines in `avoid`, and names in `pinned_names`, are left out."""
    if not placement.volumes and not placement.networks:
        return ()
    engines = [e for e in context.cluster.engines.values() if e.address not in avoid]
    return await placing.locate(engines, placement, pinned_names=frozenset(pinned_names))


def replaced_by(context: ManagerContext, name: str, labels: Any) -> frozenset[str]:
    """The ids of the containers whose place a new one takes.

    They are the same number of one Compose service, whatever their state, and those that had the wanted name until
    they were renamed and have ended.
    """
    index = context.cluster.index
    service = service_of(labels)
    found = {c.id for c in index.of_service(service)} if service is not None else set()
    return frozenset(found | {c.id for c in index.formerly(name) if c.ended})
