"""One pull, load or import on several engines: what its progress shows, and what it does not wait for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from machine.swarm.fanout.image_transfer import image_tag, loaded_images, transfer_image
from machine.swarm.pipeline import ApiError, Request, Unreachable
from tests.swarm.fanout.scripted_client import ScriptedClient

PULL = Request("POST", "/images/create?fromImage=app&tag=1")


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
        after_each=nothing,
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
    engines = [ScriptedClient("a", ApiError(404, "no such")), ScriptedClient("b", ApiError(403, "not you"))]
    with pytest.raises(ApiError, match="a: no such; b: not you") as refused:
        await transfer(engines)
    assert refused.value.status == 404


async def test_a_body_that_breaks_off_ends_the_call() -> None:
    async def archive() -> AsyncIterator[bytes]:
        yield b"x" * 100
        raise ConnectionResetError("the client has gone")

    with pytest.raises(ApiError, match="the client has gone"):
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
