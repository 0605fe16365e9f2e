"""Engines that die, hang, return, double, come and go: nothing is lost and nothing is made twice."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from machine.swarm.manager.rescheduling import Rescheduler
from machine.swarm.pipeline import ApiError, CallNext, Reply, Request
from machine.swarm.scheduler.placement_request import EXPRESSION_LABELS
from machine.swarmd.simulator.container import Container
from machine.swarmd.simulator.engine import SimulatedEngine
from machine.swarmd.simulator.responses import Response
from tests.swarm.fleet import Fleet, engines, swarm

MOVES: dict[str, Any] = {"Env": ["reschedule:on-node-failure"]}


def state(fleet: Fleet, n: int) -> str:
    return str(fleet.cluster.engines[f"10.0.0.{n}:2375"].health.state)


async def settled(fleet: Fleet, count: int) -> None:
    await fleet.until(lambda: len(fleet.cluster.healthy()) == count)


async def test_an_engine_that_dies_is_shown_so_and_the_rest_goes_on(fleet: Fleet) -> None:
    await fleet.create("web", start=True)
    fleet.hosts[0].switch(down=True)
    await settled(fleet, 2)
    (shown,) = await fleet.ask("GET", "/containers/json?all=1")
    assert shown["Status"] == "Host Down"
    assert await fleet.names("") == []
    assert await fleet.names('filters={"status":["running"]}') == []
    with pytest.raises(ApiError, match="Host Down"):
        await fleet.call("POST", "/containers/web/stop")
    info = await fleet.ask("GET", "/info")
    assert ["  └ Status", "Unhealthy"] in info["SystemStatus"]
    assert ["  └ Error", "connection refused"] in info["SystemStatus"]
    await fleet.create("other")
    fleet.hosts[0].switch(down=False)
    await settled(fleet, 3)
    names = {c["Names"][0]: c["Status"] for c in await fleet.ask("GET", "/containers/json?all=1")}
    assert names["/web"].startswith("Up")


async def test_a_movable_container_is_made_again_elsewhere_once_and_its_double_goes(fleet: Fleet) -> None:
    first = await fleet.create("web", start=True, **MOVES)
    await fleet.create("stays", start=True, Env=["constraint:node==n1"])
    await fleet.until(lambda: all(c.signed for c in [fleet.cluster.find("web")]))
    fleet.hosts[0].switch(down=True)
    await fleet.until(lambda: [c for c in fleet.cluster.index.with_name("web") if c.engine.name != "n1"])
    await fleet.until(lambda: fleet.cluster.find("web").state == "running")
    moved = fleet.cluster.find("web")
    assert (moved.engine.name, moved.id != first) == ("n2", True)
    assert sorted(await fleet.names()) == ["n1/stays", "n2/web"]
    assert await fleet.names("") == ["n2/web"]
    assert len(fleet.hosts[1].engine.containers) + len(fleet.hosts[2].engine.containers) == 1
    fleet.hosts[0].switch(down=False)
    await settled(fleet, 3)
    await fleet.until(lambda: first not in fleet.hosts[0].engine.containers)
    await asyncio.sleep(0.5)
    assert sorted(await fleet.names()) == ["n1/stays", "n2/web"]
    assert moved.id in fleet.hosts[1].engine.containers
    deletions = [target for method, target in fleet.hosts[0].asked if method == "DELETE"]
    assert deletions
    assert not any("v=1" in target for target in deletions)


MOVED = {"com.docker.swarm.id": "one", EXPRESSION_LABELS["reschedule"]: '["on-node-failure"]'}
CLONED = {"Image": "busybox", "Labels": MOVED}


class Starts:
    """Stands before engines: a start waits for `go`, and is refused while `broken`."""

    def __init__(self, fleet: Fleet) -> None:
        self.go, self.asked, self.broken = asyncio.Event(), asyncio.Event(), False
        for place in fleet.hosts[1:]:
            place.ask = self.before(place.ask)

    def before(self, ask: CallNext) -> Callable[..., Any]:
        async def call(request: Request) -> Reply:
            if request.path.endswith("/start"):
                self.asked.set()
                await self.go.wait()
                if self.broken:
                    raise ApiError(500, "no such device")
            return await ask(request)

        return call


async def fails(fleet: Fleet) -> tuple[str, Starts]:
    """A movable container runs on n1, which fails; its id. Whoever starts it elsewhere has to wait."""
    first = await fleet.create("web", start=True, **MOVES)
    await fleet.until(lambda: fleet.cluster.find("web").signed)
    starts = Starts(fleet)
    fleet.hosts[0].switch(down=True)
    await starts.asked.wait()
    return first, starts


def elsewhere(fleet: Fleet) -> int:
    """How many containers are on the other engines."""
    return sum(len(place.engine.containers) for place in fleet.hosts[1:])


async def test_a_container_that_does_not_start_elsewhere_is_not_lost(fleet: Fleet) -> None:
    first, starts = await fails(fleet)
    starts.broken = True
    starts.go.set()
    await fleet.until(lambda: any("web of n1: no such device" in line for line in fleet.lines))
    assert (elsewhere(fleet), fleet.cluster.find("web").id) == (0, first)
    fleet.hosts[0].switch(down=False)
    await settled(fleet, 3)
    await asyncio.sleep(0.3)
    assert await fleet.names("") == ["n1/web"]


async def test_an_engine_that_returns_while_its_container_moves_keeps_it_until_the_other_one_runs(fleet: Fleet) -> None:
    first, starts = await fails(fleet)
    fleet.hosts[0].switch(down=False)
    await settled(fleet, 3)
    await asyncio.sleep(0.3)
    assert first in fleet.hosts[0].engine.containers
    starts.go.set()
    await fleet.until(lambda: first not in fleet.hosts[0].engine.containers)
    assert elsewhere(fleet) == 1
    assert fleet.cluster.find("web").state == "running"


async def test_an_engine_that_fails_twice_in_a_row_has_its_containers_moved_once(fleet: Fleet) -> None:
    _, starts = await fails(fleet)
    engine = fleet.engine("n1")
    for watcher in fleet.cluster.watchers * 3:
        watcher(engine, "engine_disconnect")
    await asyncio.sleep(0.2)
    starts.go.set()
    await fleet.until(lambda: fleet.cluster.find("web").state == "running" and not engine.containers)
    assert elsewhere(fleet) == 1


async def test_what_could_move_is_made_again_when_the_discovery_lets_go_of_a_dead_engine(fleet: Fleet) -> None:
    await fleet.create("web", start=True, **MOVES)
    await fleet.create("made", **MOVES)
    await fleet.until(lambda: all(fleet.cluster.find(name).signed for name in ("web", "made")))
    home = fleet.cluster.find("web").engine.name
    place = next(place for place in fleet.hosts if place.engine.name == home)
    place.down = True  # its events go on: it has not been found out yet
    fleet.discovery.addresses.remove(fleet.cluster.find("web").engine.address)
    await fleet.until(lambda: any(c.is_up and c.engine.name != home for c in fleet.cluster.index.with_name("web")))
    assert fleet.cluster.find("made").state == "created"
    assert sum(" moved from" in line for line in fleet.lines) == 1


async def test_what_could_move_stays_on_an_engine_that_is_taken_out_and_runs_on(fleet: Fleet) -> None:
    key = await fleet.create("web", start=True, **MOVES)
    await fleet.until(lambda: fleet.cluster.find("web").signed)
    fleet.discovery.addresses.remove(fleet.cluster.find("web").engine.address)
    await fleet.until(lambda: any("its containers stay there" in line for line in fleet.lines))
    assert await fleet.names() == []
    assert fleet.hosts[0].engine.containers[key].state == "running"


async def test_a_rescheduler_that_comes_late_sees_to_what_failed_before(fleet: Fleet) -> None:
    await fleet.rescheduler.close()
    first, starts = await fleet.create("web", start=True, **MOVES), Starts(fleet)
    starts.go.set()
    await fleet.until(lambda: fleet.cluster.find("web").signed)
    fleet.hosts[0].switch(down=True)
    await settled(fleet, 2)
    fleet.rescheduler = Rescheduler(fleet.context)
    await fleet.until(lambda: fleet.cluster.find("web").engine.name == "n2")
    await fleet.until(lambda: fleet.cluster.find("web").state == "running")
    await fleet.rescheduler.close()
    fleet.hosts[0].switch(down=False)
    await settled(fleet, 3)
    assert sorted(await fleet.names()) == ["n1/web", "n2/web"]
    fleet.rescheduler = Rescheduler(fleet.context)
    await fleet.until(lambda: first not in fleet.hosts[0].engine.containers)
    assert await fleet.names() == ["n2/web"]


async def test_a_movable_container_that_fits_nowhere_stays_known() -> None:
    async with swarm(2) as fleet:
        await fleet.create("web", Env=["reschedule:on-node-failure", "constraint:node==n1"])
        await fleet.until(lambda: fleet.cluster.find("web").signed)
        fleet.hosts[0].switch(down=True)
        await settled(fleet, 1)
        await fleet.until(lambda: any("rescheduling: web" in line for line in fleet.lines))
        assert await fleet.names() == ["n1/web"]
        fleet.hosts[0].switch(down=False)
        await settled(fleet, 2)
        assert len(fleet.hosts[0].engine.containers) == 1
        assert fleet.cluster.find("web").engine.name == "n1"


async def test_an_engine_that_hangs_does_not_stall_the_others(fleet: Fleet) -> None:
    fleet.hosts[0].hangs = True
    for n in range(4):
        await fleet.create(f"c{n}", Env=["constraint:node!=n1"])
    assert len(await fleet.names()) == 4


async def test_a_create_on_an_engine_that_hangs_ends_with_an_error_and_the_next_one_goes_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("machine.swarm.cluster.engine_connection.ANSWER", 0.3)
    monkeypatch.setattr("machine.swarm.cluster.engine_connection.SLOW", 0.1)

    async with swarm(refresh_min=1000, refresh_max=1000) as fleet:
        fleet.hosts[0].hangs = True
        with pytest.raises(ApiError, match=r"n1 has stopped answering: .* did not answer") as refused:
            await fleet.create()
        assert refused.value.status == 504
        assert fleet.engine("n1").node.creating == {}
        await fleet.create()
        assert [name.split("/")[0] for name in await fleet.names()] == ["n2"]


async def test_a_call_that_takes_long_on_an_engine_that_answers_others_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("machine.swarm.cluster.engine_connection.SLOW", 0.05)

    async with swarm(1, refresh_min=1000, refresh_max=1000) as fleet:
        key = await fleet.create("web", start=True)
        place = fleet.hosts[0]
        ask = place.ask

        async def slow(request: Request) -> Reply:
            await asyncio.sleep(0.5 if request.path.endswith("/stop") else 0)
            return await ask(request)

        place.ask = slow
        place.asked.clear()
        assert (await fleet.call("POST", "/containers/web/stop")).ok
        assert any("/containers/json" in target and key not in target for _, target in place.asked)
        assert len(fleet.cluster.healthy()) == 1


async def test_an_engine_that_returns_with_another_id_and_other_containers_is_taken_as_it_is() -> None:
    async with swarm(2) as fleet:
        await fleet.create("web", Env=["constraint:node==n1"])
        fleet.hosts[0].switch(down=True)
        await settled(fleet, 1)
        place = fleet.hosts[0]
        place.engine = SimulatedEngine("n1", container_names=("new",))
        from machine.swarmd.simulator.backend import as_pipeline_end

        place.ask = as_pipeline_end(place.engine)
        place.switch(down=False)
        await settled(fleet, 2)
        assert await fleet.names() == ["n1/new"]


async def test_the_same_engine_under_two_addresses_is_taken_once() -> None:
    same = SimulatedEngine("n1", 2)
    async with swarm(simulated_engines=[same]) as fleet:
        from tests.swarm.fleet import SimulatedHost

        fleet.by_address["10.0.0.9:2375"] = SimulatedHost(same)
        fleet.discovery.addresses.append("10.0.0.9:2375")
        await fleet.until(lambda: "10.0.0.9:2375" in fleet.cluster.engines)
        await fleet.until(lambda: fleet.cluster.engines["10.0.0.9:2375"].health.error)
        assert "the engine at 10.0.0.1:2375" in fleet.cluster.engines["10.0.0.9:2375"].health.error
        assert len(await fleet.names()) == 2
        fleet.hosts[0].switch(down=True)
        await fleet.until(lambda: [e.address for e in fleet.cluster.healthy()] == ["10.0.0.9:2375"])


async def test_what_a_cloned_disk_brings_along_is_not_removed() -> None:
    made = [SimulatedEngine("n1"), SimulatedEngine("n2")]
    key = json.loads(made[0].answer("POST", "/containers/create?name=web", json.dumps(CLONED).encode()).body)["Id"]
    made[1].containers, made[1].names = copy.deepcopy(made[0].containers), dict(made[0].names)

    async with swarm(simulated_engines=made) as fleet:
        await asyncio.sleep(0.5)
        assert all(key in engine.containers for engine in made)
        assert len(await fleet.names()) == 2
        fleet.hosts[0].switch(down=True)
        await settled(fleet, 1)
        await asyncio.sleep(0.3)
        fleet.hosts[0].switch(down=False)
        await settled(fleet, 2)
        await asyncio.sleep(0.3)
        assert [list(engine.containers) for engine in made] == [[key], [key]]


async def test_a_container_of_an_image_that_brought_the_labels_is_not_a_double() -> None:
    async with swarm(3) as fleet:
        first = await fleet.create("web", start=True, **MOVES)
        labels = fleet.hosts[0].engine.containers[first].labels
        body = json.dumps({"Image": "busybox", "Labels": labels}).encode()
        fleet.hosts[1].engine.answer("POST", "/containers/create?name=copy", body)  # not through the manager
        await fleet.until(lambda: fleet.cluster.index.with_name("copy"))
        await asyncio.sleep(0.3)
        assert sorted(await fleet.names()) == ["n1/web", "n2/copy"]
        fleet.hosts[0].switch(down=True)  # and it is no reason to leave the other one where it was
        await fleet.until(lambda: fleet.cluster.find("web").is_up and fleet.cluster.find("web").engine.name != "n1")


async def test_cloned_engines_with_names_of_their_own_are_all_taken() -> None:
    made = engines(3)
    for engine in made:
        engine.id = "cloned"

    async with swarm(simulated_engines=made) as fleet:
        for n in range(3):
            await fleet.create(f"c{n}")
        assert sorted(await fleet.names()) == ["n1/c0", "n2/c1", "n3/c2"]
        ids = [row[1] for row in (await fleet.ask("GET", "/info"))["SystemStatus"] if row[0] == "  └ ID"]
        assert len(set(ids)) == 3


async def test_engines_come_and_go_with_the_discovery() -> None:
    async with swarm(3, 2) as fleet:
        found, task = await fleet.events('/events?filters={"type":["swarm"]}')
        await asyncio.sleep(0.05)
        gone = fleet.discovery.addresses.pop()
        await fleet.until(lambda: gone not in fleet.cluster.engines)
        assert len(await fleet.names()) == 4
        fleet.discovery.addresses.append(gone)
        await settled(fleet, 3)
        assert len(await fleet.names()) == 6
        await fleet.until(lambda: len(found) == 3)
        assert [e["Action"] for e in found] == ["engine_disconnect", "engine_removed", "engine_connect"]
        task.cancel()
        await task


async def test_nonsense_from_one_engine_is_its_own_trouble() -> None:
    class Mad(SimulatedEngine):
        mad = False

        def answer(self, method: str, target: str, body: bytes = b"") -> Response:
            said = super().answer(method, target, body)
            return said._replace(body=b"[1,2") if self.mad and not said.events else said

    mad = Mad("n1")
    async with swarm(simulated_engines=[mad, SimulatedEngine("n2")]) as fleet:
        mad.mad = True
        await settled(fleet, 1)
        await fleet.create("web")
        assert await fleet.names() == ["n2/web"]
        mad.mad = False
        await settled(fleet, 2)


async def test_a_manager_started_again_has_the_same_state() -> None:
    made = engines(3)
    async with swarm(simulated_engines=made) as fleet:
        for n in range(6):
            await fleet.create(f"c{n}", start=n % 2 == 0, HostConfig={"Memory": 1 << 20})
        listed = sorted(await fleet.names())
    async with swarm(simulated_engines=made) as fleet:
        assert sorted(await fleet.names()) == listed
        await fleet.until(lambda: all(c.inspected for c in fleet.cluster.index.newest_first()))
        assert [e.node.used[1] for e in fleet.cluster.healthy()] == [2 << 20] * 3


async def test_a_discovery_that_is_empty_for_a_moment_lets_nobody_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("machine.swarm.cluster.cluster.EMPTY_LIST_SECONDS", 0.5)

    async with swarm(2, 2) as fleet:
        kept, fleet.discovery.addresses = fleet.discovery.addresses, []
        await fleet.until(lambda: any("lists no engine any more" in line for line in fleet.lines))
        fleet.discovery.addresses = kept
        await asyncio.sleep(1)
        assert len(await fleet.names()) == 4
        assert not any("removed from the cluster" in line for line in fleet.lines)
        fleet.discovery.addresses = []
        await fleet.until(lambda: not fleet.cluster.engines)


@pytest.mark.parametrize(("died", "removed"), [("die", "destroy"), ("died", "remove")])
async def test_what_ends_and_goes_on_an_engine_is_known_whatever_the_engine_calls_it(died: str, removed: str) -> None:
    class Podman(SimulatedEngine):
        def publish(self, action: str, about: Container) -> None:
            super().publish({"die": died, "destroy": removed}.get(action, action), about)

    async with swarm(simulated_engines=[Podman("n1", 1)], refresh_min=1000, refresh_max=1000) as fleet:
        found, task = await fleet.events('/events?filters={"type":["container"]}')
        await asyncio.sleep(0.05)
        engine = fleet.hosts[0].engine
        engine.answer("POST", "/containers/n1-1/kill")
        await fleet.until(lambda: fleet.cluster.find("n1-1").state == "exited")
        engine.answer("DELETE", "/containers/n1-1")
        await fleet.until(lambda: not fleet.cluster.index.with_name("n1-1"))
        await fleet.until(lambda: [e["Action"] for e in found][-1:] == ["destroy"])
        assert "die" in [e["status"] for e in found]
        task.cancel()
        await task
