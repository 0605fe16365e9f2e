"""The table of Docker's routes, and how a path is found in it."""

from __future__ import annotations

import pytest

from machine.swarm.parsing.routes import METHODS, ROUTES, SWARM_MODE, Answerer, Body, find, methods_of
from machine.swarm.pipeline import Request

ID = "a" * 64


@pytest.mark.parametrize(
    ("method", "path", "route", "name"),
    [
        ("GET", "/containers/json", "/containers/json", ""),
        ("GET", "/containers/web/json", "/containers/{name}/json", "web"),
        ("GET", "/containers/json/json", "/containers/{name}/json", "json"),
        ("POST", "/containers/node/web/start", "/containers/{name}/start", "node/web"),
        ("GET", "/containers/h/attach/ws", "/containers/{name}/attach/ws", "h"),
        ("DELETE", "/containers/node/web", "/containers/{name}", "node/web"),
        ("GET", "/images/get", "/images/get", ""),
        ("GET", "/images/reg:5000/a/b:1/get", "/images/{name}/get", "reg:5000/a/b:1"),
        ("GET", "/networks/create", "/networks/{name}", "create"),
        ("POST", "/networks/create", "/networks/create", ""),
        ("GET", "/volumes/node/data", "/volumes/{name}", "node/data"),
        ("GET", "/services/web/logs", "/services/{name}/logs", "web"),
        ("PUT", "/services/web/update", "/services/{name}", "web/update"),
    ],
)
def test_a_path_is_found_with_its_name(method: str, path: str, route: str, name: str) -> None:
    found = find(method, path)
    assert found == (ROUTES[method, route], name)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nonsense"), ("GET", ""), ("GET", "/"), ("GET", "info"), ("PUT", "/info"), ("get", "/info"),
        ("GET", "/info/"), ("GET", "/containers//json"), ("GET", "/containers/"), ("DELETE", "/containers/"),
        ("GET", "/containers/web/nonsense"), ("GET", "/containers/attach/ws"), ("GET", "xcontainers/web/json"),
        ("OPTIONS", "/info"),
    ],
)  # fmt: skip
def test_what_the_api_does_not_have(method: str, path: str) -> None:
    assert find(method, path) == (None, "")


def test_every_route_is_found_by_any_name() -> None:
    assert len(ROUTES) > 100
    for (method, path), route in ROUTES.items():
        for name in ("web", "node/some thing", ID, "json", "a/attach/ws/b"):
            expected = name if "{name}" in path else ""
            assert find(method, path.replace("{name}", name)) == (route, expected)
        assert method in METHODS
        assert method in methods_of(path.replace("{name}", "x"))


def test_only_what_is_refused_is_of_swarm_mode() -> None:
    for route in ROUTES.values():
        assert route.kind != SWARM_MODE or route.answerer is Answerer.REFUSED
        assert route.body is Body.WHOLE or route.method in ("GET", "POST")


def test_a_request_knows_its_route() -> None:
    request = Request("GET", "/v1.43/containers/node%2Fweb/attach/ws?stream=1")
    assert request.route is ROUTES["GET", "/containers/{name}/attach/ws"]
    assert (request.name, request.verb) == ("node/web", "attach/ws")
    other = request.with_path("/nonsense")
    assert (other.route, other.name, other.verb) == (None, "", "")
