"""`machine socket` with real engines and the real docker client: run, exec -it, build, logs -f; and its processes."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import certs
from tests.engine.servers import Files
from tests.program import Program
from tests.swarm.engines import DOCKER, Engines, RealEngine, needs_engines

pytestmark = needs_engines


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RealEngine, Files]]:
    """An engine that takes clients with a certificate only."""
    files = Files(tmp_path_factory.mktemp("pki"))
    cert, key = files.server
    with Engines(1, "--tlsverify", "--tlscacert", files.ca, "--tlscert", cert, "--tlskey", key) as engines:
        yield engines[0], files


@pytest.fixture
def program(
    tmp_path_factory: pytest.TempPathFactory, engine: tuple[RealEngine, Files], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Program]:
    """A store with the machine `dev`, which is that engine. A runtime directory with a short path."""
    made = Program(tmp_path_factory.mktemp("u"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(made.place))
    made("create", "-d", "none", "--url", engine[0].url, "dev").fine()
    client = certs.make_client(engine[1].authority, "test")
    for name, content in (("ca.pem", engine[1].authority.cert), ("cert.pem", client.cert), ("key.pem", client.key)):
        (made.store / "machines" / "dev" / name).write_bytes(content)
    yield made
    made("socket", "--stop", "dev")


def docker(url: str, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """The docker client at a socket, without any certificate."""
    environ = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "DOCKER_BUILDKIT": "0"}
    return subprocess.run(
        [DOCKER, "-H", url, *words],
        capture_output=True,
        text=True,
        timeout=120,
        env=environ,
        input=stdin,
    )


def test_the_docker_client_works_through_it(program: Program, tmp_path: Path) -> None:
    url = program("socket", "--background", "dev").fine().out.strip()
    assert url.startswith(f"unix://{program.place}/machine/")
    run = ("run", "--network=none", "--name=loop", "-d", "busybox", "sh", "-c")
    assert docker(url, *run, "for i in 1 2 3; do echo line $i; sleep 0.2; done; sleep 600").returncode == 0
    try:
        with subprocess.Popen([DOCKER, "-H", url, "logs", "-f", "loop"], stdout=subprocess.PIPE, text=True) as logs:
            assert logs.stdout is not None
            assert [logs.stdout.readline() for _ in range(3)] == ["line 1\n", "line 2\n", "line 3\n"]
            logs.terminate()
        assert docker(url, "exec", "-i", "loop", "cat", stdin="to its end").stdout == "to its end"
        assert in_terminal([DOCKER, "-H", url, "exec", "-it", "loop", "sh"], b"echo sum=$((40+2)); exit 7\n") == 7
    finally:
        docker(url, "rm", "-f", "loop")
    (tmp_path / "context").mkdir()
    (tmp_path / "context" / "Dockerfile").write_text("FROM busybox\nCOPY Dockerfile /copied\n")
    assert docker(url, "build", "-t", "built", str(tmp_path / "context")).returncode == 0
    assert "COPY" in docker(url, "run", "--rm", "--network=none", "built", "cat", "/copied").stdout
    assert program("active", environ={"DOCKER_HOST": url}).out == "dev\n"


def in_terminal(argv: list[str], typed: bytes) -> int:
    """Type into a program on a terminal once it has a prompt, see the sum that it prints, and return its status."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(argv[0], argv)  # noqa: S606
    seen = b""
    while b"# " not in seen:
        seen += read(terminal)
    os.write(terminal, typed)
    while b"sum=42" not in seen:
        seen += read(terminal)
    try:
        while read(terminal):
            pass
    except OSError:  # the terminal of a program that has ended
        pass
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def read(terminal: int) -> bytes:
    ready, _, _ = select.select([terminal], [], [], 60)
    assert ready, "nothing came within a minute"
    return os.read(terminal, 4096)


def test_in_the_foreground_it_ends_by_a_signal_and_takes_the_socket_away(program: Program) -> None:
    with program.start("socket", "dev") as serving:
        assert serving.stdout is not None
        url = serving.stdout.readline().strip()
        path = Path(url.removeprefix("unix://"))
        assert path.is_socket()
        second = program("socket", "dev")
        assert second.status == 1
        assert "is there already to serve the socket of dev" in second.err
        assert docker(url, "version").returncode == 0
        serving.send_signal(signal.SIGTERM)
        assert serving.wait(60) == 0
    assert not path.exists()


def test_the_socket_of_a_killed_one_is_replaced_and_rm_ends_the_next(program: Program) -> None:
    with program.start("socket", "dev") as serving:
        assert serving.stdout is not None
        url = serving.stdout.readline().strip()
        serving.kill()
    path = Path(url.removeprefix("unix://"))
    assert path.is_socket()
    assert docker(url, "version").returncode != 0
    assert program("socket", "--background", "dev").fine().out.strip() == url
    assert docker(url, "version").returncode == 0
    assert "its unix socket is gone" in program("rm", "-y", "dev").fine().err
    assert not path.exists()
    assert not list((program.store / "locks").glob("socket-*"))
