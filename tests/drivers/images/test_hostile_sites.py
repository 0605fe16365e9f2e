"""Sites that lie, lead elsewhere or do not end, and what lies where a download goes: nothing is taken unchecked."""

from __future__ import annotations

import email.message
import errno
import hashlib
import http.client
import io
import json
import os
import shutil
import socket
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from machine import files
from machine.drivers.images import cache, disks, fetch
from machine.errors import DriverError

DATA = b"\x55" * 5000
SUM = "sha256:" + hashlib.sha256(DATA).hexdigest()


@contextmanager
def saying(answer: bytes, then: bytes = b"", pause: float = 0.0) -> Iterator[str]:
    """The URL of a server that answers every call with `answer`, and `then` goes on with that piece for ever."""
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while not ended.is_set():
                with suppress(OSError):
                    connection, _ = server.accept()
                    with connection:
                        connection.recv(65536)
                        connection.sendall(answer)
                        while then and not ended.is_set():
                            connection.sendall(then)
                            ended.wait(pause)

        thread = threading.Thread(target=serve)
        thread.start()
        port = server.getsockname()[1]
        yield f"http://127.0.0.1:{port}/image.raw"
        ended.set()
        socket.create_connection(("127.0.0.1", port)).close()
        thread.join()


def answer(*headers: str, body: bytes = DATA, status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "Connection: close", "", ""]).encode() + body


def get(url: str, tmp_path: Path, checksum: str = "") -> None:
    fetch.download(url, str(tmp_path / "i"), checksum, lambda _: None)


@pytest.mark.parametrize("length", ["abc", "-5", "9" * 5000, "\u0663"])
def test_a_length_that_is_none(length: str, tmp_path: Path) -> None:
    with saying(answer(f"Content-Length: {length}")) as url, suppress(fetch.Unreachable):
        get(url, tmp_path)


@pytest.mark.parametrize("place", ["http://[::1", "ftp://127.0.0.1/x", "file:///etc/passwd", "http://h:99999999/"])
def test_a_redirection_that_is_not_followed(place: str, tmp_path: Path) -> None:
    with saying(answer(f"Location: {place}", status="302 Found", body=b"")) as url:
        with pytest.raises(fetch.Unreachable):
            get(url, tmp_path)
        with pytest.raises(fetch.Unreachable):
            fetch.text(url)
        assert not fetch.exists(url)
    assert list(tmp_path.iterdir()) == []


def test_what_was_asked_for_with_a_certificate_is_not_taken_without_one() -> None:
    handler = fetch.RedirectHandler()

    def to(old: str, new: str) -> Any:
        request = urllib.request.Request(old)
        return handler.redirect_request(request, SimpleNamespace(), 302, "Found", {}, new)

    with pytest.raises(OSError, match="from https to http"):
        to("https://a.example/x", "http://a.example/x")
    assert to("http://a.example/x", "https://b.example/x").full_url == "https://b.example/x"


def test_a_download_without_end_leaves_room_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disks, "LOOK_EVERY", 4 << 20)
    monkeypatch.setattr(disks, "ROOM_LEFT", shutil.disk_usage(tmp_path).free - (30 << 20))
    with saying(answer(body=b""), then=b"x" * (1 << 20)) as url, pytest.raises(DriverError, match="room"):
        get(url, tmp_path, SUM)
    assert list(tmp_path.iterdir()) == []


def test_a_site_that_sends_a_byte_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "EVERY", 0.5)
    with saying(answer(body=b""), then=b"x", pause=0.1) as url:
        with pytest.raises(fetch.Unreachable) as caught:
            get(url, tmp_path)
        assert "bytes came in" in caught.value.details
        with pytest.raises(fetch.Unreachable):
            fetch.text(url)


@pytest.mark.parametrize(
    "fragment",
    ["md5:" + "a" * 32, "sha256=" + "a" * 64, "sha256:" + "a" * 63, "sha256:" + "g" * 64, "x", "", "sha256:"],
)
def test_a_checksum_that_is_not_understood_is_not_passed_over(fragment: str) -> None:
    for driver in ("qemu", "virtualbox"):
        with pytest.raises(DriverError, match="no checksum"):
            cache.classify(f"https://a.example/i.qcow2#{fragment}", driver)


def test_a_checksum_in_capitals_counts() -> None:
    assert fetch.split("https://a.example/i#SHA256:" + "A" * 64) == ("https://a.example/i", "sha256:" + "a" * 64)
    assert fetch.split("https://a.example/i") == ("https://a.example/i", "")


@pytest.mark.parametrize("make", [os.symlink, os.link])
def test_what_leads_elsewhere_is_not_gone_on_with(make: Any, tmp_path: Path) -> None:
    victim, place = tmp_path / "victim", tmp_path / "cache"
    victim.write_bytes(b"mine")
    place.mkdir()
    make(victim, place / "i.part")
    with saying(answer(f"Content-Length: {len(DATA)}")) as url:
        get(url, place, SUM)
    assert victim.read_bytes() == b"mine"
    assert (place / "i").read_bytes() == DATA
    assert not (place / "i").is_symlink()


def test_a_file_in_a_directory_of_everybodys_is_not_only_ours(tmp_path: Path) -> None:
    place = tmp_path / "shared"
    place.mkdir()
    (place / "i").write_bytes(DATA)
    assert files.only_ours(str(place / "i"))
    place.chmod(0o777)
    assert not files.only_ours(str(place / "i"))
    (tmp_path / "link").symlink_to(place / "i")
    assert not files.only_ours(str(tmp_path / "link"))
    place.chmod(0o1777)
    assert files.only_ours(str(place / "i"))


@pytest.mark.parametrize("disk", ["../../victim", "/etc/hostname", 5, ["x"], ".."])
def test_a_manifest_names_files_of_the_cache_only(disk: Any, tmp_path: Path) -> None:
    made = cache.Cache(str(tmp_path / "store"), run=lambda *_, **__: pytest.fail("ran"), log=lambda _: None)
    Path(made.directory).mkdir(parents=True)
    (tmp_path / "store" / "victim").write_bytes(DATA)
    Path(made.directory, "x-amd64.json").write_text(json.dumps({"name": "x", "arch": "amd64", "disk": disk}))
    assert made.find("x", "amd64") is None
    assert made.all() == []
    with pytest.raises(DriverError, match="no image 'x'"):
        made.remove("x", "amd64", ())
    assert (tmp_path / "store" / "victim").exists()


@pytest.mark.parametrize("error", [OSError(errno.EHOSTUNREACH, "No route to host"), ssl.SSLError(1, "bad record mac")])
def test_a_network_that_breaks_is_no_full_disk_and_what_has_come_stays(
    error: OSError, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = http.client.HTTPResponse.read1
    monkeypatch.setattr(fetch, "CHUNK", 1000)

    begun: set[http.client.HTTPResponse] = set()

    def read1(self: http.client.HTTPResponse, count: int = -1) -> bytes:
        if (tmp_path / "i.part").stat().st_size or self in begun:
            raise error
        begun.add(self)
        return real(self, count)

    monkeypatch.setattr(http.client.HTTPResponse, "read1", read1)
    with saying(answer(f"Content-Length: {len(DATA)}")) as url:
        with pytest.raises(fetch.Unreachable) as caught:
            get(url, tmp_path, SUM)
        assert caught.value.details == error.strerror
        assert 0 < (tmp_path / "i.part").stat().st_size < len(DATA)


@pytest.mark.parametrize(("proxy", "place", "followed"), [("https", "http", True), ("http", "ftp", False)])
def test_a_redirection_is_judged_by_the_url_and_not_by_the_proxy(proxy: str, place: str, followed: bool) -> None:
    asked = urllib.request.Request("http://site/x")
    asked.set_proxy("proxy:8080", proxy)

    def redirected() -> urllib.request.Request | None:
        headers = email.message.Message()
        return fetch.RedirectHandler().redirect_request(asked, io.BytesIO(), 302, "", headers, f"{place}://site/y")

    if followed:
        assert redirected() is not None
    else:
        with pytest.raises(urllib.error.URLError):
            redirected()
