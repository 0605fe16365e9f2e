"""What classic Swarm said to wrong command lines, words that belong to no command, and hints at what is meant."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from machine.cli import main as machine
from machine.errors import UsageError
from machine.swarm.cli import CliContext, run
from machine.swarm.discovery.registry import Registry
from machine.swarm.pipeline import ApiError, CallNext, Request, not_implemented
from machine.swarmd.backends.registry import BackendContext, open_pipeline
from tests.swarm.http.recording import front, keys, raw_server

HERE = {"HOME": "/nowhere"}


@pytest.mark.parametrize(
    ("line", "phrase"),
    [
        ("join nodes://a:1", "missing mandatory --advertise flag"),
        ("manage --replication etcd://127.0.0.1:1/x", "missing mandatory --advertise flag"),
        ("list --timeout 0s nodes://a:1", "--timeout should be a positive number"),
        ("list --timeout=0 nodes://a:1", "--timeout should be a positive number"),
        ("manage --engine-refresh-min-interval 0s nodes://a:1", "min refresh interval should be a positive number"),
        (
            "manage --engine-refresh-min-interval=90s a:1",
            "max refresh interval cannot be less than min refresh interval",
        ),
        (
            "manage --cluster-opt swarm.overcommit=-2 nodes://a:1",
            "swarm.overcommit should be larger than -1, -2.000000 is invalid",
        ),
        (
            "manage --cluster-opt=swarm.overcommit=-1 nodes://a:1",
            "swarm.overcommit should be larger than -1, -1.000000 is invalid",
        ),
        ("manage --cluster-opt swarm.overcommit=nan a:1", "swarm.overcommit should be larger than -1, nan is invalid"),
        ("manage --cluster-opt swarm.overcommit=x a:1", "swarm.overcommit must be a number"),
        ("manage --engine-failure-retry 0 a:1", "invalid failure retry count"),
        ("manage --heartbeat 0s a:1", "--heartbeat should be at least one second"),
        ("manage --heartbeat 1ms a:1", "--heartbeat should be at least one second"),
        ("manage --replication-ttl 400ms a:1", "--replication-ttl should be at least one second"),
        ("manage --replication-ttl 0s a:1", "--replication-ttl should be at least one second"),
    ],
)
def test_phrases_that_scripts_match_on(line: str, phrase: str) -> None:
    with pytest.raises(UsageError) as found:
        run(line.split(), CliContext(HERE, print, print))
    assert phrase in found.value.brief


@pytest.mark.parametrize(
    "line", ["create EXTRA", "c EXTRA", "discovery EXTRA", "version EXTRA", "--version EXTRA", "help create x"]
)
def test_commands_without_arguments_take_none(line: str, tmp_path: Path) -> None:
    said: list[str] = []
    around = CliContext(HERE, said.append, said.append, registry=str(tmp_path / "r.db"))
    with pytest.raises(UsageError, match="takes no arguments"):
        run(line.split(), around)
    assert said == []
    assert not (tmp_path / "r.db").exists()


NO_ARGUMENTS = [
    "completion bash x",
    "image ls x",
    "plugin install x",
    "plugin uninstall x",
    "active x",
]


@pytest.mark.parametrize("line", NO_ARGUMENTS)
def test_so_do_the_commands_of_machine(line: str, tmp_path: Path) -> None:
    out = io.StringIO()
    environ = {"HOME": str(tmp_path), "PATH": "/usr/bin"}
    assert machine(line.split(), environ=environ, stdout=out, stderr=out) != 0, out.getvalue()
    assert list(tmp_path.glob("**/cli-plugins/*")) == []


async def test_a_token_that_nobody_knows_is_told(tmp_path: Path) -> None:
    path = str(tmp_path / "registry.db")

    async def managed(token: str) -> list[str]:
        from machine.swarm.cli import with_registry
        from machine.swarm.cli_flags import MANAGE, parse_args
        from machine.swarm.manager.config import manager_config_from

        said: list[str] = []
        around = CliContext(HERE, said.append, said.append, registry=path)
        plan = manager_config_from(parse_args("manage", [f"token://{token}"], MANAGE, HERE), HERE, path)
        await with_registry(plan, None, around)  # type: ignore[arg-type]  # not asked here
        return said

    told = await managed("typo")
    assert "nobody has made or used this token" in told[0]
    assert "typo" not in told[0]
    assert await managed("typo") == [], "it is known from then on"
    assert await managed(Registry(path).create()) == []


async def test_the_first_token_of_a_masters_own_registry_is_no_surprise(tmp_path: Path) -> None:
    from machine.swarm.cli import with_registry
    from machine.swarm.cli_flags import MANAGE, parse_args
    from machine.swarm.manager.config import manager_config_from

    path = str(tmp_path / "registry.db")
    said: list[str] = []
    around = CliContext(HERE, said.append, said.append)
    plan = manager_config_from(parse_args("manage", ["--registry", path, "token://new"], MANAGE, HERE), HERE, "")
    await with_registry(plan, None, around, expects_token=True)  # type: ignore[arg-type]  # not asked here
    assert said == []
    assert await plan.discovery.is_known()  # type: ignore[attr-defined]


@contextlib.asynccontextmanager
async def plain_client(url: str) -> AsyncIterator[CallNext]:
    async with contextlib.AsyncExitStack() as stack:
        place = BackendContext(not_implemented, dict(os.environ), print)
        yield await open_pipeline([f"dockerclient {url}"], place, stack)


async def test_a_plain_client_of_a_tls_engine_is_told_what_is_missing(tmp_path: Path) -> None:
    async def go_server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        said = b"Client sent an HTTP request to an HTTPS server.\n"
        writer.write(b"HTTP/1.0 400 Bad Request\r\n\r\n" + said)
        writer.close()

    async with raw_server(go_server) as engine, plain_client(f"tcp://127.0.0.1:{engine.port}") as ask:
        reply = await ask(Request("GET", "/info"))
        text = (await reply.read()).decode()
        assert reply.status == 400
        assert "--tlsverify" in text
        assert "HTTPS server" in text
    from tests.swarm.http.raw import echo

    async with front(echo, keys(tmp_path).server) as engine, plain_client(f"tcp://127.0.0.1:{engine.port}") as ask:
        with pytest.raises(ApiError, match="--tlsverify"):
            await ask(Request("GET", "/info"))
    async with front(echo) as engine, plain_client(f"tcp://127.0.0.1:{engine.port}") as ask:
        assert (await ask(Request("GET", "/info"))).ok
    async with plain_client("tcp://127.0.0.1:1") as ask:
        with pytest.raises(ApiError) as found:
            await ask(Request("GET", "/info"))
        assert "--tlsverify" not in found.value.message
