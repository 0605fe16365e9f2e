"""Engines that answer nonsense, too much, too slowly or not at all: they are told apart, and all others answer."""

from __future__ import annotations

import asyncio
import json
import re
import time
from typing import Any

import pytest

from tests.scripted_answers import HOSTILE, NASTY, json_answer
from tests.swarm.hostile import Manager, manager, quick, showable

LISTS = ("/containers/json?all=1", "/images/json", "/networks", "/volumes", "/info", "/version", "/_ping")
KEPT = ("/version", "/info", "/containers/json", "/images/json", "/networks", "/volumes", "/events")
SOUND = {"shape []", "shape {}", "no content", "status 99"}  # of some routes a good answer, or none at all


def names(containers: list[dict[str, Any]]) -> list[str]:
    return sorted(c["Names"][0].lstrip("/").rpartition("/")[2] for c in containers)


async def check_the_others(found: Manager) -> None:
    """Every list is there at once, with what the good engine has in it."""
    for target in LISTS:
        reply = await found.ask("GET", target, seconds=5)
        body = await reply.read()
        assert reply.status == 200, (target, body)
        showable(reply, body)
    assert {"good-1-1", "good-1-2"} <= set(names(await found.value("GET", "/containers/json?all=1")))
    assert any("busybox:latest" in (i["RepoTags"] or ()) for i in await found.value("GET", "/images/json"))
    assert await found.value("GET", "/networks")
    for line in found.lines:
        assert re.fullmatch(r"[^\x00-\x1f\x7f-\x9f]*", line) or line.startswith("Traceback"), line
        assert "bug" not in line
    assert not [line for line in found.lines if line.startswith("Traceback")]


@pytest.mark.parametrize("kind", sorted(HOSTILE))
async def test_what_is_kept_of_an_engine_is_right_or_the_engine_is_told_apart(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One hostile answer to every question that the manager asks by itself."""
    quick(monkeypatch)

    async with manager(script=dict.fromkeys(KEPT, HOSTILE[kind]), refresh_min=1000, refresh_max=1000) as found:
        await found.until(lambda: found.row()["error"])
        await check_the_others(found)


WRONG = ("shape 7", 'shape ["x"]', "nested lists", "cut short", "head only", "no JSON")


@pytest.mark.parametrize(
    ("path", "kind"),
    [(path, kind) for path in KEPT for kind in WRONG if (path, kind) != ("/events", "head only")],  # silence is good
)
async def test_an_engine_with_one_wrong_answer_is_unhealthy_with_the_reason_until_it_is_right(
    path: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick(monkeypatch)

    async with manager() as found:
        await found.until(lambda: found.row()["state"] == "Healthy")
        found.bad.answers[path] = HOSTILE[kind]
        if path in ("/version", "/info", "/events"):  # asked when an engine is reached
            found.bad.stop_listening()
            found.bad.listen_again()
        await found.until(lambda: found.row()["state"] == "Unhealthy")
        if path != "/events":
            assert path in found.row()["error"] or "within" in found.row()["error"]
        await check_the_others(found)
        rows = (await found.value("GET", "/info"))["SystemStatus"]
        assert ["  └ Status", "Unhealthy"] in rows
        assert any(row[0].endswith("Error") and row[1] for row in rows)
        del found.bad.answers[path]
        await found.until(lambda: found.row()["state"] == "Healthy")


@pytest.mark.parametrize("version", ["0.1", "1.23", "1", "x", "", "\u0661.\u0662", "9" * 5000 + ".1", None, 1.41])
async def test_an_api_that_is_too_old_or_none_lowers_nobody_elses(version: float | str | None) -> None:
    said = json_answer({"Version": "1", "ApiVersion": version})
    async with manager(script={"/version": said}) as found:
        await found.until(lambda: found.row()["error"])
        assert (await found.value("GET", "/version"))["ApiVersion"] == "1.51"
        assert (await found.ask("HEAD", "/_ping")).header(b"api-version") == b"1.51"


@pytest.mark.parametrize("field", ["Name", "ID", "OSType", "Architecture", "KernelVersion", "ServerVersion", "Driver"])
async def test_facts_of_an_engine_that_cannot_be_shown_are_not_taken(field: str) -> None:
    info = {"Name": "bad", "ID": "X", "NCPU": 1, "MemTotal": 1, field: NASTY}
    async with manager(script={"/info": json_answer(info)}) as found:
        await found.until(lambda: found.row()["error"])
        assert f".{field} " in found.row()["error"]
        await check_the_others(found)


async def test_a_container_whose_entry_is_wrong_does_not_keep_a_name() -> None:
    async with manager() as found:
        await found.until(lambda: found.row()["state"] == "Healthy")
        key = next(iter(found.bad.engine.containers))
        entry = {"Id": key, "Names": ["/new"], "Created": "never", "State": "running", "Status": "Up 2 minutes"}
        found.bad.answers["/containers/json"] = json_answer([entry])
        await found.until(lambda: found.row()["state"] == "Unhealthy")
        found.bad.answers["/containers/json"] = json_answer([{**entry, "Created": 5}])
        await found.until(lambda: found.row()["state"] == "Healthy")
        assert [c.name for c in found.cluster.index.newest_first() if c.engine.name == "bad"] == ["new"]
        assert not found.cluster.index.with_name("bad-1")


@pytest.mark.parametrize("port", [-(10**15), 70000, 10**30, "80", 1.5])
async def test_ports_that_there_are_not(port: float | str) -> None:
    entry = {"Id": "a" * 64, "Names": ["/x"], "Ports": [{"PublicPort": port, "PrivatePort": 1, "Type": "tcp"}]}
    async with manager(script={"/containers/json": json_answer([entry])}) as found:
        await found.until(lambda: found.row()["error"])
        body = {"Image": "busybox", "HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": "80"}]}}}
        assert (await found.ask("POST", "/containers/create?name=web", body)).status == 201


async def test_more_ports_than_there_are_do_not_keep_anybody_waiting() -> None:
    async with manager() as found:
        await found.until(lambda: found.row()["state"] == "Healthy")
        ranges = [{"HostPort": "1-65535"}] * 5000
        inspect = {"Id": "x", "HostConfig": {"PortBindings": {"80/tcp": ranges}}, "Config": {}}
        found.bad.answers["~^/containers/.*/json"] = json_answer(inspect)
        for container in found.engine("bad").containers.values():
            await found.engine("bad").inspect(container)
        body = {"Image": "busybox", "HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": "80"}]}}}
        assert (await found.ask("POST", "/containers/create?name=web", body, seconds=20)).status == 201
        assert found.cluster.find("web").engine.name == "good-1"


@pytest.mark.parametrize(
    "data",
    [
        b'{"Actor":[1]}\n',
        b"[1]\n",
        b"x\n",
        b'{"Type":5}\n',
        b'{"a":' * 5000 + b"\n",
        b'{"time":"x"}\n',
        b"}" * 2_000_000,
    ],
)
async def test_events_that_make_no_sense(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    quick(monkeypatch)

    async with manager(refresh_min=1000, refresh_max=1000) as found:
        await found.until(lambda: found.row()["state"] == "Healthy")
        for _ in range(3):
            count = found.bad.asked("/events")
            found.bad.send_event(data)
            await found.until(lambda: found.bad.asked("/events") > count)  # noqa: B023 (called at once)
            await asyncio.sleep(0.05)
        await check_the_others(found)


async def test_more_events_of_new_containers_than_can_be_looked_at_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    async with manager() as found:
        await found.until(lambda: found.row()["state"] == "Healthy")
        lines = [
            json.dumps({"Type": "container", "Action": "start", "Actor": {"ID": f"{n:064x}"}}) for n in range(5000)
        ]
        found.bad.send_event("\n".join(lines).encode() + b"\n")
        await asyncio.sleep(0.5)
        assert len(found.engine("bad").pending_refreshes) <= 1001
        assert max(len(r.target) for r in found.bad.requests) < 200_000
        await check_the_others(found)


async def test_the_first_call_to_all_does_not_wait_for_one_that_is_being_looked_at_in_vain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("machine.swarm.cluster.engine_connection.SLOW", 2.0)

    async with manager(refresh_min=0.05, refresh_max=0.1) as found:
        await found.until(lambda: found.row()["state"] == "Healthy")
        found.good[0].answers["/plugins"] = json_answer([])
        found.bad.answers["*"] = HOSTILE["silence"]
        await asyncio.sleep(2.7)
        assert found.row()["state"] == "Healthy", "it is only late"
        began = time.monotonic()
        assert (await found.ask("GET", "/plugins", seconds=5)).status == 200
        assert time.monotonic() - began < 1.5


async def test_a_call_to_all_does_not_wait_for_one_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("machine.swarm.cluster.engine_connection.SLOW", 0.3)

    async with manager(refresh_min=1000, refresh_max=1000) as found:
        await found.until(lambda: found.row()["state"] == "Healthy")
        found.bad.answers["*"] = HOSTILE["silence"]
        for target in ("/plugins", "/networks?filters=%7B%22driver%22%3A%5B%22bridge%22%5D%7D"):
            found.good[0].answers["/plugins"] = json_answer([])
            assert (await found.ask("GET", target, seconds=5)).status == 200
