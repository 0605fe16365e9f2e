"""What needs a machine that runs says at once that it is off; a platform that cannot be asked keeps nobody away."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest

from machine import clients
from machine.errors import DriverError
from machine.lifecycle import running, share
from machine.model import State
from machine.store import Record, Store
from tests.cli.conftest import cli
from tests.cli.typed import StoreWithEngines
from tests.drivers.contexts import forbidding
from tests.lifecycle.cloud import MadeDriver

__all__ = ["cli"]


class Platform(MadeDriver):
    """A machine in this state; None: its platform raises what no driver should."""

    traits = replace(MadeDriver.traits, can_power=True)
    said: State | None = State.RUNNING
    seconds = 0.0

    def state(self) -> State:
        time.sleep(self.seconds)
        if self.said is None:
            raise KeyError("no credentials")
        return self.said


@pytest.fixture
def record(tmp_path: Path) -> Record:
    store = Store(str(tmp_path / "store"))
    store.add("dev")
    made = Record.new(store.root, "dev", "qemu", {})
    made.phase = "ready"
    return made


@pytest.fixture
def platform() -> Platform:
    return Platform(forbidding(), {})


@pytest.mark.parametrize(
    ("state", "brief"),
    [(State.STOPPED, "dev is stopped"), (State.SAVED, "dev is suspended"), (State.PAUSED, "dev is paused")],
)
def test_a_machine_that_is_off_is_refused(record: Record, platform: Platform, state: State, brief: str) -> None:
    platform.said = state
    for require in (running.require, running.require_if_known):
        with pytest.raises(DriverError) as caught:
            require(record, platform)
        assert caught.value.brief == brief
        assert caught.value.resolution.startswith("machine start dev")
    record.phase = "created"
    running.require(record, platform)
    running.require_if_known(record, platform)


@pytest.mark.parametrize("state", [State.RUNNING, State.STARTING, State.NONE, State.TIMEOUT])
def test_others_are_tried(record: Record, platform: Platform, state: State) -> None:
    platform.said = state
    running.require(record, platform)
    running.require_if_known(record, platform)


def test_a_platform_that_fails_or_is_silent_keeps_nobody_away(
    record: Record, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.said = None
    running.require_if_known(record, platform)
    monkeypatch.setattr(running, "STATE_SECONDS", 0.05)
    platform.said, platform.seconds = State.STOPPED, 1.0
    began = time.monotonic()
    running.require_if_known(record, platform)
    assert time.monotonic() - began < 1.0


@pytest.fixture
def stopped(cli: StoreWithEngines) -> StoreWithEngines:
    """A store with a machine of qemu that has a disk and no qemu."""
    cli.store.add("dev")
    record = Record.new(cli.store.root, "dev", "qemu", {"IPAddress": "127.84.255.9", "SSHUser": "me", "SSHPort": 22})
    record.phase = "ready"
    cli.store.save(record)
    Path(cli.store.directory("dev"), "disk.qcow2").touch()
    return cli


def test_commands_say_so_at_once(stopped: StoreWithEngines, tmp_path: Path) -> None:
    """None of them waits for a connection."""
    for line in (("share", "dev", str(tmp_path)), ("forward", "--background", "dev"), ("forward", "dev")):
        began = time.monotonic()
        done = stopped.type(*line)
        assert done.status == 1
        assert "dev is stopped" in done.err
        assert "machine start dev" in done.err.replace(f" -s {stopped.store.root}", "")
        assert time.monotonic() - began < 15
    assert not stopped.store.load("dev").shares(), "what was refused is not shared later"


def test_a_share_of_a_machine_that_is_off_ends_without_waiting(
    stopped: StoreWithEngines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is mounted there: neither is it logged in to, nor is what was around the share mounted otherwise."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("it is off")

    monkeypatch.setattr(clients, "connect", refuse)
    monkeypatch.setattr(share, "start", refuse)
    record = stopped.store.load("dev")
    record.set_shares({path: {"Writable": True, "Target": path} for path in ("/srv", "/srv/a")})
    stopped.store.save(record)
    done = stopped.type("share", "--stop", "dev", "/srv/a")
    assert done.status == 0, done.err
    assert list(stopped.store.load("dev").shares()) == ["/srv"]
    assert stopped.type("share", "--stop", "dev").status == 0
    assert not stopped.store.load("dev").shares()


@pytest.mark.skipif(shutil.which("sshfs") is None, reason="sshfs is not installed")
def test_mount_says_so_too(stopped: StoreWithEngines, tmp_path: Path) -> None:
    done = stopped.type("mount", "dev:/srv", str(tmp_path))
    assert done.status == 1
    assert "dev is not running: its state is Stopped" in done.err
