"""Where an aggregate puts containers and volumes: beside their data and neighbours, and it says when it cannot."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

import pytest

from machine.swarm.pipeline import ApiError, Reply, Request
from tests.swarmd.aggregate.test_aggregate import AggregateWithEngines, lines

PROJECT = {"Labels": {"com.docker.compose.project": "app"}}


def using(*volumes: str, network: str = "") -> dict[str, Any]:
    """The HostConfig of a container with these volumes, on a network."""
    host: dict[str, Any] = {"Binds": [f"{name}:/data" for name in volumes]}
    return {"HostConfig": {**host, "NetworkMode": network} if network else host}


def having(fleet: AggregateWithEngines, volume: str) -> list[str]:
    """The engines that have the volume."""
    return [engine.name for engine in fleet.engines if volume in engine.volumes]


async def remove(fleet: AggregateWithEngines, name: str) -> None:
    reply = await fleet.all(Request("DELETE", f"/containers/{name}?force=1"))
    assert reply.status == 204


async def test_a_volume_is_made_on_one_engine_and_holds_its_containers() -> None:
    fleet = AggregateWithEngines(containers=0)
    await fleet.post("/volumes/create", {"Name": "cache"})
    (home,) = having(fleet, "cache")
    for name in ("writer", "reader"):
        assert await fleet.create(name, **using("cache")) == home
        await fleet.create()  # others go elsewhere, so that the counts would say another engine
        await remove(fleet, name)
    assert (await fleet.post("/volumes/create", {"Name": "cache"}))["Name"] == "cache", "made twice is made once"
    assert having(fleet, "cache") == [home]
    await fleet.all(Request("DELETE", "/volumes/cache"))
    assert having(fleet, "cache") == []


async def test_a_volume_that_a_create_makes_is_where_its_container_is() -> None:
    fleet = AggregateWithEngines(containers=0)
    home = await fleet.create("one", **using("data"))
    assert having(fleet, "data") == [home]
    mounts = [{"Type": "volume", "Source": "data", "Target": "/x"}]
    assert await fleet.create("two", HostConfig={"Mounts": mounts}) == home
    assert having(fleet, "data") == [home]


async def test_where_two_engines_have_one_the_one_with_data_counts() -> None:
    fleet = AggregateWithEngines(containers=0)
    for engine in fleet.engines[:2]:
        engine.answer("POST", "/volumes/create", b'{"Name":"twin"}')
    fleet.engines[1].volumes_with_data.add("twin")
    for engine in fleet.engines:
        engine.answer("POST", "/networks/create", b'{"Name":"net"}')
    assert await fleet.create("c/there", **using(network="net")) == "c"
    with pytest.raises(ApiError, match=r"volume twin \(not on a, c\); network net \(not on b\)") as no:
        await fleet.create("both", **using("twin", network="net"))
    assert no.value.status == 409
    fleet.engines[1].volumes_with_data.clear()
    assert await fleet.create("both", **using("twin", network="net")) == "c", "an empty one is no reason"
    assert having(fleet, "twin") == ["c"], "it has moved"


async def test_containers_of_one_network_stay_together() -> None:
    fleet = AggregateWithEngines(containers=0)
    await fleet.post("/networks/create", {"Name": "net"})
    first = await fleet.create("db", **using(network="net"))
    endpoints: dict[str, Any] = {"NetworkingConfig": {"EndpointsConfig": {"net": {}}}}
    assert [await fleet.create(f"web{i}", **endpoints) for i in range(4)] == [first] * 4
    others = {engine.name for engine in fleet.engines} - {first}
    assert {await fleet.create(f"lone{i}") for i in range(2)} == others
    with pytest.raises(ApiError, match=f"net has its containers on {first}, which one on") as no:
        await fleet.post("/networks/net/connect", {"Container": "lone0"})
    assert no.value.status == 409
    away = min(others)
    assert await fleet.create(f"{away}/told", **using(network="net")) == away, "who names an engine knows"


async def test_a_network_that_spans_engines_holds_nobody() -> None:
    fleet = AggregateWithEngines(containers=0)
    for engine in fleet.engines:
        made = json.loads(engine.answer("POST", "/networks/create", b'{"Name":"wide"}').body)["Id"]
        engine.networks[made]["Scope"] = "swarm"
    nodes = [await fleet.create(f"c{i}", **using(network="wide"), **PROJECT) for i in range(3)]
    assert sorted(nodes) == ["a", "b", "c"]


async def test_a_compose_project_stays_together() -> None:
    fleet = AggregateWithEngines(containers=0)
    fleet.engines[2].images["app-web:latest"] = "sha256:" + "c" * 64
    first = await fleet.create("app-db-1", **PROJECT)
    assert [await fleet.create(f"app-w{i}-1", **PROJECT) for i in range(3)] == [first] * 3
    await fleet.post("/volumes/create", {"Name": "app_data", **PROJECT})
    assert having(fleet, "app_data") == [first]
    for name in ("app-db-1", *(f"app-w{i}-1" for i in range(3))):
        await remove(fleet, name)
    await fleet.create()  # the counts say another engine now
    assert await fleet.create("app-db-1", **PROJECT) == first, "its volume is there"


async def test_what_cannot_be_together_is_said() -> None:
    fleet = AggregateWithEngines(containers=0)
    await fleet.create("a/one", **using("data"))
    await fleet.create("b/two")
    with pytest.raises(ApiError, match=r"container two \(not on a, c\); volume data \(not on b\)") as no:
        await fleet.create("three", HostConfig={"NetworkMode": "container:two", "Binds": ["data:/x"]})
    assert no.value.status == 409
    with pytest.raises(ApiError, match=r"volume data \(not on b\)"):
        await fleet.create("b/three", **using("data"))
    assert having(fleet, "data") == ["a"]


async def test_a_volume_of_an_engine_that_is_away_is_not_made_anew() -> None:
    fleet = AggregateWithEngines(containers=0)
    home = await fleet.create("one", **using("data"))
    fleet.away.add(home)
    with pytest.raises(ApiError, match=f"volume data is on {home}, which does not answer"):
        await fleet.create("two", **using("data"))
    with pytest.raises(ApiError, match=f"volume data is on {home}, which does not answer"):
        await fleet.post("/volumes/create", {"Name": "data"})
    fleet.away.clear()
    assert await fleet.create("two", **using("data")) == home


async def test_one_that_is_away_does_not_stop_the_others_and_catches_up() -> None:
    fleet = AggregateWithEngines(containers=0)
    await fleet.get("/info")
    fleet.away.add("b")
    made = await fleet.post("/networks/create", {"Name": "net"})
    assert made["Warning"] == "b does not answer, and gets the network when it is back"
    await fleet.post("/networks/create", {"Name": "gone"})
    await fleet.all(Request("DELETE", "/networks/gone"))
    await fleet.post("/volumes/create", {"Name": "vol"})
    fleet.away.clear()
    for i in range(3):
        await fleet.create(f"c{i}")
    names = [{net["Name"] for net in engine.networks.values()} for engine in fleet.engines]
    assert ["net" in each for each in names] == [True, True, True]
    assert not any("gone" in each for each in names)
    assert any("b is back and now has network net" in line for line in fleet.said)


async def test_a_network_is_on_all_or_on_none(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = AggregateWithEngines(containers=0)
    await fleet.get("/info")
    inner = fleet.all.members.all[2].ask

    async def refuse(request: Request) -> Any:
        if request.path == "/networks/create":
            raise ApiError(403, "pool overlaps")
        return await inner(request)

    monkeypatch.setattr(fleet.all.members.all[2], "ask", refuse)
    with pytest.raises(ApiError, match="c: pool overlaps"):
        await fleet.post("/networks/create", {"Name": "net"})
    assert not any("net" in {net["Name"] for net in engine.networks.values()} for engine in fleet.engines)


async def test_a_node_can_be_named_for_volumes_and_networks() -> None:
    fleet = AggregateWithEngines(containers=0)
    await fleet.post("/volumes/create", {"Name": "b/vol"})
    assert having(fleet, "vol") == ["b"]
    assert (await fleet.get("/volumes/b/vol"))["Name"] == "vol"
    assert (await fleet.get("/networks/c/bridge"))["Id"] in fleet.engines[2].networks
    with pytest.raises(ApiError, match="no engine z"):
        await fleet.post("/volumes/create", {"Name": "z/vol"})


async def test_a_push_looks_at_the_tag() -> None:
    fleet = AggregateWithEngines(containers=0)
    fleet.engines[1].images["repo/app:v2"] = "sha256:" + "d" * 64
    fleet.seen.clear()
    with pytest.raises(ApiError, match="page not found"):  # a simulated engine pushes nothing
        await fleet.post("/images/repo/app/push?tag=v2")
    assert ("b", "POST", "/images/repo/app/push") in fleet.seen
    with pytest.raises(ApiError, match="No such image: repo/app:v3"):
        await fleet.post("/images/repo/app/push?tag=v3")


async def test_a_load_and_an_import_are_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = AggregateWithEngines()
    await fleet.get("/info")
    words = {"load": b'{"stream":"Loaded image: x:1\\n"}\n', "create": b'{"status":"sha256:%s"}\n'}

    def asker(number: int) -> Any:
        async def ask(request: Request) -> Any:
            line = words[request.path.rpartition("/")[2]]
            return Reply(200, (), line % (b"%d" % number * 64) if b"%s" in line else line)

        return ask

    for number, member in enumerate(fleet.all.members.all):
        monkeypatch.setattr(member, "ask", asker(number))
    loaded = await lines(await fleet.all(Request("POST", "/images/load")))
    assert [line for line in loaded if "stream" in line] == loaded[-1:] == [{"stream": "Loaded image: x:1\n"}]
    imported = await lines(await fleet.all(Request("POST", "/images/create?fromSrc=-")))
    assert len(imported) == 1
    assert imported[0]["status"].startswith("sha256:")


async def test_a_new_project_begins_where_its_images_are() -> None:
    fleet = AggregateWithEngines(containers=1)
    fleet.engines[2].images["shop-web:latest"] = "sha256:" + "c" * 64
    shop = {"Labels": {"com.docker.compose.project": "shop"}}
    await fleet.post("/volumes/create", {"Name": "shop_data", **shop})
    assert having(fleet, "shop_data") == ["c"]
    await (await fleet.all(Request("POST", "/build?t=named"))).read()
    await fleet.create("b/busy")
    await fleet.create("c/busy2")
    other = {"Labels": {"com.docker.compose.project": "other"}}
    await fleet.post("/volumes/create", {"Name": "other_data", **other})
    assert having(fleet, "other_data") == ["a"], "what was built here is there"


async def test_a_build_on_a_network_goes_to_its_containers() -> None:
    fleet = AggregateWithEngines(containers=0)
    await fleet.post("/networks/create", {"Name": "net"})
    assert await fleet.create("c/server", **using(network="net")) == "c"
    fleet.seen.clear()
    await (await fleet.all(Request("POST", "/build?t=x&networkmode=net"))).read()
    assert [engine for engine, _, path in fleet.seen if path == "/build"] == ["c"]
    await (await fleet.all(Request("POST", "/build?t=x&networkmode=host"))).read()
    assert [engine for engine, _, path in fleet.seen if path == "/build"] == ["c", "a"]


@pytest.mark.parametrize("first", ["session", "build"])
async def test_a_session_goes_where_its_build_on_a_network_goes(first: str) -> None:
    fleet = AggregateWithEngines(containers=0)
    await fleet.post("/networks/create", {"Name": "net"})
    assert await fleet.create("c/server", **using(network="net")) == "c"
    fleet.seen.clear()
    session = Request("POST", "/session", [(b"x-docker-expose-session-uuid", b"key1")])
    build = Request("POST", "/build?t=x&networkmode=net&session=key1&buildid=b1")
    calls = [fleet.all(session), fleet.all(build)]
    for reply in await asyncio.gather(*(calls if first == "session" else reversed(calls)), return_exceptions=True):
        assert isinstance(reply, (Reply, ApiError)), "a simulated engine has no sessions"
    with contextlib.suppress(ApiError):
        await fleet.all(Request("POST", "/build/cancel?id=b1"))
    sent = sorted((engine, path) for engine, method, path in fleet.seen if method == "POST")
    assert sent == [("c", "/build"), ("c", "/build/cancel"), ("c", "/session")]


async def test_a_link_is_removed_by_its_containers_name() -> None:
    fleet = AggregateWithEngines()
    reply = await fleet.all(Request("DELETE", "/containers/b-1/alias?link=1"))
    assert reply.status == 404, "a simulated engine has no links"
    assert fleet.seen[-1] == ("b", "DELETE", "/containers/b-1/alias")


async def test_a_network_is_called_by_its_name_and_a_container_without_its_node() -> None:
    """Each engine has an id of its own for a network that is on all, and knows no nodes."""

    fleet = AggregateWithEngines(containers=0)
    shown = (await fleet.post("/networks/create", {"Name": "net"}))["Id"]
    first = await fleet.create("c/one", **using(network=shown))
    assert first == "c"
    endpoints = {"EndpointsConfig": {shown: {"Aliases": ["x"]}}}
    made = {"VolumesFrom": ["c/one:ro"], "Links": ["c/one:one"], "PidMode": "container:c/one"}
    assert await fleet.create("two", HostConfig={**made, "NetworkMode": shown}, NetworkingConfig=endpoints) == "c"
    (config,) = [each.config for each in fleet.engines[2].containers.values() if each.name == "two"]
    assert config["HostConfig"]["NetworkMode"] == "net"
    assert config["NetworkingConfig"]["EndpointsConfig"] == {"net": {"Aliases": ["x"]}}
    (one,) = [each.id for each in fleet.engines[2].containers.values() if each.name == "one"]
    assert config["HostConfig"]["VolumesFrom"] == [f"{one}:ro"]
    assert config["HostConfig"]["Links"] == [f"{one}:one"]
    assert config["HostConfig"]["PidMode"] == f"container:{one}"
    await (await fleet.all(Request("POST", f"/build?t=x&networkmode={shown}"))).read()
    assert [engine for engine, _, path in fleet.seen if path == "/build"] == ["c"]


def refusing(fleet: AggregateWithEngines, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Let these engines refuse every DELETE, as for what is in use."""
    for member in fleet.all.members.all:
        inner = member.ask

        async def ask(request: Request, member: Any = member, inner: Any = inner) -> Any:
            if request.method == "DELETE" and member.name in names:
                raise ApiError(409, "in use")
            return await inner(request)

        monkeypatch.setattr(member, "ask", ask)


async def test_a_volume_that_is_not_removed_is_still_known(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = AggregateWithEngines(containers=0)
    await fleet.post("/volumes/create", {"Name": "cache"})
    (home,) = having(fleet, "cache")
    refusing(fleet, monkeypatch, home)
    with pytest.raises(ApiError, match="in use"):
        await fleet.all(Request("DELETE", "/volumes/cache"))
    assert fleet.all.lookup.volume_seen("cache") == {home}


async def test_a_volume_that_one_of_two_engines_keeps_is_known_to_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = AggregateWithEngines(containers=0)
    for engine in fleet.engines[:2]:
        engine.answer("POST", "/volumes/create", b'{"Name":"twin"}')
    await fleet.get("/info")
    fleet.all.lookup.remember_volume("twin", ["a", "b"])
    refusing(fleet, monkeypatch, "b")
    with pytest.raises(ApiError, match="in use"):
        await fleet.all(Request("DELETE", "/volumes/twin"))
    assert fleet.all.lookup.volume_seen("twin") >= {"b"}
    assert having(fleet, "twin") == ["b"]


async def test_a_network_that_is_not_removed_is_still_made_on_an_engine_that_comes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fleet = AggregateWithEngines(containers=0)
    await fleet.get("/info")
    fleet.away.add("b")
    await fleet.post("/networks/create", {"Name": "net"})
    refusing(fleet, monkeypatch, "a", "c")
    with pytest.raises(ApiError, match="in use"):
        await fleet.all(Request("DELETE", "/networks/net"))
    assert "net" in fleet.all.members.all[1].missed_networks


async def test_a_name_that_looks_like_an_id_is_refused() -> None:
    fleet = AggregateWithEngines()
    name = "0123456789abcdef" * 4
    with pytest.raises(ApiError, match="64-byte hexadecimal"):
        await fleet.create(name)
    with pytest.raises(ApiError, match="64-byte hexadecimal"):
        await fleet.post(f"/containers/a-1/rename?name={name}")
