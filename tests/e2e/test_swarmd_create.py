"""The backend `create DRIVER`: a real machine, made by the first call that comes and removed with swarmd."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.hosts import IMAGE, docker, generic, until
from tests.labs.nspawn import Host, Lab
from tests.program import Ended, Program
from tests.sshd import free_port

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def host(lab: Lab) -> Iterator[Host]:
    made = lab.host("scratch", engine="running")
    made.import_busybox(IMAGE)
    yield made
    lab.drop(made)


@contextlib.contextmanager
def swarmd(program: Program, log: Path, *specs: str) -> Iterator[str]:
    """A chain behind a port of this host; gives its URL, and ends it as Ctrl-C does."""
    url = f"tcp://127.0.0.1:{free_port()}"
    with log.open("w") as stderr:
        process = program.start("swarmd", f"dockerserver {url}", *specs, stderr=stderr)
        try:
            until(lambda: "listens on" in log.read_text())
            yield url
        finally:
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(60)
            process.kill()
            process.communicate()
    assert process.returncode == 0, log.read_text()


def test_a_host_becomes_a_machine_with_the_first_call_and_is_let_go_at_the_end(
    program: Program, host: Host, tmp_path: Path
) -> None:
    flags = " ".join(generic(host)[3:])
    log = tmp_path / "log"
    with swarmd(program, log, f'aggregate "create generic --name scratch --rm {flags}" "simulator web"') as url:
        assert program.names() == []

        def say(*line: str) -> Ended:
            return docker(program, "-H", url, *line)

        with ThreadPoolExecutor() as several:  # the machine is made once, whoever asks meanwhile
            for answer in several.map(lambda _: say("ps", "--format", "{{.Names}}"), range(3)):
                assert "web" in answer.fine().out
        until(lambda: program.names() == ["scratch"] and "Nodes: 2" in say("info").out, 120)
        assert log.read_text().count("creating scratch") == 1
        assert say("run", "--rm", "--name", "scratch/one", IMAGE, "echo", "inside").fine().out == "inside\n"
    assert program.names() == []
    with swarmd(program, log, f"create generic --name kept {flags}") as url:
        assert docker(program, "-H", url, "run", "--rm", IMAGE, "echo", "inside").fine().out == "inside\n"
    assert program.names() == ["kept"]
    with swarmd(program, log, "create generic --name kept --rm --generic-ip-address 192.0.2.1") as url:
        assert docker(program, "-H", url, "version").fine()
    assert program.names() == ["kept"], "--rm is for what was made here"
