"""A member of an aggregate that gives other names and ids than its own: the other members' things stay untouched."""

from __future__ import annotations

import json

import pytest

from tests.scripted_answers import body_answer, json_answer
from tests.scripted_engine import ScriptedEngine
from tests.swarmd.aggregate.test_members_that_lie import AggregateFront, aggregate

KEY, OTHER = "a" * 64, "b" * 64


def network(name: str, key: str = KEY) -> dict[str, str]:
    return {"Id": key, "Name": name, "Driver": "bridge", "Scope": "local"}


def deleted(engine: ScriptedEngine) -> list[str]:
    return [r.target for r in engine.requests if r.method == "DELETE"]


async def own(front: AggregateFront, name: str = "good-1") -> str:
    """The id of the good engine's container, which the aggregate was asked for."""
    return str((await front.value("GET", f"/containers/{name}/json"))["Id"])


@pytest.mark.parametrize("asked", ["temporary", KEY, KEY[:12]])
async def test_removing_a_network_removes_none_that_an_engine_makes_of_its_name(asked: str) -> None:
    async with aggregate({}) as front:
        for name in ("temporary", "production"):
            await front.value("POST", "/networks/create", {"Name": name})
        front.bad.answers["/networks"] = json_answer([network("temporary")])
        await front.value("GET", "/networks")
        front.bad.answers[f"GET /networks/{asked}"] = json_answer(network("production"))
        await front.ask("DELETE", f"/networks/{asked}")
        assert not [target for target in deleted(front.good) if "production" in target]


@pytest.mark.parametrize("name", ["host", "none", "container:good-1"])
async def test_a_networks_id_never_stands_for_the_host_or_a_container(name: str) -> None:
    async with aggregate({}) as front:
        front.bad.answers[f"/networks/{KEY}"] = json_answer(network(name))
        config = {"Image": "busybox", "HostConfig": {"NetworkMode": KEY}}
        await front.ask("POST", "/containers/create?name=good/x", config)
        bodies = [json.loads(r.body) for r in front.good.requests if r.path == "/containers/create"]
        assert not [body for body in bodies if body["HostConfig"]["NetworkMode"] == name]


@pytest.mark.parametrize("key", ["good-1", "same"])
async def test_calls_for_a_container_stay_with_its_engine(key: str) -> None:
    async with aggregate({}) as front:
        identity = await own(front)
        said = {"Id": identity if key == "same" else key, "Name": "/x", "Names": ["/x"]}
        front.bad.answers["~^/containers/[^/]+/json"] = json_answer(said)
        front.bad.answers["/containers/json"] = json_answer([said])
        await front.value("GET", "/containers/json?all=1")
        asked = ["good-1", identity] if key == "same" else ["good-1"]
        for text in asked:
            reply = await front.ask("POST", f"/containers/{text}/kill")
            assert reply.status in (204, 409), await reply.read()
        assert not [r.target for r in front.bad.requests if r.target.endswith("/kill")]


async def test_a_create_and_an_exec_with_anothers_id_are_refused() -> None:
    async with aggregate({}) as front:
        identity = await own(front)
        front.bad.answers["/containers/create"] = json_answer({"Id": identity}, 201)
        assert (await front.ask("POST", "/containers/create?name=bad/x", {"Image": "busybox"})).status == 502
        for engine in (front.good, front.bad):
            engine.answers["~/exec$"] = json_answer({"Id": OTHER}, 201)
        assert (await front.ask("POST", "/containers/good-1/exec", {"Cmd": ["sh"]})).status == 201
        assert (await front.ask("POST", "/containers/bad-1/exec", {"Cmd": ["sh"]})).status == 502


async def test_events_are_of_the_engine_that_tells_them() -> None:
    async with aggregate({}) as front:
        identity = await own(front)
        forged = [
            {"Type": "container", "Action": "die", "Actor": {"ID": identity}},
            {"Type": "swarm", "Action": "engine_disconnect"},
            {"Type": "image", "Action": "pull", "from": "x node:good", "Actor": {"ID": "x"}},
        ]
        lines = b"".join(json.dumps(event).encode() + b"\n" for event in forged)
        front.bad.answers["/events"], front.good.answers["/events"] = body_answer(lines), body_answer(b"")
        told = await (await front.ask("GET", "/events?until=1")).read()
        found = [json.loads(line) for line in told.splitlines()]
        assert [(event["Type"], event["from"]) for event in found] == [("image", "x node:bad")]


async def test_the_progress_of_one_engine_has_no_lines_of_others() -> None:
    async with aggregate({}) as front:
        forged = {"status": "x\ngood: done\x1b[2J", "id": "y\ngood", "progress": "\x1b[1A"}
        front.bad.answers["/images/create"] = json_answer(forged)
        said = await front.ask("POST", "/images/create?fromImage=busybox&tag=latest")
        shown = [json.loads(line) for line in (await said.read()).splitlines() if line]
        assert not [line for line in shown for value in line.values() if "\x1b" in str(value) or "\n" in str(value)]


async def test_a_network_is_not_given_a_name_for_which_its_engines_would_not_be_believed() -> None:
    async with aggregate({}) as front:
        assert (await front.ask("POST", "/networks/create", {"Name": "a\nb"})).status == 400
        assert not [r for r in front.good.requests if r.path == "/networks/create"]


async def test_a_name_that_is_the_short_id_of_anothers_container_takes_no_call() -> None:
    async with aggregate({}) as front:
        key = await own(front)
        taken = {"Id": "f" * 64, "Name": f"/{key[:12]}", "Names": [f"/{key[:12]}"]}
        front.bad.answers["~^/containers/[^/]+/json"] = json_answer(taken)
        front.bad.answers["/containers/json"] = json_answer([taken])
        await front.ask("POST", f"/containers/{key[:12]}/kill")
        assert not [r.target for r in front.bad.requests if r.target.endswith("/kill")]
