"""Of which images templates are made, and what is said where they could be and are not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from machine.drivers.images import port_reporter_unit
from machine.drivers.images.cache import NVME, Image
from machine.drivers.qemu import config
from machine.drivers.qemu.options import OPTIONS
from machine.drivers.qemu.warm import WarmStart
from machine.options import resolve
from tests.drivers import contexts

BUILT = Image("debian-13", "amd64", "debian-13.qcow2", kernel="vmlinuz", root="/dev/vda", taught=True)
NEW = replace(BUILT, agent=port_reporter_unit.VERSION)


@pytest.mark.parametrize(
    ("image", "user_data", "possible"),
    [
        (NEW, "", True),
        (NEW, "#cloud-config\n", False),
        (replace(NEW, kernel=""), "", False),
        (replace(NEW, root=NVME), "", False),
        (replace(NEW, taught=False), "", False),
    ],
)
def test_of_which_images_templates_are_made(image: Image, user_data: str, possible: bool, tmp_path: Path) -> None:
    said: list[str] = []
    assert start(tmp_path, said, user_data).possible(image) is possible
    assert said == []


def test_an_image_of_an_older_version_is_named_with_what_makes_it_anew(tmp_path: Path) -> None:
    said: list[str] = []
    assert not start(tmp_path, said).possible(BUILT)
    assert said == [
        "debian-13 was built by another version of machine, so contract boots instead of starting from a template:"
        " machine image build debian-13 makes it anew, for later machines"
    ]


def start(directory: Path, said: list[str], user_data: str = "") -> WarmStart:
    """What knows of templates, for a machine with this user data; what it logs is added to `said`."""
    ctx = replace(contexts.real(directory), user_data=user_data, log=said.append)
    return WarmStart(ctx, config.from_values(resolve(OPTIONS, {}, {})), str(directory))
