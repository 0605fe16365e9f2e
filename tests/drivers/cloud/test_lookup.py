"""A thing by its name or id, and what is said when there is none."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from machine.drivers.cloud import lookup
from machine.drivers.cloud.errors import BadSize, ErrorTable

TABLE = ErrorTable("sky", advice={BadSize: "choose another --sky-size"})
SIZES = {"Small": 1, "big": 2, "BIG": 3, "17": 4}


def test_a_name_as_it_is_written_goes_before_one_in_another_case() -> None:
    assert [lookup.pick(name, SIZES, TABLE, BadSize, "the size") for name in ("small", "big", "BIG", "17")] == [
        1,
        2,
        3,
        4,
    ]


def test_the_error_has_the_nearest_name_and_all() -> None:
    with pytest.raises(BadSize) as caught:
        lookup.pick("smal", SIZES, TABLE, BadSize, "the size")
    assert caught.value.brief == "the size smal is not there; did you mean Small?"
    assert caught.value.details == "there are: Small, big, BIG"
    assert caught.value.resolution == "choose another --sky-size"
    with pytest.raises(BadSize) as nothing:
        lookup.pick("xyz", {}, TABLE, BadSize, "the size")
    assert (nothing.value.brief, nothing.value.details) == ("the size xyz is not there", "there are: none")


def test_a_name_goes_before_an_id() -> None:
    one, two, three = (SimpleNamespace(id=n, name=name) for n, name in ((1, "2"), (2, "b"), (3, None)))
    assert lookup.by_name_and_id([one, two, three]) == {"1": one, "2": one, "b": two, "3": three}


def test_an_id_is_never_the_word_none() -> None:
    assert lookup.id_of({"id": 7}) == "7"
    assert lookup.id_of({"InstanceId": "i-1"}, "InstanceId") == "i-1"
    lies: list[object] = [None, "", 0, [], {}]
    for lie in lies:
        with pytest.raises(ValueError, match="id is "):
            lookup.id_of({"id": lie})
    with pytest.raises(KeyError):
        lookup.id_of({})
