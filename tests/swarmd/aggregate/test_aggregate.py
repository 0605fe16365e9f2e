"""An aggregate of simulated engines: everything happens on the right one; some of them may be away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import pytest

from machine.swarm.pipeline import ApiError, Hijack, Reply, Request, Unreachable
from machine.swarmd.aggregate import members as members_module
from machine.swarmd.aggregate.members import AggregateEngine, Members
from machine.swarmd.aggregate.routes import Aggregate
from machine.swarmd.simulator import SimulatedEngine
from machine.swarmd.simulator.backend import as_pipeline_end


class AggregateWithEngines:
    """Three engines a, b, c with two containers each, behind one aggregate; `away` ones cannot be reached."""

    def __init__(self, count: int = 3, containers: int = 2) -> None:
        self.engines = [SimulatedEngine("abcdef"[i], containers) for i in range(count)]
        self.away: set[str] = set()
        self.hung: set[str] = set()
        self.seen: list[tuple[str, str, str]] = []
        self.said: list[str] = []
        members = [AggregateEngine(self._asker(engine), f"engine-{i}") for i, engine in enumerate(self.engines)]
        self.all = Aggregate(Members(members, self.said.append))

    def _asker(self, engine: SimulatedEngine) -> Any:
        inner = as_pipeline_end(engine)

        async def ask(request: Request) -> Reply:
            if engine.name in self.away:
                raise Unreachable(502, "connection refused")
            if engine.name in self.hung:
                await asyncio.sleep(3600)
            self.seen.append((engine.name, request.method, request.path))
            if request.path.endswith("/attach"):
                return Reply(101, (), _Raw(engine.name))
            return await inner(request)

        return ask

    async def get(self, target: str) -> Any:
        return await (await self.all(Request("GET", target))).json_body()

    async def post(self, target: str, body: Any = None) -> Any:
        return await (await self.all(Request.json("POST", target, body))).json_body()

    async def create(self, name: str = "", **config: Any) -> str:
        """Create and start one; gives the node it went to."""
        made = await self.post(f"/containers/create?name={name}", {"Image": "busybox", **config})
        await self.post(f"/containers/{made['Id']}/start")
        return next(e.name for e in self.engines if made["Id"] in e.containers)


class _Raw(Hijack):
    def __init__(self, name: str) -> None:
        self.left = [name.encode(), b""]

    async def read(self, limit: int = 65536) -> bytes:
        return self.left.pop(0)

    async def write(self, data: bytes) -> None:
        raise NotImplementedError

    async def end(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self.left = [b""]


async def test_lists_are_the_union() -> None:
    fleet = AggregateWithEngines()
    names = [each["Names"] for each in await fleet.get("/containers/json")]
    assert sorted(names) == sorted([f"/{n}-{i}", f"/{n}/{n}-{i}"] for n in "abc" for i in (1, 2))
    assert [each["RepoTags"] for each in await fleet.get("/images/json")] == [["busybox:latest"]]
    assert sorted(each["Name"] for each in await fleet.get("/networks")) == ["bridge", "host", "none"]
    info = await fleet.get("/info")
    assert (info["Containers"], info["NCPU"]) == (6, 12)
    reply = await fleet.all(Request("HEAD", "/_ping"))
    assert reply.header(b"api-version") == b"1.51"
    assert len(await fleet.get("/containers/json?limit=4")) == 4


async def test_callers_at_the_same_time_give_an_engine_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = AggregateWithEngines()
    inner = fleet.all.members.all[0].ask

    async def slowly(request: Request) -> Reply:
        await asyncio.sleep(0.01)
        return await inner(request)

    monkeypatch.setattr(fleet.all.members.all[0], "ask", slowly)
    for answer in await asyncio.gather(*(fleet.get("/containers/json") for _ in range(3))):
        assert {name for each in answer for name in each["Names"] if "/" in name[1:]} == {
            f"/{n}/{n}-{i}" for n in "abc" for i in (1, 2)
        }
    assert sum("aggregate: a" in line for line in fleet.said) == 1


async def test_create_goes_where_the_fewest_are_and_the_rest_finds_it() -> None:
    fleet = AggregateWithEngines()
    assert {await fleet.create(f"n{i}") for i in range(3)} == {"a", "b", "c"}
    for i in range(3):
        found = await fleet.get(f"/containers/n{i}/json")
        owner = found["Node"]["Name"]
        for x in (found["Id"], found["Id"][:12], f"{owner}/n{i}", f"/n{i}"):
            assert (await fleet.get(f"/containers/{x}/json"))["Id"] == found["Id"]
        fleet.seen.clear()
        await fleet.post(f"/containers/{found['Id']}/stop")
        assert fleet.seen == [(owner, "POST", f"/containers/{found['Id']}/stop")]
    with pytest.raises(ApiError, match="No such container: nobody"):
        await fleet.get("/containers/nobody/json")
    with pytest.raises(ApiError, match="No such container: f/n0"):
        await fleet.get("/containers/f/n0/json")


async def test_creates_at_once_are_spread_and_names_are_unique_across_engines() -> None:
    fleet = AggregateWithEngines(containers=0)
    nodes = await asyncio.gather(*(fleet.create(f"n{i}") for i in range(30)))
    assert all(9 <= nodes.count(node) <= 11 for node in "abc")
    same = await asyncio.gather(*(fleet.create("one") for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(each, ApiError) for each in same) == 4
    with pytest.raises(ApiError, match="already assigned") as refused:
        await fleet.create("n3")
    assert refused.value.status == 409
    with pytest.raises(ApiError, match="already assigned"):
        await fleet.post("/containers/n1/rename?name=n2")
    await fleet.post("/containers/n1/rename?name=free")
    assert (await fleet.get("/containers/free/json"))["Name"] == "/free"


async def test_a_container_goes_beside_what_it_depends_on_to_its_image_and_away_from_a_taken_port() -> None:
    fleet = AggregateWithEngines(containers=0)
    first = await fleet.create("db")
    assert await fleet.create(HostConfig={"VolumesFrom": ["db:ro"]}) == first
    assert await fleet.create(HostConfig={"NetworkMode": "container:db"}) == first
    with pytest.raises(ApiError, match="No such container: none"):
        await fleet.create(HostConfig={"Links": ["none:alias"]})
    ports = {"PortBindings": {"80/tcp": [{"HostPort": "80"}]}}
    assert sorted([await fleet.create(HostConfig=ports) for _ in range(3)]) == ["a", "b", "c"]
    fleet.engines[2].images["rare:latest"] = "sha256:1"
    assert [await fleet.create(Image="rare") for _ in range(4)] == ["c"] * 4
    assert await fleet.create("b/pinned") == "b"
    assert (await fleet.get("/containers/pinned/json"))["Node"]["Name"] == "b"
    with pytest.raises(ApiError, match="no engine z"):
        await fleet.create("z/pinned2")


async def test_the_same_name_on_two_engines_must_be_said_with_the_node() -> None:
    fleet = AggregateWithEngines(2, containers=0)
    for engine in fleet.engines:
        engine.answer("POST", "/containers/create?name=twin", b'{"Image":"busybox"}')
    with pytest.raises(ApiError, match="may be any of a/twin, b/twin: say which"):
        await fleet.get("/containers/twin/json")
    assert (await fleet.get("/containers/b/twin/json"))["Node"]["Name"] == "b"
    names = [each["Names"] for each in await fleet.get("/containers/json?all=1")]
    assert sorted(names) == [["/a/twin"], ["/b/twin"]]


async def test_attach_goes_to_the_engine_that_has_it() -> None:
    fleet = AggregateWithEngines()
    for name in "abc":
        reply = await fleet.all(Request("POST", f"/v1.43/containers/{name}-2/attach?stream=1"))
        assert isinstance(reply.body, Hijack)
        assert await reply.body.read() == name.encode()


async def test_an_engine_that_is_away_or_hangs_is_left_out_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members_module, "PATIENCE", 0.2)

    fleet = AggregateWithEngines()
    await fleet.get("/info")
    fleet.away.add("a")
    fleet.hung.add("c")
    assert {each["Names"][1][:3] for each in await fleet.get("/containers/json")} == {"/b/"}
    info = await fleet.get("/info")
    assert {"node.a=unreachable: connection refused"} < set(info["Labels"])
    assert any(label.startswith("node.c=unreachable: no answer") for label in info["Labels"])
    assert await fleet.create("new") == "b"
    with pytest.raises(ApiError, match="a-1; a does not answer; c does not answer"):
        await fleet.get("/containers/a-1/json")
    fleet.away.clear()
    fleet.hung.clear()
    assert len(await fleet.get("/containers/json")) == 7
    assert "unreachable" not in str(await fleet.get("/info"))


async def test_with_none_there_it_says_so() -> None:
    fleet = AggregateWithEngines()
    fleet.away = set("abc")
    for target in ("/info", "/containers/json", "/_ping", "/containers/x/json"):
        with pytest.raises(Unreachable, match="connection refused"):
            await fleet.get(target)


async def test_networks_are_on_all_and_connect_goes_to_the_containers_engine() -> None:
    fleet = AggregateWithEngines()
    await fleet.post("/networks/create", {"Name": "net"})
    (net,) = [each for each in await fleet.get("/networks") if each["Name"] == "net"]
    assert (await fleet.get(f"/networks/{net['Id']}"))["Name"] == "net"
    fleet.seen.clear()
    with pytest.raises(ApiError, match="page not found"):  # a simulated engine has no wires
        await fleet.post(f"/networks/{net['Id']}/connect", {"Container": "b-1"})
    assert fleet.seen[-1] == ("b", "POST", "/networks/net/connect")
    await fleet.all(Request("DELETE", f"/networks/{net['Id']}"))
    assert all("net" not in [n["Name"] for n in engine.networks.values()] for engine in fleet.engines)


async def test_a_pull_is_everywhere_with_the_node_before_each_line_and_fails_only_if_all_fail() -> None:
    fleet = AggregateWithEngines()
    fleet.away.add("b")
    await fleet.get("/info")
    fleet.away.clear()
    await fleet.get("/info")
    fleet.away.add("b")
    shown = await lines(await fleet.all(Request("POST", "/images/create?fromImage=new&tag=1")))
    assert {line["id"] for line in shown[:-1]} == {"a", "b", "c"}
    assert shown[-1]["status"].startswith("Status: ")
    assert any(line["status"] == "Pulling new:1... : connection refused" for line in shown)
    assert not any("error" in line for line in shown)
    assert ["new:1" in engine.images for engine in fleet.engines] == [True, False, True]
    fleet.away = set("abc")
    with pytest.raises(ApiError, match="connection refused") as refused:
        await fleet.all(Request("POST", "/images/create?fromImage=other"))
    assert refused.value.status == 502


async def lines(reply: Reply) -> list[Any]:
    return [json.loads(line) for line in (await reply.read()).splitlines()]


async def test_a_load_is_one_stream_for_all_even_if_one_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = AggregateWithEngines()
    await fleet.get("/info")
    sizes = {}

    def asker(engine: SimulatedEngine) -> Any:
        async def ask(request: Request) -> Reply:
            size = 0
            assert isinstance(request.body, AsyncIterator)
            async for data in request.body:
                size += len(data)
                if engine.name == "b":
                    raise Unreachable(502, "fell over")
            sizes[engine.name] = size
            return Reply(200, (), b'{"stream":"Loaded"}\n')

        return ask

    for member, engine in zip(fleet.all.members.all, fleet.engines, strict=True):
        monkeypatch.setattr(member, "ask", asker(engine))

    async def tar() -> AsyncIterator[bytes]:
        for _ in range(300):
            yield b"x" * 10_000

    shown = await lines(await fleet.all(Request("POST", "/images/load", (), tar())))
    assert sizes == {"a": 3_000_000, "c": 3_000_000}
    assert {"id": "b", "status": "Loading image... : fell over"} in shown


async def test_events_of_all_come_with_the_node_and_come_back_with_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    from machine.swarmd.aggregate import streams

    monkeypatch.setattr(streams, "RETRY_SECONDS", (0.05, 0.1))

    fleet = AggregateWithEngines()
    await fleet.get("/info")
    fleet.away.add("a")
    reply = await fleet.all(Request("GET", "/events"))
    stream = reply.body
    assert isinstance(stream, AsyncGenerator)
    first = asyncio.ensure_future(stream.__anext__())
    await asyncio.sleep(0.1)
    fleet.engines[1].answer("POST", "/containers/b-1/stop")
    seen = json.loads(await first)
    assert (seen["Action"], seen["Actor"]["Attributes"]["node.name"]) == ("die", "b")
    assert json.loads(await stream.__anext__())["Action"] == "stop"
    fleet.away.clear()
    await asyncio.sleep(0.5)
    fleet.engines[0].answer("POST", "/containers/a-1/kill")
    assert json.loads(await stream.__anext__())["node"]["Name"] == "a"
    await stream.aclose()
    assert [len(engine.listeners) for engine in fleet.engines] == [0, 0, 0]


async def test_removing_an_image_removes_it_from_those_that_have_it() -> None:
    fleet = AggregateWithEngines()
    for engine in fleet.engines[1:]:
        engine.images["x:latest"] = "sha256:1"
    assert (await fleet.get("/images/x/json"))["RepoTags"] == ["x:latest"]
    await (await fleet.all(Request("DELETE", "/images/x"))).json_body()
    assert not any("x:latest" in engine.images for engine in fleet.engines)
    with pytest.raises(ApiError, match="No such image: x"):
        await fleet.all(Request("DELETE", "/images/x"))


async def test_what_it_cannot_do_is_said() -> None:
    with pytest.raises(ApiError, match="page not found: GET /nonsense") as refused:
        await AggregateWithEngines().get("/nonsense")
    assert refused.value.status == 404


@pytest.mark.parametrize(
    ("method", "target", "status", "words"),
    [
        ("GET", "/services", 503, "This node is not a swarm manager"),
        ("POST", "/swarm/leave?force=1", 503, "This node is not part of a swarm"),
        ("POST", "/swarm/init", 501, "not Docker's swarm mode"),
    ],
)
async def test_swarm_mode_is_answered_as_an_engine_outside_of_it_does(
    method: str, target: str, status: int, words: str
) -> None:
    with pytest.raises(ApiError, match=words) as refused:
        await AggregateWithEngines().all(Request(method, target))
    assert refused.value.status == status
