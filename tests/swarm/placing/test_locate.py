"""Where volumes, networks and a Compose project are: engines in memory, as the manager and the aggregate show them."""

from __future__ import annotations

from typing import Any

import pytest

from machine.swarm.api.responses import EngineReply, send_checked
from machine.swarm.pipeline import ApiError, Reply, Request
from machine.swarm.placing.locate import locate
from machine.swarm.placing.name_reservations import NameReservations
from machine.swarm.placing.project import engines_of_project
from machine.swarm.placing.relocate import choose_engine_with_moves, is_empty, move_volume
from machine.swarm.scheduler.node import Node, PlainContainer
from machine.swarm.scheduler.placement_request import PlacementRequest, RequiredObject

LOCAL = {"Driver": "local", "Scope": "local"}


class View:
    """An engine with volumes (name -> bytes in it), networks and containers; keeps the calls that change something."""

    reachable = True

    def __init__(self, name: str, volumes: dict[str, int] | None = None, networks: tuple[str, ...] = ()) -> None:
        self.name = self.address = name
        self.sizes = volumes or {}
        self.volumes: list[dict[str, Any]] = [{**LOCAL, "Name": volume} for volume in self.sizes]
        self.networks: list[dict[str, Any]] = [{**LOCAL, "Name": net, "Id": f"{net}-{name}"} for net in networks]
        self.containers: dict[str, PlainContainer] = {}
        self.node = Node(name, address=name, containers=self.containers)
        self.calls: list[str] = []

    def add(self, key: str, *, volume: str = "", network: str = "", project: str = "") -> None:
        """Have a container with these."""
        labels = {"com.docker.compose.project": project} if project else {}
        self.containers[key] = PlainContainer(
            key, (key,), labels, volumes=(volume,) if volume else (), networks=(network,) if network else ()
        )

    async def get(self, path: str, query: dict[str, list[str]] | None = None) -> Any:
        """Answer the question for the sizes of volumes."""
        assert (path, query) == ("/system/df", {"type": ["volume"]})
        return {"Volumes": [{"Name": name, "UsageData": {"Size": size}} for name, size in self.sizes.items()]}

    async def ask(self, request: Request) -> EngineReply:
        """Keep the call."""

        async def answer(_: Request) -> Reply:
            self.calls.append(f"{request.method} {request.target}")
            return Reply(204) if request.method == "DELETE" else Reply.json({"Name": "x", "Driver": "local"}, 201)

        return await send_checked(answer, request, self.name)


async def volume(name: str, *engines: View) -> set[str]:
    found = await locate(engines, PlacementRequest(volumes=(name,)))
    return {node for each in found for node in each.nodes}


async def network(name: str, *engines: View, one_per_name: bool = False) -> set[str]:
    found = await locate(engines, PlacementRequest(networks=(name,)), one_per_name=one_per_name)
    return {node for each in found for node in each.nodes}


async def test_a_volume_is_where_it_is_used_else_where_it_has_data_else_anywhere() -> None:
    a, b, c = View("a", {"v": 0, "empty": 0}), View("b", {"v": 5, "empty": 0}), View("c", {"v": 0})
    assert await volume("v", a, b, c) == {"b"}
    assert await volume("empty", a, b, c) == {"a", "b"}
    assert await volume("none", a, b, c) == set()
    c.add("x", volume="v")
    assert await volume("v", a, b, c) == {"c"}
    a.add("y", volume="none")
    assert await volume("none", a, b, c) == {"a"}, "a container that is being made will make it there"
    for engine in (a, b, c):
        engine.volumes = [{**each, "Scope": "global"} for each in engine.volumes]
    c.containers.clear()
    assert await volume("v", a, b, c) == set(), "it is the same on all"


async def test_a_network_is_on_the_engines_that_have_it() -> None:
    a, b = View("a", networks=("net",)), View("b", networks=("net", "own"))
    assert await network("net", a, b) == {"a", "b"}
    assert await network("own", a, b) == {"b"}
    assert await network("own-b", a, b) == {"b"}, "by its id, however it looks"


async def test_one_network_on_all_engines_is_where_its_containers_are() -> None:
    a, b = View("a", networks=("net",)), View("b", networks=("net", "own"))
    assert await network("net", a, b, one_per_name=True) == set()
    assert await network("own", a, b, one_per_name=True) == {"b"}
    b.add("x", network="net-b")
    assert await network("net", a, b, one_per_name=True) == {"b"}, "whether it is joined by name or by id"
    a.networks[0]["Scope"] = "swarm"
    assert await network("net", a, b, one_per_name=True) == set()


async def test_only_what_is_empty_on_all_engines_moves() -> None:
    a, b, c = View("a", {"v": 0, "full": 1}), View("b", {"v": 0}), View("c")
    assert await is_empty([a, b], "v")
    assert not await is_empty([a], "full")
    assert not await is_empty([], "v")
    await move_volume([a, b], c, "v", "1.43")
    assert c.calls == ["POST /v1.43/volumes/create"]
    assert a.calls == b.calls == ["DELETE /v1.43/volumes/v"]
    await move_volume([a, b], b, "v")
    assert len(b.calls) == 1, "it is there"
    b.add("x", volume="v")
    assert not await is_empty([a, b], "v")


async def test_as_little_is_left_behind_as_will_do() -> None:
    net, vol = RequiredObject("network", "n", frozenset("a")), RequiredObject("volume", "v", frozenset("b"))
    asked = PlacementRequest(required_objects=(net, vol))
    allowed: list[tuple[RequiredObject, ...]] = []

    async def fit(wanted: PlacementRequest) -> str:
        if wanted.required_objects in allowed:
            return "engine"
        raise ApiError(409, f"{len(wanted.required_objects)} things are elsewhere")

    async def movable(located: Any) -> list[RequiredObject]:
        return list(located)

    with pytest.raises(ApiError, match="2 things"):
        await choose_engine_with_moves(fit, asked, movable)
    for left, leaving in (((), [net, vol]), ((net,), [vol]), ((vol,), [net]), ((net, vol), [])):
        allowed.append(left)
        assert await choose_engine_with_moves(fit, asked, movable) == ("engine", leaving)


def test_a_project_is_where_its_volumes_are_else_its_networks_else_its_containers() -> None:
    a, b, c = View("a", {"v": 0}), View("b", networks=("net",)), View("c")
    c.add("x", project="app")
    found = engines_of_project([a, b, c], "app")
    assert found == [c]
    b.networks[0]["Labels"] = a.volumes[0]["Labels"] = {"com.docker.compose.project": "app"}
    assert engines_of_project([b, c], "app") == [b]
    assert engines_of_project([a, b, c], "app") == [a]
    assert engines_of_project([a, b, c], "") == []


def test_a_name_is_given_once_at_a_time() -> None:
    names = NameReservations()
    with names.reserve("web"), names.reserve(""), names.reserve(""):
        with (
            pytest.raises(ApiError, match="name web is already assigned") as refused,
            names.reserve("web"),
        ):
            pass
        assert refused.value.status == 409
    with pytest.raises(ApiError), names.reserve("web", in_use=True):
        pass
    with names.reserve("web"):
        pass
