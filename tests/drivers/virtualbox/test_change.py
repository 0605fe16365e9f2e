"""`machine set` of the driver virtualbox, on a VBoxManage that keeps state."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from machine.drivers.virtualbox import media
from machine.errors import MachineError, PreflightFailed, UsageError
from machine.model import State, Verb
from tests.drivers import contexts
from tests.drivers.virtualbox import paths
from tests.drivers.virtualbox.fake_vboxmanage import Fake

pytestmark = pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")

ALL = ("virtualbox-memory", "virtualbox-cpu-count", "virtualbox-disk-size")


def test_all_of_it_while_the_machine_is_off(tmp_path: Path, vbox: Fake) -> None:
    made = paths.driver(tmp_path, vbox.run, disk_size=2600)
    made.create()
    made.change({"virtualbox-memory": 1536, "virtualbox-cpu-count": 2, "virtualbox-disk-size": 3000})
    made.ctx.save(made)
    assert made.apply_changes(ALL) == (), "it runs"
    made.power(Verb.KILL)
    again = paths.driver(tmp_path, vbox.run)
    assert again.current_values() == {
        "virtualbox-memory": 1536,
        "virtualbox-cpu-count": 2,
        "virtualbox-disk-size": 3000,
    }
    for _ in range(2):
        assert set(again.apply_changes(ALL)) == set(ALL)
    (vm,) = vbox.listing()["vms"].values()
    assert (vm["set"]["--memory"], vm["set"]["--cpus"]) == ("1536", "2")
    assert again.vbox.capacity(contexts.file_of(again, media.DISK)) == 3000
    again.power(Verb.START)
    assert again.state() is State.RUNNING


@pytest.mark.parametrize(
    ("values", "error", "said"),
    [
        ({"virtualbox-disk-size": 2599}, PreflightFailed, "--virtualbox-disk-size 2600, or more"),
        ({"virtualbox-disk-size": 1}, UsageError, "at least 2500"),
        ({"virtualbox-memory": 1}, UsageError, "at least 256"),
        ({"virtualbox-memory": 1 << 30}, PreflightFailed, "--virtualbox-memory"),
        ({"virtualbox-cpu-count": 65}, UsageError, "1 to 64"),
    ],
)
def test_what_cannot_be_is_refused(
    tmp_path: Path, vbox: Fake, values: dict[str, Any], error: type[MachineError], said: str
) -> None:
    made = paths.driver(tmp_path, vbox.run, disk_size=2600)
    made.create()
    before = made.dump()
    with pytest.raises(error) as caught:
        made.change({"virtualbox-cpu-count": 2, **values})
    assert said in caught.value.resolution
    assert made.dump() == before


def test_a_disk_does_not_grow_under_snapshots(tmp_path: Path, vbox: Fake) -> None:
    made = paths.driver(tmp_path, vbox.run, disk_size=2600)
    made.create()
    made.snapshots().take("before")
    with pytest.raises(PreflightFailed, match="has snapshots") as caught:
        made.change({"virtualbox-disk-size": 3000})
    assert "machine snapshot rm" in caught.value.resolution
    made.change({"virtualbox-memory": 1536, "virtualbox-disk-size": 2600})
