"""A simulated engine behaves as an engine: states, conflicts, events, and a farm that real clients talk to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from machine.swarm.http.address import parse
from machine.swarm.http.client import Client
from machine.swarm.pipeline import Request
from machine.swarmd.simulator import SimulatedEngine
from machine.swarmd.simulator.backend import as_pipeline_end
from machine.swarmd.simulator.fleet import SimulatedFleet, main


def call(engine: SimulatedEngine, method: str, target: str, body: Any = None) -> tuple[int, Any]:
    said = engine.answer(method, target, json.dumps(body).encode() if body is not None else b"")
    return said.status, json.loads(said.body) if said.body else None


def test_a_container_lives_and_dies() -> None:
    engine = SimulatedEngine("sim")
    heard: list[Any] = []
    engine.listeners.add(lambda line: heard.append(json.loads(line)["Action"]))
    status, made = call(engine, "POST", "/v1.44/containers/create?name=web", {"Image": "busybox", "Cmd": ["sh"]})
    assert status == 201
    x = made["Id"]
    assert call(engine, "GET", "/containers/json") == (200, [])
    assert call(engine, "POST", f"/containers/{x[:12]}/start") == (204, None)
    assert call(engine, "POST", "/containers/web/start") == (304, None)
    (entry,) = call(engine, "GET", "/containers/json")[1]
    assert (entry["Names"], entry["State"]) == (["/web"], "running")
    assert call(engine, "DELETE", "/containers/web")[0] == 409
    ends: list[int] = []
    assert engine.answer("POST", "/containers/web/wait").until == x
    engine.when_ended(x, ends.append)
    assert call(engine, "POST", "/containers/web/kill") == (204, None)
    assert ends == [137]
    assert call(engine, "GET", "/containers/web/json")[1]["State"]["ExitCode"] == 137
    assert call(engine, "POST", "/containers/web/rename?name=other") == (204, None)
    assert call(engine, "DELETE", "/containers/other") == (204, None)
    assert call(engine, "GET", f"/containers/{x}/json")[0] == 404
    assert heard == ["create", "start", "die", "kill", "rename", "destroy"]


def test_it_refuses_what_an_engine_refuses() -> None:
    engine = SimulatedEngine("sim", 1, oldest_api="1.44")
    assert "too old" in call(engine, "GET", "/v1.40/containers/json")[1]["message"]
    assert call(engine, "POST", "/containers/create?name=sim-1", {"Image": "busybox"})[0] == 409
    assert call(engine, "POST", "/containers/create", {"Image": "none"})[0] == 404
    ports = {"PortBindings": {"80/tcp": [{"HostPort": "80"}]}}
    for _ in range(2):
        status, made = call(engine, "POST", "/containers/create", {"Image": "busybox", "HostConfig": ports})
        assert status == 201
        last = call(engine, "POST", f"/containers/{made['Id']}/start")
    assert last[0] == 500
    assert "already allocated" in last[1]["message"]
    assert engine.answer("POST", "/containers/create", b"{").status == 400
    assert call(engine, "GET", "/nothing")[0] == 404


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ({"name": ["sim-1"]}, 2),  # sim-1 and sim-10
        ({"name": ["^/sim-1$"]}, 1),
        ({"label": ["made-by=simulator"]}, 10),
        ({"label": {"other": True}}, 0),
        ({"status": ["exited"]}, 1),
    ],
)
def test_filters(filters: Any, count: int) -> None:
    engine = SimulatedEngine("sim", 10)
    call(engine, "POST", "/containers/sim-7/stop")
    target = "/containers/json?all=1&filters=" + json.dumps(filters)
    assert len(call(engine, "GET", target)[1]) == count


async def test_a_farm_answers_http_in_pieces_and_in_rows() -> None:
    async with SimulatedFleet(3, 2) as farm:
        host, port = farm.addresses[1].split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        body = b'{"Image":"busybox"}'
        one = b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n"
        two = b"POST /containers/create?name=n HTTP/1.1\r\nHost: x\r\ncontent-length: %d\r\n\r\n%s" % (
            len(body),
            body,
        )
        for index in range(len(one + two + one)):
            writer.write((one + two + one)[index : index + 1])
            await writer.drain()
        for expected in (b"200", b"201", b"200"):
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.split()[1] == expected
            length = next(
                int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length")
            )
            await reader.readexactly(length)
        writer.close()
        assert len(farm.engines[1].containers) == 3


async def test_a_farm_streams_events_and_waits_to_our_client() -> None:
    async with SimulatedFleet(1, 1) as farm:
        client = Client(parse(farm.addresses[0]))
        events = await client(Request("GET", "/events"))
        waiting = await client(Request("POST", "/containers/sim-0001-1/wait"))
        assert (await client(Request("POST", "/containers/sim-0001-1/stop"))).status == 204
        assert await waiting.json_body() == {"StatusCode": 0}
        assert isinstance(events.body, AsyncIterator)
        line = await anext(events.body)
        assert json.loads(line.splitlines()[0])["Action"] == "die"
        await events.close()
        await asyncio.sleep(0.05)
        assert not farm.engines[0].listeners
        await client.close()


async def test_its_answers_say_that_it_is_simulated() -> None:
    reply = await as_pipeline_end(SimulatedEngine("n1"))(Request("GET", "/_ping"))
    assert reply.header(b"server") == b"Docker/29.0.0 (simulated)"


def test_the_program_says_how_it_is_called(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["many"]) == 2
    assert "usage" in capsys.readouterr().err
