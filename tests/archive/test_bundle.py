"""The archive's bytes: what was packed comes back, and nothing hostile gets through."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machine.archive import bundle
from machine.errors import StoreError

CONTENTS = {"manifest.json": b"{}", "config.json": b"{}", "ca.pem": b"CA"}


def archive(*members: tuple[tarfile.TarInfo, bytes], good: bool = True) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in CONTENTS.items() if good else ():
            info = tarfile.TarInfo(f"machine/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for info, content in members:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return gzip.compress(buffer.getvalue())


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@given(st.dictionaries(st.sampled_from(bundle.NAMES), st.binary(max_size=2000)))
def test_what_was_packed_comes_back(contents: dict[str, bytes]) -> None:
    contents |= {"manifest.json": b"m", "config.json": b"c"}
    packed = bundle.pack(contents)
    assert bundle.unpack(packed, "x") == contents
    assert bundle.pack(contents) == packed


def test_members_are_private() -> None:
    with tarfile.open(fileobj=io.BytesIO(bundle.pack(CONTENTS))) as tar:
        assert {info.mode for info in tar} == {0o600}


@pytest.mark.parametrize(
    "info",
    [
        member("../../etc/passwd"),
        member("/etc/passwd"),
        member("machine/../../evil"),
        member("machine/sub/key.pem"),
        member("other/key.pem"),
        member("key.pem"),
        member("machine/authorized_keys"),
        member("machine/"),
        member("machine", tarfile.DIRTYPE),
        member("machine/key.pem", tarfile.SYMTYPE, "/etc/shadow"),
        member("machine/key.pem", tarfile.LNKTYPE, "machine/ca.pem"),
        member("machine/key.pem", tarfile.DIRTYPE),
        member("machine/key.pem", tarfile.FIFOTYPE),
        member("machine/key.pem", tarfile.CHRTYPE),
        member("machine/ca.pem"),
    ],
    ids=lambda info: f"{info.name}-{info.type!r}",
)
def test_anything_else_is_refused(info: tarfile.TarInfo) -> None:
    with pytest.raises(StoreError, match="is not a file that `machine export` wrote"):
        bundle.unpack(archive((info, b"")), "x")


def test_bombs_are_refused_early() -> None:
    packed = gzip.compress(bytes(200 * 2**20), 9)
    assert len(packed) < 2**18
    with pytest.raises(StoreError) as caught:
        bundle.unpack(packed, "x")
    assert "more than 4 MiB" in caught.value.details


@pytest.mark.parametrize("missing", ["manifest.json", "config.json"])
def test_both_descriptions_must_be_there(missing: str) -> None:
    with pytest.raises(StoreError) as caught:
        bundle.unpack(bundle.pack({key: value for key, value in CONTENTS.items() if key != missing}), "x")
    assert missing in caught.value.details


@given(st.data())
def test_cut_or_bent_archives_never_crash(data: st.DataObject) -> None:
    packed = bundle.pack({**CONTENTS, "key.pem": bytes(range(256))})
    plain = bytearray(gzip.decompress(packed))
    place = data.draw(st.integers(0, len(plain) - 1))
    plain[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(packed) - 1))
    for bad in (gzip.compress(bytes(plain), 1), packed[:cut], gzip.compress(bytes(plain[:place]), 1)):
        try:
            bundle.unpack(bad, "x")
        except StoreError:
            continue


@given(st.binary(max_size=400))
def test_any_bytes_are_an_archive_or_a_store_error(data: bytes) -> None:
    for bad in (data, gzip.compress(data, 1)):
        with pytest.raises(StoreError):
            bundle.unpack(bad, "x")


def test_pax_headers_cannot_smuggle_names(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("machine/config.json")
        info.pax_headers = {"path": "../../evil"}
        tar.addfile(info)
    with pytest.raises(StoreError):
        bundle.unpack(gzip.compress(buffer.getvalue()), "x")
