"""Targets taken apart and put together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machine.swarm.chain import Refused, Request
from machine.swarm.target import build, filters, parse


@pytest.mark.parametrize(
    ("target", "version", "path"),
    [
        ("/v1.43/containers/json?all=1", "1.43", "/containers/json"),
        ("/containers/a%2Fb/json", "", "/containers/a/b/json"),
        ("/v1.24", "1.24", "/"),
        ("/v1.x/info", "", "/v1.x/info"),
        ("/v1.41x/info", "", "/v1.41x/info"),
        ("http://host:1/v1.40/info", "1.40", "/info"),
        ("*", "", "*"),
        ("", "", ""),
    ],
)
def test_parse(target: str, version: str, path: str) -> None:
    assert parse(target)[:2] == (version, path)


@given(st.text())
def test_parse_takes_anything(target: str) -> None:
    parse(target)


@given(
    path=st.text(min_size=1).map(lambda text: "/" + text.lstrip("/")),
    query=st.dictionaries(st.text(), st.lists(st.text(), min_size=1)),
)
def test_what_is_built_reads_back(path: str, query: dict[str, list[str]]) -> None:
    found = parse(build("1.44", path, query))
    assert (found.version, found.path, found.query) == ("1.44", path, query)


def test_flags_and_filters_in_every_form() -> None:
    request = Request("GET", '/x?all=1&size=False&filters={"label":{"a=b":true,"c":false},"name":["x"]}')
    assert (request.flag("all"), request.flag("size"), request.flag("none")) == (True, False, False)
    assert request.filters() == {"label": ["a=b", "c"], "name": ["x"]}
    for bad in ("[", "[]", '{"a":1}', "[" * 100_000):
        with pytest.raises(Refused):
            Request("GET", "/x?filters=" + bad).filters()


def test_at_keeps_version_and_query_and_a_request_is_frozen() -> None:
    request = Request("GET", "/v1.43/containers/node%2Fweb/json?size=1")
    assert request.at("/containers/a b/json").target == "/v1.43/containers/a%20b/json?size=1"
    assert request.at("/x", {"a": ["1", "2"]}).target == "/v1.43/x?a=1&a=2"
    with pytest.raises(AttributeError, match="replace"):
        request.method = "POST"


@pytest.mark.parametrize(
    "text", ['{"name":[1]}', '{"name":[{}]}', '{"name":[null]}', '{"name":{"a":1}}', '{"name":{"a":{}}}']
)
def test_filters_of_the_wrong_kind_are_refused(text: str) -> None:
    with pytest.raises(Refused, match="neither a list of texts"):
        filters(text, Refused)


def test_filters_in_both_forms() -> None:
    found = filters('{"name":["a"],"label":{"x":true,"y":false},"id":[]}', Refused)
    assert found == {"name": ["a"], "label": ["x", "y"], "id": []}
