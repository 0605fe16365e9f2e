"""Members of an aggregate that answer nonsense, too much, too slowly or not at all: the others' answers are there."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping

import pytest

from machine.swarm.http.address import parse
from machine.swarm.http.client import Client
from machine.swarm.http.server import Server
from machine.swarmd.aggregate.members import AggregateEngine, Members
from machine.swarmd.aggregate.routes import Aggregate
from tests.scripted_answers import HOSTILE, Answer, json_answer
from tests.scripted_engine import ScriptedEngine
from tests.swarm.hostile import Front, quick, showable

LISTS = ("/containers/json?all=1", "/images/json", "/networks", "/volumes", "/info", "/version", "/_ping", "/system/df")


class AggregateFront(Front):
    """`bad` is the scripted member, `good` a sound one; both are real servers."""

    bad: ScriptedEngine
    good: ScriptedEngine
    members: list[AggregateEngine]


@contextlib.asynccontextmanager
async def aggregate(script: Mapping[str, Answer]) -> AsyncIterator[AggregateFront]:
    """An aggregate of the engines bad, with this script, and good, behind a listener."""
    lines: list[str] = []
    with ScriptedEngine("bad", 1) as bad, ScriptedEngine("good", 1) as good:
        bad.answers.update(script)
        df = {"Images": [], "Containers": [], "Volumes": [], "BuildCache": [], "LayersSize": 5}
        good.answers["/system/df"] = json_answer(df)
        members = [AggregateEngine(Client(parse(engine.url)), engine.address) for engine in (bad, good)]
        server = Server(Aggregate(Members(members, lines.append)), log=lines.append)
        try:
            front = AggregateFront(await server.listen(parse("tcp://127.0.0.1:0")), lines)
            front.bad, front.good, front.members = bad, good, members
            yield front
        finally:
            await server.close()


async def has_an_answer(front: AggregateFront, target: str) -> bytes:
    """A list is given and can be shown, whatever the bad member says."""
    reply = await front.ask("GET", target, seconds=20)
    body = await reply.read()
    assert reply.status == 200, (target, body)
    showable(reply, body)
    return body


async def makes(front: AggregateFront, name: str) -> None:
    """A container is made on the sound member."""
    made = await front.ask("POST", f"/containers/create?name=good/{name}", {"Image": "busybox"})
    assert made.status == 201, await made.read()


FROM_THE_START = ("silence", "cut short", "nested lists", "many empty lists", "nasty name", "shape 7")


@pytest.mark.parametrize(
    ("kind", "introduced"), [(kind, True) for kind in sorted(HOSTILE)] + [(kind, False) for kind in FROM_THE_START]
)
async def test_lists_have_what_the_others_say(kind: str, introduced: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    quick(monkeypatch)
    monkeypatch.setattr("machine.swarmd.aggregate.members.PATIENCE", 3.0)  # of a sound one on a busy computer, too
    monkeypatch.setattr("machine.swarmd.aggregate.members.SLOW", 0.2)

    async with aggregate({} if introduced else {"*": HOSTILE[kind]}) as front:
        if introduced:
            await front.value("GET", "/info")
            front.bad.answers["*"] = HOSTILE[kind]
        # Each may wait PATIENCE, a create twice.
        containers, *_ = await asyncio.gather(*(has_an_answer(front, target) for target in LISTS), makes(front, "x"))
        assert any("/good/good-1" in found["Names"] for found in json.loads(containers or b""))
    for line in front.lines:
        assert "bug" not in line
        assert "\x1b" not in line
        assert not line.startswith("Traceback"), line


async def test_a_member_of_an_old_api_lowers_nobody_elses() -> None:
    async with aggregate({"/version": json_answer({"Version": "1", "ApiVersion": "0.1"})}) as front:
        assert (await front.value("GET", "/version"))["ApiVersion"] == "1.51"
        assert any("1.24 is the oldest" in member.failure for member in front.members)


async def test_a_create_on_a_member_that_hangs_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("machine.swarmd.aggregate.members.PATIENCE", 0.3)
    monkeypatch.setattr("machine.swarmd.aggregate.members.SLOW", 0.2)

    async with aggregate({}) as front:
        await front.value("GET", "/info")
        front.bad.answers["POST /containers/create"] = HOSTILE["silence"]
        front.bad.answers["/_ping"] = HOSTILE["silence"]
        reply = await front.ask("POST", "/containers/create?name=bad/x", {"Image": "busybox"}, seconds=5)
        assert (reply.status, b"bad has stopped answering" in await reply.read()) == (504, True)
