"""The filter of docs/swarmd.md, taken out of the page, and what was to get a privileged container past it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from machine.swarm import limits
from machine.swarm.pipeline import ApiError, CallNext, Reply, Request
from machine.swarmd.backends import exec as exec_module
from machine.swarmd.backends import hook
from machine.swarmd.backends.registry import BackendContext, open_pipeline

PAGE = Path(__file__).parents[3] / "docs" / "swarmd.md"
CREATE = "/v1.43/containers/create?name=x"
JSON = ((b"content-type", b"application/json"),)


def example() -> str:
    """The program in the page, as it stands there."""
    found = re.search(r"(?m)^    #!/usr/bin/env python3\n(?:    .*\n|\n)+", PAGE.read_text())
    assert found
    return "\n".join(line[4:] for line in found[0].splitlines()).rstrip() + "\n"


class Engine:
    """The end of a chain: keeps what reached it."""

    def __init__(self) -> None:
        self.got: list[tuple[str, bytes]] = []

    async def __call__(self, request: Request) -> Reply:
        body = await request.with_body_read(64 << 20)
        assert isinstance(body.body, bytes)
        self.got.append((request.path, body.body))
        return Reply.json({"Id": "x"}, 201)


def script(tmp_path: Path, text: str) -> str:
    path = tmp_path / "filter.py"
    path.write_text(text.replace("#!/usr/bin/env python3", f"#!{sys.executable}", 1))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


@contextlib.asynccontextmanager
async def filtered(program: str, engine: Engine, log: list[str] | None = None) -> AsyncIterator[CallNext]:
    async with contextlib.AsyncExitStack() as stack:
        place = BackendContext(engine, dict(os.environ), (log if log is not None else []).append)
        yield await open_pipeline([f"exec {program}"], place, stack)


async def pieces(data: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def status_of(ask: CallNext, request: Request) -> int:
    try:
        return (await ask(request)).status
    except ApiError as error:
        return error.status


PRIVILEGED = {"Image": "busybox", "HostConfig": {"Privileged": True}}
TEXT = json.dumps(PRIVILEGED)
BYPASSES = {
    "plain": TEXT,
    "small letters": TEXT.lower(),
    "capitals": TEXT.replace("HostConfig", "HOSTCONFIG").replace("Privileged", "PRIVILEGED"),
    "a long s": TEXT.replace("HostConfig", "Ho\u017ftConfig"),
    "twice, the other last": '{"HostConfig":{"Privileged":true},"hostconfig":{"Memory":5}}',
    "twice, the other first": '{"hostconfig":{"Memory":5},"HostConfig":{"privileged":true}}',
    "twice, in one spelling": '{"HostConfig":{"Privileged":true},"HostConfig":{"Memory":5}}',
    "twice inside": '{"HostConfig":{"Privileged":false,"privileged":true}}',
    "beside, as old engines take it": '{"Image":"busybox","Privileged":true}',
    "beside, small": '{"Image":"busybox","privileged":true,"hostconfig":null}',
    "escapes": TEXT.replace("Privileged", "\\u0050rivileged"),
    "in front of something else": TEXT + "{}",
    "in front of words": TEXT + " and more",
    "after spaces": " \r\n\t" + TEXT,
    "not a number": TEXT.replace('"busybox"', "NaN"),
    "deep": '{"x":' + "[" * 5000 + "]" * 5000 + "," + TEXT[1:],
    "long": TEXT[:-1] + ',"x":"' + "y" * (2 << 20) + '"}',
}


@pytest.mark.parametrize("how", ["whole", "chunks"])
@pytest.mark.parametrize("name", BYPASSES)
async def test_no_privileged_container_gets_past_the_example(tmp_path: Path, name: str, how: str) -> None:
    data = BYPASSES[name].encode()

    engine = Engine()
    async with filtered(script(tmp_path, example()), engine) as ask:
        body = data if how == "whole" else pieces(data)
        assert await status_of(ask, Request("POST", CREATE, JSON, body)) in (400, 403, 413)
    assert engine.got == []


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("/containers/x/exec", b'{"Cmd":["sh"],"privileged":true}'),
        ("/v1.23/containers/x/start", b'{"Privileged":true}'),
        ("/v1.23/containers/x/start", b'{"Binds":["/:/host"]}'),
        ("/%761.43/containers/create", TEXT.encode()),
        ("/v1.43/containers%2Fcreate", TEXT.lower().encode()),
        ("/services/create", b'{"TaskTemplate":{"ContainerSpec":{"Privileges":{},"privileged":true}}}'),
        ("/grpc", b""),
        ("/session", b""),
    ],
)
async def test_other_calls_that_say_it(tmp_path: Path, target: str, body: bytes) -> None:
    engine = Engine()
    async with filtered(script(tmp_path, example()), engine) as ask:
        upgrade = ((b"connection", b"Upgrade"), (b"upgrade", b"h2c")) if not body else ()
        assert await status_of(ask, Request("POST", target, (*JSON, *upgrade), body)) in (400, 403, 413)
    assert engine.got == []


async def test_what_is_allowed_passes_as_it_was_shown(tmp_path: Path) -> None:
    engine = Engine()
    async with filtered(script(tmp_path, example()), engine) as ask:
        fine = b'{"image":"busybox","LABELS":{"A":"1","a":"2"},"hostconfig":{"Memory":1},"HostConfig":{"memory":2}}'
        for body in (fine, pieces(fine, 10)):
            assert await status_of(ask, Request("POST", CREATE, JSON, body)) == 201
        tar = b"{file.txt\0" + os.urandom(3 << 20)
        assert await status_of(ask, Request("POST", "/build?t=x", (), pieces(tar, 60_000))) == 201
        assert await status_of(ask, Request("POST", "/build?t=x", (), tar[:10_000])) == 201
        assert await status_of(ask, Request("PUT", "/containers/x/archive?path=/", (), tar)) == 413
        assert await status_of(ask, Request("POST", "/containers/x/start", (), b"")) == 201
        assert await status_of(ask, Request("POST", "/containers/x/start", JSON, b"{}")) == 201
        assert await status_of(ask, Request("GET", "/containers/json")) == 201
    once = {"Image": "busybox", "Labels": {"A": "1", "a": "2"}, "HostConfig": {"Memory": 2}}
    assert [json.loads(body) for _, body in engine.got[:2]] == [once, once]
    assert engine.got[2][1] == tar
    assert engine.got[3][1] == tar[:10_000]


ODD = """#!/usr/bin/env python3
import json, sys, time
for line in sys.stdin:
    call = json.loads(line)
    how = call["request"]["path"][1:]
    answer = {"id": call["id"]}
    if how == "exit":
        sys.exit(3)
    elif how == "silent":
        continue
    elif how == "noise":
        print("no JSON at all", flush=True)
        continue
    elif how == "list":
        print("[1]", flush=True)
        continue
    elif how == "other":
        answer["id"] = 10 ** 9
    elif how == "long":
        print("x" * (9 << 20), flush=True)
        continue
    elif how == "deaf":
        time.sleep(3600)
    else:
        answer.update(json.loads(how))
    print(json.dumps(answer), flush=True)
"""
UNCLEAR = [
    {"stats": 403},
    {"status": "403"},
    {"status": True},
    {"status": 99},
    {"message": "no"},
    {"body": {}},
    {"request": "pass"},
    {"request": {"path": "/x"}},
    {"request": {"target": "x"}},
    {"request": {"target": "/a b"}},
    {"request": {"target": 5}},
    {"request": {"method": "GET\r\nX"}},
    {"request": {"headers": [1]}},
    {"request": {"headers": {"x": "\u20ac"}}},
    {"request": {"base64": "%%%"}},
    {"reply": "yes"},
    {"unseen": True},
]


@pytest.mark.parametrize("how", ["exit", "silent", "noise", "list", "other", "long", *map(json.dumps, UNCLEAR)])
async def test_a_program_that_gives_no_clear_answer_lets_nothing_pass(
    tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from urllib.parse import quote

    monkeypatch.setattr(exec_module, "PATIENCE", 5.0 if how != "silent" else 0.3)
    monkeypatch.setattr(limits, "HOOK_NOISE_SECONDS", 0.2)

    engine = Engine()
    async with filtered(script(tmp_path, ODD), engine) as ask:
        assert await status_of(ask, Request("GET", "/" + quote(how))) in (502, 504)
        assert engine.got == []
        assert await status_of(ask, Request("GET", "/%7B%7D")) == 201, "and the next call is judged again"


async def test_a_program_that_does_not_read_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exec_module, "PATIENCE", 0.5)

    engine = Engine()
    async with filtered(script(tmp_path, ODD), engine) as ask:
        assert await status_of(ask, Request("GET", "/deaf")) == 504
        long = Request("POST", "/x", (), b"y" * 900_000)
        assert [await status_of(ask, long) for _ in range(3)] == [504] * 3
    assert engine.got == []


async def test_an_answer_that_a_program_asked_to_see_is_seen_or_refused(tmp_path: Path) -> None:
    looks = """#!/usr/bin/env python3
import json, sys
for line in sys.stdin:
    call = json.loads(line)
    answer = {"id": call["id"]}
    if "reply" in call:
        answer.update(status=200, body={"seen": len(json.dumps(call["reply"].get("body")))})
    else:
        answer["reply"] = True
        if call["request"]["path"] == "/events":
            answer["unseen"] = "pass"
    print(json.dumps(answer), flush=True)
"""

    async def engine(request: Request) -> Reply:
        size = {"/short": 5_000, "/long": limits.HOOK_BODY + 1}.get(request.path, 5_000)
        return Reply(200, (), pieces(json.dumps("z" * size).encode()))

    async with contextlib.AsyncExitStack() as stack:
        place = BackendContext(engine, dict(os.environ), print)
        ask = await open_pipeline([f"exec {script(tmp_path, looks)}"], place, stack)
        assert await (await ask(Request("GET", "/short"))).json_body() == {"seen": 5_002}
        assert await status_of(ask, Request("GET", "/long")) == 502
        assert len(await (await ask(Request("GET", "/events"))).read()) == 5_002


def test_the_hosts_settings_are_put_where_they_belong() -> None:
    assert hook.nested_host_config({"Image": "x", "Binds": ["/:/h"]}) == {
        "Image": "x",
        "HostConfig": {"Binds": ["/:/h"]},
    }
    assert hook.nested_host_config({"Memory": 1, "HostConfig": {"Memory": 2}}) == {"HostConfig": {"Memory": 2}}
    same = {"Image": "x", "HostConfig": {"Memory": 2}}
    assert hook.nested_host_config(same) is same


async def test_a_child_that_keeps_the_programs_pipes_is_not_waited_for(tmp_path: Path) -> None:
    forks = """#!/usr/bin/env python3
import os, sys, time
if os.fork() == 0:
    time.sleep(20)
    os._exit(0)
for line in sys.stdin:
    print('{"id": 1}', flush=True)
"""

    async with asyncio.timeout(10), filtered(script(tmp_path, forks), Engine()) as ask:
        assert await status_of(ask, Request("GET", "/x")) == 201
