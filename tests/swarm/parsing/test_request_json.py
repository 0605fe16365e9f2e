"""Bodies read as Go reads them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machine.swarm import limits
from machine.swarm.parsing.fields import CANONICAL, FIELD_TYPES, HOST_FIELDS, MAPS, NAMES
from machine.swarm.parsing.request_json import BadJson, WrongKind, read, read_call, write
from machine.swarm.pipeline import ApiError, Request


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"hostconfig":{"memory":1}}', {"HostConfig": {"Memory": 1}}),
        ('{"HostConfig":{"Memory":1},"hostConfig":{"Init":true}}', {"HostConfig": {"Memory": 1, "Init": True}}),
        ('{"Image":"a","IMAGE":"b"}', {"Image": "b"}),
        ('{"labels":{"Image":"a","image":"b"},"Labels":{"c":"d"}}', {"Labels": {"Image": "a", "image": "b", "c": "d"}}),
        ('{"HostConfig":{"Memory":1},"hostconfig":null}', {"HostConfig": None}),
        ('{"NetworkingConfig":{"endpointsconfig":{"Net":{"aliases":["a"]}}}}',
         {"NetworkingConfig": {"EndpointsConfig": {"Net": {"Aliases": ["a"]}}}}),
        ('{"mine":1,"Mine":{"x":2},"other":3}', {"mine": {"x": 2}, "other": 3}),
        ('{"NanoCPUs":1}', {"NanoCPUs": 1}),
        ('{"ho\u017ftconfig":{}}', {"HostConfig": {}}),
        ('{"User":"\\ud800"}', {"User": "\ufffd"}),
        ("[]", []),
        ("null", None),
    ],
)  # fmt: skip
def test_names_are_read_without_their_case(text: str, value: object) -> None:
    assert read_call(text) == value


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b"{}{}", b'{"a":1} x', b"nan", b'{"a":NaN}', b'{"a":-Infinity}', b'{"a":1e999}', b"\xff\xfe{\0}\0",
        b"\xef\xbb\xbf{}", b'{"a":"\xff"}', b'{"a":' + b"9" * 5000 + b"}", b"[" * 150 + b"]" * 150,
        b"[" * 100_000, b'{"a":' * 3000, b"[" + b"0," * limits.JSON_VALUES + b"0]",
    ],
)  # fmt: skip
def test_what_go_would_not_take_or_is_too_much(data: bytes) -> None:
    for reader in (read, read_call):
        with pytest.raises(BadJson):
            reader(data)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(json_values)
def test_any_value_is_read_as_it_is(value: object) -> None:
    again = read(json.dumps(value))
    assert read(write(again)) == again


@given(st.dictionaries(st.sampled_from(sorted(FIELD_TYPES)), json_values))
def test_a_wrong_kind_is_told_and_nothing_else_happens(body: dict[str, object]) -> None:
    try:
        Request.json("POST", "/containers/create", body).json_body()
    except ApiError as error:
        assert error.status == 400
        assert error.message


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"Labels": 5}, "Labels must be an object, not a number"),
        ({"Labels": {"a": 5}}, "each in Labels must be a text, not a number"),
        ({"HostConfig": []}, "HostConfig must be an object, not a list"),
        ({"HostConfig": {"PortBindings": {"80/tcp": [5]}}}, "each in PortBindings must be an object"),
        ({"HostConfig": {"Memory": 1.5}}, "Memory must be a whole number, not a number"),
        ({"HostConfig": {"Memory": True}}, "Memory must be a whole number, not true or false"),
        ({"Env": "A=b"}, "Env must be a list, not a text"),
        ({"env": ["A=b", None, 3]}, "each in Env must be a text, not a number"),
    ],
)
def test_the_sentence_names_the_field(body: dict[str, object], said: str) -> None:
    with pytest.raises(WrongKind) as found:
        read_call(json.dumps(body))
    assert said in str(found.value)


def test_the_table_is_consistent() -> None:
    assert set(FIELD_TYPES) <= NAMES
    assert MAPS <= NAMES
    assert HOST_FIELDS <= NAMES
    assert all(CANONICAL[name.lower()].lower() == name.lower() for name in NAMES)


def test_a_text_is_no_json() -> None:
    for kind in (b"text/plain", b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=x", b"a" * 5000):
        with pytest.raises(ApiError, match="must be 'application/json'"):
            Request("POST", "/x", ((b"content-type", kind),), b"{}").json_body()
    for fine in (b"application/json", b"Application/JSON; charset=utf-8"):
        assert Request("POST", "/x", ((b"content-type", fine),), b"{}").json_body() == {}
