"""The plan of an upgrade, and what it says; it is played on real hosts in test_lab_packages.py."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from machine.errors import ProvisionError
from machine.process import Completed
from machine.provision.engine_upgrade import upgrade_plan
from machine.provision.facts import Facts
from machine.provision.host_files import TRANSACTION
from machine.provision.steps import Result, Run
from tests.provision.test_cases import facts

HOST = {
    "os_id": "fedora",
    "init": "systemd",
    "package_manager": "dnf",
    "dockerd": "/usr/bin/dockerd",
    "service": "active",
}


def played(machine: Facts, after: str) -> tuple[list[str], Result]:
    """The names of the steps when the package goes from 1.0 to `after`."""
    names: list[str] = []
    todo = upgrade_plan(machine)
    try:
        step = next(todo)
        while True:
            names.append(step.name)
            if step.needs_output:
                step = todo.send(Completed(0, f"before moby-engine 1.0\nafter moby-engine {after}"))
            else:
                step = next(todo)
    except StopIteration as end:
        return names, end.value


def test_an_upgrade_is_one_script_that_is_taken_back_as_a_whole() -> None:
    names, result = played(facts(HOST), "1.0")
    assert names[0] == "save a copy of the present configuration"
    assert names[-1] == "remove the saved copy of the configuration"
    assert (result.restarted, result.changed, result.before, result.after) == (False, (), "1.0", "1.0")


@pytest.mark.parametrize(("after", "restarts"), [("1.0", False), ("2.0", True)])
def test_only_a_newer_engine_is_restarted(tmp_path: Path, after: str, restarts: bool) -> None:
    (tmp_path / "report").write_text(f"stale no\nbefore docker.io 1.0\nafter docker.io {after}\n")
    (tmp_path / "dependents").write_text("app.service\n")
    (tmp_path / "systemctl").write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/said\n')
    (tmp_path / "curl").write_text('#!/bin/sh\necho \'{"ServerVersion":"2"}\'\n')
    for name in ("systemctl", "curl"):
        (tmp_path / name).chmod(0o755)
    step = next(step for step in upgrade_plan(facts(HOST)) if step.name.startswith("restart the engine"))
    assert isinstance(step, Run)
    text = f"PATH={tmp_path}:$PATH\nset -eu\n{step.script.replace(TRANSACTION, str(tmp_path))}"
    done = subprocess.run(["sh", "-s"], input=text, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "said").exists() is restarts
    assert not restarts or (tmp_path / "said").read_text().endswith("\nstart app.service\n")


@pytest.mark.parametrize("says", ["W: Failed to fetch http://deb.example/InRelease", "E: no network", ""])
def test_old_package_lists_are_told_of(tmp_path: Path, says: str) -> None:
    """apt-get update ends with 0 although it fetched nothing; played with an apt-get and a dpkg that do the same."""
    for name, script in (
        ("apt-get", f'[ "$2" != update ] || {{ echo "{says}"; {"exit 1" if says[:1] == "E" else ":"}; }}'),
        ("dpkg", "echo docker.io: /usr/sbin/dockerd"),
        ("dpkg-query", "echo installed docker.io 1.0"),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    machine = facts({**HOST, "os_id": "debian", "package_manager": "apt-get"})
    todo = upgrade_plan(machine)
    move = next(step for step in todo if step.name == "upgrade Docker's packages")
    assert isinstance(move, Run)
    text = f"PATH={tmp_path}:$PATH\nset -eu\n{move.script.replace(TRANSACTION, str(tmp_path))}"
    done = subprocess.run(["sh", "-s"], input=text, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    while not next(todo).needs_output:
        pass
    with pytest.raises(StopIteration) as end:
        todo.send(Completed(0, (tmp_path / "report").read_text()))
    assert end.value.value.before == "1.0"
    assert any("package list" in note for note in end.value.value.notes) is bool(says)


def test_something_newer_restarts_once() -> None:
    names, result = played(facts(HOST), "2.0")
    assert names.count("restart the engine if it is a newer one") == 1
    assert (result.restarted, result.before, result.after) == (True, "1.0", "2.0")
    assert result.changed == ("upgrade Docker from 1.0 to 2.0",)


@pytest.mark.parametrize("after", ["1.0", "2.0"])
def test_containers_are_cared_for_before_packages_move(after: str) -> None:
    """The packages' own scripts may restart the engine, so live-restore is on before they run, and off at the end."""
    names, _ = played(facts({**HOST, "containers_running": 1}), after)
    on, moved = names.index("keep containers running without the engine"), names.index("upgrade Docker's packages")
    assert on < moved < names.index("set live-restore as it was")
    assert names[-1] == "remove the saved copy of the configuration"
    assert not [name for name in names if ".machine" in name], "the names of our own copies mean nothing to a user"


def test_swarm_mode_is_warned_of() -> None:
    names, result = played(facts({**HOST, "containers_running": 1, "swarm_mode": True}), "2.0")
    assert "keep containers running without the engine" not in names
    assert "swarm mode" in result.notes[0]


@pytest.mark.parametrize(
    ("machine", "brief", "resolution"),
    [
        ({**HOST, "dockerd": ""}, "no Docker on the machine to upgrade", "machine provision"),
        (
            {**HOST, "os_id": "flatcar", "package_manager": ""},
            "cannot upgrade Docker on flatcar",
            "part of this system",
        ),
        ({**HOST, "os_id": "void", "package_manager": ""}, "cannot upgrade Docker on void", "own means"),
    ],
)
def test_what_cannot_be_upgraded_is_said(machine: dict[str, object], brief: str, resolution: str) -> None:
    with pytest.raises(ProvisionError, match=brief) as caught:
        next(upgrade_plan(facts(machine)))
    assert resolution in caught.value.resolution
