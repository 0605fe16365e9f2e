"""The cluster as a whole: ping, version, info, events; images, networks and volumes united."""

from __future__ import annotations

import asyncio
import calendar
import json
import time
from typing import Any

import pytest

from machine.swarm import limits
from machine.swarm.manager.routes.info import size
from machine.swarm.merge.images import merge_images
from machine.swarm.merge.info import DEFAULTS
from machine.swarm.pipeline import ApiError, CallNext, Reply, Request
from machine.swarm.scheduler import DEFAULT_FILTERS
from machine.swarmd.simulator.engine import SimulatedEngine
from machine.swarmd.simulator.responses import Response
from tests.swarm.fleet import Fleet, SimulatedHost, swarm


def rows(info: dict[str, Any]) -> list[tuple[str, str]]:
    return [tuple(row) for row in info["SystemStatus"]]


async def test_ping_version_and_the_oldest_of_the_newest(fleet: Fleet) -> None:
    ping = await fleet.call("HEAD", "/_ping")
    assert ping.header(b"api-version") == b"1.51"
    assert ping.header(b"ostype") == b"linux"
    version = await fleet.ask("GET", "/version")
    assert version["ApiVersion"] == "1.51"
    assert version["MinAPIVersion"] == "1.24"
    assert version["Version"].startswith("swarm/")


async def test_an_old_client_reaches_an_engine_that_is_too_new_for_it() -> None:
    async with swarm(simulated_engines=[SimulatedEngine("n1", oldest_api="1.44")]) as fleet:
        await fleet.create("web")
        assert (await fleet.ask("GET", "/v1.24/containers/web/json"))["Name"] == "/web"
        assert any(target.startswith("/v1.44/containers/") for _, target in fleet.hosts[0].asked)


async def test_info_has_what_an_engine_says_as_it_says_it() -> None:
    """The table of engines stands where the manager puts it, and nowhere that an engine might."""
    said = "the rows of the table of engines"
    engine = SimulatedEngine("n1")
    answer = engine.answer

    def lie(method: str, target: str, body: bytes = b"") -> Response:
        response = answer(method, target, body)
        if not target.endswith("/info"):
            return response
        return response._replace(body=json.dumps({**json.loads(response.body), "SecurityOptions": [said]}).encode())

    engine.answer = lie  # type: ignore[method-assign]
    async with swarm(simulated_engines=[engine]) as fleet:
        for target in ("/info", "/v1.20/info"):
            info = await fleet.ask("GET", target)
            assert info["SecurityOptions"] == [said]
            assert (" n1", "10.0.0.1:2375") in rows(info)
        assert info["DriverStatus"] == info["SystemStatus"]


async def test_info_has_sums_and_a_row_for_each_engine() -> None:
    async with swarm(3, 2) as fleet:
        await fleet.create("web", HostConfig={"CpuShares": 1, "Memory": 1 << 30})
        await fleet.until(lambda: all(c.inspected for c in fleet.cluster.index.newest_first()))
        info = await fleet.ask("GET", "/info")
        assert (info["Containers"], info["ContainersRunning"], info["ContainersStopped"]) == (7, 6, 1)
        assert info["NCPU"] == 12
        found = rows(info)
        assert found[:4] == [
            ("Role", "primary"),
            ("Strategy", "spread"),
            ("Filters", ", ".join(DEFAULT_FILTERS)),
            ("Nodes", "3"),
        ]
        assert found[4] == (" n1", "10.0.0.1:2375")
        assert ("  └ Status", "Healthy") in found
        assert ("  └ Containers", "3 (2 Running, 0 Paused, 1 Stopped)") in found
        assert ("  └ Reserved CPUs", "1 / 4") in found
        assert ("  └ Reserved Memory", "1 GiB / 8.4 GiB") in found
        assert info["DriverStatus"] == []
        assert (await fleet.ask("GET", "/v1.20/info"))["DriverStatus"] == info["SystemStatus"]


async def test_info_of_an_engine_that_was_never_reached_has_the_rows_that_classic_swarm_had() -> None:
    """Updated when it came into the discovery: not in 1970."""
    came = time.time()
    async with swarm(2) as fleet:
        never = SimulatedHost(SimulatedEngine("n3"))
        never.down = True
        fleet.by_address["10.0.0.3:2375"] = never
        fleet.discovery.addresses.append("10.0.0.3:2375")
        await fleet.until(lambda: len(fleet.cluster.engines) == 3)
        await fleet.until(lambda: fleet.cluster.engines["10.0.0.3:2375"].health.error)
        found = rows(await fleet.ask("GET", "/info"))
    shown = dict(found[found.index((" 10.0.0.3:2375", "10.0.0.3:2375")) + 1 :][:9])
    updated = calendar.timegm(time.strptime(shown.pop("  └ UpdatedAt"), "%Y-%m-%dT%H:%M:%SZ"))
    assert int(came) <= updated <= time.time()
    assert shown == {
        "  └ ID": "",
        "  └ Status": "Pending",
        "  └ Containers": "0",
        "  └ Reserved CPUs": "0 / 0",
        "  └ Reserved Memory": "0 B / 0 B",
        "  └ Labels": "",
        "  └ Error": "connection refused",
        "  └ ServerVersion": "",
    }


def test_sizes_are_worded_as_classic_swarm_does() -> None:
    assert [size(n) for n in (0, 1023, 1 << 30, int(4.2 * (1 << 30)))] == ["0 B", "1023 B", "1 GiB", "4.2 GiB"]


async def test_events_of_all_engines_with_their_node(fleet: Fleet) -> None:
    found, task = await fleet.events('/events?filters={"event":["create"]}')
    await asyncio.sleep(0.05)
    for n in range(3):
        await fleet.create(f"c{n}")
    await fleet.until(lambda: len(found) == 3)
    assert sorted(e["node"]["Name"] for e in found) == ["n1", "n2", "n3"]
    assert all(e["from"].endswith(f"node:{e['node']['Name']}") for e in found)
    task.cancel()
    await task


async def test_events_end_at_until_and_a_wrong_time_is_refused() -> None:
    async with swarm(1) as fleet:
        reply = await fleet.call("GET", "/events?until=1")
        assert await reply.read() == b""
        with pytest.raises(ApiError, match="not a time"):
            await fleet.call("GET", "/events?since=yesterday")


@pytest.mark.parametrize(("text", "many"), [("", limits.EVENT_UNREAD_COUNT + 1), ("x" * 900_000, 5)])
async def test_a_reader_that_does_not_read_is_cut_off_and_nobody_else(text: str, many: int) -> None:
    async with swarm(1) as fleet:
        subscribers = fleet.cluster.subscribers
        stuck, reads = subscribers.listen({}), subscribers.listen({"type": ["image"]})
        waiting = [asyncio.ensure_future(anext(one)) for one in (stuck, reads)]
        await asyncio.sleep(0)
        subscribers.publish({"n": 0, "Type": "image"})
        assert await asyncio.gather(*waiting) == [b'{"n":0,"Type":"image"}\n'] * 2
        for n in range(many):
            subscribers.publish({"n": n, "text": text})
        with pytest.raises(StopAsyncIteration):
            await anext(stuck)
        subscribers.publish({"n": 1, "Type": "image"})
        assert await anext(reads) == b'{"n":1,"Type":"image"}\n'


def test_images_of_one_id_are_one_with_all_their_tags() -> None:
    a = {"Id": "1", "Created": 1, "RepoTags": ["x:1"], "RepoDigests": None}
    b = {"Id": "1", "Created": 1, "RepoTags": ["y:1", "x:1"], "RepoDigests": ["d"]}
    c = {"Id": "2", "Created": 2, "RepoTags": ["<none>:<none>"], "RepoDigests": []}
    assert merge_images([[a, c], [b], []]) == [
        c,
        {"Id": "1", "Created": 1, "RepoTags": ["x:1", "y:1"], "RepoDigests": ["d"]},
    ]


async def test_networks_and_volumes_carry_their_node_where_several_have_their_name() -> None:
    async with swarm(2) as fleet:
        await fleet.until(lambda: all(e.networks for e in fleet.cluster.healthy()))
        networks = await fleet.ask("GET", "/networks")
        assert {n["Name"] for n in networks} >= {"n1/bridge", "n2/bridge"}
        await fleet.ask("POST", "/volumes/create", {"Name": "data"})
        volumes = (await fleet.ask("GET", "/volumes"))["Volumes"]
        assert [v["Name"] for v in volumes] == ["data"]
        await fleet.ask("POST", "/volumes/create", {"Name": "n2/data"})
        volumes = (await fleet.ask("GET", "/volumes"))["Volumes"]
        assert sorted(v["Name"] for v in volumes) == ["n1/data", "n2/data"]
        await fleet.ask("POST", "/volumes/create", {"Name": "n2/own"})
        for spelt in ("own", "n2/own"):
            assert (await fleet.ask("GET", f"/volumes/{spelt}"))["Name"] == "own"
        await fleet.call("DELETE", "/volumes/data")
        assert [v["Name"] for v in (await fleet.ask("GET", "/volumes"))["Volumes"]] == ["own"]
        with pytest.raises(ApiError, match="no such volume"):
            await fleet.ask("GET", "/volumes/data")


async def test_a_network_pins_its_containers(fleet: Fleet) -> None:
    await fleet.ask("POST", "/networks/create", {"Name": "n2/mine", "Driver": "bridge"})
    for _ in range(2):
        await fleet.create(HostConfig={"NetworkMode": "mine"})
    await fleet.create(HostConfig={"NetworkMode": "n3/bridge"})
    assert sorted(n.split("/")[0] for n in await fleet.names()) == ["n2", "n2", "n3"]
    assert (await fleet.ask("GET", "/networks/n2/bridge"))["Name"] == "bridge"
    await fleet.ask("POST", "/networks/create", {"Name": "n1/mine", "Driver": "bridge"})
    with pytest.raises(ApiError, match="n1/mine, n2/mine: say which"):
        await fleet.ask("GET", "/networks/mine")


async def test_a_pull_goes_to_every_engine() -> None:
    async with swarm(2) as fleet:
        reply = await fleet.call("POST", "/images/create?fromImage=redis&tag=7")
        text = (await reply.read()).decode()
        for name in ("n1", "n2"):
            assert f'"id":"{name}","status":"Pulling redis:7... : downloaded"' in text
        assert "errorDetail" not in text
        assert all(any("redis:7" in (i.get("RepoTags") or ()) for i in e.images) for e in fleet.cluster.healthy())


async def test_info_has_every_field_with_its_type_and_rows_are_pairs_of_texts() -> None:
    async with swarm(2) as fleet:
        info = await fleet.ask("GET", "/info")
        assert not {*DEFAULTS, "ID", "Labels", "Swarm", "SystemTime", "Warnings"} - set(info)
        assert info["Driver"] == "overlay2"
        assert info["Plugins"]["Volume"] == ["local"]
        for key in ("SystemStatus", "DriverStatus"):
            assert all(len(row) == 2 and all(isinstance(cell, str) for cell in row) for row in info[key])
        assert set(info["Swarm"]) >= {"NodeID", "NodeAddr", "LocalNodeState", "ControlAvailable", "Error"}
        version = await fleet.ask("GET", "/version")
        assert version["KernelVersion"] == "6.1.0"
        assert all(isinstance(value, str) for value in version["Components"][0]["Details"].values())
        fleet.hosts[0].switch(down=True)
        fleet.hosts[1].switch(down=True)
        await fleet.until(lambda: not fleet.cluster.healthy())
        assert set(await fleet.ask("GET", "/info")) == set(info)


async def test_an_engine_that_the_discovery_lets_go_of_is_told_as_disconnected() -> None:
    async with swarm(2) as fleet:
        found, task = await fleet.events('/events?filters={"type":["swarm"]}')
        await asyncio.sleep(0.05)
        gone = fleet.discovery.addresses.pop()
        await fleet.until(lambda: len(found) == 2)
        assert [event["Action"] for event in found] == ["engine_disconnect", "engine_removed"]
        assert {event["Actor"]["Attributes"]["node.addr"] for event in found} == {gone}
        fleet.discovery.addresses.append(gone)
        await fleet.until(lambda: len(found) == 3)
        assert found[2]["Action"] == "engine_connect"
        task.cancel()
        await task


async def test_disk_usage_has_each_image_once_and_adds_what_uses_it() -> None:
    async with swarm(3) as fleet:
        for number, place in enumerate(fleet.hosts):
            ask = place.ask

            async def used(request: Request, ask: CallNext = ask, number: int = number) -> Reply:
                if request.path != "/system/df":
                    return await ask(request)
                image = {"Id": "sha256:1", "RepoTags": [f"t{number}:1"], "Containers": number, "Created": 1}
                answer = {"LayersSize": 10, "Images": [image], "Containers": [], "Volumes": None, "BuilderSize": 1}
                return Reply.json(answer)

            place.ask = used
        found = await fleet.ask("GET", "/system/df")
        assert found == {
            "LayersSize": 30,
            "Images": [{"Id": "sha256:1", "RepoTags": ["t0:1", "t1:1", "t2:1"], "Containers": 3, "Created": 1}],
            "Containers": [],
            "Volumes": None,
            "BuilderSize": 3,
        }


async def test_a_registry_is_asked_through_another_engine_when_the_first_has_just_died() -> None:
    async with swarm(2, refresh_min=60, refresh_max=61) as fleet:
        for place in fleet.hosts:
            ask = place.ask

            async def search(request: Request, ask: CallNext = ask) -> Reply:
                return Reply.json([{"name": "found"}]) if request.path == "/images/search" else await ask(request)

            place.ask = search
        fleet.hosts[0].down = True
        assert await fleet.ask("GET", "/images/search?term=x") == [{"name": "found"}]
