"""Downloads from a real HTTP server: whole, resumed, refused, wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from machine.drivers.images import fetch
from machine.errors import DriverError
from tests.drivers.images.site import Site

IMAGE = "debian-13-genericcloud-amd64.qcow2"
DATA = bytes(range(256)) * 5000


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as site:
        site.publish(IMAGE, DATA)
        yield site


def checksum(data: bytes = DATA) -> str:
    return "sha512:" + hashlib.sha512(data).hexdigest()


def test_the_layout_of_the_real_site() -> None:
    image, sums = fetch.official("debian-12", "arm64")
    assert image == "https://cloud.debian.org/images/cloud/bookworm/latest/debian-12-genericcloud-arm64.qcow2"
    assert sums == "https://cloud.debian.org/images/cloud/bookworm/latest/SHA512SUMS"


def test_the_published_sum_is_the_one_of_that_file() -> None:
    listing = "aa  debian-13-generic-amd64.qcow2\nBB *debian-13-genericcloud-amd64.qcow2\n"
    assert fetch.published_sum(listing, IMAGE) == "bb"
    with pytest.raises(fetch.Unreachable):
        fetch.published_sum(listing, "other.qcow2")


def test_a_whole_file(site: Site, tmp_path: Path) -> None:
    image, sums = fetch.official("debian-13", "amd64", site.url)
    published = fetch.published_sum(fetch.text(sums), IMAGE)
    said: list[str] = []
    fetch.download(image, str(tmp_path / "i"), f"sha512:{published}", said.append)
    assert (tmp_path / "i").read_bytes() == DATA
    assert [entry.name for entry in tmp_path.iterdir()] == ["i"]
    assert said == [f"downloading {image}, 1 MB"]


def test_a_transfer_that_breaks_off_is_continued(site: Site, tmp_path: Path) -> None:
    image, _ = fetch.official("debian-13", "amd64", site.url)
    site.cut = 1000
    with pytest.raises(fetch.Unreachable) as caught:
        fetch.download(image, str(tmp_path / "i"), checksum(), lambda _: None)
    assert "1000 of 1280000" in caught.value.details
    assert not (tmp_path / "i").exists()
    fetch.download(image, str(tmp_path / "i"), checksum(), lambda _: None)
    assert (tmp_path / "i").read_bytes() == DATA
    assert site.asked[-1][1] == "bytes=1000-"


def test_without_a_checksum_nothing_is_continued(site: Site, tmp_path: Path) -> None:
    """The part may be the start of what was published last week."""
    image, _ = fetch.official("debian-13", "amd64", site.url)
    (tmp_path / "i.part").write_bytes(b"last week's")
    fetch.download(image, str(tmp_path / "i"), "", lambda _: None)
    assert (tmp_path / "i").read_bytes() == DATA


def test_a_part_that_is_whole_already(site: Site, tmp_path: Path) -> None:
    image, _ = fetch.official("debian-13", "amd64", site.url)
    (tmp_path / "i.part").write_bytes(DATA)
    fetch.download(image, str(tmp_path / "i"), checksum(), lambda _: None)
    assert (tmp_path / "i").read_bytes() == DATA


def test_a_wrong_checksum_removes_what_came(site: Site, tmp_path: Path) -> None:
    image, _ = fetch.official("debian-13", "amd64", site.url)
    with pytest.raises(DriverError) as caught:
        fetch.download(image, str(tmp_path / "i"), checksum(b"other"), lambda _: None)
    assert "checksum" in caught.value.brief
    assert "--qemu-image" in caught.value.resolution
    assert not isinstance(caught.value, fetch.Unreachable), "it must not be taken for a site that is away"
    assert list(tmp_path.iterdir()) == []


def test_no_such_file_and_no_such_server(site: Site, tmp_path: Path) -> None:
    with pytest.raises(fetch.Unreachable):
        fetch.text(f"{site.url}/nothing")
    with pytest.raises(fetch.Unreachable):
        fetch.download("http://127.0.0.1:9/x", str(tmp_path / "i"), "", lambda _: None)
    with pytest.raises(DriverError, match="no http"):
        fetch.text("ftp://host/x")


def test_a_full_disk(site: Site) -> None:
    image, _ = fetch.official("debian-13", "amd64", site.url)
    with pytest.raises(DriverError) as caught:
        fetch.download(image, "/proc/nothing/i", checksum(), lambda _: None)
    assert "make room" in caught.value.resolution
