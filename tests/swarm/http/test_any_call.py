"""Any query and any body on every route: an answer, or a refusal with a sentence, and never a bug."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from machine.swarm.manager.routes import HANDLERS, answer
from machine.swarm.parsing.fields import FIELD_TYPES
from machine.swarm.pipeline import ApiError, CallNext, Reply, Request, not_implemented
from machine.swarmd.backends.registry import BackendContext, open_pipeline
from machine.swarmd.simulator import SimulatedEngine
from tests.swarm.fleet import Fleet

ARGUMENTS = (
    "all", "limit", "size", "filters", "since", "until", "before", "name", "platform", "t", "buildargs", "session",
    "fromImage", "tag", "repo", "container", "force", "v", "link", "signal", "names", "term", "digests", "id",
    "buildid", "q", "stream", "tail", "path", "h", "w", "condition",
)  # fmt: skip
ODD = [
    "", "0", "-1", "--5", "+", "1e999", "nan", "9" * 5000, "\u0663", "\u00b2", "true", "null", "[]", "{}", "[" * 3000,
    "x" * 3000, '{"label":5}', '{"label":["a=b"]}', '{"name":["["]}', '{"name":["(a+)+$"]}', '{"status":[""]}',
    '{"since":["x"]}', '{"before":["' + "9" * 5000 + '"]}', '{"publish":["99999999999999999999"]}', '{"exited":["x"]}',
    '{"node":["x"]}', '{"label":["\\ud800"]}', '{"until":["x"]}', '{"a":{"b":{"c":1}}}', '{"a":1}', "../..", "a\0b",
    '{"constraint:node==":"x"}', "\n", "\ud7ff", "web", "NODE/web", "/", "//", "%", "container:web",
]  # fmt: skip
words = st.sampled_from(ODD) | st.text(max_size=20)
queries = st.dictionaries(st.sampled_from(ARGUMENTS), words, max_size=4)
scalars = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | words
fields = st.sampled_from(
    [*sorted(FIELD_TYPES), "Cmd", "IpcMode", "NetworkMode", "RestartPolicy", "com.docker.swarm.constraints"]
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(fields | words, inner, max_size=4)
)
bodies = st.dictionaries(fields, values, max_size=6) | values
routes = st.sampled_from([(route.method, route.path) for route in HANDLERS.routes])
calls = st.lists(st.tuples(routes, words | st.just("web"), queries, bodies, st.booleans()), min_size=20, max_size=40)
Call = tuple[tuple[str, str], str, dict[str, str], Any, bool]


def request_of(call: Call) -> Request:
    (method, path), name, query, body, raw = call
    text = urlencode({key: value.encode("utf-8", "replace") for key, value in query.items()})
    target = path.replace("{name}", quote(name.encode("utf-8", "replace"), safe="/") or "x") + f"?{text}"
    data = b"" if method in ("GET", "HEAD", "DELETE") else json.dumps(body).encode()
    return Request(method, target, (), data[:-1] if raw and len(data) > 1 else data)


async def judge(ask: CallNext, request: Request) -> None:
    """Ask and look at what comes back; whatever is no Refused is a bug of ours."""
    try:
        async with asyncio.timeout(3):
            reply: Reply = await ask(request)
            if isinstance(reply.body, bytes):
                assert "this is a bug" not in reply.body.decode("utf-8", "replace")
            await reply.close()
    except TimeoutError:
        pass  # a wait, or events: nobody ends it
    except ApiError as error:
        assert 400 <= error.status <= 599
        assert error.message.strip()
        assert "Error(" not in error.message


SLOW = settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))


@SLOW
@given(calls)
async def test_of_the_manager(calls: list[Call]) -> None:
    async with Fleet(
        [SimulatedEngine("a", container_names=("web",)), SimulatedEngine("b", container_names=("db",))]
    ) as fleet:
        for call in calls:
            await judge(lambda request: answer(fleet.context, request), request_of(call))


@SLOW
@given(calls)
async def test_of_the_aggregate(calls: list[Call]) -> None:
    async with contextlib.AsyncExitStack() as stack:
        place = BackendContext(not_implemented, dict(os.environ), lambda _: None)
        spec = 'aggregate "simulator --name a web" "simulator --name b db"'
        ask = await open_pipeline([spec], place, stack)
        for call in calls:
            await judge(ask, request_of(call))


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("GET /containers/json?limit=--5", None),
        ("GET /containers/json?limit=" + "9" * 5000, None),
        ('GET /containers/json?filters={"publish":["' + "9" * 5000 + '"]}', None),
        ("GET /v1.24/events?until=1&since=" + "9" * 5000, None),
        ("POST /containers/create", {"Labels": 5}),
        ("POST /containers/create", {"Labels": {"com.docker.swarm.constraints": 5}}),
        ("POST /containers/create", {"HostConfig": 5}),
        ("POST /containers/create", {"HostConfig": {"PortBindings": {"80/tcp": [5]}}}),
        ("POST /containers/create", {"HostConfig": {"Mounts": [5]}}),
        ("POST /containers/create", {"HostConfig": {"Binds": "x"}}),
        ("POST /containers/create", {"Env": [5]}),
        ("POST /containers/create", {"NetworkingConfig": {"EndpointsConfig": [1]}}),
        ("POST /containers/create", []),
        ("POST /containers/create", None),
        ("POST /networks/create", {"Name": 5}),
        ("POST /networks/create", [1]),
        ("POST /networks/x/connect", [1]),
        ("POST /networks/x/connect", {"Container": 5}),
        ("POST /volumes/create", {"Labels": [1]}),
        ("POST /volumes/create", {"Name": ["x"]}),
        ("POST /build?buildargs=5", None),
        ("POST /build?buildargs=" + "9" * 5000, None),
    ],
)
async def test_what_makes_no_sense_is_400(target: str, body: Any) -> None:
    method, _, rest = target.partition(" ")

    async def story() -> int:
        async with Fleet([SimulatedEngine("a", container_names=("web",))]) as fleet:
            data = b"" if body is None else json.dumps(body).encode()
            try:
                reply = await answer(fleet.context, Request(method, rest.replace('"', "%22"), (), data))
            except ApiError as error:
                return error.status
            return reply.status

    assert await story() == 400
