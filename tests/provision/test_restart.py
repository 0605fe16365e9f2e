"""A restart that fails, of the engine or of a program of classic swarm, says whether it ended or had no time yet.

Only the first is blamed on its options.
"""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from machine.provision import Facts, engine_api, script_files, services
from machine.provision.host_files import BOOT2DOCKER, TRANSACTION
from machine.provision.resolutions import resolution_for

# It answers questions out of the file `unit`, and a restart has the status that is in `restarted`.
SYSTEMCTL = """#!/bin/sh
case "$*" in
    restart*) exit "$(cat restarted)" ;;
    *MainPID*) cat pid ;;
    show*) cat unit ;;
esac
"""
# A unit that a restart leaves in the state that is in `active`.
UNIT_CONTROL = """#!/bin/sh
case "$*" in is-active*) cat active ;; esac
"""
INIT_SCRIPT = """#!/bin/sh
[ "$1" != status ] || exec test -e runs
"""
FAILED = "the engine did not start with the new configuration\n"
TIMED_OUT = 124  # of timeout(1)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory whose programs stand in for the host's; its engine runs and does not answer."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(engine_api, "UP_SECONDS", 1)
    programs = {"systemctl": SYSTEMCTL, "init": INIT_SCRIPT, "curl": "exit 7", "journalctl": "echo from its log"}
    for name, text in programs.items():
        (tmp_path / name).write_text(text if text.startswith("#!") else f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    for name, text in {"dependents": "", "restarted": "0", "pid": "MainPID=7\n", "unit": unit("running")}.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def unit(sub_state: str, result: str = "success") -> str:
    return f"Result={result}\nSubState={sub_state}\n"


def run(host: Path, init: str = "systemd") -> str:
    """What the restart, which fails, says at last."""
    script = services.restart(replace(Facts(), init=init)).script
    for path, stand_in in {TRANSACTION: host, "/etc/init.d/docker": host / "init", BOOT2DOCKER: host}.items():
        script = script.replace(path, str(stand_in))
    done = subprocess.run(["sh", "-euc", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    return done.stderr


def says_it_is_busy(said: str, what: str) -> bool:
    return f" s after its restart ({what})\n" in said and FAILED not in said and "less busy" in resolution_for(said)


def test_an_engine_that_runs_and_does_not_answer_is_still_starting(host: Path) -> None:
    said = run(host)
    assert said.startswith("from its log\nthe engine did not answer within ")
    assert says_it_is_busy(said, "it is still starting")


@pytest.mark.parametrize(
    ("sub_state", "what"),
    [
        ("start-pre", "it is still starting"),
        ("start", "it is still starting"),
        ("stop-sigterm", "the one before it is still stopping"),
    ],
)
def test_a_restart_that_takes_too_long_is_no_failure_of_the_engine(host: Path, sub_state: str, what: str) -> None:
    (host / "restarted").write_text(str(TIMED_OUT))
    (host / "unit").write_text(unit(sub_state))
    assert says_it_is_busy(run(host), what)


def test_an_engine_that_its_unit_ended_for_its_time_did_not_fail(host: Path) -> None:
    (host / "restarted").write_text("1")
    (host / "unit").write_text(unit("auto-restart", "timeout"))
    assert says_it_is_busy(run(host), "its unit ended it after its TimeoutStartSec")


@pytest.mark.parametrize("status", ["1", str(TIMED_OUT)])
@pytest.mark.parametrize("sub_state", ["failed", "auto-restart", "dead"])
def test_an_engine_that_ended_is_one_that_did_not_start(host: Path, status: str, sub_state: str) -> None:
    (host / "restarted").write_text(status)
    (host / "unit").write_text(unit(sub_state, "exit-code"))
    said = run(host)
    assert said.endswith(FAILED)
    assert resolution_for(said) == ""


def test_a_start_that_failed_and_is_tried_again_by_systemd_has_failed(host: Path) -> None:
    (host / "restarted").write_text("1")
    (host / "unit").write_text(unit("start"))
    assert run(host).endswith(FAILED)


def test_an_init_script_is_asked_whether_there_is_an_engine(host: Path) -> None:
    (host / "runs").touch()
    assert says_it_is_busy(run(host, "boot2docker"), "it is still starting")
    (host / "runs").unlink()
    assert run(host, "boot2docker").endswith(FAILED)


@pytest.mark.parametrize(("state", "is_busy"), [("active", True), ("activating", False), ("failed", False)])
def test_a_manager_that_runs_and_does_not_answer_is_not_blamed_on_its_flags(
    host: Path, state: str, is_busy: bool
) -> None:
    (host / "systemctl").write_text(UNIT_CONTROL)
    (host / "active").write_text(f"{state}\n")
    (host / "sleep").write_text("#!/bin/sh\n")
    (host / "sleep").chmod(0o755)
    script = script_files.read("restart_swarm_unit", name="manager", is_up="false")
    done = subprocess.run(["sh", "-euc", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith("from its log\n")
    assert ("machine-swarm-manager did not answer within " in done.stderr) is is_busy
    assert ("less busy" in resolution_for(done.stderr)) is is_busy
