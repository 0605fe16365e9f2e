"""`ps` with filters, as dockerd answers them."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import quote

import pytest

from machine.swarm.manager.routes import list_filters
from machine.swarm.pipeline import ApiError, Reply, Request
from tests.swarm.fleet import Fleet, swarm


def filters(**values: list[str]) -> str:
    return "filters=" + quote(json.dumps({key.replace("_", "-"): value for key, value in values.items()}))


async def stop(fleet: Fleet, name: str) -> None:
    await fleet.call("POST", f"/containers/{name}/stop")


async def test_a_filter_by_status_means_all_and_one_by_exit_code_does_not() -> None:
    async with swarm(2) as fleet:
        await fleet.create("runs", start=True)
        await fleet.create("ended", start=True)
        await stop(fleet, "ended")
        assert await fleet.names(filters(status=["exited"])) == ["n2/ended"]
        assert await fleet.names(filters(status=["exited", "running"])) == ["n2/ended", "n1/runs"]
        assert await fleet.names(filters(exited=["0"])) == []
        assert await fleet.names("all=1&" + filters(exited=["0"])) == ["n2/ended"]
        assert await fleet.names(filters(since=["runs"])) == []
        assert await fleet.names("all=1&" + filters(since=["runs"])) == ["n2/ended"]


async def test_tasks_are_those_with_the_label_of_swarm_mode() -> None:
    async with swarm(2) as fleet:
        await fleet.create("task", start=True, Labels={"com.docker.swarm.task": ""})
        await fleet.create("other", start=True, Labels={"com.docker.swarm.id": "x"})
        assert await fleet.names(filters(is_task=["true"])) == ["n1/task"]
        assert await fleet.names(filters(is_task=["1"])) == ["n1/task"]
        assert await fleet.names(filters(is_task=["false"])) == ["n2/other"]


async def test_containers_of_one_second_keep_their_order_on_one_engine_and_on_several() -> None:
    async with swarm(2) as fleet:
        for n in range(4):
            await fleet.create(f"c{n}", Env=[f"constraint:node==n{n % 2 + 1}"])
        assert await fleet.names() == ["n2/c3", "n1/c2", "n2/c1", "n1/c0"]
        assert await fleet.names("all=1&" + filters(since=["c1"])) == ["n2/c3", "n1/c2"]
        assert await fleet.names("all=1&" + filters(before=["c2"])) == ["n2/c1", "n1/c0"]
        assert await fleet.names("all=1&" + filters(since=["c0"], before=["c3"])) == ["n1/c2", "n2/c1"]
        assert await fleet.names("limit=1") == ["n2/c3"]
        for engine in fleet.cluster.healthy():
            await engine.refresh()
        assert await fleet.names() == ["n2/c3", "n1/c2", "n2/c1", "n1/c0"]


async def test_ancestor_by_name_tag_id_and_what_was_built_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("machine.swarm.manager.routes.containers.FILTER_SECONDS", 0.2)

    async with swarm(2) as fleet:
        base = "sha256:" + "b" * 64
        engine = fleet.hosts[1].engine
        engine.answer("POST", "/build?remote=x&t=child:2")
        engine.parents[engine.images["child:2"]] = base
        await fleet.engine("n2").refresh_kinds("image")
        await fleet.create("plain", start=True)
        await fleet.create("derived", start=True, Image="child:2")
        both = ["n2/derived", "n1/plain"]
        for name in ("busybox", "busybox:latest", "docker.io/library/busybox", base, base[7:], base[7:19]):
            assert await fleet.names(filters(ancestor=[name])) == both, name
        assert await fleet.names(filters(ancestor=["child:2"])) == ["n2/derived"]
        assert await fleet.names(filters(ancestor=["child"])) == []
        assert await fleet.names(filters(ancestor=["nosuch"])) == []
        assert await fleet.names(filters(ancestor=["nosuch", "child:2"])) == ["n2/derived"]
        fleet.hosts[1].hangs = True  # then what is remembered has to do
        assert await fleet.names(filters(ancestor=["child:2"])) == ["n2/derived"]


async def test_a_lost_engines_containers_do_not_run() -> None:
    async with swarm(2) as fleet:
        await fleet.create("c", start=True, Env=["constraint:node==n1"])
        fleet.hosts[0].switch(down=True)
        await fleet.until(lambda: len(fleet.cluster.healthy()) == 1)
        assert await fleet.names("") == []
        assert await fleet.names("all=1") == ["n1/c"]


@pytest.mark.parametrize(
    "query",
    [
        filters(status=["bogus"]),
        filters(health=["bogus"]),
        filters(exited=["x"]),
        filters(exited=["9" * 5000]),
        filters(is_task=["x"]),
        filters(publish=["x"]),
        filters(publish=["90-80"]),
        filters(expose=["99999999"]),
        filters(expose=["80/nonsense"]),
        filters(bogus=[]),
        filters(**{"label!": ["x"]}),
        "limit=--5",
        "limit=x",
        "limit=" + "9" * 5000,
        "limit=5.0",
    ],
)
async def test_what_makes_no_sense_is_refused_even_when_there_is_no_container(query: str) -> None:
    async with swarm(1) as fleet:
        with pytest.raises(ApiError) as refused:
            await fleet.names(query)
        assert refused.value.status == 400


async def test_what_dockerd_takes_is_taken() -> None:
    async with swarm(1) as fleet:
        await fleet.create("c", start=True)
        for query in (
            filters(name=["["]),
            filters(exited=["-1", "+1"]),
            filters(health=["starting"]),
            filters(isolation=["x"], status=["dead"]),
        ):
            assert await fleet.names(query) == []
        for query in ("limit=-1", "limit=", filters(name=["[", "c"]), filters(name=[""]), filters(health=["none"])):
            assert await fleet.names(query) == ["n1/c"]


@pytest.mark.parametrize(
    ("text", "meant"),
    [("80", (80, 80, "tcp")), ("80-90/UDP", (80, 90, "udp")), ("1/sctp", (1, 1, "sctp")), ("0x50", None), ("", None)],
)
def test_ports(text: str, meant: tuple[int, int, str] | None) -> None:
    assert list_filters.ports(text) == meant


async def test_a_filter_that_engines_know_better_does_not_wait_for_one_that_hangs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("machine.swarm.manager.routes.containers.FILTER_SECONDS", 0.05)

    async with swarm(2) as fleet:
        await fleet.create("c", start=True)
        fleet.hosts[1].hangs = True
        async with asyncio.timeout(2):
            assert await fleet.names(filters(network=["bridge"])) == ["n1/c"]
            assert await fleet.names(filters(ancestor=["busybox"])) == ["n1/c"]


async def test_who_waits_for_a_container_finds_it_ended_in_the_list() -> None:
    async with swarm(1, refresh_min=60, refresh_max=61) as fleet:
        key = await fleet.create("c", start=True)
        fleet.hosts[0].engine.listeners.clear()  # no event comes
        reply = await fleet.call("POST", f"/containers/{key}/wait")
        reading = asyncio.ensure_future(reply.read())
        await asyncio.sleep(0)
        fleet.hosts[0].engine.answer("POST", f"/containers/{key}/kill")
        assert json.loads(await reading)["StatusCode"] == 137
        assert await fleet.names(filters(status=["exited"])) == ["n1/c"]


async def test_a_container_that_ended_while_the_list_said_it_runs_is_looked_at_again() -> None:
    async with swarm(1, refresh_min=60, refresh_max=61) as fleet:
        key = await fleet.create("c", start=True)
        place = fleet.hosts[0]
        ask = place.ask
        late: list[int] = []

        async def as_docker_20(request: Request) -> Reply:
            """Tell that it died first, and list it as ended at the third look."""
            reply = await ask(request)
            if request.path == "/containers/json" and len(late) < 2:
                late.append(1)
                reply = Reply.json([{**entry, "State": "running", "Status": "Up"} for entry in await reply.json_body()])
            return reply

        place.ask = as_docker_20
        place.engine.answer("POST", f"/containers/{key}/kill")
        await fleet.until(lambda: not fleet.cluster.find(key).is_up, 5)
