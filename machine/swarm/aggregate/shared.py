"""Networks belong to all engines of an aggregate: made on each, or on none."""

from __future__ import annotations

import asyncio
from typing import Any

from machine.swarm.aggregate.members import Member, Members
from machine.swarm.parsing.target import build
from machine.swarm.pipeline import Refused, Reply, Request, Unreachable
from machine.swarm.printable import is_printable, printable


async def create_network(members: Members, request: Request) -> Reply:
    """Make a network on every engine that answers; those that are away get it when they are back.

    What was made is removed again when one engine refuses: a network that some have and some have not would be found by
    half of the containers. Refused with that engine's words, Unreachable when none answers.
    """
    _check_name(request)
    present = await members.present()
    answers = await asyncio.gather(*(member.value(request) for member in present), return_exceptions=True)
    made: list[tuple[Member, Any]] = []
    refused: list[Refused] = []
    absent = [member for member in members.all if member not in present]
    for member, answer in zip(present, answers):  # noqa: B905 (strict= came with Python 3.10)
        if isinstance(answer, Unreachable):
            absent.append(member)
        elif isinstance(answer, Refused):
            refused.append(Refused(answer.status, f"{member.name}: {answer.message}"))
        elif isinstance(answer, BaseException):
            raise answer
        else:
            made.append((member, answer))
    if refused:
        await asyncio.gather(*(_undo(member, answer, members) for member, answer in made))
        raise refused[0]
    if not made:
        raise Unreachable(502, "none of the engines answers: " + "; ".join(member.why for member in present))
    return Reply.json({**made[0][1], "Warning": _keep(absent, request, members)}, 201)


def _check_name(request: Request) -> None:
    """Refused(400) for a name that cannot be shown: engines take it, and their lists are not taken afterwards."""
    body = request.value()
    name = body.get("Name") if isinstance(body, dict) else None
    if isinstance(name, str) and not is_printable(name):
        raise Refused(400, f"the network's name {printable(name)[:80]} has unprintable characters")


def _keep(absent: list[Member], request: Request, members: Members) -> str:
    """Keep the create for those that are away; returns what the client is told."""
    body = request.value()
    name = str(body.get("Name") or "") if isinstance(body, dict) else ""
    for member in absent:
        member.miss(name, request)
        members.log(f"{member.name} does not answer; it gets network {name} when it is back")
    away = ", ".join(sorted(member.name for member in absent))
    return f"{away} does not answer, and gets the network when it is back" if away else ""


async def _undo(member: Member, answer: Any, members: Members) -> None:
    identity = str(answer.get("Id") or "") if isinstance(answer, dict) else ""
    if identity:
        try:
            reply = await member.ask(Request("DELETE", build("", f"/networks/{identity}")))
            await reply.read()
        except Refused as error:
            members.log(f"{member.name} keeps network {identity[:12]}: {error.message}")
