"""`machine set` of the driver digitalocean: the size of a droplet, while it is off."""

from __future__ import annotations

from pathlib import Path

import pytest

from machine.drivers.digitalocean.driver import DigitalOceanDriver
from machine.errors import PreflightFailed
from machine.model import State, Verb
from tests.drivers.cloud_stand_in import again, applied, make, new, wait_for_state
from tests.drivers.digitalocean.fake_digitalocean import Ocean

SIZE = "digitalocean-size"


def made(cloud: Ocean, place: Path, size: str = "s-1vcpu-1gb") -> DigitalOceanDriver:
    """The driver of a droplet that runs."""
    driver = make(new(cloud, place, **{SIZE: size}))
    assert isinstance(driver, DigitalOceanDriver)
    wait_for_state(driver, State.RUNNING)
    return driver


def test_the_size_while_it_is_off(cloud: Ocean, tmp_path: Path) -> None:
    driver = made(cloud, tmp_path)
    driver.change({SIZE: "s-2vcpu-4gb"})
    driver.ctx.save(driver)
    later = again(driver)
    assert isinstance(later, DigitalOceanDriver)
    assert later.current_values() == {SIZE: "s-2vcpu-4gb"}
    assert later.apply_changes([SIZE]) == []
    later.power(Verb.KILL)
    wait_for_state(later, State.STOPPED)
    assert applied(lambda: later, [SIZE]) == [SIZE]
    (droplet,) = cloud.account.droplets.values()
    assert (droplet["size_slug"], droplet["memory"]) == ("s-2vcpu-4gb", 4096)


@pytest.mark.parametrize(("name", "said"), [("nonsense", "--digitalocean-size"), ("s-1vcpu-1gb", "80 GB or more")])
def test_what_cannot_be_is_refused(cloud: Ocean, tmp_path: Path, name: str, said: str) -> None:
    driver = made(cloud, tmp_path, "s-2vcpu-4gb")
    before = driver.dump()
    with pytest.raises(PreflightFailed) as caught:
        driver.change({SIZE: name})
    assert said in caught.value.resolution
    assert driver.dump() == before
