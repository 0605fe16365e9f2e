"""One call to many engines: whose answers count, and who is not waited for."""

from __future__ import annotations

import asyncio

import pytest

from machine.swarm.fanout.broadcast import broadcast, engines_with, first_answer, successful
from machine.swarm.pipeline import ApiError, Request, Unreachable
from tests.swarm.fanout.scripted_client import ScriptedClient

PULL = Request("POST", "/images/create?fromImage=app&tag=1")


async def test_who_hangs_is_waited_for_unless_that_was_seen_before() -> None:
    engines = [ScriptedClient("a", b"1"), ScriptedClient("b", b"2", suspect=True, hangs=True)]
    log: list[str] = []
    answers = await asyncio.wait_for(broadcast(engines, lambda engine: engine.ask(PULL), log.append), 5)
    assert [engine.name for engine in successful(answers)] == ["a"]
    engines[1].suspect = False
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(broadcast(engines, lambda engine: engine.ask(PULL), log.append), 0.6)
    assert not log


async def test_an_engines_answer_counts_more_than_that_another_cannot_be_reached() -> None:
    away = ScriptedClient("a", Unreachable(502, "refused"))
    for others, status, words in (
        ([ScriptedClient("b", ApiError(404, "no such"))], 404, "no such"),
        ([ScriptedClient("b", Unreachable(504, "late"))], 502, "none of the engines answers: refused; late"),
        ([], 502, "refused"),
    ):
        results = await broadcast([away, *others], lambda engine: engine.ask(PULL), print)
        with pytest.raises(ApiError) as refused:
            successful(results)
        assert (refused.value.status, refused.value.message) == (status, words)
        if not others:
            continue
        with pytest.raises(ApiError) as refused:
            await first_answer([away, *others], PULL)
        said = others[0].answer
        assert isinstance(said, ApiError)
        assert refused.value.status == said.status


async def test_nonsense_of_one_engine_is_logged_and_the_others_count() -> None:
    engines = [ScriptedClient("a", KeyError("Id")), ScriptedClient("b", b"2")]
    log: list[str] = []
    answers = await broadcast(engines, lambda engine: engine.ask(PULL), log.append)
    assert [engine.name for engine in successful(answers)] == ["b"]
    assert "KeyError" in log[0]


async def test_who_has_a_thing_says_so_in_time() -> None:
    engines = [
        ScriptedClient("a", b"{}"),
        ScriptedClient("b", ApiError(404, "no such")),
        ScriptedClient("c", b"{}", hangs=True),
        ScriptedClient("d", b"nonsense"),
        ScriptedClient("e", b"{}"),
    ]
    found = await engines_with(engines, "/images/a b/json", print, 0.1)
    assert [engine.name for engine in found] == ["a", "e"]
