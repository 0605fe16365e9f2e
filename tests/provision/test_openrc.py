"""OpenRC calls an engine started whether it goes on or not; the scripts see for themselves, and soon."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from machine.provision import Facts, engine_api, rollback, services
from machine.provision.host_files import CONF_D, TRANSACTION

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="takes root, for a list of processes of its own")

ALPINE = replace(Facts(), init="openrc")
# As OpenRC 0.45 with supervise-daemon was seen to do it: it starts an engine that ends anew, ten times; `start`
# succeeds at once. Without a supervisor it starts it once, and both say "started".
RC_SERVICE = """#!/bin/sh
[ "$2" != status ] || exit 0
(
    left=$(cat starts)
    while [ "$left" -gt 0 ]; do
        left=$((left - 1))
        ./dockerd || true
    done
) >engine.log 2>&1 &
"""
CURL = """#!/bin/sh
[ -e answers ] && echo '{"ServerVersion":"1"}'
"""


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory whose programs stand in for the host's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (tmp_path / "starts").write_text("10")
    (tmp_path / "dependents").touch()
    put(tmp_path, "rc-service", RC_SERVICE)
    put(tmp_path, "curl", CURL)
    put(tmp_path, "sleep", "#!/bin/sh\nexec /bin/sleep $1\n")
    return tmp_path


def put(host: Path, name: str, text: str) -> None:
    (host / name).write_text(text)
    (host / name).chmod(0o755)


def run(host: Path, text: str) -> tuple[subprocess.CompletedProcess[str], float]:
    """The script's end, and how many seconds it took, with no other processes in sight than its own."""
    began = time.monotonic()
    text = text.replace(TRANSACTION, str(host)).replace(CONF_D, str(host / "conf"))
    argv = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-euc", text]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120)
    return done, time.monotonic() - began


@pytest.mark.parametrize("starts", [1, 10])
@pytest.mark.parametrize("seconds", ["0", "0.7"])
def test_an_engine_that_ends_after_its_start_is_noticed_at_once(host: Path, starts: int, seconds: str) -> None:
    (host / "starts").write_text(str(starts))
    put(host, "dockerd", f"#!/bin/sh\necho bad setting\n/bin/sleep {seconds}\nexit 1\n")
    done, took = run(host, services.restart(ALPINE).script)
    assert done.returncode == 1
    assert done.stderr == "the engine ended soon after its start\nthe engine did not start with the new configuration\n"
    assert took < 45


def test_the_log_is_shown_from_where_the_host_has_it(host: Path) -> None:
    put(host, "dockerd", "#!/bin/sh\necho bad setting\nexit 1\n")
    (host / "conf").write_text(f"DOCKER_LOGFILE={host}/engine.log\nunset NOTHING; false\n")
    done, _ = run(host, services.restart(ALPINE).script)
    assert "bad setting\nthe engine ended soon after its start\n" in done.stderr
    assert "tail:" not in done.stderr


def test_an_engine_that_takes_its_time_is_waited_for(host: Path) -> None:
    put(host, "dockerd", "#!/bin/sh\n/bin/sleep 2\n: >answers\nexec /bin/sleep 60\n")
    done, took = run(host, services.restart(ALPINE).script)
    assert (done.returncode, done.stderr) == (0, "")
    assert took > 2


@pytest.mark.parametrize(("engine", "status"), [("exit 1", "1"), (": >answers\nexec /bin/sleep 60", "0")])
def test_taking_back_notices_it_too(host: Path, engine: str, status: str) -> None:
    put(host, "dockerd", f"#!/bin/sh\n{engine}\n")
    functions = engine_api.FUNCTIONS + rollback.functions_to_restore(ALPINE)
    done, took = run(host, f"{functions}\nwas() {{\n echo active\n}}\nlaunch && echo 0 || echo 1\n")
    assert (done.stdout, done.stderr) == (f"{status}\n", "")
    assert took < 45


def test_an_engine_that_has_not_answered_yet_is_still_starting(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_api, "UP_SECONDS", 1)
    put(host, "dockerd", "#!/bin/sh\n/bin/sleep 60\n")
    done, _ = run(host, services.restart(ALPINE).script)
    assert done.returncode == 1
    assert done.stderr.endswith(" s after its restart (it is still starting)\n")
    assert "did not start" not in done.stderr
