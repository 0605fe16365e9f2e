"""Where an aggregate puts a new container or volume: with the manager's code, on what its engines answer just now.

A container goes where what it refers to is, there to an engine that has its image, then to one that has its project,
where its ports are free, with the fewest containers.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

from machine.swarm.api.scope import is_spanning
from machine.swarm.merge.values import objects
from machine.swarm.pipeline import ApiError
from machine.swarm.placing.locate import locate
from machine.swarm.placing.project import engines_with_containers
from machine.swarm.placing.relocate import choose_engine_with_moves, move_volume
from machine.swarm.scheduler import NoNode, rank
from machine.swarm.scheduler.compose_labels import holders_of_project
from machine.swarm.scheduler.placement_request import PlacementRequest, RequiredObject, parse_create
from machine.swarm.scheduler.references import project_of
from machine.swarmd.aggregate.lookup import Lookup
from machine.swarmd.aggregate.members import AggregateEngine, Members
from machine.swarmd.aggregate.snapshot import EngineSnapshot, Snapshot


class Placement(NamedTuple):
    """The engine for a container, and what the container takes there."""

    member: AggregateEngine
    request: PlacementRequest


async def choose(
    members: Members, lookup: Lookup, config: Mapping[str, Any], node: str = "", name: str = ""
) -> Placement:
    """Return the engine for a container called `name` with this create call's body; `node` names one.

    Empty volumes may have been moved there. Raises ApiError(404) if there is no such engine, ApiError(409) when none
    has all that the container refers to.
    """
    snapshot = await Snapshot.of(members)
    engines = _engines_named(snapshot, node)
    request = _parse(config, name)
    await snapshot.load(request.volumes, request.networks)
    _refuse_if_absent(lookup, snapshot, request.volumes)
    request = await _locate_objects(snapshot, lookup, request, engine_named=bool(node))
    preferred = await _engines_of_project(snapshot, members, project_of(config))
    image_answers = await snapshot.ask_all(f"/images/{request.image}/json") if request.image else {}
    with_image = [engine for engine in engines if engine in image_answers]
    group = with_image or engines

    async def fit(request: PlacementRequest) -> EngineSnapshot:
        return _choose_best(group, request, preferred)

    try:
        engine, leaving = await choose_engine_with_moves(fit, request, snapshot.movable)
    except ApiError:
        if len(group) == len(engines):
            raise
        group = engines  # the client pulls the image there
        engine, leaving = await choose_engine_with_moves(fit, request, snapshot.movable)
    for required in leaving:
        await move_volume(snapshot.engines_with(required), engine, required.name)
    return Placement(engine.member, request)


async def choose_for_volume(
    members: Members, lookup: Lookup, body: Mapping[str, Any], node: str = ""
) -> AggregateEngine:
    """Return the engine for a volume: the one that has it, else its Compose project's, else one with few containers.

    Raises ApiError as for `choose`.
    """
    snapshot = await Snapshot.of(members)
    engines = _engines_named(snapshot, node)
    name = str(body.get("Name") or "")
    if node:
        return engines[0].member
    await snapshot.load([name] if name else [], ())
    _refuse_if_absent(lookup, snapshot, [name])
    holders = [engine for engine in engines if engine.volumes]
    preferred = set() if holders else await _engines_of_project(snapshot, members, project_of(body))
    return _choose_best(holders or engines, PlacementRequest(), preferred).member


def _engines_named(snapshot: Snapshot, node: str) -> list[EngineSnapshot]:
    """Return the one engine that the client has named, or all. Raises ApiError(404) if there is none of that name."""
    engines = [engine for name, engine in snapshot.engines.items() if node in ("", name)]
    if not engines:
        raise ApiError(404, f"there is no engine {node}")
    return engines


def _parse(config: Mapping[str, Any], name: str) -> PlacementRequest:
    """Return what a create wants; expressions, CPUs and memory are the engines' own business here.

    Raises ApiError(400) if it cannot be read.
    """
    try:
        return replace(parse_create(config, {}, name), cpus=0, memory=0)
    except ValueError as error:
        raise ApiError(400, f"this create cannot be read: {error}") from error


async def _locate_objects(
    snapshot: Snapshot, lookup: Lookup, request: PlacementRequest, *, engine_named: bool
) -> PlacementRequest:
    """Return the request with the engines that have its objects.

    Raises ApiError(404) if a container that it refers to does not exist.

    With `engine_named` the client has chosen the engine, and networks are not checked.
    """
    skipped = request.networks if engine_named else ()
    objects = await locate(list(snapshot.engines.values()), request, pinned_names=skipped, one_per_name=True)
    for required in objects:
        if required.kind == "volume":
            lookup.remember_volume(required.name, required.nodes)
    owners = [(container, (await lookup.owner(container))[0].name) for container in request.colocate_with]
    beside = tuple(RequiredObject("container", container, frozenset([owner])) for container, owner in owners)
    return replace(request, required_objects=(*beside, *objects))


def _choose_best(
    engines: Sequence[EngineSnapshot], request: PlacementRequest, preferred: Collection[EngineSnapshot]
) -> EngineSnapshot:
    """Return the engine that has all that is asked; those `preferred` count if one of them has, free ports at last.

    ApiError(409) in the scheduler's words.
    """
    try:
        fitting = rank([engine.node for engine in engines], request, filters=())
    except NoNode as error:
        raise ApiError(409, str(error)) from error
    fitting = [node for node in fitting if node.owner in preferred] or fitting
    with suppress(NoNode):
        fitting = rank(fitting, request, filters=("port",), limit=1)
    engine: EngineSnapshot = fitting[0].owner
    return engine


async def _engines_of_project(snapshot: Snapshot, members: Members, project: str) -> Collection[EngineSnapshot]:
    """Return where a Compose project is, or is to begin: with its containers, volumes, images, else where builds are.

    Compose calls the images that it builds PROJECT-SERVICE (PROJECT_SERVICE before its version 2). What it builds under
    other names is known only to be where this aggregate had it built. Networks that span engines hold no project.
    """
    engines = list(snapshot.engines.values())
    networks = [network for engine in engines for network in engine.networks]
    if not project or (networks and all(map(is_spanning, networks))):
        return ()
    candidates: Collection[EngineSnapshot] = engines_with_containers(engines, project)
    if not candidates:
        await snapshot.load_project(project)
        candidates = holders_of_project(project, {engine: engine.volumes for engine in engines})
    if not candidates:
        by_name = {"filters": [json.dumps({"reference": [f"{project}-*", f"{project}_*"]})]}
        candidates = [
            engine for engine, images in (await snapshot.ask_all("/images/json", by_name)).items() if objects(images)
        ]
    return candidates or [engine for engine in engines if engine.member is members.builder]


def _refuse_if_absent(lookup: Lookup, snapshot: Snapshot, volumes: Iterable[str]) -> None:
    """Raises ApiError(409) if a volume was seen on an engine that is away: another engine would make an empty one."""
    for name in volumes:
        absent = lookup.volume_seen(name).difference(snapshot.engines)
        if absent and not any(v.get("Name") == name for engine in snapshot.engines.values() for v in engine.volumes):
            raise ApiError(409, f"volume {name} is on {', '.join(sorted(absent))}, which does not answer")
