"""The cache of base images, with real qemu-img disks and a real HTTP server."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import threading
from pathlib import Path
from shutil import which

import pytest

from machine import process
from machine.drivers.images import cache as image
from machine.drivers.images.cache import Cache
from machine.errors import DriverError
from tests.drivers.images.site import Site

pytestmark = pytest.mark.skipif(which("qemu-img") is None, reason="qemu-img is not installed")
NAME = "debian-13-genericcloud-amd64.qcow2"


def cache(store: Path, said: list[str] | None = None, site: str = "http://127.0.0.1:9") -> Cache:
    lines = said if said is not None else []
    return Cache(str(store), run=process.run, log=lines.append, site=site)


def disk(path: Path, kind: str = "qcow2", *more: str) -> bytes:
    subprocess.run(["qemu-img", "create", "-q", "-f", kind, *more, str(path), "10M"], check=True)
    return path.read_bytes()


def test_what_a_word_means() -> None:
    assert image.classify("debian-13") == "name"
    assert image.classify("https://host/x.qcow2") == "url"
    assert [image.classify(word) for word in ("/a/b", "./b", "b.qcow2", "b.VDI", "~/b")] == ["path"] * 5
    with pytest.raises(DriverError) as caught:
        image.classify("fedora")
    assert "debian-13, debian-12" in caught.value.details


def test_names_of_urls() -> None:
    assert image.url_name("https://h/a/image.qcow2?x=1").startswith("image-")
    assert image.url_name("https://h/a.qcow2") != image.url_name("https://i/a.qcow2")
    assert "/" not in image.url_name("https://h/")


def test_a_name_is_downloaded_once_and_checked(tmp_path: Path) -> None:
    data = disk(tmp_path / "d.qcow2")
    with Site() as site:
        site.publish(NAME, data)
        found = cache(tmp_path / "s", site=site.url).obtain("debian-13", "amd64", "http://unused")
        again = cache(tmp_path / "s", site=site.url).obtain("debian-13", "amd64", "http://unused")
        assert len(site.asked) == 2  # the sums and the image
    assert found == again
    assert (found.format, found.kernel, found.taught) == ("qcow2", "", False)
    own = cache(tmp_path / "s")
    assert Path(own.path(found.disk)).read_bytes() == data
    assert own.boot(found) is None
    assert own.all() == [found]


def test_parallel_creates_download_once(tmp_path: Path) -> None:
    data = disk(tmp_path / "d.qcow2")
    found = []
    with Site() as site:
        site.publish(NAME, data)
        threads = [
            threading.Thread(
                target=lambda: found.append(cache(tmp_path / "s", site=site.url).obtain("debian-13", "amd64", ""))
            )
            for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len([path for path, _ in site.asked if path.endswith("qcow2")]) == 1
    assert len({image.disk for image in found}) == 1
    assert len(found) == 6


def test_an_url_with_its_checksum(tmp_path: Path) -> None:
    data = disk(tmp_path / "d.img", "raw")
    said: list[str] = []
    with Site() as site:
        site.files["/d.img"] = data
        good = f"{site.url}/d.img#sha256:{hashlib.sha256(data).hexdigest()}"
        assert cache(tmp_path / "s", said).obtain(good, "amd64", "").format == "raw"
        assert not [line for line in said if "checksum" in line]
        with pytest.raises(DriverError, match="checksum"):
            cache(tmp_path / "s").obtain(f"{site.url}/d.img#sha256:00", "amd64", "")
        cache(tmp_path / "s", said).obtain(f"{site.url}/d.img", "amd64", "")
        assert [line for line in said if "without a checksum" in line]


def test_a_path_is_used_where_it_lies(tmp_path: Path) -> None:
    disk(tmp_path / "mine.qcow2")
    own = cache(tmp_path / "s")
    found = own.obtain(str(tmp_path / "mine.qcow2"), "amd64", "")
    assert own.path(found.disk) == str(tmp_path / "mine.qcow2")
    assert own.all() == []


def test_what_is_no_image(tmp_path: Path) -> None:
    with pytest.raises(DriverError, match="no disk image"):
        cache(tmp_path / "s").obtain(str(tmp_path / "nothing.qcow2"), "amd64", "")
    disk(tmp_path / "base.qcow2")
    disk(tmp_path / "over.qcow2", "qcow2", "-F", "qcow2", "-b", "base.qcow2")
    with pytest.raises(DriverError, match="stands on another image"):
        cache(tmp_path / "s").obtain(str(tmp_path / "over.qcow2"), "amd64", "")


def stored(store: Path, name: str = "debian-13") -> image.Image:
    """An image in the cache as a build leaves it."""
    directory = store / "cache" / "images"
    directory.mkdir(parents=True, exist_ok=True)
    made = image.Image(name, "amd64", f"{name}-amd64-1.qcow2", "qcow2", f"{name}-amd64-1.vmlinuz", "", "/dev/nvme0n1")
    for part in made.files:
        (directory / part).write_bytes(b"x")
    manifest = {key: getattr(made, key) for key in image.Image.__slots__}
    (directory / f"{name}-amd64.json").write_text(json.dumps(manifest))
    return made


def test_an_image_that_machines_stand_on_stays(tmp_path: Path) -> None:
    made, own = stored(tmp_path), cache(tmp_path)
    boot = own.boot(made)
    assert boot is not None
    assert (boot.kernel, boot.root) == (own.path(made.kernel), "/dev/nvme0n1")
    with pytest.raises(DriverError, match="base of machines"):
        own.remove("debian-13", "amd64", [own.path(made.disk)])
    own.remove("debian-13", "amd64", [])
    assert os.listdir(own.directory) == []
    with pytest.raises(DriverError, match="no image"):
        own.remove("debian-13", "amd64", [])


def test_disks_that_nobody_needs_are_swept(tmp_path: Path) -> None:
    made, own = stored(tmp_path), cache(tmp_path)
    for old in ("old-amd64-1.qcow2", "old-amd64-1.vmlinuz", "used-amd64-1.qcow2", "used-amd64-1.vmlinuz"):
        Path(own.path(old)).write_bytes(b"x")
    assert own.sweep(["../../cache/images/used-amd64-1.qcow2"]) == ["old-amd64-1.qcow2", "old-amd64-1.vmlinuz"]
    assert own.find("debian-13", "amd64") == made
    assert os.path.exists(own.path("used-amd64-1.vmlinuz"))


def test_an_image_that_is_being_made_is_not_swept(tmp_path: Path) -> None:
    """Its files are there before its manifest is; whoever makes it holds its lock."""
    own = cache(tmp_path)
    gone: list[str] = []
    sweeping = threading.Thread(target=lambda: gone.extend(own.sweep([])))
    with own.lock("debian-13"):
        made = stored(tmp_path)
        manifest = Path(own.path("debian-13-amd64.json"))
        text = manifest.read_text()
        manifest.unlink()
        sweeping.start()
        sweeping.join(0.3)
        assert sweeping.is_alive()
        assert os.path.exists(own.path(made.disk))
        manifest.write_text(text)
    sweeping.join(10)
    assert gone == []
    assert own.find("debian-13", "amd64") == made


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"name": "x"}', "null"])
def test_a_broken_manifest_is_no_image(tmp_path: Path, text: str) -> None:
    stored(tmp_path)
    own = cache(tmp_path)
    Path(own.path("debian-13-amd64.json")).write_text(text)
    assert own.find("debian-13", "amd64") is None
    assert own.all() == []


def test_an_image_without_its_disk_is_none(tmp_path: Path) -> None:
    made, own = stored(tmp_path), cache(tmp_path)
    os.unlink(own.path(made.disk))
    assert own.find("debian-13", "amd64") is None
