"""Targets taken apart and put together."""

from __future__ import annotations

from urllib.parse import parse_qs, quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machine.swarm.parsing.target import SAFE, arguments, build, filters, parse
from machine.swarm.pipeline import ApiError, Request


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


@given(st.text("ab=&+%;/ é", max_size=12))
def test_arguments_are_read_as_the_standard_library_reads_them(raw: str) -> None:
    assert arguments(raw) == parse_qs(raw, keep_blank_values=True)


@given(st.text("aZ09/:._~-@!+% é&=", max_size=12))
def test_what_needs_no_escape_is_written_as_the_standard_library_writes_it(text: str) -> None:
    assert build("", "/" + text, {text: [text]}) == f"/{quote(text, safe=SAFE)}?{quote_plus(text)}={quote_plus(text)}"


def test_flags_and_filters_in_every_form() -> None:
    request = Request("GET", '/x?all=1&size=False&filters={"label":{"a=b":true,"c":false},"name":["x"]}')
    assert (request.flag("all"), request.flag("size"), request.flag("none")) == (True, False, False)
    assert request.filters() == {"label": ["a=b", "c"], "name": ["x"]}
    for bad in ("[", "[]", '{"a":1}', "[" * 100_000):
        with pytest.raises(ApiError):
            Request("GET", "/x?filters=" + bad).filters()


def test_at_keeps_version_and_query_and_a_request_is_frozen() -> None:
    request = Request("GET", "/v1.43/containers/node%2Fweb/json?size=1")
    assert request.with_path("/containers/a b/json").target == "/v1.43/containers/a%20b/json?size=1"
    assert request.with_path("/x", {"a": ["1", "2"]}).target == "/v1.43/x?a=1&a=2"
    with pytest.raises(AttributeError, match="replace"):
        request.method = "POST"


@pytest.mark.parametrize(
    "text", ['{"name":[1]}', '{"name":[{}]}', '{"name":[null]}', '{"name":{"a":1}}', '{"name":{"a":{}}}']
)
def test_filters_of_the_wrong_kind_are_refused(text: str) -> None:
    with pytest.raises(ApiError, match="neither a list of texts"):
        filters(text, ApiError)


def test_filters_in_both_forms() -> None:
    found = filters('{"name":["a"],"label":{"x":true,"y":false},"id":[]}', ApiError)
    assert found == {"name": ["a"], "label": ["x", "y"], "id": []}


ODD = (
    "/containers/json", "/containers/a b/json", "/images/x/y:1/json", "/a%2Fb", "/a?b=c", "/a#b", "/ü/\u2603",
    "/v1.2/x", "/v1.2", "/", "//x", "/a//b/", "/\n", "/vx", "", "a", "http://x/y",
)  # fmt: skip
ARGUMENTS: tuple[dict[str, list[str]], ...] = (
    {}, {"a": []}, {"a": [""]}, {"a": ["1", "2"], "b": ["x y&z=+%;"]}, {"filters": ['{"id":["ü"]}']}, {"": ["x"]},
)  # fmt: skip


@pytest.mark.parametrize("version", ["", "1.43"])
@pytest.mark.parametrize("path", ODD)
def test_a_request_knows_of_its_target_what_a_reader_of_it_finds(version: str, path: str) -> None:
    for query in ARGUMENTS:
        made = Request.for_path("GET", path, query, version)
        assert made.parts == parse(made.target), made.target
        moved = Request("POST", "/v1.24/x?q=1").with_path(path, query)
        assert moved.parts == parse(moved.target), moved.target
        assert moved.with_path("/else").with_api_version(version).parts == parse(
            moved.with_path("/else").with_api_version(version).target
        )
    kept = Request("POST", "/v1.24/x?q=1&q=%20").with_path(path)
    assert kept.parts == parse(kept.target)
