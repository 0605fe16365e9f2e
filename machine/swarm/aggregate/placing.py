"""Where a new container or volume goes.

A container goes where what it refers to is (machine.swarm.aggregate.pins), there to an engine where its ports are free
and its image is, with the fewest containers.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from machine.swarm.aggregate.lookup import Lookup
from machine.swarm.aggregate.members import Member, Members
from machine.swarm.aggregate.pins import Pin, allowed, listed, narrowed, network_pin, project_pin, volume_pin
from machine.swarm.parsing.target import build
from machine.swarm.pipeline import Refused, Request, Unreachable
from machine.swarm.scheduler.placement import is_spanning
from machine.swarm.scheduler.references import PROJECT, References, host_ports, project_of, references


class AggregateState(NamedTuple):
    """The engines that answer, what each of them runs, and how many creates are under way on each."""

    members: dict[str, Member]  # by name
    entries: dict[str, list[dict[str, Any]]]  # /containers/json?all=1
    creating: dict[str, int]


async def aggregate_state(members: Members) -> AggregateState:
    """Ask all engines what they run; those that missed networks while they were away get them now."""
    present = await members.present()
    creating = {member.name: member.creating for member in present}  # before the list: what is in neither is worse
    answers = await members.ask(Request("GET", "/containers/json?all=1"), present)
    entries = {member.name: [item for item in found or () if isinstance(item, dict)] for member, found in answers}
    await asyncio.gather(*(member.catch_up(members.log) for member, _ in answers))
    return AggregateState({member.name: member for member, _ in answers}, entries, creating)


async def choose(members: Members, lookup: Lookup, config: Mapping[str, Any], node: str = "") -> Member:
    """Return the engine for a container with this create call's body; `node` names one.

    Refused(404) when there is no such engine, Refused(409) when nothing satisfies all that the container refers to.
    """
    state = await aggregate_state(members)
    candidates = {node} if node else set(state.members)
    if not candidates & set(state.members):
        raise Refused(404, f"there is no engine {node}")
    refers = references(config)
    pins = await _pins(state, members, lookup, refers, named=bool(node))
    volumes = await _volume_pins(state, lookup, refers.volumes)
    image = await _holders(list(state.members.values()), str(config.get("Image", "")))
    ports = host_ports(config)
    while True:
        left = allowed([*pins, *volumes.values()], candidates, named=bool(node))
        left = narrowed([*volumes.values(), *pins], left & image or left)
        best = min(sorted(left), key=lambda name: _cost(state, name, ports))
        passed_over = [name for name, pin in volumes.items() if best not in pin.engines]
        if not passed_over:
            return state.members[best]
        with_data = await _with_data(state, {name: volumes[name] for name in passed_over})
        if not with_data:
            for name in passed_over:
                await _move_empty(state, name, volumes[name].engines, best)
            return state.members[best]
        for name, engines in with_data.items():
            volumes[name] = Pin(frozenset(engines), f"volume {name} has its data on {listed(engines)}")


async def choose_for_volume(members: Members, lookup: Lookup, body: Mapping[str, Any], node: str = "") -> Member:
    """Return the engine for a volume: the one that has it, else its compose project's, else one with few containers."""
    state = await aggregate_state(members)
    if node:
        if node not in state.members:
            raise Refused(404, f"there is no engine {node}")
        return state.members[node]
    name, project = str(body.get("Name") or ""), project_of(body)
    holders = set(await _known(state, f"/volumes/{name}")) if name else set()
    _refuse_if_absent(lookup, state, name, holders)
    pin = None if holders else await _project_pin(state, members, project)
    left = narrowed([pin] if pin else [], holders or set(state.members))
    return state.members[min(sorted(left), key=lambda engine: _cost(state, engine, set()))]


def _cost(state: AggregateState, name: str, ports: set[int]) -> tuple[bool, int]:
    """Whether a port that is wanted is taken there, and how many containers there are."""
    entries = state.entries[name]
    published = [port for entry in entries for port in entry.get("Ports") or () if isinstance(port, dict)]
    taken = {port.get("PublicPort") for port in published}
    return bool(ports & taken), len(entries) + state.creating.get(name, 0)


async def _project_pin(state: AggregateState, members: Members, project: str) -> Pin | None:
    """Where a compose project is, or is to begin: with its containers, its volumes, its images, else where builds are.

    Compose calls the images that it builds PROJECT-SERVICE (PROJECT_SERVICE before its version 2). What it builds under
    other names is known only to be where this aggregate had it built.
    """
    there = project_pin(project, state.entries, {})
    if there or not project:
        return there
    said = await _asked(state, "/volumes", {"filters": [json.dumps({"label": [f"{PROJECT}={project}"]})]})
    volumes = {engine: _objects(answer.get("Volumes")) for engine, answer in said.items() if isinstance(answer, dict)}
    there = project_pin(project, state.entries, volumes)
    if there:
        return there
    named = {"filters": [json.dumps({"reference": [f"{project}-*", f"{project}_*"]})]}
    images = {engine for engine, found in (await _asked(state, "/images/json", named)).items() if _objects(found)}
    if not images and members.builder is not None:
        images = {members.builder.name} & set(state.members)
    return (
        Pin(frozenset(images), f"project {project} has its images on {listed(images)}", hard=False) if images else None
    )


async def _pins(
    state: AggregateState, members: Members, lookup: Lookup, refers: References, *, named: bool
) -> list[Pin]:
    """The pins of containers, networks and the compose project. Who names an engine need not meet his network's."""
    pins = []
    for container in refers.containers:
        owner = (await lookup.owner(container))[0].name
        pins.append(Pin(frozenset([owner]), f"container {container} is on {owner}"))
    answers = [await _known(state, f"/networks/{network}") for network in refers.networks]
    found = [network_pin(name, said, state.entries) for name, said in zip(refers.networks, answers)]  # noqa: B905
    networks = [pin for pin in found if pin is not None]
    pins += [] if named else networks
    spans = bool(answers) and all(any(map(is_spanning, holders.values())) for holders in answers)
    project = None if spans else await _project_pin(state, members, refers.project)
    return [*pins, project] if project else pins


async def _volume_pins(state: AggregateState, lookup: Lookup, names: Sequence[str]) -> dict[str, Pin]:
    pins = {}
    for name in names:
        holders = await _known(state, f"/volumes/{name}")
        _refuse_if_absent(lookup, state, name, set(holders))
        pin = volume_pin(name, holders, state.entries)
        if pin is not None:
            pins[name] = pin
            lookup.remember_volume(name, pin.engines)
    return pins


def _refuse_if_absent(lookup: Lookup, state: AggregateState, name: str, holders: set[str]) -> None:
    """Refused(409) when the volume was seen on an engine that is away: another engine would make an empty one."""
    absent = lookup.volume_seen(name) - set(state.members)
    if absent and not holders:
        raise Refused(409, f"volume {name} is on {listed(absent)}, which does not answer")


async def _with_data(state: AggregateState, pins: Mapping[str, Pin]) -> dict[str, set[str]]:
    """Out of these volumes those that hold data, or may: name -> engines. One that cannot tell counts as holding."""
    engines = sorted({engine for pin in pins.values() for engine in pin.engines})
    sizes = dict(zip(engines, await asyncio.gather(*(_sizes(state.members[engine]) for engine in engines))))  # noqa: B905
    found: dict[str, set[str]] = {}
    for name, pin in pins.items():
        holding = {engine for engine in pin.engines if sizes[engine].get(name, -1) != 0}
        if holding:
            found[name] = holding
    return found


async def _sizes(member: Member) -> dict[str, int]:
    """Bytes in each volume of an engine, as far as it can tell."""
    try:
        said = await member.value(Request("GET", "/system/df?type=volume"))
    except Refused:
        return {}
    found = {}
    for volume in (said.get("Volumes") if isinstance(said, dict) else None) or ():
        usage = volume.get("UsageData") if isinstance(volume, dict) else None
        if isinstance(usage, dict) and isinstance(usage.get("Size"), int):
            found[str(volume.get("Name"))] = usage["Size"]
    return found


async def _move_empty(state: AggregateState, name: str, engines: Iterable[str], target: str) -> None:
    """Make an empty volume that no container uses anew on `target`, with its labels, and remove it elsewhere."""
    for engine in engines:
        path = build("", f"/volumes/{name}")
        try:
            volume = await state.members[engine].value(Request("GET", path))
            made = {"Name": name, "Driver": volume.get("Driver") or "local", "Labels": volume.get("Labels") or {}}
            await state.members[target].value(Request.json("POST", "/volumes/create", made))
            reply = await state.members[engine].ask(Request("DELETE", path))
            await reply.read()
        except Unreachable:
            continue


def _objects(items: Any) -> list[dict[str, Any]]:
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


async def _known(state: AggregateState, path: str) -> dict[str, dict[str, Any]]:
    """The engines that have the thing, and what each says of it."""
    said = await _asked(state, path)
    return {engine: answer for engine, answer in said.items() if isinstance(answer, dict)}


async def _asked(state: AggregateState, path: str, query: Mapping[str, Iterable[str]] | None = None) -> dict[str, Any]:
    """The engines that do not refuse a GET, and what each answers."""
    request = Request("GET", build("", path, query or ""))
    members = list(state.members.values())
    answers = await asyncio.gather(*(member.value(request) for member in members), return_exceptions=True)
    found = {}
    for member, answer in zip(members, answers):  # noqa: B905 (strict= came with Python 3.10)
        if isinstance(answer, BaseException) and not isinstance(answer, Refused):
            raise answer
        if not isinstance(answer, BaseException):
            found[member.name] = answer
    return found


async def _holders(members: Sequence[Member], image: str) -> set[str]:
    path = build("", f"/images/{image}/json")
    found = await asyncio.gather(*(member.has(path) for member in members))
    return {member.name for member, has in zip(members, found) if has}  # noqa: B905
