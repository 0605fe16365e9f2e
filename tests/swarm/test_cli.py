"""Classic Swarm's command line, over real connections; and the manager with the certificates of the machine store."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

import certs
from machine import authority, files, paths
from machine.cli import main as machine
from machine.clusters.classic import store_integration
from machine.errors import CertificateError, MachineError, UsageError
from machine.model import SwarmOptions
from machine.store import Record, Store
from machine.swarm.cli import CliContext, exports, run
from machine.swarm.cli_flags import MANAGE, parse_args, percent, seconds
from machine.swarm.discovery import DiscoveryUrlError
from machine.swarm.discovery.registry import Registry
from machine.swarm.discovery.token import Token
from machine.swarm.http.address import TLS_FILES, Address, TlsConfig
from machine.swarm.http.server import Server
from machine.swarm.manager.config import manager_config_from
from machine.swarmd.simulator.backend import as_pipeline_end
from machine.swarmd.simulator.engine import SimulatedEngine
from tests.sshd import free_port


@pytest.fixture
def context(tmp_path: Path) -> tuple[CliContext, list[str]]:
    said: list[str] = []
    return CliContext({"HOME": str(tmp_path)}, said.append, said.append, registry=str(tmp_path / "r.db")), said


def test_create_and_list_with_a_registry_here(context: tuple[CliContext, list[str]]) -> None:
    cli, said = context
    assert run(["-l", "debug", "-experimental", "c"], cli) == 0
    token = said.pop()
    Registry(cli.registry).register(token, "10.0.0.1:2376")
    assert run(["l", f"token://{token}"], cli) == 0
    assert run(["--debug", "list", "--timeout=5s", "nodes://a:[1:2]"], cli) == 0
    assert said == ["10.0.0.1:2376", "a:1", "a:2"]


def test_the_discovery_may_come_from_a_variable(context: tuple[CliContext, list[str]]) -> None:
    cli, said = context
    assert run(["list"], cli._replace(environ={"SWARM_DISCOVERY": "a:1"})) == 0
    assert said == ["a:1"]


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"], ["list"], ["list", "a:1", "b:1"], ["list", "--nonsense", "a:1"], ["--nonsense"], ["list", "x://y"],
        ["join", "a:1"], ["join", "--advertise", "a:1", "--heartbeat=9s", "--ttl=5s", "file:///x"],
        ["join", "--advertise", "nonsense", "file:///x"], ["list", "--timeout"], ["list", "--timeout=soon", "a:1"],
        ["manage", "--strategy=best", "a:1"], ["manage", "--filter=nonsense", "a:1"], ["manage", "-c", "mesos", "a:1"],
        ["manage", "--engine-refresh-retry=9", "a:1"], ["manage", "--cluster-opt=x", "a:1"],
        ["manage", "--cluster-opt=swarm.overcommit=much", "a:1"], ["manage", "--replication", "a:1"],
        ["manage", "-H", "tcp://0.0.0.0:0", "a:1"], ["manage", "--engine-refresh-min-interval=90s", "a:1"],
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_said(context: tuple[CliContext, list[str]], words: list[str]) -> None:
    with pytest.raises(MachineError):
        run(words, context[0])


def test_help_and_version(context: tuple[CliContext, list[str]]) -> None:
    cli, said = context
    for words in ([], ["--help"], ["help"], ["manage", "--help"], ["help", "join"], ["--version"]):
        assert run(words, cli) == 0
    assert "--engine-failure-retry" in said[3]
    assert "(default 180s)" in " ".join(said[4].split())
    assert said[5].startswith("machine-swarm version ")


@pytest.mark.parametrize("command", ["create", "list", "join", "manage", "discovery"])
@pytest.mark.parametrize("words", [["--help"], ["-h"], ["--discovery-opt", "k=v", "-help"], ["token://T", "-h"]])
def test_help_is_shown_wherever_it_is_asked_for(
    context: tuple[CliContext, list[str]], command: str, words: list[str]
) -> None:
    cli, said = context
    if command == "discovery":
        words = ["-H", "tcp://127.0.0.1:1", *words[-1:]]
    assert run([command, *words], cli) == 0
    assert said[-1].startswith(f"Usage: machine-swarm {command} [FLAGS]")
    assert len(said) == 1


def test_help_is_none_where_it_is_a_value_or_where_there_is_no_help(context: tuple[CliContext, list[str]]) -> None:
    with pytest.raises(MachineError, match="'-h'"):
        run(["list", "--timeout", "-h", "a:1"], context[0])
    with pytest.raises(UsageError, match="no flag --help"):  # a manager that is started by others must not just end
        parse_args("swarm", ["--help"], MANAGE, {})


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["debug", "--help"]])
def test_swarmd_has_help_too(words: list[str]) -> None:
    out = io.StringIO()
    assert machine(["swarmd", *words], environ={"HOME": "/nowhere"}, stdout=out, stderr=out) == 0
    assert out.getvalue().startswith("Usage: machine swarmd")


def test_the_flags_of_manage_mean_what_they_meant() -> None:
    typed = (
        "--strategy binpack -f health -f port --heartbeat=1s --cluster-opt swarm.overcommit=0.5 "
        "--cluster-opt=swarm.createretry=2 --engine-refresh-min-interval 5s --engine-refresh-max-interval=1m30s "
        "--engine-failure-retry 5 --cors --tlsverify --tlscacert=ca --tlscert=c --tlskey=k nodes://a:1"
    )
    words = typed.split()
    plan = manager_config_from(parse_args("manage", words, MANAGE, {}), {"HOME": "/nowhere"}, "")
    settings = plan.settings
    assert (settings.strategy, settings.filters, settings.overcommit) == ("binpack", ("health", "port"), 50)
    assert (settings.createretry, settings.refresh_min, settings.refresh_max, settings.retry) == (2, 5, 90, 5)
    assert (settings.heartbeat, settings.cors) == (1, True)
    assert plan.tls == TlsConfig("ca", "c", "k", True)
    default = manager_config_from(parse_args("manage", ["a:1"], MANAGE, {}), {"HOME": "/nowhere"}, "")
    assert (default.settings.overcommit, default.settings.strategy, default.tls, default.ttl) == (
        5,
        "spread",
        None,
        20,
    )


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        (["--log-levle", "debug"], "did you mean --log-level?"),
        (["--host=tcp://:1", "manage"], "put it after the command"),
        (["-l", "foo", "create"], "-l LEVEL; levels: debug info warning warn error fatal panic"),
        (["--log-level=wran", "create"], "did you mean warn?"),
        (["manage", "zk://x/y"], DiscoveryUrlError.resolution),
        (["help", "mange"], "did you mean manage?"),
        (["mange"], "did you mean manage?"),
        (["help", "nonsense"], "machine-swarm help shows them"),
        (["manage", "--strategie=spread"], "did you mean --strategy?"),
    ],
)
def test_a_slip_of_the_pen_is_corrected(context: tuple[CliContext, list[str]], words: list[str], advice: str) -> None:
    with pytest.raises(UsageError) as caught:
        run(words, context[0])
    assert caught.value.resolution == advice


@pytest.mark.parametrize("columns", [60, 80, 132])
def test_the_help_is_as_wide_as_the_terminal(
    context: tuple[CliContext, list[str]], monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    run(["manage", "--help"], context[0])
    lines = context[1].pop().splitlines()
    assert max(map(len, lines)) < columns
    assert " ".join(" ".join(lines).split()).count("longest time between two checks of an engine (default 60s)") == 1


def test_what_to_export_for_a_manager() -> None:
    mine = TlsConfig("/s/c e/ca.pem", "/s/c e/cert.pem", "/s/c e/key.pem")
    where = Address("0.0.0.0", 3376)
    to = ["export DOCKER_HOST=tcp://127.0.0.1:3376", "export DOCKER_TLS_VERIFY=1"]
    assert exports(where, mine, mine) == [*to, "export DOCKER_CERT_PATH='/s/c e'"]
    assert exports(where, mine, TlsConfig("/a/ca.pem", "/b/cert.pem", "/b/key.pem")) == to
    assert exports(Address(path="/run/s.sock"), None, mine) == ["export DOCKER_HOST=unix:///run/s.sock"]


def test_a_manager_over_an_empty_store_says_so_and_how_it_is_used(tmp_path: Path) -> None:
    port = free_port()
    env = {**os.environ, "HOME": str(tmp_path), "MACHINE_STORAGE_PATH": str(tmp_path / "store")}
    argv = [sys.executable, "-m", "machine", "swarm", "manage", "-H", f"tcp://127.0.0.1:{port}"]
    log = tmp_path / "log"
    with log.open("w") as file, subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=file) as process:
        try:
            until(lambda: "DOCKER_CERT_PATH" in log.read_text() and "engines" in log.read_text())
        finally:
            process.terminate()
        assert process.stdout is not None
        assert process.stdout.read() == b""
    said = log.read_text()
    assert "the machines of the store: 0 engines so far" in said
    assert f"export DOCKER_HOST=tcp://127.0.0.1:{port}\nexport DOCKER_TLS_VERIFY=1\n" in said
    assert f"export DOCKER_CERT_PATH={tmp_path}/store/certs\n" in said


def test_times_and_ratios() -> None:
    assert [seconds(t, "x") for t in ("60s", "1m30s", "500ms", "7", "1h")] == [60, 90, 0.5, 7, 3600]
    for wrong in ("", "s", "1x", "-1s", "1 s", "9" * 50):
        with pytest.raises(UsageError):
            seconds(wrong, "x")
    assert [percent(t) for t in ("0.05", "0", "0.29", "-0.5")] == [5, 0, 29, -50]


def test_join_registers_again_and_again_and_discovery_serves(tmp_path: Path) -> None:
    port = free_port()
    env = {**os.environ, "HOME": str(tmp_path), "MACHINE_STORAGE_PATH": str(tmp_path / "store")}
    argv = [sys.executable, "-m", "machine", "swarm"]
    base = f"http://127.0.0.1:{port}/v1"
    with running([*argv, "discovery", "-H", f"tcp://127.0.0.1:{port}"], env):
        until(lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/").status == 200)
        made = subprocess.run(
            [*argv, "create"], env={**env, "MACHINE_DISCOVERY_URL": base}, capture_output=True, text=True, check=True
        )
        url = f"token://127.0.0.1:{port}/v1/{made.stdout.strip()}"
        with running([*argv, "join", "--advertise", "10.0.0.1:2376", "--heartbeat=1s", "--ttl=2s", url], env):
            listed = f"{base}/clusters/{made.stdout.strip()}"
            until(lambda: json.load(urllib.request.urlopen(listed)) == ["10.0.0.1:2376"])
            time.sleep(2.5)  # longer than the ttl
            assert json.load(urllib.request.urlopen(listed)) == ["10.0.0.1:2376"]
        until(lambda: json.load(urllib.request.urlopen(listed)) == [])


async def test_manage_alone_is_one_endpoint_for_the_machines_of_the_store_behind_tls(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"))
    own = authority.ensure(store.root)
    pair = own.issue_server("engine", ["127.0.0.1"])
    for name, data in (("server.pem", pair.cert), ("server-key.pem", pair.key)):
        (tmp_path / name).write_bytes(data)
    certs = tmp_path / "store" / "certs"
    front = TlsConfig(str(certs / "ca.pem"), str(tmp_path / "server.pem"), str(tmp_path / "server-key.pem"))
    port = free_port()

    def ask() -> None:
        env = {**os.environ, "HOME": str(tmp_path), "MACHINE_STORAGE_PATH": store.root}
        argv = [sys.executable, "-m", "machine", "swarm", "manage", "-H", f"tcp://127.0.0.1:{port}"]
        tls = ssl.create_default_context(cafile=str(certs / "ca.pem"))
        with running(argv, env):
            tls.load_cert_chain(certs / "cert.pem", certs / "key.pem")
            url = f"https://127.0.0.1:{port}/containers/json"
            until(lambda: json.load(urllib.request.urlopen(url, context=tls))[0]["Names"] == ["/web"])
            nobody = ssl.create_default_context(cafile=str(certs / "ca.pem"))
            with pytest.raises((urllib.error.URLError, OSError)):
                urllib.request.urlopen(url, context=nobody).read()

    server = Server(as_pipeline_end(SimulatedEngine("n1", container_names=("web",))))
    where = await server.listen(Address("127.0.0.1", 0), front)
    store.add("n1")
    driver = {"IPAddress": "127.0.0.1", "EnginePort": where.port}
    store.save(Record.new(store.root, "n1", "generic", driver, None, SwarmOptions()))
    try:
        await asyncio.to_thread(ask)
    finally:
        await server.close()


def test_a_second_manager_on_this_computer_leaves_the_firsts_certificate_alone(tmp_path: Path) -> None:
    """Unless it is to answer to more names; a key that a kill left without its certificate is no reason to fail."""
    store = Store(str(tmp_path))

    def start(*words: str) -> TlsConfig:
        found = store_integration.manager_config(store, parse_args("manage", words, MANAGE, {}), None, {})[1]
        assert found is not None
        return found

    front = start("-H", "tcp://0.0.0.0:3376")
    first = files.read(front.cert)
    assert start("-H", ":3377", "-H", f"unix://{tmp_path}/s") == front
    assert files.read(front.cert) == first
    start("-H", "tcp://192.0.2.5:3376", "--advertise", "laptop.example:3376")
    named = files.read(front.cert)
    assert certs.needs_renewal(named, ["localhost", "192.0.2.5", "laptop.example"], files.read(front.ca),
                               datetime.now(UTC), usage="server") is None  # fmt: skip
    files.write(front.key, authority.ensure(store.root).issue_server("other", ["localhost"]).key)
    start().for_server()


async def test_engines_are_registered_through_the_manager_that_keeps_the_registry(tmp_path: Path) -> None:
    port = free_port()
    argv = [sys.executable, "-m", "machine", "swarm", "manage", "--tls=false", "-H", f"tcp://127.0.0.1:{port}"]
    argv += ["--registry", str(tmp_path / "r.db"), "token://mine"]
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "MACHINE_STORAGE_PATH": str(tmp_path / "store")}

    def register(engine_port: int) -> None:
        wrapper = "import sys; from machine.swarm.cli import main; sys.exit(main(sys.argv[1:]))"
        with running([sys.executable, "-c", wrapper, *argv[4:]], env):
            base = f"http://127.0.0.1:{port}"
            until(lambda: urllib.request.urlopen(f"{base}/_ping").status == 200)
            found = Token(f"{base}/v1", "mine")
            until(lambda: asyncio.run(found.nodes()) == [])
            asyncio.run(found.register(f"127.0.0.1:{engine_port}", 0))
            until(lambda: "Healthy" in urllib.request.urlopen(f"{base}/info").read().decode())
            asyncio.run(found.deregister(f"127.0.0.1:{engine_port}"))
            until(lambda: "Healthy" not in urllib.request.urlopen(f"{base}/info").read().decode())

    server = Server(as_pipeline_end(SimulatedEngine("n1")))
    where = await server.listen(Address("127.0.0.1", 0))
    try:
        await asyncio.to_thread(register, where.port)
    finally:
        await server.close()


def test_it_listens_nowhere_without_tls_but_here() -> None:
    with pytest.raises(UsageError, match="without TLS"):
        run(["manage", "-H", "tcp://0.0.0.0:0", "a:1"], CliContext({"HOME": "/nowhere"}, print, print))
    with pytest.raises(UsageError, match=r"0\.0\.0\.0:4000 without TLS"):  # no host is every host, as in classic Swarm
        run(["manage", "-H", ":4000", "a:1"], CliContext({"HOME": "/nowhere"}, print, print))


def test_the_flags_that_are_advised_are_those_the_listener_needs(tmp_path: Path) -> None:
    here = CliContext({"HOME": str(tmp_path)}, print, print)
    with pytest.raises(UsageError) as caught:
        run(["discovery", "-H", "tcp://0.0.0.0:0", "--registry", str(tmp_path / "r")], here)
    assert caught.value.resolution.startswith("add --tls --tlscert --tlskey, or")
    with pytest.raises(UsageError) as caught:
        run(["join", "--advertise", "nonsense", "nodes://a:1"], here)
    assert "--advertise HOST:PORT" in caught.value.resolution


def test_a_certificate_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CertificateError) as caught:
        TlsConfig(str(tmp_path / "ca.pem")).for_server()
    assert "cert.pem" in caught.value.details
    assert "--tlscert" in caught.value.resolution
    (tmp_path / "key.pem").touch()
    with pytest.raises(CertificateError) as caught:
        TlsConfig("", str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")).for_server()
    assert caught.value.details == f"{tmp_path / 'cert.pem'}: No such file or directory"


def test_it_is_a_command_of_machine() -> None:
    out = io.StringIO()
    assert machine(["swarm", "list", "nodes://a:1"], environ={"HOME": "/nowhere"}, stdout=out, stderr=out) == 0
    assert out.getvalue() == "a:1\n"


def test_the_manager_needs_nothing_but_h11(tmp_path: Path) -> None:
    """What is shipped to a machine may import the standard library and h11."""
    code = (
        "import sys, machine.swarm.cli, machine.swarm.discovery.etcd, machine.swarm.discovery.consul, "
        "machine.swarm.discovery.token, machine.swarm.discovery.service, machine.swarm.discovery.fixed\n"
        "own = {m.partition('.')[0] for m in sys.modules if not m.startswith('_')} - set(sys.stdlib_module_names)\n"
        "print(sorted(m for m in own if not m.startswith(('_', 'sitecustomize', 'usercustomize'))))\n"
        "print(sorted(m for m in sys.modules if m.startswith('machine.') and not m.startswith('machine.swarm')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    outside, ours = done.stdout.splitlines()
    assert set(eval(outside)) <= {"h11", "machine", "mypy_extensions"} | {m for m in eval(outside) if "editable" in m}  # noqa: S307
    assert eval(ours) == ["machine.errors"]  # noqa: S307


@contextlib.contextmanager
def running(argv: list[str], env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A program that goes on until the block ends."""
    process = subprocess.Popen(argv, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    try:
        yield process
        assert process.poll() is None, process.stderr.read().decode()
    finally:
        process.terminate()
        process.wait(60)
        process.stderr.close()


def until(true: Callable[[], object], seconds: int = 20) -> None:
    """Wait for something to become true; errors on the way do not count."""
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError, ValueError, IndexError, KeyError):
            if true():
                return
        assert time.monotonic() < end
        time.sleep(0.05)


def test_the_swarm_looks_for_the_files_that_the_store_writes() -> None:
    assert [*TLS_FILES.values()] == [paths.CA, paths.CERT, paths.KEY]
