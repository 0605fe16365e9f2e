"""Networks belong to all engines of an aggregate: made on each, or on none."""

from __future__ import annotations

import asyncio
from typing import Any

from machine.swarm.fanout.broadcast import broadcast, successful
from machine.swarm.parsing.target import build
from machine.swarm.pipeline import ApiError, Reply, Request, Unreachable
from machine.swarm.printable import is_printable, printable
from machine.swarmd.aggregate.members import AggregateEngine, Members

_NOT_ASKED = Unreachable(502, "it did not answer")


async def create_network(members: Members, request: Request) -> Reply:
    """Make a network on every engine that answers; those that are away get it when they are back.

    What was made is removed again when one engine refuses: a network that some have and some have not would be found by
    half of the containers. Raises ApiError with that engine's words, Unreachable if none answers.
    """
    _check_name(request)
    present = await members.present()
    results = await broadcast(present, lambda member: member.get_json(request), members.log)
    created = [(member, result) for member, result in results.items() if not isinstance(result, ApiError)]
    absent = [member for member in members.all if isinstance(results.get(member, _NOT_ASKED), Unreachable)]
    refusals = [
        ApiError(result.status, f"{member.name}: {result.message}")
        for member, result in results.items()
        if isinstance(result, ApiError) and member not in absent
    ]
    if refusals:
        await asyncio.gather(*(_undo(member, answer, members) for member, answer in created))
        raise refusals[0]
    successful(results)  # raises when none answers
    return Reply.json({**created[0][1], "Warning": _keep(absent, request, members)}, 201)


def _check_name(request: Request) -> None:
    """Check the name in a create.

    Raises ApiError(400) if it cannot be shown: engines take it, and their lists are not taken afterwards.
    """
    body = request.json_body()
    name = body.get("Name") if isinstance(body, dict) else None
    if isinstance(name, str) and not is_printable(name):
        raise ApiError(400, f"the network's name {printable(name)[:80]} has unprintable characters")


def _keep(absent: list[AggregateEngine], request: Request, members: Members) -> str:
    """Keep the create for those that are away; returns what the client is told."""
    body = request.json_body()
    name = str(body.get("Name") or "") if isinstance(body, dict) else ""
    for member in absent:
        member.miss(name, request)
        members.log(f"{member.name} does not answer; it gets network {name} when it is back")
    away = ", ".join(sorted(member.name for member in absent))
    return f"{away} does not answer, and gets the network when it is back" if away else ""


async def _undo(member: AggregateEngine, answer: Any, members: Members) -> None:
    identity = str(answer.get("Id") or "") if isinstance(answer, dict) else ""
    if identity:
        try:
            reply = await member.ask(Request("DELETE", build("", f"/networks/{identity}")))
            await reply.read()
        except ApiError as error:
            members.log(f"{member.name} keeps network {identity[:12]}: {error.message}")
