"""`machine swarmd` as a program, between the real docker client and real engines."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from machine.swarm.http.address import TlsConfig
from tests.sshd import free_port
from tests.swarm.engines import DOCKER, Engines, RealEngine, docker, needs_engines
from tests.swarm.http.recording import Keys, keys

pytestmark = needs_engines


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def engine() -> Iterator[RealEngine]:
    with Engines(1) as engines:
        yield engines[0]


@contextlib.contextmanager
def swarmd(*specs: str) -> Iterator[Path]:
    """The program running with these backends; gives the file of its stderr."""
    log = Path(os.environ["HOME"]) / "swarmd.log"
    with log.open("wb") as file:
        process = subprocess.Popen([sys.executable, "-m", "machine", "swarmd", *specs], stderr=file, stdout=file)
    try:
        deadline = time.monotonic() + 20
        while "listens on" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield log
    finally:
        process.terminate()
        assert process.wait(20) == 0, log.read_text()
    assert "Traceback" not in log.read_text(), log.read_text()


@pytest.fixture(params=["dockerclient", "swarm"])
def url(engine: RealEngine, request: pytest.FixtureRequest) -> Iterator[str]:
    """The engine behind a chain: passed through, or as the only one that a manager has."""
    address = f"tcp://127.0.0.1:{free_port()}"
    end = f"swarm 127.0.0.1:{engine.port}" if request.param == "swarm" else f"dockerclient {engine.url}"
    with swarmd(f"dockerserver {address}", "debug", end) as log:
        deadline = time.monotonic() + 20
        while request.param == "swarm" and ": connected" not in log.read_text():
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield address


def test_run_attached_with_stdin_a_terminal_and_an_exit_status(url: str) -> None:
    assert docker(url, "run", "--rm", "--network=none", "busybox", "echo", "hello").stdout == "hello\n"
    words = ("run", "--rm", "-i", "--network=none", "busybox")
    assert docker(url, *words, "cat", text="from stdin\n").stdout == "from stdin\n"
    assert docker(url, *words, "sh", "-c", "cat; echo after the end", text="x\n").stdout == "x\nafter the end\n"
    assert docker(url, *words, "sh", "-c", "exit 7", check=False).returncode == 7
    inside = f"{DOCKER} -H {url} run --rm -it --network=none busybox sh -c 'test -t 0 && echo on a terminal; exit 3'"
    done = subprocess.run(
        ["script", "-qec", inside, "/dev/null"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, "on a terminal" in done.stdout) == (3, True), done.stdout


def test_exec_logs_attach_wait_top_and_rm(url: str) -> None:
    script = "i=0; while true; do echo line $i; i=$((i+1)); sleep 0.1; done"
    docker(url, "run", "-d", "--name=web", "--network=none", "busybox", "sh", "-c", script)
    assert docker(url, "exec", "web", "sh", "-c", "exit 5", check=False).returncode == 5
    assert docker(url, "exec", "-i", "web", "wc", "-c", text="abc").stdout.strip() == "3"
    for follow in (["logs", "-f", "web"], ["attach", "--sig-proxy=false", "web"]):
        process = subprocess.Popen([DOCKER, "-H", url, *follow], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert [process.stdout.readline().split()[0] for _ in range(5)] == ["line"] * 5
        process.kill()
        process.wait()
        process.stdout.close()
    waiting = subprocess.Popen([DOCKER, "-H", url, "wait", "web"], stdout=subprocess.PIPE, text=True)
    assert "line" in docker(url, "logs", "--tail=1", "web").stdout
    assert "sh -c" in docker(url, "top", "web").stdout
    time.sleep(0.3)
    docker(url, "kill", "web")
    assert waiting.communicate(timeout=20)[0] == "137\n"
    docker(url, "rm", "web")
    assert docker(url, "inspect", "web", check=False).returncode == 1


def test_cp_build_save_and_load_stream(url: str, tmp_path: Path) -> None:
    data = os.urandom(30_000_000)
    (tmp_path / "file").write_bytes(data)
    docker(url, "create", "--name=box", "--network=none", "busybox", "true")
    docker(url, "cp", str(tmp_path / "file"), "box:/tmp/file")
    docker(url, "cp", "box:/tmp/file", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == data
    docker(url, "rm", "box")
    context = tmp_path / "context"
    context.mkdir()
    (context / "big").write_bytes(data)
    (context / "Dockerfile").write_text("FROM busybox\nCOPY big /big\nRUN wc -c /big > /size\nCMD cat /size\n")
    environ = {**os.environ, "DOCKER_BUILDKIT": "0"}
    build = [DOCKER, "-H", url, "build", "--network=none", "-t", "built", str(context)]
    done = subprocess.run(build, env=environ, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert docker(url, "run", "--rm", "--network=none", "built").stdout.split()[0] == str(len(data))
    docker(url, "save", "-o", str(tmp_path / "image.tar"), "built")
    docker(url, "rmi", "built")
    assert "built:latest" in docker(url, "load", "-i", str(tmp_path / "image.tar")).stdout
    docker(url, "rmi", "built")


def test_events_stream_while_things_happen(url: str) -> None:
    form = "--format={{.Action}} {{.Actor.Attributes.name}}"
    process = subprocess.Popen([DOCKER, "-H", url, "events", form], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    while not select.select([process.stdout], [], [], 0.1)[0]:  # until it is told of one, it may not listen yet
        docker(url, "run", "--rm", "--name=seen", "--network=none", "busybox", "true")
    docker(url, "run", "--rm", "--name=last", "--network=none", "busybox", "true")
    seen: list[str] = []
    while not seen or seen[-1] != "destroy last":
        seen.append(process.stdout.readline().strip())
        assert seen[-1], seen
    process.kill()
    process.communicate()
    assert {"create last", "start last", "die last", "destroy last"} <= set(seen)


def test_websockets_and_buildkits_session_are_carried(url: str) -> None:
    """What clients other than docker's use: attach over a websocket (RFC 6455), and an upgrade to HTTP/2."""
    docker(url, "run", "-di", "--name=ws", "--network=none", "busybox", "cat")
    mask, payload = b"\x01\x02\x03\x04", b"hello\n"
    frame = bytes([0x82, 0x80 | len(payload)]) + mask + bytes(c ^ mask[i % 4] for i, c in enumerate(payload))
    handshake = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    got = _raw(
        url, f"GET /containers/ws/attach/ws?stream=1&stdout=1&stdin=1 HTTP/1.1\r\n{handshake}Origin: http://x", frame
    )
    assert b"101 UPGRADED" in got
    assert got.endswith(b"\x82\x06hello\n")
    docker(url, "rm", "-f", "ws")
    names = "".join(f"X-Docker-Expose-Session-{key}: {'k' * 25}\r\n" for key in ("Uuid", "Name", "Sharedkey"))
    assert b"PRI * HTTP/2.0" in _raw(url, f"POST /session HTTP/1.1\r\nUpgrade: h2c\r\n{names}X-End: 1", b"")


@pytest.mark.parametrize("form", ["200", "101"])
def test_attach_in_both_forms_hears_the_end_of_stdin(url: str, form: str) -> None:
    """Without Upgrade the engine answers 200 and the raw stream begins, as clients of 2014 expect."""
    script = "wc -c; echo after the end"
    docker(url, "create", "-i", "--name=raw", "--network=none", "busybox", "sh", "-c", script)
    host, port = url.removeprefix("tcp://").split(":")
    upgrade = "Connection: Upgrade\r\nUpgrade: tcp\r\n" if form == "101" else ""
    target = "/v1.24/containers/raw/attach?stream=1&stdin=1&stdout=1&stderr=1"
    with socket.create_connection((host, int(port)), timeout=30) as sock:
        sock.sendall(f"POST {target} HTTP/1.1\r\nHost: x\r\n{upgrade}Content-Length: 0\r\n\r\n".encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += sock.recv(1)
        assert head.startswith(f"HTTP/1.1 {form} ".encode())
        assert b"chunked" not in head
        docker(url, "start", "raw")
        sock.sendall(b"x" * 100_000)
        sock.shutdown(socket.SHUT_WR)
        got = b""
        while data := sock.recv(65536):
            got += data
    assert b"100000\n" in got
    assert b"after the end\n" in got
    docker(url, "rm", "-f", "raw")


def _raw(url: str, head: str, after: bytes) -> bytes:
    host, port = url.removeprefix("tcp://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as sock:
        sock.sendall(f"{head}\r\nHost: x\r\nConnection: Upgrade\r\n\r\n".encode())
        got = b""
        while b"\r\n\r\n" not in got:
            got += sock.recv(65536)
        sock.sendall(after)
        sock.settimeout(1)
        with contextlib.suppress(TimeoutError):
            while data := sock.recv(65536):
                got += data
    return got


def test_errors_and_debug_lines(engine: RealEngine) -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    with swarmd(f"dockerserver {address}", "debug", f"dockerclient {engine.url}") as log:
        done = docker(address, "run", "--pull=never", "nosuchimage", check=False)
        assert "No such image: nosuchimage:latest" in done.stderr
        assert "POST /v1.41/containers/create -> 404" in log.read_text()


def test_an_engine_that_is_away_is_said_so_and_may_come_back() -> None:
    with Engines(1) as (engine,):
        address = f"tcp://127.0.0.1:{free_port()}"
        with swarmd(f"dockerserver {address}", f"dockerclient {engine.url}"):
            assert docker(address, "ps", "-q").stdout == ""
            engine.stop()
            assert "refused" in docker(address, "ps", check=False).stderr
            engine.start()
            engine.wait()
            assert docker(address, "ps", "-q").stdout == ""


def test_tls_on_both_sides_with_half_close(trust: Keys) -> None:
    """docker --tlsverify -> dockerserver --tlsverify -> dockerclient --tlsverify -> dockerd --tlsverify."""
    server, client = trust.server, trust.client

    def flags(of: TlsConfig) -> list[str]:
        return ["--tlsverify", f"--tlscacert={of.ca}", f"--tlscert={of.cert}", f"--tlskey={of.key}"]

    with Engines(1, *flags(server)) as (engine,):
        address = f"tcp://127.0.0.1:{free_port()}"
        front = " ".join(["dockerserver", *flags(server), address])
        with swarmd(front, " ".join(["dockerclient", *flags(client), engine.url])):
            argv = [DOCKER, *flags(client), "-H", address, "run", "--rm", "-i", "--network=none", "busybox"]
            text = "x" * 300_000 + "\n"
            done = subprocess.run(
                [*argv, "sh", "-c", "cat; echo after the end"], input=text, capture_output=True, text=True, timeout=60
            )
            assert done.stdout == text + "after the end\n", done.stderr
            without = docker(address, "ps", check=False)
            assert without.returncode != 0


def test_an_aggregate_of_three_is_one_engine_to_the_docker_client(tmp_path: Path) -> None:
    """What libswarm's aggregate never did: create, attach, exec, logs, cp, build and rm reach the right engine."""
    with Engines(3) as engines:
        url = f"tcp://127.0.0.1:{free_port()}"
        joined = " ".join(f'"dockerclient {engine.url}"' for engine in engines)
        with swarmd(f"dockerserver {url}", f"aggregate {joined}"):
            for number in range(3):
                words = ["run", "-d", f"--name=c{number}", "--network=none", "busybox", "sh", "-c"]
                docker(url, *words, f"while true; do echo i am {number}; sleep 0.2; done")
            assert [len(engine.docker("ps", "-q").stdout.split()) for engine in engines] == [1, 1, 1]
            names = docker(url, "ps", "--no-trunc", "--format={{.Names}}").stdout.split()
            assert sorted(name.split(",")[0] for name in names) == ["c0", "c1", "c2"]
            for number in range(3):
                assert docker(url, "exec", "-i", f"c{number}", "cat", text=f"to {number}").stdout == f"to {number}"
                assert f"i am {number}" in docker(url, "logs", f"c{number}").stdout
                (tmp_path / "file").write_text(f"file {number}")
                docker(url, "cp", str(tmp_path / "file"), f"c{number}:/tmp/file")
                assert docker(url, "exec", f"c{number}", "cat", "/tmp/file").stdout == f"file {number}"
            assert docker(url, "run", "--rm", "-i", "--network=none", "busybox", "cat", text="hi").stdout == "hi"
            assert docker(url, "run", "--rm", "--network=none", "busybox", "false", check=False).returncode == 1
            info = docker(url, "info").stdout
            assert all(engine.name in info for engine in engines)
            (tmp_path / "Dockerfile").write_text("FROM busybox\nRUN echo built > /x\nCMD cat /x\n")
            environ = {**os.environ, "DOCKER_BUILDKIT": "0"}
            build = [DOCKER, "-H", url, "build", "--network=none", "-t", "built", str(tmp_path)]
            assert subprocess.run(build, env=environ, capture_output=True, timeout=120).returncode == 0
            for _ in range(3):
                assert docker(url, "run", "--rm", "--network=none", "built").stdout == "built\n"
            docker(url, "save", "-o", str(tmp_path / "image.tar"), "built")
            docker(url, "rmi", "built")
            docker(url, "load", "-i", str(tmp_path / "image.tar"))
            assert all("built" in engine.docker("images").stdout for engine in engines)
            engines[0].stop()
            left = docker(url, "ps", "-q").stdout.split()
            assert len(left) == 2
            assert "node-1" in docker(url, "info").stdout
            docker(url, "rm", "-f", *left)


def test_docker_py_works_through_the_chain(url: str) -> None:
    docker_py = pytest.importorskip("docker")
    client = docker_py.DockerClient(base_url=url, timeout=30)
    try:
        assert client.containers.run("busybox", ["echo", "hi"], network_mode="none", remove=True) == b"hi\n"
        box = client.containers.run("busybox", ["sleep", "100"], network_mode="none", detach=True)
        assert box.exec_run(["sh", "-c", "echo out; echo err >&2; exit 4"], demux=True) == (4, (b"out\n", b"err\n"))
        sock = box.attach_socket(params={"stdin": 1, "stream": 1})
        sock.close()
        stats = box.stats(stream=False)
        assert stats["id"] == box.id
        assert [each.id for each in client.containers.list()] == [box.id]
        box.remove(force=True)
    finally:
        client.close()


def test_without_arguments_it_lists_the_backends() -> None:
    done = subprocess.run([sys.executable, "-m", "machine", "swarmd"], capture_output=True, text=True, check=True)
    names = [line.split()[0] for line in done.stdout.splitlines()]
    assert names == sorted(names)
    assert {"aggregate", "debug", "dockerclient", "dockerserver", "exec", "machine", "simulator"} <= set(names)
    assert not done.stderr


def test_version_and_help_as_libswarms_had_them() -> None:
    for words, start in ((["--version"], "swarmd version "), (["-v"], "swarmd version "), (["help"], "Usage: ")):
        program = "import sys; from machine.cli.swarmd import main; sys.exit(main())"
        done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=True)
        assert done.stdout.startswith(start)
