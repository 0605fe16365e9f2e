"""Calls are given to the functions that the manager and the aggregate have declared; the others are refused alike."""

from __future__ import annotations

from typing import Any

import pytest

from machine.swarm.manager.routes import HANDLERS as OF_MANAGER
from machine.swarm.parsing.routes import ROUTES, Answerer
from machine.swarm.pipeline import ApiError, Reply, Request
from machine.swarm.routing import Handlers
from machine.swarmd.aggregate.routes import HANDLERS as OF_AGGREGATE

TABLES: list[Handlers[Any]] = [OF_MANAGER, OF_AGGREGATE]


@pytest.mark.parametrize("handlers", TABLES)
def test_every_route_that_is_not_refused_has_an_answer(handlers: Handlers[Any]) -> None:
    assert handlers.routes == [route for route in ROUTES.values() if route.answerer is not Answerer.REFUSED]


@pytest.mark.parametrize("handlers", TABLES)
@pytest.mark.parametrize(
    ("method", "target", "status", "words"),
    [
        ("GET", "/nonsense", 404, "page not found: GET /nonsense"),
        ("PUT", "/v1.43/info", 405, "PUT is not for /info; it takes GET"),
        ("PUT", "/containers/web", 405, "PUT is not for /containers/web; it takes DELETE"),
        ("GET", "/images/viz", 501, "Not supported in clustering mode."),
        ("POST", "/plugins/pull", 501, "Not supported in clustering mode."),
        ("GET", "/plugins/x/json", 501, "Not supported in clustering mode."),
        ("GET", "/swarm", 503, "This node is not a swarm manager. "),
        ("GET", "/v1.43/services", 503, "This node is not a swarm manager. "),
        ("POST", "/services/create", 503, "This node is not a swarm manager. "),
        ("GET", "/tasks/1/logs", 503, "This node is not a swarm manager. "),
        ("POST", "/swarm/leave?force=1", 503, "This node is not part of a swarm. "),
        ("POST", "/swarm/init", 501, ""),
        ("POST", "/swarm/join", 501, ""),
    ],
)
async def test_what_nobody_answers(handlers: Handlers[Any], method: str, target: str, status: int, words: str) -> None:
    with pytest.raises(ApiError) as refused:
        await handlers.answer(None, Request(method, target))
    assert refused.value.status == status
    assert refused.value.message.startswith(words)


async def test_a_function_of_its_own_comes_before_that_of_the_kind() -> None:
    handlers: Handlers[str] = Handlers("This is a test.")

    @handlers.default_for_kind("container")
    async def rest(subject: str, request: Request) -> Reply:
        return Reply(200, (), f"{subject} rest {request.name} {request.verb}".encode())

    @handlers.handles("GET", "/containers/{name}/json", "/networks/{name}")
    async def inspect(subject: str, request: Request) -> Reply:
        return Reply(200, (), f"{subject} inspect {request.name}".encode())

    for target, text in (
        ("/containers/a/b/json", b"x inspect a/b"),
        ("/networks/n", b"x inspect n"),
        ("/containers/a/logs", b"x rest a logs"),
    ):
        assert (await handlers.answer("x", Request("GET", target))).body == text
    kept = [route for route in handlers.routes if route.kind != "network"]
    assert all(route.answerer is Answerer.OWNER for route in kept)  # neither lists nor creates
    assert ROUTES["GET", "/networks"] not in handlers.routes


def test_a_path_that_the_table_lacks_cannot_be_declared() -> None:
    with pytest.raises(KeyError):
        Handlers[None]("This is a test.").handles("GET", "/containers/{name}/jsno")
