"""How a server ends where the cloud keeps deleted ones for a while, or does not end it at the first request."""

from __future__ import annotations

from pathlib import Path

import pytest

from machine.drivers.base import Driver
from machine.drivers.cloud import errors
from machine.drivers.openstack.driver import OpenStackDriver
from machine.errors import InProgress
from machine.model import State
from tests.drivers.cloud_stand_in import again, create_until_done, make, new, unmake, wait_for_state
from tests.drivers.openstack.fake_openstack import Stack, refusal

FORCE = "POST compute/v2.1/servers/ID/action forceDelete"
DELETE = "DELETE compute/v2.1/servers/ID"


def lost(cloud: Stack, driver: Driver) -> None:
    """Somebody else deletes the server."""
    with cloud.cloud.lock:
        for server in list(cloud.project.servers):
            cloud.project.delete_server(server)
    wait_for_state(driver, State.MISSING)


@pytest.mark.parametrize("volume", [0, 20])
@pytest.mark.parametrize("before_rm", ["", "somebody else deleted it", "its id was never written down"])
def test_a_kept_server_is_ended_with_all_it_holds(cloud: Stack, volume: int, before_rm: str, tmp_path: Path) -> None:
    before = cloud.listing()
    cloud.project.reclaim = True
    driver = make(new(cloud, tmp_path, **{"openstack-volume-size": volume}))
    if "deleted" in before_rm:
        lost(cloud, driver)
    later = again(driver)
    if "never" in before_rm:
        assert isinstance(later, OpenStackDriver)
        later.config.server_id = ""
    unmake(later)
    assert cloud.listing() == before


def test_rm_cut_short_after_the_first_request_knows_the_server_again(cloud: Stack, tmp_path: Path) -> None:
    before = cloud.listing()
    cloud.project.reclaim = True
    cloud.project.end = 1.0  # seconds, for the state in between to be seen
    driver = again(make(new(cloud, tmp_path)))
    assert isinstance(driver, OpenStackDriver)
    driver.config.server_id = ""
    driver.ctx.save(driver)
    with pytest.raises(InProgress):
        driver.remove()
    assert driver.state() is State.STOPPING
    wait_for_state(driver, State.MISSING)
    unmake(again(driver))
    assert cloud.listing() == before


def test_resume_after_somebody_deleted_a_server_that_is_kept(cloud: Stack, tmp_path: Path) -> None:
    before = cloud.listing()
    cloud.project.reclaim = True
    driver = make(new(cloud, tmp_path, **{"openstack-volume-size": 20}))
    lost(cloud, driver)
    other = again(driver)
    create_until_done(other)
    wait_for_state(other, State.RUNNING)
    assert len(cloud.project.servers) == 1
    unmake(again(other))
    assert cloud.listing() == before


@pytest.mark.parametrize(("status", "text"), [(403, "No."), (400, "There is no such action: forceDelete")])
def test_a_cloud_that_lets_nobody_insist(cloud: Stack, status: int, text: str, tmp_path: Path) -> None:
    cloud.project.reclaim = True
    driver = make(new(cloud, tmp_path))
    cloud.proxy.on(FORCE, lambda proxy, call: refusal(status, "forbidden", text))
    unmake(driver)
    assert [server["status"] for server in cloud.project.servers.values()] == ["SOFT_DELETED"]
    assert cloud.proxy.names().count(FORCE) == 1


def test_a_throttled_request_to_insist_is_none_that_was_refused(cloud: Stack, tmp_path: Path) -> None:
    before = cloud.listing()
    cloud.project.reclaim = True
    driver = make(new(cloud, tmp_path, **cloud.impatient))
    cloud.proxy.on(FORCE, lambda proxy, call: refusal(429, "overLimit", "Too many."), times=1)
    with pytest.raises(errors.RateLimited):
        unmake(driver)
    unmake(again(driver))
    assert cloud.listing() == before


def test_resume_where_the_server_is_kept_for_good(cloud: Stack, tmp_path: Path) -> None:
    """Its volume goes with it alone: nothing is to be waited for."""
    cloud.project.reclaim = True
    driver = make(new(cloud, tmp_path, **{"openstack-volume-size": 20}))
    cloud.proxy.on(FORCE, lambda proxy, call: refusal(403, "forbidden", "No."))
    lost(cloud, driver)
    with pytest.raises(errors.BadVolume, match="came to nothing"):
        again(driver).create()


def test_a_removal_that_fails_in_the_cloud_is_asked_for_again(cloud: Stack, tmp_path: Path) -> None:
    before = cloud.listing()
    cloud.project.end = 1.0
    driver = make(new(cloud, tmp_path))
    with pytest.raises(InProgress):
        driver.remove()
    (server,) = cloud.project.servers.values()
    server |= {"status": "ERROR", "OS-EXT-STS:task_state": None, "_then": None}
    unmake(driver)
    assert cloud.listing() == before


def test_a_server_that_hangs_in_its_end_is_asked_again_by_the_next_command(cloud: Stack, tmp_path: Path) -> None:
    before = cloud.listing()
    driver = make(new(cloud, tmp_path))
    (server,) = cloud.project.servers.values()
    server["OS-EXT-STS:task_state"] = "deleting"
    cloud.proxy.clear()
    unmake(again(driver))
    assert cloud.proxy.names().count(DELETE) == 1
    assert cloud.listing() == before


def test_one_that_is_shown_as_deleted_is_let_be(cloud: Stack, tmp_path: Path) -> None:
    driver = make(new(cloud, tmp_path))
    (server,) = cloud.project.servers.values()
    server["status"] = "DELETED"
    cloud.proxy.on(DELETE, lambda proxy, call: refusal(409, "conflictingRequest", "it is in vm_state deleted"))
    unmake(driver)
    assert DELETE not in cloud.proxy.names()
