"""One directory of images that several stores, and several computers, have for a cache."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

import pytest

from machine.drivers.images import build, cache, fetch, image_usage, port_reporter_unit
from machine.drivers.images.build import Built
from machine.drivers.images.cache import Cache
from machine.errors import DriverError
from machine.process import Completed


def nothing(*_: object, **__: object) -> Completed:
    return Completed(0)


def store(place: Path, shared: Path, machine: str = "") -> Cache:
    """The cache of a store whose `cache` is a link to `shared`; for a machine of it, if named."""
    place.mkdir(exist_ok=True)
    shared.mkdir(exist_ok=True)
    if not (place / "cache").is_symlink():
        (place / "cache").symlink_to(shared)
    directory = place / "machines" / machine
    if machine:
        directory.mkdir(parents=True)
    return Cache(
        str(place),
        run=nothing,
        log=lambda _: None,
        site="http://127.0.0.1:9",
        machine=str(directory) if machine else "",
    )


class Builder:
    """In place of mmdebstrap: slow, and it sees when its directory goes away."""

    def __init__(self) -> None:
        self.at_once, self.most, self.builds = 0, 0, 0
        self.guard = threading.Lock()

    def __call__(self, name: str, arch: str, mirror: str, work: str, **_: object) -> Built:
        with self.guard:
            self.builds += 1
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        for _step in range(5):
            time.sleep(0.02)
            assert os.path.isdir(work), "somebody removed the directory of a build"
        for part in ("disk", "kernel"):
            Path(work, part).write_bytes(b"x")
        with self.guard:
            self.at_once -= 1
        return Built(os.path.join(work, "disk"), os.path.join(work, "kernel"), "", "/dev/nvme0n1")


def test_two_stores_build_one_image_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    builder = Builder()
    monkeypatch.setattr(build, "build", builder)
    found: list[cache.Image] = []

    def create(number: int) -> None:
        own = store(tmp_path / f"store{number % 2}", tmp_path / "shared")
        found.append(own.obtain("debian-13", "amd64", ""))

    for number in (0, 1):
        store(tmp_path / f"store{number}", tmp_path / "shared")
    threads = [threading.Thread(target=create, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert (builder.builds, builder.most) == (1, 1)
    assert len({image.disk for image in found}) == 1
    assert found[0].origin == "this host's package sources"


def test_the_build_of_another_computer_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lock may not be seen here, so names tell whose it is; only what is long forgotten goes."""
    monkeypatch.setattr(build, "build", Builder())
    own = store(tmp_path / "store", tmp_path / "shared")
    images = Path(own.directory)
    images.mkdir(parents=True)
    other = "0" * 6 if image_usage.host_tag() != "0" * 6 else "1" * 6
    theirs, old, ours = (
        f".build-debian-13-amd64-{stamp}"
        for stamp in (f"{other}aaaaaa", f"{other}bbbbbb", image_usage.host_tag() + "cccccc")
    )
    for name in (theirs, old, ours):
        (images / name).mkdir()
    os.utime(images / old, (1, 1))
    half = f"debian-13-amd64-{other}dddddd.qcow2"
    (images / half).write_bytes(b"being made: its manifest comes last")
    own.build("debian-13", "amd64", "")
    assert own.sweep([]) == []
    assert (images / theirs).is_dir()
    assert not (images / old).exists()
    assert not (images / ours).exists()
    assert (images / half).exists()
    os.utime(images / half, (1, 1))
    assert own.sweep([]) == [half]


def test_two_computers_do_not_continue_one_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = []

    def note(url: str, target: str, *_: object, **__: object) -> None:
        parts.append(target)
        raise DriverError("enough")

    monkeypatch.setattr(fetch, "download", note)
    for tag in ("aaaaaa", "bbbbbb"):
        monkeypatch.setattr(image_usage, "host_tag", lambda tag=tag: tag)
        with pytest.raises(DriverError, match="enough"):
            store(tmp_path / "store", tmp_path / "shared").pull("http://127.0.0.1:9/a.qcow2", "amd64")
    assert len(set(parts)) == 2


def test_the_base_of_another_stores_machine_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "build", Builder())
    mine, other = store(tmp_path / "mine", tmp_path / "shared"), store(tmp_path / "other", tmp_path / "shared", "dev")
    stands_on = other.obtain("debian-13", "amd64", "")
    with pytest.raises(DriverError, match="base of machines") as caught:
        mine.remove("debian-13", "amd64", [])
    assert str(tmp_path / "other" / "machines" / "dev") in caught.value.details
    mine.build("debian-13", "amd64", "")
    assert mine.sweep([]) == [], "the old disk has no manifest any more, but a machine"
    image_usage.forget(other.directory, str(tmp_path / "other" / "machines" / "dev"))
    assert sorted(mine.sweep([])) == sorted(stands_on.files)


def test_notes_of_machines_that_are_gone_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dev").mkdir()
    for name in ("dev", "gone"):
        image_usage.note(str(tmp_path), str(tmp_path / name), f"{name}.qcow2")
    (tmp_path / ".uses" / "broken.json").write_text("[" * 100000)
    (tmp_path / ".uses" / "odd.json").write_text(json.dumps({"host": 1, "directory": [], "disk": "x"}))
    assert image_usage.used(str(tmp_path)) == {"dev.qcow2": [str(tmp_path / "dev")]}
    monkeypatch.setattr(image_usage, "host_tag", lambda: "another")
    assert set(image_usage.used(str(tmp_path))) == {"dev.qcow2", "gone.qcow2"}, "of another computer nothing is known"


def test_an_image_with_an_older_agent_is_still_an_image(tmp_path: Path) -> None:
    own = store(tmp_path / "store", tmp_path / "shared")
    images = Path(own.directory)
    images.mkdir(parents=True)
    (images / "d.qcow2").write_bytes(b"x")
    manifest = {"name": "debian-13", "arch": "amd64", "disk": "d.qcow2", "taught": True, "of a newer program": 1}
    (images / "debian-13-amd64.json").write_text(json.dumps(manifest))
    found = own.find("debian-13", "amd64")
    assert found is not None
    assert not found.up_to_date
    (images / "debian-13-amd64.json").write_text(json.dumps({**manifest, "agent": port_reporter_unit.VERSION}))
    renewed = own.find("debian-13", "amd64")
    assert renewed is not None
    assert renewed.up_to_date
