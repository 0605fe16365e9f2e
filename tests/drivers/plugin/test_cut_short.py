"""A create or a removal that is cut short, by a plugin, a disk or a kill: what there is stays known."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from machine.drivers.plugin import session
from machine.drivers.plugin.document import NOTES
from machine.drivers.plugin.driver import PluginDriver
from machine.errors import DriverError, Interrupted, StoreError
from machine.model import State
from machine.wait import SystemClock
from tests.drivers.plugin.driver import configured, failing, session_of, until
from tests.drivers.plugin.fake_cloud import TOKEN, Cloud

pytestmark = pytest.mark.slow


def test_ids_are_on_record_while_it_creates(cls: type[PluginDriver], tmp_path: Path, cloud: Cloud) -> None:
    """What a kill -9 in the middle would leave is enough to remove the server."""
    cloud.held = True
    driver, saved = configured(cls, tmp_path, cloud)
    driver.check()
    worker = threading.Thread(target=driver.create)
    worker.start()
    try:
        until(lambda: saved and saved[-1].get("ServerID"))
        assert saved[-1][NOTES]["Create"] == "begun"
        left = json.loads(json.dumps(saved[-1]))
    finally:
        cloud.release()
        worker.join()
    session.close_all()
    cls.load(driver.ctx, left).remove()
    assert not cloud.servers


@pytest.mark.parametrize("there", [True, False])
def test_a_cut_short_create_is_gone_on_with_or_begun_anew(
    cls: type[PluginDriver], tmp_path: Path, cloud: Cloud, there: bool
) -> None:
    """With what is on record: one server in the end, made with all the flags of the first try."""
    cloud.held = True
    driver, saved = configured(cls, tmp_path, cloud, testcloud_note="again")
    driver.check()
    worker = threading.Thread(target=failing, args=(driver,))
    worker.start()
    until(lambda: saved and saved[-1].get("ServerID"))
    session_of(driver).program.process.kill()
    worker.join()
    left = json.loads(json.dumps(saved[-1]))
    if there:
        cloud.release()
        left["IPAddress"] = "127.0.0.1"  # a plugin that learns it before the end of Create
    else:
        cloud.held = False
        cloud.servers[left["ServerID"]].state = "failed"
    again = cls.load(driver.ctx, left)
    again.create()
    (server,) = cloud.servers.values()
    assert (server.id == left["ServerID"]) is there
    assert server.asked["note"] == "again/pa55-of-the-user"
    assert saved[-1][NOTES]["Create"] == "done"
    assert saved[-1]["ServerID"] == server.id


def test_a_create_that_never_got_anywhere_is_begun_anew(cls: type[PluginDriver], tmp_path: Path, cloud: Cloud) -> None:
    """The plugin panics when it is asked about a server that it has not made."""
    driver, saved = configured(cls, tmp_path, cloud)
    driver.check()
    driver.data[NOTES]["Create"] = "begun"
    left = driver.dump()
    session.close_all()
    with pytest.raises(DriverError, match="ended in the middle of its work") as crash:
        cls.load(driver.ctx, left).state()
    assert crash.value.details.startswith("panic: ")
    cls.load(driver.ctx, left).create()
    assert len(cloud.servers) == 1
    assert saved[-1][NOTES]["Create"] == "done"


def test_a_disk_that_is_full_for_a_while_loses_no_server(cls: type[PluginDriver], tmp_path: Path, cloud: Cloud) -> None:
    """The plugin is not given up in the middle, and what could not be written is written later."""
    cloud.held = True
    driver, saved = configured(cls, tmp_path, cloud)
    driver.check()
    refused: list[str] = []
    save = driver.ctx.save

    def full(saving: Any) -> None:
        if saving.data.get("ServerID") and len(refused) < 2:
            refused.append(json.dumps(saving.data))
            raise StoreError("no space left")
        save(saving)

    driver.ctx = replace(driver.ctx, save=full)
    worker = threading.Thread(target=driver.create)
    worker.start()
    try:
        until(lambda: saved and saved[-1].get("ServerID"))
        assert len(refused) == 2
        assert saved[-1][NOTES]["Create"] == "begun"
    finally:
        cloud.release()
        worker.join()
    assert saved[-1][NOTES]["Create"] == "done"
    assert list(cloud.servers) == [saved[-1]["ServerID"]]


def test_a_disk_that_stays_full_is_no_reason_to_forget(cls: type[PluginDriver], tmp_path: Path, cloud: Cloud) -> None:
    driver, saved = configured(cls, tmp_path, cloud)
    driver.check()
    save = driver.ctx.save

    def full(saving: Any) -> None:
        if saving.data.get("ServerID"):
            raise StoreError("no space left")
        save(saving)

    driver.ctx = replace(driver.ctx, save=full)
    with pytest.raises(StoreError, match="no space") as caught:
        driver.create()
    assert "the plugin has made contract" in caught.value.details
    assert not saved[-1].get("ServerID")
    driver.remove()
    assert not cloud.servers


def test_what_a_removed_server_left_in_the_record_is_not_told_again(
    cls: type[PluginDriver], tmp_path: Path, cloud: Cloud
) -> None:
    """Killed between the removal and the next Create: a record that says both, no server and which one it was."""
    driver, saved = configured(cls, tmp_path, cloud)
    driver.check()
    driver.create()
    driver.remove()
    assert saved[-1]["ServerID"]
    assert saved[-1][NOTES]["Create"] == ""
    session.close_all()
    saved.append(json.loads(json.dumps(saved[-1])))
    again = cls.load(driver.ctx, saved[-1])
    cloud.full = True
    failing(again)
    assert saved[-1][NOTES]["Create"] == "begun"
    assert not saved[-1]["ServerID"]
    assert saved[-1]["Token"] == TOKEN


def test_a_removal_that_fails_says_how_to_give_up(cls: type[PluginDriver], tmp_path: Path, cloud: Cloud) -> None:
    driver, _ = configured(cls, tmp_path, cloud)
    driver.check()
    driver.create()
    cloud.servers.clear()
    with pytest.raises(DriverError, match="404") as refused:
        driver.remove()
    assert "machine rm -f contract" in refused.value.resolution


def test_killed_before_create_nothing_is_removed(cls: type[PluginDriver], tmp_path: Path, cloud: Cloud) -> None:
    driver, _ = configured(cls, tmp_path, cloud)
    driver.check()
    session.close_all()
    left = cls.load(driver.ctx, driver.dump())
    left.remove()
    assert left.state() is State.MISSING
    left.create()
    assert len(cloud.servers) == 1


def test_an_interrupted_create_lets_the_plugin_come_to_an_end(
    cls: type[PluginDriver], tmp_path: Path, cloud: Cloud
) -> None:
    class Stopped(SystemClock):
        def sleep(self, seconds: float) -> None:
            threading.Timer(0.3, cloud.release).start()
            raise Interrupted("interrupted")

    cloud.held = True
    driver, saved = configured(cls, tmp_path, cloud)
    driver.ctx = replace(driver.ctx, clock=Stopped())
    driver.check()
    with pytest.raises(Interrupted):
        driver.create()
    assert saved[-1][NOTES]["Create"] == "done"
    assert saved[-1]["IPAddress"] == "127.0.0.1"
