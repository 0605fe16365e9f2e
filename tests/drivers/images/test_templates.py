"""Templates on disk: found whole and only where nobody else could write, kept while a machine stands on them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from machine.drivers.images import image_usage
from machine.drivers.images.templates import Template, Templates
from machine.errors import DriverError, ImageNotFound

KEY = "0123456789abcdef01234567"
STAMP = f"{image_usage.host_tag()}0123ab"
ONE = Template(
    key=KEY,
    image="debian-13",
    disk=f"{KEY}-{STAMP}.qcow2",
    memory=f"{KEY}-{STAMP}.memory",
    packed="zstd",
    base="../debian-13.qcow2",
    base_format="qcow2",
    megabytes=20000,
    made="2026-01-02T03:04:05+00:00",
)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def templates(tmp_path: Path, said: list[str]) -> Templates:
    return Templates(str(tmp_path / "images"), said.append)


def add(templates: Templates, one: Template = ONE) -> None:
    os.makedirs(templates.directory, mode=0o700, exist_ok=True)
    Path(templates.directory, "..", "debian-13.qcow2").touch()
    for part in (one.disk, one.memory):
        Path(templates.path(part)).write_bytes(b"x" * 5000)
        os.chmod(templates.path(part), 0o600)
    templates.keep(one)


def names(templates: Templates) -> list[str]:
    return sorted(os.listdir(templates.directory)) if os.path.isdir(templates.directory) else []


def machine(tmp_path: Path, templates: Templates, one: Template = ONE) -> str:
    directory = tmp_path / "machines" / "dev"
    directory.mkdir(parents=True)
    image_usage.note(templates.directory, str(directory), one.disk)
    return str(directory)


def test_what_was_kept_is_found(templates: Templates) -> None:
    assert templates.find(KEY) is None
    assert templates.all() == []
    add(templates)
    assert templates.find(KEY) == ONE
    assert templates.all() == [ONE]
    assert templates.find("f" * 24) is None
    assert templates.size(ONE) >= 10000
    assert os.stat(templates.path(f"{KEY}.json")).st_mode & 0o777 == 0o600


@pytest.mark.parametrize("part", ["disk", "memory"])
def test_half_a_template_is_none(templates: Templates, part: str) -> None:
    add(templates)
    os.unlink(templates.path(getattr(ONE, part)))
    assert templates.find(KEY) is None


@pytest.mark.parametrize("part", ["disk", "memory", "manifest", "directory"])
def test_one_that_others_could_change_is_not_used(templates: Templates, said: list[str], part: str) -> None:
    add(templates)
    places = {"disk": ONE.disk, "memory": ONE.memory, "manifest": f"{KEY}.json", "directory": ""}
    os.chmod(templates.path(places[part]), 0o777 if part == "directory" else 0o666)
    assert templates.find(KEY) is None
    assert "other users of this host could change it" in said[0]


@pytest.mark.parametrize(
    "lie",
    [
        "no json",
        "[]",
        "{}",
        "[" * 100_000,
        {"disk": "../../secret.qcow2"},
        {"disk": "/etc/passwd"},
        {"memory": f"{KEY}-{STAMP}.memory; reboot"},
        {"key": "f" * 24},
        {"key": "../x"},
        {"megabytes": "20000"},
        {"packed": 3},
        {"packed": "sh -c reboot;"},
        {"more": "x"},
    ],
)
def test_a_manifest_that_lies(templates: Templates, lie: str | dict[str, object]) -> None:
    add(templates)
    text = lie if isinstance(lie, str) else json.dumps({**asdict(ONE), **lie})
    Path(templates.path(f"{KEY}.json")).write_text(text)
    assert templates.find(KEY) is None
    assert templates.all() == []


def test_a_template_in_use_is_not_removed(templates: Templates, tmp_path: Path) -> None:
    add(templates)
    directory = machine(tmp_path, templates)
    assert templates.users(ONE) == [os.path.realpath(directory)]
    with pytest.raises(DriverError, match="is the base of machines that exist") as caught:
        templates.remove(ONE.name)
    assert "dev" in caught.value.details
    assert templates.find(KEY) == ONE
    image_usage.forget(templates.directory, directory)
    templates.remove(ONE.name)
    assert [name for name in names(templates) if not name.startswith(".")] == []


def test_a_name_that_is_none(templates: Templates) -> None:
    with pytest.raises(ImageNotFound, match="there is no template 'template-x'"):
        templates.remove("template-x")


def test_of_a_template_that_does_not_start_the_disk_stays_for_its_machines(
    templates: Templates, tmp_path: Path
) -> None:
    add(templates)
    machine(tmp_path, templates)
    templates.forget(KEY)
    assert templates.find(KEY) is None
    assert [name for name in names(templates) if not name.startswith(".")] == [ONE.disk]


@pytest.mark.parametrize("used", [True, False])
def test_sweeping(templates: Templates, tmp_path: Path, used: bool) -> None:
    """A template whose base is gone goes, and files of none; the disk of a machine stays."""
    other = "f" * 24
    old = replace(ONE, base="../gone.qcow2", key=other, disk=f"{other}-{STAMP}.qcow2", memory=f"{other}-{STAMP}.memory")
    add(templates)
    add(templates, old)
    orphan = f"{KEY}-{image_usage.host_tag()}ffffff.memory"
    Path(templates.path(orphan)).write_bytes(b"")
    if used:
        machine(tmp_path, templates, old)
    assert templates.sweep() == ["debian-13"]
    kept = [name for name in names(templates) if not name.startswith(".")]
    assert kept == sorted([f"{KEY}.json", ONE.disk, ONE.memory, *([old.disk] if used else [])])


def test_what_is_being_made_is_not_swept(templates: Templates) -> None:
    os.makedirs(templates.directory)
    part = f"{KEY}-{image_usage.host_tag()}ffffff.memory"
    Path(templates.path(part)).write_bytes(b"")
    with templates.lock(KEY):
        assert templates.is_made_now(KEY)
        templates.sweep()
        assert part in names(templates)
    templates.sweep()
    assert part not in names(templates)


def test_what_is_long_unused_is_swept(templates: Templates) -> None:
    add(templates)
    assert templates.sweep() == []
    os.utime(templates.path(ONE.memory), (1e9, 1e9))
    assert templates.sweep() == ["debian-13"]
    assert templates.all() == []


def test_a_disk_that_a_record_names_stays_though_its_store_was_moved(tmp_path: Path) -> None:
    """Notes name the directories of machines as they were."""
    templates = Templates(str(tmp_path / "images"), print, lambda: [ONE.disk])
    add(templates)
    with pytest.raises(DriverError, match="is the base of machines that exist"):
        templates.remove(ONE.name)
    templates.forget(KEY)
    templates.sweep()
    assert os.path.exists(templates.path(ONE.disk))


def test_what_another_computer_makes_is_left_alone(templates: Templates) -> None:
    os.makedirs(templates.path(f".making-ffffff-{KEY}"))
    other = f"{KEY}-ffffff000000.memory"
    Path(templates.path(other)).touch()
    templates.sweep()
    assert templates.making() == []
    assert other in names(templates)


def test_only_the_template_that_did_not_start_is_forgotten(templates: Templates) -> None:
    add(templates)
    templates.forget(KEY, disk=f"{KEY}-{STAMP[:-1]}f.qcow2")
    assert templates.find(KEY) == ONE
    templates.forget(KEY, disk=ONE.disk)
    assert templates.find(KEY) is None


def test_a_failure_is_remembered_for_an_hour(templates: Templates) -> None:
    os.makedirs(templates.directory)
    assert templates.failed(KEY) == ""
    templates.note_failure(KEY, "no python")
    assert templates.failed(KEY) == "no python"
    os.utime(templates.path(f"{KEY}.failed"), (1e9, 1e9))
    assert templates.failed(KEY) == ""
    templates.sweep()
    assert not os.path.exists(templates.path(f"{KEY}.failed"))


def test_names_of_new_files(templates: Templates) -> None:
    made: Callable[[], str] = lambda: templates.new_name(KEY)  # noqa: E731
    assert made() != made()
    assert made().startswith(f"{KEY}-")
