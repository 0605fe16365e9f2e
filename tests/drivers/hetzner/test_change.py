"""`machine set` of the driver hetzner: the type of a server, while it is off."""

from __future__ import annotations

from pathlib import Path

import pytest

from machine.drivers.hetzner.driver import HetznerDriver
from machine.errors import InProgress, PreflightFailed
from machine.model import State, Verb
from tests.drivers.cloud_stand_in import again, applied, make, new, wait_for_state
from tests.drivers.hetzner.catalogue import offer, size
from tests.drivers.hetzner.fake_hetzner import Hetzner

TYPE = "hetzner-server-type"


def made(cloud: Hetzner, place: Path) -> HetznerDriver:
    """The driver of a server that runs, and types that it may become."""
    cloud.project.catalogue.server_types += [
        size(900, "cx33", "x86", 80, [offer("fsn1")]),
        size(901, "cx03", "x86", 20, [offer("fsn1")]),
    ]
    driver = make(new(cloud, place))
    assert isinstance(driver, HetznerDriver)
    wait_for_state(driver, State.RUNNING)
    return driver


def test_the_type_while_it_is_off(cloud: Hetzner, tmp_path: Path) -> None:
    driver = made(cloud, tmp_path)
    driver.change({TYPE: "CX33"})
    driver.ctx.save(driver)
    later = again(driver)
    assert isinstance(later, HetznerDriver)
    assert later.current_values() == {TYPE: "cx33"}, "as Hetzner spells it"
    assert later.apply_changes([TYPE]) == []
    later.power(Verb.KILL)
    wait_for_state(later, State.STOPPED)
    with pytest.raises(InProgress, match="is changing the type"):
        later.apply_changes([TYPE])
    assert applied(lambda: later, [TYPE]) == [TYPE]
    (server,) = cloud.project.servers.values()
    assert (server["server_type"]["name"], server["primary_disk_size"]) == ("cx33", 80)
    cloud.proxy.clear()
    assert later.apply_changes([TYPE]) == [TYPE]
    assert [call for call in cloud.proxy.names() if cloud.changes(call)] == []
    later.power(Verb.START)
    wait_for_state(later, State.RUNNING)


@pytest.mark.parametrize(
    ("name", "said"), [("nonsense", "--hetzner-server-type"), ("cax11", "for x86"), ("cx03", "40 GB or more")]
)
def test_what_cannot_be_is_refused(cloud: Hetzner, tmp_path: Path, name: str, said: str) -> None:
    driver = made(cloud, tmp_path)
    before = driver.dump()
    with pytest.raises(PreflightFailed) as caught:
        driver.change({TYPE: name})
    assert said in caught.value.resolution
    assert driver.dump() == before
