"""The driver of the plugin that is built here, configured, and the processes that it leaves."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Any

import pytest

from machine.drivers.plugin.driver import PluginDriver
from machine.drivers.plugin.session import Session, session_for
from machine.errors import MachineError
from machine.options import resolve
from tests.drivers import contexts
from tests.drivers.plugin.fake_cloud import TOKEN, Cloud

SECRETS = {
    "testcloud-api-token": TOKEN,
    "testcloud-password": "pa55-of-the-project",
    "testcloud-user-pass": "pa55-of-the-user",
}


def configured(cls: type[PluginDriver], tmp_path: Path, cloud: Cloud, **more: Any) -> tuple[PluginDriver, list[Any]]:
    """The driver of a new machine, and the list of what it saves."""
    saved: list[dict[str, Any]] = []
    given = {"testcloud-endpoint": cloud.url, **SECRETS, **{name.replace("_", "-"): more[name] for name in more}}
    return cls.configure(contexts.real(tmp_path, saved=saved), resolve(cls.traits.options, given)), saved


def session_of(driver: PluginDriver) -> Session:
    """The session in which the driver's plugin is at work; a new one if that has ended."""
    return session_for(driver.path, driver.traits.name, driver.ctx.directory, driver.ctx.log)


def programs(place: Path) -> set[int]:
    """The processes that run a plugin from the directory `place`; other tests have theirs elsewhere."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*/exe"):
        try:
            if Path(os.readlink(entry)).parent == place:
                found.add(int(entry.parent.name))
        except OSError:
            continue
    return found


def guards() -> set[int]:
    """The shells of this process that would end a plugin."""
    found = set()
    for task in Path("/proc/self/task").glob("*/children"):
        for pid in map(int, task.read_text().split()):
            with contextlib.suppress(OSError):
                if b"kill -KILL" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.add(pid)
    return found


def failing(driver: PluginDriver) -> None:
    with pytest.raises(MachineError):
        driver.create()


def until(holds: Any, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)
