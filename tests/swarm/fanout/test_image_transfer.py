"""One pull, load or import on several engines: what its progress shows, and what it does not wait for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from machine.swarm.api.responses import EngineReply
from machine.swarm.api.shapes import anything
from machine.swarm.fanout.broadcast import broadcast, first_answer, having, successful
from machine.swarm.fanout.image_transfer import image_tag, loaded_images, transfer_image
from machine.swarm.merge.node_info import NodeInfo
from machine.swarm.pipeline import Refused, Reply, Request, Unreachable

PULL = Request("POST", "/images/create?fromImage=app&tag=1")


class ScriptedClient:
    """An engine that answers each call with the same bytes, or raises the same error."""

    def __init__(self, name: str, answer: bytes | Exception, *, doubtful: bool = False, hangs: bool = False) -> None:
        self.name, self.answer, self.doubtful, self.hangs = name, answer, doubtful, hangs
        self.node_info = NodeInfo(name)
        self.body = b""

    async def ask(self, request: Request) -> EngineReply:
        if self.hangs:
            await asyncio.Event().wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        if not isinstance(request.body, bytes):
            self.body = b"".join([piece async for piece in request.body])
        return EngineReply(Reply(200, (), self.answer), self.name, "", anything)


async def nothing(_: ScriptedClient) -> None:
    """Nothing is to be done for an engine that has ended."""


async def transfer(
    engines: Sequence[ScriptedClient], request: Request = PULL, *, details: bool = False
) -> tuple[list[Any], list[str]]:
    """The lines that the client gets, and the names of the engines on which it went well."""
    good: list[str] = []
    reply = await transfer_image(
        engines,
        request,
        details=details,
        after=nothing,
        finish=lambda fine, _: good.extend(engine.name for engine in fine),
    )
    return [json.loads(line) for line in (await reply.read()).splitlines()], good


LAYER = b'{"status":"Downloading","id":"abc","progressDetail":{"current":1}}\n'
DONE = b'{"status":"Status: Downloaded newer image for app:1"}\n'


@pytest.mark.parametrize("details", [False, True])
async def test_lines_of_each_engine_and_the_last_words_once(details: bool) -> None:
    engines = [ScriptedClient("a", LAYER + DONE), ScriptedClient("b", Unreachable(502, "refused"))]
    lines, good = await transfer(engines, details=details)
    assert good == ["a"]
    assert lines[:2] == [{"id": name, "status": "Pulling app:1..."} for name in "ab"]
    assert {"id": "b", "status": "Pulling app:1... : refused"} in lines
    assert {"id": "a", "status": "Pulling app:1... : downloaded"} in lines
    assert lines[-1] == json.loads(DONE)
    assert sum("Status: " in str(line) for line in lines) == 1
    assert ({**json.loads(LAYER), "id": "a: abc"} in lines) is details


async def test_more_lines_than_are_kept_for_a_client_all_come() -> None:
    engines = [ScriptedClient(name, LAYER * 100 + DONE) for name in "abc"]
    lines, good = await transfer(engines, details=True)
    assert good == ["a", "b", "c"]
    assert len(lines) == 3 + 300 + 3 + 1


async def test_an_error_after_the_beginning_is_in_the_stream() -> None:
    lines, good = await transfer([ScriptedClient("a", b'{"error":"no space"}\n')])
    assert not good
    assert lines[-1] == {"errorDetail": {"message": "no space"}, "error": "no space"}


async def test_what_all_refuse_has_not_begun() -> None:
    engines = [ScriptedClient("a", Refused(404, "no such")), ScriptedClient("b", Refused(403, "not you"))]
    with pytest.raises(Refused, match="a: no such; b: not you") as refused:
        await transfer(engines)
    assert refused.value.status == 404


async def test_a_body_that_breaks_off_ends_the_call() -> None:
    async def archive() -> AsyncIterator[bytes]:
        yield b"x" * 100
        raise ConnectionResetError("the client has gone")

    with pytest.raises(Refused, match="the client has gone"):
        await asyncio.wait_for(
            transfer([ScriptedClient("a", DONE)] * 2, Request("POST", "/images/load", (), archive())), 5
        )


@pytest.mark.parametrize(
    ("query", "tag"),
    [
        ("fromImage=app", "app"),
        ("fromImage=app&tag=1", "app:1"),
        ("fromImage=app&tag=sha256:1", "app@sha256:1"),
        ("fromSrc=-&repo=own&tag=2", "own:2"),
        ("fromSrc=-", ""),
    ],
)
def test_tags(query: str, tag: str) -> None:
    assert image_tag(Request("POST", f"/images/create?{query}")) == tag


def test_what_was_loaded() -> None:
    assert loaded_images([{"stream": "Loaded image: a:1\n"}, {"stream": "Loaded image ID: sha256:1"}, {}]) == ["a:1"]


async def test_who_hangs_is_waited_for_unless_that_was_seen_before() -> None:
    engines = [ScriptedClient("a", b"1"), ScriptedClient("b", b"2", doubtful=True, hangs=True)]
    log: list[str] = []
    answers = await asyncio.wait_for(broadcast(engines, lambda engine: engine.ask(PULL), log.append), 5)
    assert [engine.name for engine in successful(answers)] == ["a"]
    engines[1].doubtful = False
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(broadcast(engines, lambda engine: engine.ask(PULL), log.append), 0.6)
    assert not log


async def test_an_engines_answer_counts_more_than_that_another_cannot_be_reached() -> None:
    away = ScriptedClient("a", Unreachable(502, "refused"))
    for others, status, words in (
        ([ScriptedClient("b", Refused(404, "no such"))], 404, "no such"),
        ([ScriptedClient("b", Unreachable(504, "late"))], 502, "none of the engines answers: refused; late"),
        ([], 502, "refused"),
    ):
        results = await broadcast([away, *others], lambda engine: engine.ask(PULL), print)
        with pytest.raises(Refused) as refused:
            successful(results)
        assert (refused.value.status, refused.value.message) == (status, words)
        if not others:
            continue
        with pytest.raises(Refused) as refused:
            await first_answer([away, *others], PULL)
        assert refused.value.status == others[0].answer.status  # type: ignore[union-attr]


async def test_nonsense_of_one_engine_is_logged_and_the_others_count() -> None:
    engines = [ScriptedClient("a", KeyError("Id")), ScriptedClient("b", b"2")]
    log: list[str] = []
    answers = await broadcast(engines, lambda engine: engine.ask(PULL), log.append)
    assert [engine.name for engine in successful(answers)] == ["b"]
    assert "KeyError" in log[0]


async def test_who_has_a_thing_says_so_in_time() -> None:
    engines = [
        ScriptedClient("a", b"{}"),
        ScriptedClient("b", Refused(404, "no such")),
        ScriptedClient("c", b"{}", hangs=True),
        ScriptedClient("d", b"nonsense"),
        ScriptedClient("e", b"{}"),
    ]
    found = await having(engines, "/images/a b/json", print, 0.1)
    assert [engine.name for engine in found] == ["a", "e"]
