"""Of what a clone is made, as a record says that others may have written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from machine.drivers.images.clone_source import CloneSource, recorded
from machine.drivers.qemu.driver import QemuDriver
from machine.drivers.record_keys import CLONE_OF
from machine.drivers.virtualbox.driver import VirtualBoxDriver
from tests.drivers import contexts

GOOD = {"Machine": "dev", "Snapshot": "before-upgrade"}
UUID = "0f3d6f3c-57a1-4f6c-8d7a-9f6c6c1f1b5e"


@pytest.mark.parametrize("source", [CloneSource("dev", "one"), CloneSource("d.1-x", "a_b.C-1", UUID)])
def test_what_is_written_is_read_again(source: CloneSource) -> None:
    assert recorded(source.to_record()) == source


@pytest.mark.parametrize("empty", [{}, {CLONE_OF: {}}, {CLONE_OF: ""}, {CLONE_OF: None}])
def test_a_machine_that_is_no_clone(empty: dict[str, Any]) -> None:
    """Nor is an imported one: what it was made of is elsewhere."""
    assert recorded(empty) is None


WRONG: list[object] = [
    "dev@one",
    ["dev", "one"],
    0,
    {**GOOD, "Machine": "../../etc"},
    {**GOOD, "Machine": "/etc"},
    {**GOOD, "Machine": ""},
    {**GOOD, "Machine": "-x"},
    {**GOOD, "Machine": "a" * 300},
    {**GOOD, "Machine": ["dev"]},
    {"Snapshot": "one"},
    {"Machine": "dev"},
    {**GOOD, "Snapshot": "a,snapshot.id=1"},
    {**GOOD, "Snapshot": "--version"},
    {**GOOD, "Snapshot": "a\n"},
    {**GOOD, "Snapshot": 1},
    {**GOOD, "UUID": "--version"},
    {**GOOD, "UUID": UUID.upper()},
    {**GOOD, "UUID": None},
    {**GOOD, "UUID": {}},
]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_anything_else_is_refused_where_the_record_is_read(wrong: object, tmp_path: Path) -> None:
    for load in (recorded, lambda data: [each.load(contexts.real(tmp_path), data) for each in DRIVERS]):
        with pytest.raises((TypeError, ValueError), match=CLONE_OF):
            load({CLONE_OF: wrong})


DRIVERS = (QemuDriver, VirtualBoxDriver)


def test_virtualbox_knows_its_machines_by_uuid(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="UUID"):
        VirtualBoxDriver.load(contexts.real(tmp_path), {CLONE_OF: GOOD})


@pytest.mark.parametrize("base", ["x", ["x"], {"name": "x"}, {"name": "x", "arch": "amd64", "disk": ["/etc/shadow"]}])
def test_a_base_image_is_one(base: object, tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        QemuDriver.load(contexts.real(tmp_path), {"Base": base})
