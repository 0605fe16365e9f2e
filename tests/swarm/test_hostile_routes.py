"""Every route of the manager, asked while one engine answers whatever hypothesis thinks of."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from machine.swarm.manager.routes.table import HANDLERS
from tests.scripted_answers import HOSTILE, NASTY, json_answer
from tests.swarm.hostile import Manager, costs_at_most, manager, quick, showable

STREAMS = ("/events", "/session", "/grpc", "/attach", "/{name}/wait", "/images/create", "/images/load", "/build")
NAMES = ("bad-1", "good-1-1", "busybox", "bad/bad-1", "nosuch", "a" * 64)
CALLS = sorted((route.method, route.path) for route in HANDLERS.routes)
texts = st.sampled_from(["", "x", "bad-1", "/bad-1", "a" * 64, "busybox:latest", NASTY, "\ud800", "running", "local"])
keys = st.sampled_from(
    [
        "Id",
        "ID",
        "id",
        "Name",
        "Names",
        "Created",
        "Labels",
        "Ports",
        "State",
        "Status",
        "RepoTags",
        "Volumes",
        "Images",
        "Containers",
        "HostConfig",
        "NetworkSettings",
        "Networks",
        "Actor",
        "message",
        "SpaceReclaimed",
        "Warnings",
        "x",
    ]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)
statuses = st.sampled_from([200, 200, 200, 201, 204, 304, 400, 404, 409, 500, 503])


async def check(found: Manager, method: str, path: str, name: str, body: dict[str, str]) -> None:
    """The answer comes in time, is good or a sentence, and can be shown."""
    target = path.replace("{name}", name)
    reply = await found.ask(method, target, body if method == "POST" else None, seconds=15)
    data = b"" if reply.status == 101 else await reply.read()
    showable(reply, b"" if path.endswith("/logs") else data)  # logs are raw bytes
    assert b"this is a bug" not in data
    if reply.status >= 500 and method != "HEAD":
        assert json.loads(data)["message"], (method, target)
    if method == "GET" and path in ("/containers/json", "/images/json", "/networks", "/volumes", "/info"):
        assert reply.status == 200, (path, data)
        assert b"good-1" in data or b"busybox" in data or b"bridge" in data or b"Volumes" in data


def sound_log(found: Manager) -> None:
    for line in found.lines:
        assert not line.startswith("Traceback"), line
        assert "\x1b" not in line
        assert "this is a bug" not in line


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
async def test_whatever_one_engine_says_every_route_answers(data: st.DataObject) -> None:
    script = {
        "~": json_answer(data.draw(values), data.draw(statuses)),
    }
    calls = data.draw(st.lists(st.sampled_from(CALLS), min_size=3, max_size=6, unique=True))
    name = data.draw(st.sampled_from(NAMES))

    async with manager() as found:
        await found.until(lambda: found.row()["state"] == "Healthy")
        found.bad.answers.update(script)
        for method, path in calls:
            if not path.endswith(STREAMS):
                await check(found, method, path, name, {"Image": "busybox", "Name": "n"})
        sound_log(found)


@pytest.mark.parametrize("kind", ["silence", "head only", "many empty lists", "nested lists", "endless list", "reset"])
async def test_every_route_answers_while_one_engine_is_hostile(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    quick(monkeypatch)

    with costs_at_most(400):
        async with manager(refresh_min=1000, refresh_max=1000) as found:
            await found.until(lambda: found.row()["state"] == "Healthy")
            found.bad.answers["~"] = HOSTILE[kind]
            for method, path in CALLS:
                if not path.endswith(STREAMS):
                    await check(found, method, path, "bad-1", {"Image": "busybox", "Name": "n"})
            sound_log(found)
