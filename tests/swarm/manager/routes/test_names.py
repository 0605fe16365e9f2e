"""Networks and volumes come back under the names that clients gave them; NODE/NAME is understood everywhere."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from machine.swarm import events
from machine.swarm.manager.routes import object_filters
from machine.swarm.pipeline import ApiError, CallNext, Reply, Request
from machine.swarmd.simulator.engine import SimulatedEngine
from tests.swarm.fleet import Fleet, SimulatedHost, swarm

PROJECT = "com.docker.compose.project"


def query(**filters: list[str]) -> str:
    return "?filters=" + quote(json.dumps(filters))


async def networks(fleet: Fleet, **filters: list[str]) -> list[str]:
    return sorted(n["Name"] for n in await fleet.ask("GET", "/networks" + query(type=["custom"], **filters)))


async def volumes(fleet: Fleet, **filters: list[str]) -> list[str]:
    return sorted(v["Name"] for v in (await fleet.ask("GET", "/volumes" + query(**filters)))["Volumes"])


def on_engines(fleet: Fleet, kind: str) -> dict[str, list[str]]:
    """Names by engine, as the engines have them."""
    found = {}
    for place in fleet.hosts:
        things = getattr(place.engine, kind).values()
        found[place.engine.name] = sorted(t["Name"] for t in things if t["Name"] not in object_filters.PREDEFINED)
    return found


@pytest.mark.parametrize(("kind", "listed"), [("networks", networks), ("volumes", volumes)])
async def test_made_listed_inspected_and_removed_under_one_name(
    kind: str, listed: Callable[..., Any], fleet: Fleet
) -> None:
    await fleet.ask("POST", f"/{kind}/create", {"Name": "app", "Labels": {"k": "v"}})
    assert await listed(fleet) == await listed(fleet, name=["app"]) == await listed(fleet, label=["k=v"]) == ["app"]
    assert sorted(filter(None, on_engines(fleet, kind).values())) == [["app"]]
    shown = await fleet.ask("GET", f"/{kind}/app")
    assert shown["Name"] == "app"
    assert await fleet.ask("GET", f"/{kind}/n1/app") == shown  # the engine's own words
    await fleet.call("DELETE", f"/{kind}/app")
    assert await listed(fleet) == []
    with pytest.raises(ApiError) as gone:
        await fleet.ask("GET", f"/{kind}/app")
    assert gone.value.status == 404


@pytest.mark.parametrize(("kind", "listed"), [("networks", networks), ("volumes", volumes)])
async def test_two_of_one_name_are_told_apart_until_one_goes(
    kind: str, listed: Callable[..., Any], fleet: Fleet
) -> None:
    for node in ("n1", "n3"):
        await fleet.ask("POST", f"/{kind}/create", {"Name": f"{node}/app"})
    assert await listed(fleet) == ["n1/app", "n3/app"]
    assert await listed(fleet, node=["n3"]) == await listed(fleet, name=["n3/app"]) == ["n3/app"]
    assert await listed(fleet, name=["n3/app", "n2/app"]) == ["n3/app"]
    assert await listed(fleet, name=["n2/app"]) == []
    assert (await fleet.ask("GET", f"/{kind}/n3/app"))["Name"] == "app"
    await fleet.call("DELETE", f"/{kind}/n1/app")
    assert await listed(fleet) == ["app"]
    assert on_engines(fleet, kind) == {"n1": [], "n2": [], "n3": ["app"]}


@pytest.mark.parametrize("kind", ["networks", "volumes"])
async def test_one_name_asked_for_many_times_at_once_is_made_on_one_engine(kind: str, fleet: Fleet) -> None:
    calls = (fleet.ask("POST", f"/{kind}/create", {"Name": "app"}) for _ in range(20))
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert sorted(filter(None, on_engines(fleet, kind).values())) == [["app"]]
    conflicts = [each.status for each in done if isinstance(each, ApiError)]
    assert conflicts == ([409] * 19 if kind == "networks" else [])
    assert fleet.context.locks == {}


async def test_a_network_that_exists_is_refused_as_an_engine_does(fleet: Fleet) -> None:
    await fleet.ask("POST", "/networks/create", {"Name": "n2/app"})
    with pytest.raises(ApiError, match="network with name app already exists") as told:
        await fleet.ask("POST", "/networks/create", {"Name": "app"})
    assert told.value.status == 409


async def test_the_networks_that_every_engine_has_are_inspected_without_a_node(fleet: Fleet) -> None:
    assert (await fleet.ask("GET", "/networks/bridge"))["Name"] == "bridge"
    assert (await fleet.ask("GET", "/networks/n2/host"))["Name"] == "host"


async def test_a_network_is_found_by_name_even_if_it_looks_like_a_node(fleet: Fleet) -> None:
    await fleet.ask("POST", "/networks/create", {"Name": "n1"})
    assert (await fleet.ask("GET", "/networks/n1"))["Name"] == "n1"
    assert await networks(fleet, name=["n1"]) == ["n1"]


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["app"], ["app"]),
        (["n1/app"], ["app"]),
        (["n2/app"], None),
        (["n2/app", "web"], ["web"]),
        (["n1/app", "app"], ["app"]),
        (["n1"], ["n1"]),
        (["n2"], ["n2"]),
        (["other/app"], ["other/app"]),
        ([], []),
    ],
)
def test_names_in_a_filter_as_they_are_on_one_node(names: list[str], found: list[str] | None) -> None:
    asked = object_filters.at_node({"name": names, "label": ["k"]}, "n1", {"n1", "n2"})
    assert asked == (None if found is None else {"name": found, "label": ["k"]})


def test_events_of_an_object_are_asked_for_with_its_node_too() -> None:
    event = {"Type": "volume", "Action": "create", "Actor": {"ID": "data", "Attributes": {"node.name": "n1"}}}
    for value, passes in (("data", True), ("n1/data", True), ("n2/data", False), ("n1/x", False)):
        assert events.passes(event, {"volume": [value]}) is passes


NETWORK = {"Name": "app_default", "Id": "abc123", "Driver": "bridge", "Scope": "local", "Labels": {"k": "v", "e": ""}}


@pytest.mark.parametrize(
    ("filters", "passes"),
    [
        ({}, True),
        ({"name": ["app"]}, True),
        ({"name": ["^app_default$"]}, True),
        ({"name": ["other", "def"]}, True),
        ({"name": ["^app$"]}, False),
        ({"name": ["(app"]}, False),  # no regular expression: then it is looked for as it is
        ({"id": ["abc"]}, True),
        ({"id": ["zzz"]}, False),
        ({"driver": ["bridge", "overlay"]}, True),
        ({"driver": ["brid"]}, False),
        ({"label": ["k", "e"]}, True),
        ({"label": ["k=v"]}, True),
        ({"label": ["k=w"]}, False),
        ({"label": ["k", "missing"]}, False),
        ({"scope": ["swarm"]}, False),
        ({"type": ["custom"]}, True),
        ({"type": ["builtin"]}, False),
        ({"name": ["app"], "label": ["missing"]}, False),
    ],
)
def test_filters_of_networks_as_an_engine_applies_them(filters: dict[str, list[str]], passes: bool) -> None:
    assert object_filters.can_apply_locally(filters, object_filters.NETWORK_FILTERS)
    assert object_filters.network_passes(NETWORK, filters) is passes
    assert object_filters.network_passes({**NETWORK, "Labels": None}, {"label": ["k"]}) is False


@pytest.mark.parametrize("filters", [{"dangling": ["true"]}, {"type": ["nonsense"]}, {"nonsense": ["x"]}])
def test_what_cannot_be_told_from_memory_is_asked_of_the_engines(filters: dict[str, list[str]]) -> None:
    assert not object_filters.can_apply_locally(filters, object_filters.NETWORK_FILTERS)


async def test_filtered_lists_do_not_wait_for_an_engine_that_hangs(fleet: Fleet) -> None:
    await fleet.ask("POST", "/networks/create", {"Name": "app"})
    fleet.hosts[1].hangs = True
    async with asyncio.timeout(2):
        assert await networks(fleet, name=["app"]) == ["app"]
        assert await volumes(fleet, name=["app"]) == []


async def test_the_parts_of_a_compose_project_are_made_on_one_engine(fleet: Fleet) -> None:
    mine = {PROJECT: "app"}
    for _ in range(2):
        await fleet.create(Env=["constraint:node==n1"])
    await fleet.ask("POST", "/networks/create", {"Name": "n1/app_one", "Labels": mine})
    for name in ("two", "three"):
        await fleet.ask("POST", "/networks/create", {"Name": f"app_{name}", "Labels": mine})
    await fleet.ask("POST", "/volumes/create", {"Name": "app_data", "Labels": mine})
    await fleet.ask("POST", "/volumes/create", {"Name": "free"})
    assert on_engines(fleet, "volumes") == {"n1": ["app_data"], "n2": ["free"], "n3": []}
    assert on_engines(fleet, "networks")["n1"] == ["app_one", "app_three", "app_two"]


async def test_a_volume_of_a_project_decides_where_its_next_network_is(fleet: Fleet) -> None:
    labels = {PROJECT: "app"}
    await fleet.ask("POST", "/volumes/create", {"Name": "n3/app_data", "Labels": labels})
    await fleet.ask("POST", "/networks/create", {"Name": "app_default", "Labels": labels})
    assert on_engines(fleet, "networks")["n3"] == ["app_default"]


async def test_a_volume_that_exists_is_the_one_that_is_meant(fleet: Fleet) -> None:
    await fleet.ask("POST", "/volumes/create", {"Name": "n3/data"})
    assert (await fleet.ask("POST", "/volumes/create", {"Name": "data"}))["Name"] == "data"
    assert on_engines(fleet, "volumes") == {"n1": [], "n2": [], "n3": ["data"]}


async def test_a_volume_on_an_engine_that_is_lost_is_not_begun_anew_in_silence(fleet: Fleet) -> None:
    await fleet.ask("POST", "/volumes/create", {"Name": "n3/data"})
    fleet.hosts[2].switch(down=True)
    await fleet.until(lambda: len(fleet.cluster.healthy()) == 2)
    with pytest.raises(ApiError, match=r"volume data is on n3, which does not answer.* docker volume create n1/data"):
        await fleet.ask("POST", "/volumes/create", {"Name": "data"})
    with pytest.raises(ApiError, match=r"healthy \(not on n3\); volume data \(not on n1, n2\)"):
        await fleet.create(HostConfig={"Binds": ["data:/d"]})


async def test_a_whitelist_makes_a_volume_on_every_engine_that_it_names(fleet: Fleet) -> None:
    labels = {"com.docker.swarm.whitelists": '["node==n1|n3"]'}
    await fleet.ask("POST", "/volumes/create", {"Name": "data", "Labels": labels})
    assert on_engines(fleet, "volumes") == {"n1": ["data"], "n2": [], "n3": ["data"]}
    labels = {"com.docker.swarm.whitelists": '["node==n7"]'}
    with pytest.raises(ApiError, match="Unable to find a node that satisfies the following conditions: whitelist"):
        await fleet.ask("POST", "/volumes/create", {"Name": "other", "Labels": labels})


async def test_connecting_means_the_network_on_the_containers_engine() -> None:
    async with swarm(simulated_engines=[SimulatedEngine("n1"), SimulatedEngine("n2")]) as fleet:
        asked = []

        async def say_yes(
            request: Request, place: SimulatedHost = fleet.hosts[1], real: CallNext = fleet.hosts[1].__call__
        ) -> Reply:
            if request.path.endswith("/connect"):
                asked.append(request.path)
                return (await real(type(request)("GET", "/_ping"))).__class__(200)
            return await real(request)

        for node in ("n1", "n2"):
            await fleet.ask("POST", "/networks/create", {"Name": f"{node}/app"})
        await fleet.create("web", Env=["constraint:node==n2"])
        await fleet.create("other", Env=["constraint:node==n1"], HostConfig={"NetworkMode": "app"})
        fleet.engine("n2").client = say_yes
        await fleet.call("POST", "/networks/app/connect", {"Container": "web"})
        (mine,) = [key for key, n in fleet.hosts[1].engine.networks.items() if n["Name"] == "app"]
        assert asked == [f"/networks/{mine}/connect"]
        with pytest.raises(ApiError, match="n1/app is not on n2"):
            await fleet.call("POST", "/networks/n1/app/connect", {"Container": "web"})
        made = await fleet.ask("POST", "/networks/create", {"Name": "n1/unused"})
        await fleet.call("POST", f"/networks/{made['Id']}/connect", {"Container": "web"})
        (moved,) = [key for key, n in fleet.hosts[1].engine.networks.items() if n["Name"] == "unused"]
        assert asked[1:] == [f"/networks/{moved}/connect"]


@pytest.mark.parametrize("name", ["a\nb", "x\x00", "\x1b[2J", "a\u202eb", "\ufeffx"])
async def test_a_network_is_not_given_a_name_for_which_its_engine_would_not_be_believed(
    name: str, fleet: Fleet
) -> None:
    with pytest.raises(ApiError, match="unprintable"):
        await fleet.call("POST", "/networks/create", {"Name": name})
    assert not any(method == "POST" for place in fleet.hosts for method, _ in place.asked)


@pytest.mark.parametrize(
    "host", [{"Mounts": [None]}, {"PortBindings": {"80/tcp": [None]}}, {"Links": 5}, {"Mounts": [{"Type": []}]}]
)
async def test_what_is_wrong_with_a_create_is_said_in_words(host: dict[str, Any], fleet: Fleet) -> None:
    with pytest.raises(ApiError) as error:
        await fleet.create("x", HostConfig=host)
    assert error.value.status == 400
    assert "NoneType" not in error.value.message


async def test_a_volumes_body_is_an_object(fleet: Fleet) -> None:
    body: object
    for body in ([], 5, "x"):
        with pytest.raises(ApiError, match="JSON object"):
            await fleet.call("POST", "/volumes/create", body)
