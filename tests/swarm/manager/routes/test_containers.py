"""The manager over simulated engines: listing, finding, creating, many at once."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import quote

import pytest

from machine.swarm.pipeline import ApiError, CallNext, Reply, Request
from machine.swarmd.simulator.engine import GIB, SimulatedEngine
from tests.swarm.fleet import Fleet, SimulatedHost, engines, swarm


def filters(**values: list[str]) -> str:
    return "all=1&filters=" + quote(json.dumps(values))


async def test_containers_spread_and_a_port_taken_on_every_engine_is_refused(fleet: Fleet) -> None:
    port: dict[str, Any] = {"HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": "80"}]}}}
    for n in range(3):
        await fleet.create(f"c{n}", start=True, **port)
    assert sorted(await fleet.names()) == ["n1/c0", "n2/c1", "n3/c2"]
    with pytest.raises(ApiError, match="80/tcp") as refused:
        await fleet.create("c3", **port)
    assert refused.value.status == 500


async def test_binpack_fills_one() -> None:
    async with swarm(strategy="binpack") as fleet:
        for n in range(3):
            await fleet.create(f"c{n}", HostConfig={"Memory": GIB})
        assert {name.split("/")[0] for name in await fleet.names()} == {"n1"}


async def test_reservations_of_containers_made_before_the_manager_count() -> None:
    made = engines(3)
    made[0].answer(
        "POST", "/containers/create", json.dumps({"Image": "busybox", "HostConfig": {"Memory": 5 * GIB}}).encode()
    )
    async with swarm(simulated_engines=made) as fleet:
        for _ in range(2):
            await fleet.create(HostConfig={"Memory": 5 * GIB})
        assert sorted(n.split("/")[0] for n in await fleet.names()) == ["n1", "n2", "n3"]


async def test_cpus_become_shares_of_the_engine() -> None:
    async with swarm(1) as fleet:
        key = await fleet.create("c", HostConfig={"CpuShares": 2})
        shown = await fleet.ask("GET", "/containers/c/json")
        assert shown["HostConfig"]["CpuShares"] == 512
        assert fleet.cluster.find(key).cpus == 2


async def test_constraints_affinities_and_soft_ones() -> None:
    async with swarm(simulated_engines=[*engines(2), SimulatedEngine("n3", labels=("storage=ssd",))]) as fleet:
        await fleet.create("db", Env=["constraint:node==n2", "A=1"])
        await fleet.create("web", Env=["affinity:container==db"])
        await fleet.create("ssd", Labels={"com.docker.swarm.constraints": '["storage==ssd"]'})
        await fleet.create("soft", Env=["constraint:node==~nowhere"])
        names = await fleet.names()
        assert {"n2/db", "n2/web", "n3/ssd"} < set(names)
        shown = await fleet.ask("GET", "/containers/db/json")
        assert shown["Config"]["Env"] == ["A=1"]
        assert shown["Node"]["Name"] == "n2"
        with pytest.raises(ApiError, match="node==nowhere"):
            await fleet.create("hard", Env=["constraint:node==nowhere"])
        with pytest.raises(ApiError) as refused:
            await fleet.create("wrong", Env=["constraint:node=="])
        assert refused.value.status == 400


async def test_names_are_unique_in_the_cluster(fleet: Fleet) -> None:
    await fleet.create("web")
    other = await fleet.create("other", Env=["constraint:node==n3"])
    for call in (fleet.create("web"), fleet.call("POST", f"/containers/{other}/rename?name=web")):
        with pytest.raises(ApiError, match="Conflict") as refused:
            await call
        assert refused.value.status == 409
    await fleet.call("POST", f"/containers/{other}/rename?name=new")
    assert "n3/new" in await fleet.names()
    await fleet.call("DELETE", "/containers/new")
    assert "n3/new" not in await fleet.names()
    await fleet.create("new")


async def test_one_name_asked_for_many_times_at_once_is_given_once(fleet: Fleet) -> None:
    done = await asyncio.gather(*(fleet.create("web") for _ in range(20)), return_exceptions=True)
    assert sum(isinstance(one, str) for one in done) == 1
    assert await fleet.names() == ["n1/web"] or len(await fleet.names()) == 1


async def test_64_creates_at_a_time_are_spread_evenly_and_each_is_known_once() -> None:
    async with swarm(10) as fleet:
        gate = asyncio.Semaphore(64)

        async def one(n: int) -> str:
            async with gate:
                return await fleet.create(f"c{n}")

        keys = await asyncio.gather(*(one(n) for n in range(300)))
        assert len(set(keys)) == 300
        counts = [len(place.engine.containers) for place in fleet.hosts]
        assert counts == [30] * 10
        await asyncio.sleep(0.4)
        assert sorted(await fleet.names("all=1")) == sorted(set(await fleet.names("all=1")))
        assert len(await fleet.names()) == 300


async def test_finding_by_id_name_node_and_beginning(fleet: Fleet) -> None:
    key = await fleet.create("web")
    for text in (key, key[:12], "web", "n1/web", f"n1/{key}"):
        assert (await fleet.ask("GET", f"/v1.41/containers/{text}/json"))["Id"] == key
    for text in ("nothing", "n2/web"):
        with pytest.raises(ApiError, match="No such container") as refused:
            await fleet.call("GET", f"/containers/{text}/json")
        assert refused.value.status == 404


async def test_a_name_on_two_engines_needs_its_node() -> None:
    async with swarm(
        simulated_engines=[
            SimulatedEngine("n1", container_names=("web",)),
            SimulatedEngine("n2", container_names=("web",)),
        ]
    ) as fleet:
        with pytest.raises(ApiError, match="n1/web, n2/web"):
            await fleet.call("POST", "/containers/web/stop")
        await fleet.call("POST", "/containers/n2/web/stop")
        assert await fleet.names("") == ["n1/web"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["n2/b1", "n1/a2", "n1/a1"]),
        ("all=1", ["n2/b2", "n2/b1", "n1/a2", "n1/a1"]),
        ("limit=1", ["n2/b2"]),
        (filters(name=["a"]), ["n1/a2", "n1/a1"]),
        (filters(name=["^/a1$"]), ["n1/a1"]),
        (filters(node=["n2"]), ["n2/b2", "n2/b1"]),
        (filters(status=["created"]), ["n2/b2"]),
        (filters(label=["made-by=simulator"]), ["n2/b1", "n1/a2", "n1/a1"]),
        (filters(label=["k"]), ["n2/b2"]),
        (filters(ancestor=["busybox"]), ["n2/b2", "n2/b1", "n1/a2", "n1/a1"]),
        (filters(node=["n1"], name=["2"]), ["n1/a2"]),
        (filters(exited=["0"]), []),
        (filters(health=["none"], name=["b"]), ["n2/b2", "n2/b1"]),
        (filters(publish=["80"]), []),
        (filters(network=["bridge"], volume=["x"]), []),
    ],
)
async def test_lists(query: str, found: list[str]) -> None:
    async with swarm(
        simulated_engines=[
            SimulatedEngine("n1", container_names=("a1", "a2")),
            SimulatedEngine("n2", container_names=("b1",)),
        ]
    ) as fleet:
        await fleet.create("b2", Labels={"k": "v"}, Env=["constraint:node==n2"])
        assert sorted(await fleet.names(query)) == sorted(found)
        assert [c["Created"] for c in await fleet.ask("GET", f"/containers/json?{query}")] == sorted(
            (c["Created"] for c in await fleet.ask("GET", f"/containers/json?{query}")), reverse=True
        )


@pytest.mark.parametrize(
    "wrong",
    [filters(nonsense=["x"]), filters(name=[r"(a)\1"]), filters(publish=["x"]), "filters=["],
)
async def test_filters_that_are_refused(wrong: str) -> None:
    async with swarm(1, 1) as fleet:
        with pytest.raises(ApiError) as refused:
            await fleet.ask("GET", f"/containers/json?{wrong}")
        assert refused.value.status == 400


async def test_a_long_list_in_pieces_is_the_same_list() -> None:
    async with swarm(2, 600) as fleet:
        request = Request("GET", "/containers/json?all=1")
        reply = await fleet.call("GET", request.target)
        data = await reply.read()
        assert len(data) == int(reply.header(b"content-length"))
        assert len(json.loads(data)) == 1200


async def test_what_happens_on_an_engine_behind_our_back_is_seen(fleet: Fleet) -> None:
    engine = fleet.hosts[0].engine
    made = json.loads(engine.answer("POST", "/containers/create?name=back", b'{"Image":"busybox"}').body)["Id"]
    await fleet.until(lambda: "back" in [c.name for c in fleet.cluster.index.newest_first()])
    engine.answer("POST", f"/containers/{made}/start", b"")
    await fleet.until(lambda: fleet.cluster.find("back").state == "running")
    engine.answer("DELETE", f"/containers/{made}?force=1", b"")
    await fleet.until(lambda: not fleet.cluster.index.with_name("back"))


async def test_exec_goes_where_the_container_is_even_after_a_restart_of_the_manager(fleet: Fleet) -> None:
    await fleet.create("web", start=True, Env=["constraint:node==n2"])
    place = fleet.hosts[1]
    place.asked.clear()
    with pytest.raises(ApiError):
        await fleet.ask("POST", "/exec/unknown/start")
    await fleet.call("GET", "/containers/web/logs?stdout=1")
    assert any("/logs" in target for _, target in place.asked)


async def test_swarm_mode_and_unknown_paths_say_what_is_meant() -> None:
    async with swarm(1) as fleet:
        with pytest.raises(ApiError, match="swarm mode"):
            await fleet.call("GET", "/v1.41/services")
        with pytest.raises(ApiError, match="page not found"):
            await fleet.call("GET", "/nonsense")
        with pytest.raises(ApiError, match="Not supported in clustering mode"):
            await fleet.call("GET", "/images/viz")


async def test_browsers_of_other_sites_are_only_let_in_when_asked_for() -> None:
    async with swarm(1) as fleet:
        with pytest.raises(ApiError, match="it takes GET"):
            await fleet.call("OPTIONS", "/info")
        assert not (await fleet.call("GET", "/info")).header(b"access-control-allow-origin")
    async with swarm(1, cors=True) as fleet:
        for method in ("OPTIONS", "GET"):
            reply = await fleet.call(method, "/info")
            assert (reply.status, reply.header(b"access-control-allow-origin")) == (200, b"*")


async def test_inspect_shows_published_ports_at_the_engines_address() -> None:
    async with swarm(1) as fleet:
        everywhere = [{"HostIp": ip, "HostPort": "80"} for ip in ("0.0.0.0", "::")]
        ports = {"80/tcp": everywhere, "81/tcp": [{"HostIp": "127.0.0.1", "HostPort": "81"}], "82/tcp": None}
        await fleet.create("web", start=True, HostConfig={"PortBindings": ports})
        container = await fleet.ask("GET", "/containers/web/json")
        assert container["NetworkSettings"]["Ports"] == {
            "80/tcp": [{"HostIp": "10.0.0.1", "HostPort": "80"}],
            "81/tcp": [{"HostIp": "127.0.0.1", "HostPort": "81"}],
            "82/tcp": None,
        }
        assert container["HostConfig"]["PortBindings"] == ports


@pytest.mark.parametrize(
    "wanted",
    [
        {"HostConfig": {"Mounts": [{"Type": "volume", "Source": "n2/data", "Target": "/d"}]}},
        {"HostConfig": {"Binds": ["n2/data:/d"]}},
        {"NetworkingConfig": {"EndpointsConfig": {"n2/bridge": {}}}},
    ],
)
async def test_what_is_called_by_its_node_pins_the_container(wanted: dict[str, Any], fleet: Fleet) -> None:
    await fleet.create(**wanted)
    assert [name.split("/")[0] for name in await fleet.names()] == ["n2"]
    (made,) = fleet.hosts[1].engine.containers.values()
    assert "n2/" not in str(made.config)


@pytest.mark.parametrize("name", ["web/alias", "/web/alias", "n2/web/alias"])
async def test_a_link_is_removed_on_the_engine_of_the_container_that_has_it(name: str, fleet: Fleet) -> None:
    await fleet.create("web", Env=["constraint:node==n2"])
    asked = []
    for place in fleet.hosts:
        ask = place.ask

        async def unlink(request: Request, ask: CallNext = ask, place: SimulatedHost = place) -> Reply:
            if request.method == "DELETE":
                asked.append((place.engine.name, request.path, request.query_value("link")))
                return Reply(204)
            return await ask(request)

        place.ask = unlink
    assert (await fleet.call("DELETE", f"/containers/{quote(name)}?link=1")).status == 204
    assert asked == [("n2", "/containers/web/alias", "1")]
    assert await fleet.names() == ["n2/web"]  # the container stays
    with pytest.raises(ApiError, match="No such container: nosuch"):
        await fleet.call("DELETE", "/containers/nosuch/alias?link=1")
