"""`machine image` as typed, over a cache with real disks and a real HTTP server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from machine.drivers.qemu import accel
from machine.store import Record
from tests.cli.typed import StoreWithEngines
from tests.drivers.images.site import Site
from tests.drivers.images.test_cache import stored

ARCH = accel.detect().arch


def test_an_empty_cache(cli: StoreWithEngines) -> None:
    typed = cli.type("image", "ls")
    assert (typed.status, typed.out.split()) == (0, ["NAME", "ARCH", "SIZE", "MADE", "USED", "BY", "ORIGIN"])


@pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")
def test_an_image_comes_is_listed_and_goes(cli: StoreWithEngines, tmp_path: Path) -> None:
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(tmp_path / "d.qcow2"), "10M"], check=True)
    with Site() as site:
        site.files["/small.qcow2"] = (tmp_path / "d.qcow2").read_bytes()
        typed = cli.type("image", "pull", f"{site.url}/small.qcow2")
    assert typed.status == 0, typed.err
    assert "without a checksum" in typed.err
    lines = cli.type("image", "ls").out.splitlines()
    name, arch = lines[1].split()[:2]
    assert name.startswith("small-")
    assert arch == ARCH
    assert cli.type("image", "rm", name).out == f"{name}\n"
    assert len(cli.type("image", "ls").out.splitlines()) == 1


@pytest.mark.skipif(ARCH != "amd64", reason="the stored image is of amd64")
def test_an_image_in_use_stays(cli: StoreWithEngines) -> None:
    made = stored(Path(cli.store.root))
    cli.store.add("dev")
    cli.store.save(Record.new(cli.store.root, "dev", "qemu", {"Base": {"disk": made.disk}}))
    assert "dev" in cli.type("image", "ls").out.splitlines()[1]
    typed = cli.type("image", "rm", "debian-13")
    assert typed.status == 1
    assert "base of machines" in typed.err


@pytest.mark.parametrize("name", ["nothing", "../../nothing", "", ".hidden"])
def test_an_image_that_is_not_there_is_not_found_and_leaves_no_trace(name: str, cli: StoreWithEngines) -> None:
    stored(Path(cli.store.root))
    before = sorted(Path(cli.store.root).rglob("*"))
    typed = cli.type("image", "rm", name)
    assert (typed.status, "machine image ls" in typed.err) == (4, True)
    assert f"there is no image {name!r} in the cache" in typed.err
    assert sorted(Path(cli.store.root).rglob("*")) == before


def test_what_shall_be_built(cli: StoreWithEngines) -> None:
    typed = cli.type("image", "build")
    assert typed.status == 2
    assert "machine image build debian-13" in typed.err
    typed = cli.type("image", "build", "fedora")
    assert typed.status == 3
    assert "debian-12" in typed.err


@pytest.mark.parametrize("key", ["name", "arch", "disk", "kernel", "made", "taught", "origin"])
@pytest.mark.parametrize("value", [None, 5, ["x"], {"a": 1}])
def test_a_manifest_of_another_shape_is_no_image(cli: StoreWithEngines, key: str, value: object) -> None:
    made = stored(Path(cli.store.root))
    path = Path(cli.store.root, "cache", "images", f"debian-13-{made.arch}.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    typed = cli.type("image", "ls")
    assert (typed.status, len(typed.out.splitlines())) == (0, 1)


def test_a_pipe_in_the_place_of_a_manifest_is_not_waited_for(cli: StoreWithEngines) -> None:
    directory = Path(cli.store.root, "cache", "images")
    directory.mkdir(parents=True)
    os.mkfifo(directory / f"debian-13-{ARCH}.json")
    assert len(cli.type("image", "ls").out.splitlines()) == 1


def test_files_outside_the_cache_are_never_removed_with_an_image(cli: StoreWithEngines, tmp_path: Path) -> None:
    made = stored(Path(cli.store.root))
    path = Path(cli.store.root, "cache", "images", f"debian-13-{ARCH}.json")
    sound = json.loads(path.with_name(f"debian-13-{made.arch}.json").read_text())
    (victim := tmp_path / "victim").write_text("mine")
    for place in (str(victim), f"{os.path.relpath(victim, path.parent)}"):
        path.write_text(json.dumps({**sound, "kernel": place}))
        typed = cli.type("image", "rm", "debian-13")
        assert typed.status == 4
        assert victim.read_text() == "mine"
