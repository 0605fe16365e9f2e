"""An engine that gives its things the names and ids of another's: calls meant for the other never go to it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from machine.swarm import events
from machine.swarm.api.response_shapes import shape_of
from machine.swarm.api.shapes import WrongShape
from machine.swarm.cluster.facts import facts_of
from machine.swarm.merge.engine_info import EngineInfo
from machine.swarm.merge.info import merge_info
from machine.swarm.pipeline import ApiError, Request
from tests.scripted_answers import json_answer, raw
from tests.swarm.fleet import Fleet
from tests.swarm.hostile import Manager, manager
from tests.swarm.manager.test_signed_creates import lost

OTHER = "b" * 64


def container(key: str, name: str, **more: Any) -> dict[str, Any]:
    return {"Id": key, "Names": [f"/{name}"], "Image": "busybox", "State": "running", "Created": 1, **more}


def network(key: str, name: str, **more: str) -> dict[str, str]:
    return {"Id": key, "Name": name, "Driver": "bridge", "Scope": "local", **more}


async def until_listed(found: Manager, name: str) -> None:
    await found.until(lambda: found.cluster.index.with_name(name))


def of_bad(found: Manager, text: str) -> list[Any]:
    """Calls that the bad engine got about something."""
    return [r.target for r in found.bad.requests if text in r.target]


@pytest.mark.parametrize("verb", ["stop", "start", "kill", "attach"])
async def test_an_id_that_is_the_name_of_anothers_container_is_not_called_by_it(verb: str) -> None:
    listed = json_answer([container("good-1-1", "x")])
    async with manager(script={"/containers/json": listed}) as found:
        await until_listed(found, "x")
        found.good[0].answers[f"~/{verb}$"] = raw(b"HTTP/1.1 204 X\r\n\r\n")
        assert (await found.ask("POST", f"/containers/good-1-1/{verb}")).status == 204
        assert of_bad(found, verb) == []


async def test_an_id_that_is_the_name_of_anothers_network_is_not_called_by_it() -> None:
    async with manager() as found:
        await found.value("POST", "/networks/create", {"Name": "good-1/mine"})
        found.bad.answers["/networks"] = json_answer([network("mine", "other")])
        await found.until(lambda: [n["Id"] for n in found.engine("bad").networks] == ["mine"])
        assert (await found.ask("DELETE", "/networks/mine")).status == 204
        assert of_bad(found, "/networks/mine") == []


@pytest.mark.parametrize("made", ["good-1-1", "id", "prefix", "../x", "x" * 64])
async def test_a_create_that_gives_the_id_of_anothers_container_is_refused(made: str) -> None:
    async with manager() as found:
        await until_listed(found, "good-1-1")
        await until_listed(found, "bad-1")
        key = found.cluster.find("good-1-1").id
        said = {"id": key, "prefix": key[:12]}.get(made, made)
        found.bad.answers["/containers/create"] = json_answer({"Id": said}, 201)
        body = {"Image": "busybox", "Env": ["constraint:node==bad"]}
        reply = await found.ask("POST", "/containers/create?name=web", body)
        assert reply.status == 502
        assert b"is not valid" in await reply.read()


async def test_an_exec_that_gives_the_id_of_anothers_exec_is_refused() -> None:
    async with manager() as found:
        await until_listed(found, "bad-1")
        found.good[0].answers["~/exec$"] = json_answer({"Id": OTHER}, 201)
        found.bad.answers["~/exec$"] = json_answer({"Id": OTHER}, 201)
        found.good[0].answers[f"/exec/{OTHER}/json"] = json_answer({"ID": OTHER})
        await found.value("POST", "/containers/good-1-1/exec", {"Cmd": ["sh"]})
        assert (await found.ask("POST", "/containers/bad-1/exec", {"Cmd": ["sh"]})).status == 502
        await found.value("GET", f"/exec/{OTHER}/json")
        assert of_bad(found, OTHER) == []


async def test_a_network_that_gets_the_id_of_anothers_network_is_refused() -> None:
    async with manager() as found:
        made = await found.value("POST", "/networks/create", {"Name": "good-1/mine"})
        found.bad.answers["POST /networks/create"] = json_answer({"Id": made["Id"]}, 201)
        assert (await found.ask("POST", "/networks/create", {"Name": "bad/other"})).status == 502


async def test_a_node_whose_name_another_engine_took_is_not_guessed() -> None:
    async with manager(2) as found:
        second = found.good[1].address
        said = {**json.loads(found.good[1].engine.answer("GET", "/info", b"").body), "Name": "good-1"}
        found.good[1].answers["/info"] = json_answer(said)
        found.good[1].stop_listening()
        found.good[1].listen_again()
        await found.until(lambda: found.cluster.engines[second].name == "good-1")
        reply = await found.ask("POST", "/volumes/create", {"Name": "good-1/v"})
        assert reply.status == 404
        assert second.encode() in await reply.read()
        assert (await found.ask("POST", "/volumes/create", {"Name": f"{second}/v"})).status == 201


async def test_events_of_the_cluster_and_of_others_containers_are_not_told_by_an_engine() -> None:
    async with manager() as found:
        await until_listed(found, "good-1-1")
        await found.until(lambda: found.row()["state"] == "Healthy")
        key = found.cluster.find("good-1-1").id
        listening = found.cluster.subscribers.listen({})
        first = asyncio.ensure_future(anext(listening))
        await asyncio.sleep(0)
        forged = [
            {"Type": "container", "Action": "die", "Actor": {"ID": key}},
            {"Type": "container", "Action": "die", "Actor": {"ID": "c" * 64}, "id": key},
            {"status": "destroy", "id": key},
            {"Type": "swarm", "Action": "engine_disconnect", "from": "swarm node:good-1"},
            {"Type": "image", "Action": "pull", "from": "x node:good-1", "Actor": {"ID": "x"}},
        ]
        found.bad.send_event(b"".join(json.dumps(event).encode() + b"\n" for event in forged))
        told = json.loads(await asyncio.wait_for(first, 10))
        assert (told["Type"], told["from"]) == ("image", "x node:bad")
        found.bad.answers["/events"] = json_answer(forged[3])
        found.good[0].answers["/events"] = json_answer(forged[4])
        past = await found.ask("GET", "/events?since=1&until=2")
        assert b"engine_disconnect" not in await past.read()
        assert b"x node:good-1" in await past.read()
        assert isinstance(listening, AsyncGenerator)
        await listening.aclose()


@pytest.mark.parametrize("field", ["Node", "NODE", "From", "Statu\u017f"])
def test_an_event_says_once_which_node_it_is_from(field: str) -> None:
    with pytest.raises(WrongShape):
        events.check({"Type": "image", "Action": "pull", "node": {"Name": "n9"}, field: "n9"})


@pytest.mark.parametrize("name", ["Name\u017f", "Label\u017f", "\u017fTATUS", "names", "\u212ailled"])
def test_a_field_that_go_takes_for_another_is_refused(name: str) -> None:
    entry = container("a" * 64, "x")
    if name == "\u212ailled":
        shape_of(Request("GET", "/containers/json"))([{**entry, name: 5}])  # no field of the API, whatever its letters
        return
    with pytest.raises(WrongShape):
        shape_of(Request("GET", "/containers/json"))([{**entry, name: 5}])


FORGED = "x\nforged-row   good-1\x1b[2J"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/containers/json", [container("a" * 64, "x", Status=FORGED)]),
        ("/containers/json", [container("a" * 64, "x", Ports=[{"IP": FORGED, "PrivatePort": 1, "Type": "tcp"}])]),
        ("/containers/json", [container("a" * 64, "x", Ports=[{"PrivatePort": 1, "Type": FORGED}])]),
        ("/containers/json", [container("a" * 64, "x", NetworkSettings={"Networks": {FORGED: None}})]),
        ("/networks", [network("a" * 64, "x", Driver=FORGED)]),
        ("/networks", [network("a" * 64, "x", Scope=FORGED)]),
        ("/volumes", {"Volumes": [{"Name": "x", "Driver": FORGED}]}),
        ("/volumes", {"Volumes": [{"Name": "x", "Scope": FORGED}]}),
        ("/info", {"ID": "x", "Name": "x", "NFd": 2**62}),
    ],
)
def test_what_docker_prints_in_a_row_is_one_line(path: str, value: Any) -> None:
    with pytest.raises(WrongShape):
        shape_of(Request("GET", path))(value)


def test_what_docker_info_prints_of_the_engines_is_on_lines_of_its_own() -> None:
    said = {"CgroupDriver": FORGED, "Warnings": [FORGED], "Plugins": {"Log": [FORGED]}, "Runtimes": {FORGED: {}}}
    text = json.dumps(merge_info([("n1", EngineInfo.of(said)), ("n2", EngineInfo.of(said))]), ensure_ascii=False)
    assert "\\n" not in text.replace("\\\\n", "")
    assert "\\u001b" not in text


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_an_engine_does_not_send_the_manager_or_its_clients_elsewhere(status: int) -> None:
    async with manager() as found:
        await until_listed(found, "bad-1")
        away = json_answer({}, status, [("location", "http://192.0.2.1/")])
        found.bad.answers["~^/containers/.*/(json|logs)"] = away
        for path in ("json", "logs?stdout=1"):
            reply = await found.ask("GET", f"/containers/bad-1/{path}")
            assert reply.status == 502
            assert not reply.header(b"location")


@pytest.mark.parametrize("name", ["prune?x=", "a b", "x#y", "\N{SNOWMAN}", "x%2Fy"])
async def test_a_networks_name_is_part_of_a_path_and_nothing_more(name: str, fleet: Fleet) -> None:
    await fleet.create("web", start=True, Env=["reschedule:on-node-failure", "constraint:node==~n1"])
    container = fleet.cluster.find("web")
    fleet.cluster.ledger.record_network(container.swarm_id, name, {})
    await lost(fleet, fleet.hosts[0])
    await fleet.until(lambda: any(c.engine.name != "n1" for c in fleet.cluster.index.with_name("web")))
    asked = [target for place in fleet.hosts[1:] for _, target in place.asked if "/connect" in target]
    assert len(asked) == 1
    assert not any(sign in asked[0] for sign in "? #\N{SNOWMAN}")
    assert len(fleet.cluster.healthy()) == 2


async def test_a_network_joined_later_goes_by_the_name_that_a_client_gave_it() -> None:
    async with manager() as found:
        await found.until(lambda: found.row()["state"] == "Healthy")
        found.bad.answers["~/connect$"] = json_answer({})
        env = ["reschedule:on-node-failure", "constraint:node==~bad"]
        await found.value("POST", "/containers/create?name=web", {"Image": "busybox", "Env": env})
        made = await found.value("POST", "/networks/create", {"Name": "bad/mine"})
        found.bad.answers["/networks"] = json_answer([network(made["Id"], "production")])
        await found.until(lambda: len(found.engine("bad").networks) == 1)
        await found.value("POST", f"/networks/{made['Id']}/connect", {"Container": "web"})
        assert list(found.cluster.ledger.networks(found.cluster.find("web").swarm_id)) == ["mine"]


@pytest.mark.parametrize("name", ["x|10.0.0.1:2375", "10.0.0.1:2375", "n1/x", "n1 n2", "n1\tx"])
def test_an_engine_is_not_called_like_an_address_or_two_nodes(name: str) -> None:
    with pytest.raises(ValueError, match="characters that no host's name has"):
        facts_of({"ApiVersion": "1.44"}, {"Name": name, "ID": "x"})


@pytest.mark.parametrize(
    ("expression", "fits"),
    [("node==10.0.0.2:2375", {"n2"}), ("node!=10.0.0.2:2375", {"n1", "n3"}), ("node==10.0.0.*", set())],
)
async def test_a_constraint_may_name_an_address(expression: str, fits: set[str], fleet: Fleet) -> None:
    for number in range(4):
        try:
            await fleet.create(f"c{number}", Env=[f"constraint:{expression}"])
        except ApiError:
            assert not fits
    assert {name.partition("/")[0] for name in await fleet.names()} <= fits


@pytest.mark.parametrize("taken", ["id", "name"])
async def test_a_short_id_of_anothers_container_is_not_taken(taken: str) -> None:
    async with manager() as found:
        key = next(iter(found.engine("good-1").containers))
        listed = container(key[:12], "x") if taken == "id" else container("f" * 64, key[:12])
        found.bad.answers["/containers/json"] = json_answer([listed])
        await found.until(lambda: listed["Id"] in found.engine("bad").containers)
        found.good[0].answers["~/stop$"] = raw(b"HTTP/1.1 204 X\r\n\r\n")
        reply = await found.ask("POST", f"/containers/{key[:12]}/stop")
        assert of_bad(found, "/stop") == []
        assert (reply.status == 204) == (taken == "id"), "a name that is another's short id is ambiguous"
        assert (await found.ask("POST", f"/containers/{key}/stop")).status == 204
