"""The cloud behind the plugin, and the class of its driver."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from machine.drivers import registry
from machine.drivers.plugin import session
from machine.drivers.plugin.driver import PluginDriver
from tests.drivers.plugin.build import installed
from tests.drivers.plugin.fake_cloud import Cloud


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    made = Cloud()
    yield made
    made.close()


@pytest.fixture
def cls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[PluginDriver]]:
    """The driver class of the plugin, found on PATH; no program is left behind."""
    monkeypatch.setenv("PATH", installed(tmp_path / "bin", "testcloud", "testcloud-old"))
    monkeypatch.setenv("TESTCLOUD_TAGS", "from,the variable")
    found = registry.find("testcloud")
    assert issubclass(found, PluginDriver)
    yield found
    session.close_all()
