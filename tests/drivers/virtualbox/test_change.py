"""`machine set` of the driver virtualbox, on a VBoxManage that keeps state."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from machine.drivers.virtualbox import change, media
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
    made.snapshots().take("before", memory=True)
    with pytest.raises(PreflightFailed, match="has snapshots") as caught:
        made.change({"virtualbox-disk-size": 3000})
    assert "machine snapshot rm" in caught.value.resolution
    made.change({"virtualbox-memory": 1536, "virtualbox-disk-size": 2600})


def test_the_record_says_what_a_restored_machine_has(tmp_path: Path, vbox: Fake) -> None:
    """VirtualBox keeps a machine's settings in its snapshots."""
    made = paths.driver(tmp_path, vbox.run, disk_size=2600, cpu_count=63)
    made.create()
    made.power(Verb.KILL)
    made.snapshots().take("before", memory=True)
    made.change({"virtualbox-memory": 1536, "virtualbox-cpu-count": -1})
    made.ctx.save(made)
    made.apply_changes(made.snapshots().restored_options)
    made.change({"virtualbox-memory": 2048})  # not applied
    made.ctx.save(made)
    found = made.snapshots()
    found.restore(found.all()[0])
    values = {"virtualbox-memory": 1024, "virtualbox-cpu-count": 63, "virtualbox-disk-size": 2600}
    assert made.current_values() == paths.driver(tmp_path, vbox.run).current_values() == values
    assert set(found.restored_options) == set(values)
    (vm,) = vbox.listing()["vms"].values()
    assert (vm["set"]["--memory"], vm["set"]["--cpus"]) == ("1024", "63")


def test_what_virtualbox_does_not_tell_stays_as_recorded(
    tmp_path: Path, vbox: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = paths.driver(tmp_path, vbox.run, disk_size=2600)
    made.create()
    odd = {"memory": "-1", "cpus": "\u0661" * 3, "SATA-1-0": "none"}
    monkeypatch.setattr(made.vbox, "info", lambda _: odd)
    assert change.as_found(made.vbox, made.uuid, made.settings) == made.settings


def test_all_processors_of_this_computer_stay_all_of_them(tmp_path: Path, vbox: Fake) -> None:
    made = paths.driver(tmp_path, vbox.run, disk_size=2600, cpu_count=-1)
    made.create()
    assert change.as_found(made.vbox, made.uuid, made.settings).cpus == -1
