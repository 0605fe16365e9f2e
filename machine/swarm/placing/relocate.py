"""Empty volumes, and networks that nobody uses, follow a container to the engine where the rest of its needs is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

from machine.swarm.parsing.target import build
from machine.swarm.pipeline import ApiError, Request
from machine.swarm.placing.engine_view import EngineView
from machine.swarm.placing.locate import volume_size
from machine.swarm.scheduler.placement_request import PlacementRequest, RequiredObject

E = TypeVar("E")


async def choose_engine_with_moves(
    fit: Callable[[PlacementRequest], Awaitable[E]],
    placement: PlacementRequest,
    movable: Callable[[Sequence[RequiredObject]], Awaitable[list[RequiredObject]]],
) -> tuple[E, list[RequiredObject]]:
    """Return the engine that `fit` gives, and what is to be moved there because it is on others.

    Nothing is moved where that can be helped; else as few kinds of things as will do. Raises ApiError as `fit` says it
    for all that is asked.
    """
    try:
        return await fit(placement), []
    except ApiError:
        for leaving in _possible_moves(await movable(placement.required_objects)):
            staying = tuple(required for required in placement.required_objects if required not in leaving)
            with suppress(ApiError):
                return await fit(replace(placement, required_objects=staying)), leaving
        raise


def _possible_moves(movable: list[RequiredObject]) -> list[list[RequiredObject]]:
    """Return what to move, the least first: only networks, only volumes, or both."""
    kinds = [[required for required in movable if required.kind == kind] for kind in ("network", "volume")]
    return [objects for objects in (*kinds, movable) if objects]


async def is_empty(engines: Sequence[EngineView], name: str) -> bool:
    """Whether a volume can be made again elsewhere without anybody losing anything.

    It is of the driver local, without options, mounted by no container, and empty, as all engines that have it say.
    """
    for engine in engines:
        volume: dict[str, Any] = next((v for v in engine.volumes if v.get("Name") == name), {})
        plain = volume.get("Driver") == "local" and not volume.get("Options")
        if (
            not plain
            or any(name in c.volumes for c in engine.node.all_containers())
            or await volume_size(engine, name) != 0
        ):
            return False
    return bool(engines)


async def move_volume(sources: Sequence[EngineView], target: EngineView, name: str, version: str = "") -> None:
    """Make an empty volume with its labels on `target` and remove it from the engines that have it.

    Nothing is to be done if `target` has it. `version` is the API version of the calls. One that somebody began to use
    just now stays. Raises ApiError if `target` does not make it.
    """
    if target in sources:
        return
    record = next(v for v in sources[0].volumes if v.get("Name") == name)
    body = {"Name": name, "Driver": "local", "Labels": record.get("Labels") or {}}
    await (await target.ask(Request.json("POST", build(version, "/volumes/create"), body))).json_body()
    for source in sources:
        with suppress(ApiError):
            await (await source.ask(Request("DELETE", build(version, f"/volumes/{name}")))).json_body()
