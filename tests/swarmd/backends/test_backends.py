"""Finding backends, reading their words, opening and closing chains."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import stat
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from machine.authority import ensure
from machine.cli.swarmd import store_backends
from machine.clusters.store_backends.machine import address_of
from machine.errors import EngineError, MachineNotFound, NameInvalid, UsageError
from machine.store import Store
from machine.store.record import Record
from machine.swarm.http.address import TlsConfig
from machine.swarm.pipeline import ApiError, Backend, CallNext, Reply, Request, not_implemented
from machine.swarmd.backends import exec as exec_module
from machine.swarmd.backends.flags import read
from machine.swarmd.backends.registry import TABLE, BackendContext, names, open_pipeline, split_words
from machine.swarmd.serve import serve
from machine.swarmd.simulator import SimulatedEngine
from machine.swarmd.simulator.backend import as_pipeline_end
from tests.swarm.http.recording import front, keys


@contextlib.asynccontextmanager
async def chain(
    *specs: str, extra: Mapping[str, Any] | None = None, log: list[str] | None = None
) -> AsyncIterator[CallNext]:
    said = [] if log is None else log
    async with contextlib.AsyncExitStack() as stack:
        place = BackendContext(not_implemented, dict(os.environ), said.append, extra=extra or {})
        yield await open_pipeline(specs, place, stack)


async def shout(request: Request, rest: CallNext, *words: str) -> Reply:
    """Answers with its words."""
    if words:
        return Reply(200, (), " ".join(words).encode())
    return await rest(request)


def test_words_nest_their_quotes() -> None:
    spec = """aggregate "dockerclient tcp://a:1" "aggregate 'dockerclient tcp://b:1' 'debug'" """
    outer = split_words(spec)
    assert outer == ["aggregate", "dockerclient tcp://a:1", "aggregate 'dockerclient tcp://b:1' 'debug'"]
    assert split_words(outer[2])[1] == "dockerclient tcp://b:1"
    lines = """aggregate "dockerclient tcp://a:1" \\\n   "dockerclient tcp://b:1" \\\r\n 'debug'"""
    assert split_words(lines) == ["aggregate", "dockerclient tcp://a:1", "dockerclient tcp://b:1", "debug"]
    for bad in ("aggregate 'x", "", "   ", "\\\n"):
        with pytest.raises(UsageError):
            split_words(bad)


def test_flags_in_every_form() -> None:
    takes = {"--tls": False, "--tlscert": True}
    assert read("x", ["-tls", "--tlscert=a", "tcp://b", "--", "--c"], takes) == (
        {"--tls": "true", "--tlscert": "a"},
        ["tcp://b", "--c"],
    )
    assert read("x", ["--tls=False", "--tlscert", "a"], takes)[0] == {"--tls": "false", "--tlscert": "a"}
    assert read("x", ["--tls=1"], takes)[0] == {"--tls": "true"}
    for bad in (["--what"], ["--tlscert"], ["--tls=maybe"]):
        with pytest.raises(UsageError):
            read("x", bad, takes)


def test_every_backend_of_the_table_is_there() -> None:
    from importlib import import_module

    for module, attribute, line in TABLE.values():
        assert callable(getattr(import_module(module), attribute))
        assert line
    assert "mine" in names({"mine": shout})


async def test_a_function_is_a_backend_and_its_words_are_checked() -> None:
    async def two(request: Request, rest: CallNext, one: str, other: str) -> Reply:
        return Reply(200, (), (one + other).encode())

    async with chain("shout", "shout hello 'to you'", extra={"shout": shout}) as ask:
        assert await (await ask(Request("GET", "/x"))).read() == b"hello to you"
    with pytest.raises(UsageError, match="does not take these arguments"):
        async with chain("two a b c", extra={"two": two}):
            pass
    with pytest.raises(UsageError, match="no backend 'tow'"):
        async with chain("tow"):
            pass
    async with chain() as ask:
        assert (await ask(Request("GET", "/x"))).status == 501


async def test_what_was_opened_is_closed_in_order_even_if_a_later_one_fails() -> None:
    events: list[str] = []

    @contextlib.asynccontextmanager
    async def open_close(words: Sequence[str], place: BackendContext) -> AsyncIterator[Backend]:
        events.append("open " + words[0])
        try:
            yield shout
        finally:
            events.append("close " + words[0])

    async with chain("oc a", "oc b", extra={"oc": open_close}):
        events.append("use")
    assert events == ["open b", "open a", "use", "close a", "close b"]
    events.clear()
    with pytest.raises(UsageError):
        async with chain("dockerserver tcp://0.0.0.0:0", "oc b", extra={"oc": open_close}):
            pass
    assert events == ["open b", "close b"]


@pytest.mark.parametrize("url", ["tcp://0.0.0.0:0", "tcp://[::]:0", "tcp://192.0.2.1:1", "tcp://example.org:1"])
async def test_nothing_listens_without_tls_outside_of_loopback(url: str) -> None:
    with pytest.raises(UsageError, match="without TLS"):
        async with chain(f"dockerserver {url}"):
            pass


async def test_listening_without_tls_can_be_asked_for() -> None:
    log: list[str] = []
    async with chain("dockerserver --insecure tcp://0.0.0.0:0", log=log):
        assert log[0].startswith("dockerserver listens on tcp://0.0.0.0:")


FILTER = """#!{python}
import json, sys
for line in sys.stdin:
    call = json.loads(line)
    asked, said = call["request"], call.get("reply")
    answer = {{"id": call["id"]}}
    if said:
        answer.update(status=said["status"], body=[*said["body"], {{"added": True}}])
    elif asked["path"] == "/containers/create" and asked["body"].get("HostConfig", {{}}).get("Privileged"):
        answer.update(status=403, message="no privileged containers here")
    elif asked["path"] == "/containers/create":
        answer["request"] = {{"body": {{**asked["body"], "Labels": {{"seen": "yes"}}}}}}
    elif asked["path"] == "/containers/json":
        answer["reply"] = True
    elif asked["path"] == "/crash":
        sys.exit("goodbye")
    elif asked["path"] == "/sleep":
        continue
    elif asked["path"] == "/odd":
        print("this is no JSON", flush=True)
    print(json.dumps(answer), flush=True)
"""


@pytest.fixture
def program(tmp_path: Path) -> str:
    path = tmp_path / "filter"
    path.write_text(FILTER.format(python=sys.executable))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


async def test_a_program_sees_changes_answers_and_vetoes(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exec_module, "PATIENCE", 1.0)

    log: list[str] = []
    async with chain(f"exec {program}", "simulator web", log=log) as ask:
        create = "/v1.43/containers/create?name="
        reply = await ask(
            Request.json("POST", create + "bad", {"Image": "busybox", "HostConfig": {"Privileged": True}})
        )
        assert (reply.status, await reply.read()) == (403, b'{"message":"no privileged containers here"}')
        assert (await ask(Request.json("POST", create + "good", {"Image": "busybox"}))).status == 201
        good = await (await ask(Request("GET", "/containers/good/json"))).json_body()
        assert good["Config"]["Labels"] == {"seen": "yes"}
        listed = await (await ask(Request("GET", "/containers/json?all=1"))).json_body()
        assert [each.get("added") for each in listed] == [None, None, True]
        assert (await ask(Request("GET", "/odd"))).status == 404
        with pytest.raises(ApiError, match="ended with status 1"):
            await ask(Request("GET", "/crash"))
        assert (await ask(Request("GET", "/_ping"))).ok, "it is started again"
        with pytest.raises(ApiError, match="said nothing within 1 s"):
            await ask(Request("GET", "/sleep"))

        async def big() -> AsyncIterator[bytes]:
            yield b"{}"

        reply = await ask(Request("POST", "/images/create?fromImage=x", (), big()))
        assert reply.ok, "a stream is not shown and passes"
    assert any("goodbye" in line for line in log)
    assert any("this is no JSON" in line for line in log)


async def test_libswarms_form_of_exec_works(program: str) -> None:
    spec = "exec '" + json.dumps({"Path": program, "Args": []}) + "'"
    async with chain(spec, "simulator") as ask:
        assert (await ask(Request("GET", "/_ping"))).ok
    for bad in ("exec", "exec /no/such/program", "exec '{\"Args\": []}'"):
        with pytest.raises(UsageError):
            async with chain(bad):
                pass


def _record(store: Store, name: str, driver_name: str, data: dict[str, Any]) -> None:
    from machine.model import EngineOptions, SwarmOptions

    store.add(name)
    store.save(Record.new(store.root, name, driver_name, data, EngineOptions(), SwarmOptions(), ()))


async def test_a_machine_is_reached_with_its_certificates(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"))
    made = tmp_path / "keys"
    made.mkdir()
    trust = keys(made)

    async with front(lambda _: _value(), trust.server) as address:
        _record(store, "dev", "generic", {"IPAddress": "127.0.0.1", "EnginePort": address.port, "SSHUser": "root"})
        _record(store, "bare", "none", {"URL": str(address)})
        with pytest.raises(EngineError, match="certificates of dev"):
            address_of(store, "dev")
        for name, source in (("ca", trust.client.ca), ("cert", trust.client.cert), ("key", trust.client.key)):
            (Path(store.directory("dev")) / f"{name}.pem").write_bytes(Path(source).read_bytes())
        async with chain("machine dev", extra=store_backends(store)) as ask:
            assert await (await ask(Request("GET", "/x"))).read() == b"secured"
        assert address_of(store, "bare")[1] is None
    with pytest.raises(MachineNotFound):
        async with chain("machine nobody", extra=store_backends(store)):
            pass
    with pytest.raises(UsageError):
        async with chain("machine", extra=store_backends(store)):
            pass


async def test_machines_can_be_joined(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"))

    async with contextlib.AsyncExitStack() as stack:
        for name in ("one", "two"):
            engine = as_pipeline_end(SimulatedEngine(name, 1))
            address = await stack.enter_async_context(front(engine))
            _record(store, name, "none", {"URL": str(address)})
        ask = await stack.enter_async_context(
            chain('aggregate "machine one" "machine two"', extra=store_backends(store))
        )
        listed = await (await ask(Request("GET", "/containers/json"))).json_body()
        assert sorted(each["Names"][0] for each in listed) == ["/one-1", "/two-1"]
        found = await (await ask(Request("GET", "/containers/two-1/json"))).json_body()
        assert (found["Node"]["Name"], found["Node"]["IP"]) == ("two", "127.0.0.1")


async def _value() -> Reply:
    return Reply(200, (), b"secured")


async def test_create_makes_a_machine_on_first_use_and_removes_it_at_the_end(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"))
    authority = ensure(store.root)
    pair = authority.issue_server("made", ["127.0.0.1"])
    for name, data in (("ca", authority.ca), ("cert", pair.cert), ("key", pair.key)):
        (tmp_path / name).write_bytes(data)
    trust = TlsConfig(str(tmp_path / "ca"), str(tmp_path / "cert"), str(tmp_path / "key"))

    async with front(lambda _: _value(), trust) as address:
        log: list[str] = []
        spec = f"create none --name made --rm --url {address}"
        async with chain(spec, extra=store_backends(store), log=log) as ask:
            assert not store.exists("made")
            both = await asyncio.gather(ask(Request("GET", "/x")), ask(Request("GET", "/y")))
            assert [await reply.read() for reply in both] == [b"secured", b"secured"]
            assert store.exists("made")
            assert sum("creating made" in line for line in log) == 1
        assert not store.exists("made")
        async with chain(f"create none --name kept --url {address}", extra=store_backends(store)) as ask:
            assert (await ask(Request("GET", "/x"))).ok
        assert store.exists("kept")
    async with chain("create none --name bad", extra=store_backends(store)) as ask:
        with pytest.raises(ApiError, match="bad could not be created: Error:"):
            await ask(Request("GET", "/x"))
    with pytest.raises(UsageError, match="needs a driver"):
        async with chain("create --rm", extra=store_backends(store)):
            pass


@pytest.mark.parametrize(
    ("specs", "brief", "advice"),
    [
        (["dockerserver"], "the pipeline ends in dockerserver, which answers nothing", "add a backend that does"),
        (
            ["debug", "dockerserver tcp://127.0.0.1:1"],
            "the pipeline ends in dockerserver",
            "dockerclient tcp://HOST:2375",
        ),
        (["dockerserver", "tcp://127.0.0.1:1", "simulator"], "no backend 'tcp://127.0.0.1:1'", "quote a backend with"),
        (["dockerclint tcp://127.0.0.1:1"], "no backend 'dockerclint'", "did you mean dockerclient?"),
        (["nonsense"], "no backend 'nonsense'", "use one of: aggregate "),
        (["debug", "simulator x"], "nothing listens", "'dockerserver tcp://127.0.0.1:2375' debug 'simulator x'"),
        (["dockerserver", "create qemo"], "create: there is no driver called 'qemo'", "did you mean qemu?"),
        (["dockerserver", "create qemu --name -"], "'-'", "choose a name"),
    ],
)
async def test_a_chain_that_cannot_work_is_said_before_it_listens(
    tmp_path: Path, specs: list[str], brief: str, advice: str
) -> None:
    with pytest.raises((UsageError, NameInvalid)) as caught:
        await serve(specs, environ={}, log=print, extra=store_backends(Store(str(tmp_path))))
    assert brief in caught.value.brief
    assert advice in caught.value.resolution
