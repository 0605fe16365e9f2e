"""What may be shared: words of a command line, and what stands in a record."""

from __future__ import annotations

from pathlib import Path

import pytest

from machine.errors import UsageError
from machine.share import spec
from machine.share.spec import Share


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("/data", Share("/data", False)),
        ("/data:rw", Share("/data", True)),
        ("/data/../srv//a/:ro", Share("/srv/a", False)),
        ("//data", Share("/data", False)),
        ("/with:colon", Share("/with:colon", False)),
        ("/with:colon:rw", Share("/with:colon", True)),
    ],
)
def test_a_word_is_a_path_and_a_mode(text: str, share: Share) -> None:
    assert spec.parse(text, writable=False) == share


def test_a_path_is_one_of_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/somebody")
    assert spec.parse("a", writable=True) == Share(f"{tmp_path}/a", True)
    assert spec.parse("~/a:ro", writable=True) == Share("/home/somebody/a", False)


@pytest.mark.parametrize("text", ["", "/", "/..", "/a\nb", "/" + "a" * 2000, "/a\x1b[2J"])
def test_what_no_machine_can_have(text: str) -> None:
    with pytest.raises(UsageError):
        spec.parse(text, writable=False)


def test_none_stands_alone_and_a_path_once() -> None:
    assert spec.parse_all(["none"], writable=True) == []
    assert spec.parse_all(["/a", "/b", "/a:ro"], writable=True) == [Share("/a", False), Share("/b", True)]
    with pytest.raises(UsageError):
        spec.parse_all(["none", "/a"], writable=True)


def test_a_record_that_somebody_changed_shares_nothing_odd() -> None:
    good = {"Writable": True, "Target": "/t"}
    found = {
        "/a": good,
        "/": good,
        "b": good,
        "/a/../..": good,
        "/c": {},
        "/d": "/t",
        "/e": {"Target": "/t", "Writable": 1},
    }
    found |= {"/f": {"Target": "/"}, "/g": {"Target": "t"}, "/h": {"Target": 3}}
    assert spec.from_record(found) == [Share("/a", True, "/t"), Share("/e", False, "/t")]
    assert spec.from_record(spec.to_record([Share("/a", True, "/t")])) == [Share("/a", True, "/t")]


def test_a_share_leads_where_it_led_when_it_was_made(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "way").symlink_to("real")
    share = spec.checked(Share(str(tmp_path / "way"), True), "/store")
    assert (share.path, share.target) == (str(tmp_path / "way"), str(tmp_path.resolve() / "real"))


def test_the_store_is_never_shared(tmp_path: Path) -> None:
    store = tmp_path / "home" / "store"
    (store / "machines").mkdir(parents=True)
    (tmp_path / "way").symlink_to(store)
    assert spec.checked(Share(str(tmp_path / "home"), True), str(store))
    for path in (store, store / "machines", tmp_path / "way", tmp_path / "way" / "machines"):
        with pytest.raises(UsageError, match="part of the store"):
            spec.checked(Share(str(path), False), str(store))
    with pytest.raises(UsageError, match="no directory"):
        spec.checked(Share(str(tmp_path / "missing"), False), str(store))


def test_the_home_directory_where_a_machine_can_have_it(tmp_path: Path) -> None:
    assert spec.home({"HOME": str(tmp_path)}) == str(tmp_path)
    for text in ("/", "/root", "relative", str(tmp_path / "missing")):
        assert not spec.home({"HOME": text})


def test_the_tag_of_a_share_is_chance_and_is_kept(tmp_path: Path) -> None:
    """It goes to the machine, and has nothing of this computer in it."""
    first, second = (spec.checked(Share(str(tmp_path), True), "/store") for _ in range(2))
    assert len(first.tag) == 12
    assert first.tag != second.tag
    assert first == second, "it is no part of what is shared"
    assert [share.tag for share in spec.from_record(spec.to_record([first]))] == [first.tag]


@pytest.mark.parametrize("tag", [None, 3, "", "x" * 12, "0" * 13, "0" * 11 + "\n", "../../../ab"])
def test_a_record_without_a_tag_has_one_all_the_same(tag: object) -> None:
    (share,) = spec.from_record({"/a": {"Writable": True, "Target": "/t", "Tag": tag}})
    assert share.tag == spec.from_record({"/a": {"Target": "/t"}})[0].tag
    assert len(share.tag) == 12
