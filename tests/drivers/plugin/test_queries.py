"""What a query does where the driver is a plugin: calls that ask, and nothing else here or at the service."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from machine.drivers.plugin import session
from machine.drivers.plugin.driver import PluginDriver
from machine.model import State, Verb
from tests.drivers.plugin.driver import configured
from tests.drivers.plugin.fake_cloud import Cloud
from tests.drivers.recording import Effects, effects

pytestmark = pytest.mark.slow

ASKING = {"GetState", "GetURL", "GetSSHHostname", "GetSSHPort", "GetSSHUsername", "GetIP", "GetMachineName"}
OPENING = {"GetVersion", "SetConfigRaw", "Heartbeat", "Close"}  # of a program that was not there yet: in its memory
METHOD = re.compile(rb"R[Pp][Cc]ServerDriver\.(\w+)")


@pytest.fixture(autouse=True)
def _ended() -> Iterator[None]:
    yield
    session.close_all()


def methods(found: Effects) -> set[str]:
    """The methods of the plugin that were called."""
    return {name.decode() for message in found.sent for name in METHOD.findall(message)}


def queries(driver: PluginDriver) -> None:
    """Ask all that a driver can be asked; what it knows stays as it was."""
    known = json.dumps(driver.dump())
    driver.state()
    driver.endpoint()
    driver.explain()
    assert json.dumps(driver.dump()) == known


def test_a_query_changes_nothing(cls: type[PluginDriver], tmp_path: Path, cloud: Cloud) -> None:
    """Asked of a plugin that runs, and of one that is started for the question."""
    driver, saved = configured(cls, tmp_path, cloud)
    steps: list[Callable[[], Any]] = [
        driver.check,
        driver.create,
        lambda: driver.power(Verb.STOP),
        driver.remove,
    ]
    called: set[str] = set()
    for step in steps:
        step()
        cloud.asked.clear()
        before = len(saved)
        with effects() as found:
            queries(driver)
        assert (found.programs, found.files) == ([], [])
        assert methods(found) <= ASKING | {"Heartbeat"}, methods(found)
        called |= methods(found)
        session.close_all()
        with effects() as found:
            queries(cls.load(driver.ctx, json.loads(json.dumps(driver.dump()))))
        assert all(words == cls.path or words.startswith("/bin/sh -c read") for words in found.programs)
        assert found.files == []
        assert methods(found) <= ASKING | OPENING, methods(found)
        assert [line for line in cloud.asked if not line.startswith("GET ")] == []
        assert len(saved) == before
    assert "GetState" in called


def test_the_recording_sees_what_changes(cls: type[PluginDriver], tmp_path: Path, cloud: Cloud) -> None:
    """The test above would fail if a query did what these do."""
    driver, _ = configured(cls, tmp_path, cloud)
    driver.check()
    with effects() as found:
        driver.create()
        driver.power(Verb.STOP)
    assert {"Create", "Stop"} <= methods(found)
    assert driver.state() is State.STOPPED
    driver.remove()
    assert not cloud.servers
