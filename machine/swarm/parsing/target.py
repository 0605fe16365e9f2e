"""A request's target taken apart and put together: version, path, query. Pure.

`/v1.43/containers/web/json?size=1`; the version may be missing. Paths are percent-decoded, because a container may be
called `node/name`, and clients differ in whether they encode the slash.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import parse_qs, quote, quote_plus, unquote

from machine.swarm.parsing import request_json

_VERSION = re.compile(r"/v([0-9]{1,9}\.[0-9]{1,9})(?=/|\Z)")
SAFE = "/:@!$&'()*+,;=~-._"  # what may stand in a path as it is (RFC 3986, section 3.3)
# Nearly all paths are of these letters only, and urllib costs as much as the rest of a target.
_PLAIN_PATH = re.compile(r"[A-Za-z0-9/:._~-]*\Z")
_SIGNS = re.compile(r"[^A-Za-z0-9._~-]+")
_USUAL = 8  # signs beside each other, as JSON has them, that are worth remembering


class Target(NamedTuple):
    """`query` is what the argument list says, `raw_query` its text without the question mark."""

    version: str
    path: str
    query: Mapping[str, list[str]]
    raw_query: str


def parse(target: str) -> Target:
    """Never fails: what is no path is a path nobody knows."""
    if not target.startswith("/"):  # absolute form, RFC 9112 section 3.2.2
        scheme, _, remainder = target.partition("://")
        target = "/" + remainder.partition("/")[2] if scheme in ("http", "https", "tcp") else target
    path, _, raw_query = target.partition("?")
    path = unquote(path)  # before the version is looked for, as the engine does
    found = _VERSION.match(path)
    version = found.group(1) if found else ""
    if found:
        path = path[found.end() :] or "/"
    return Target(version, path, arguments(raw_query) if raw_query else {}, raw_query)


def arguments(raw_query: str) -> dict[str, list[str]]:
    """The arguments of a query by name, decoded; one without a value has "" for it."""
    if "%" in raw_query or "+" in raw_query:
        return parse_qs(raw_query, keep_blank_values=True)
    found: dict[str, list[str]] = {}
    for piece in raw_query.split("&"):
        if piece:
            key, _, value = piece.partition("=")
            found.setdefault(key, []).append(value)
    return found


def from_parts(version: str, path: str, query: Mapping[str, Iterable[str]]) -> Target:
    """The target that has this path and these arguments: what `parse` makes of the text that `build` makes of it."""
    found = {key: texts for key, values in query.items() if (texts := [str(value) for value in values])}
    raw = "&".join([f"{_escape(key)}={_escape(text)}" for key, texts in found.items() for text in texts])
    return Target(version, path, found, raw)


def _escape(text: str) -> str:
    return _SIGNS.sub(_escape_signs, text)


def _escape_signs(match: re.Match[str]) -> str:
    signs = match[0]
    return _escape_cached(signs) if len(signs) <= _USUAL else quote_plus(signs)


_escape_cached = lru_cache(maxsize=256)(quote_plus)


def build(version: str, path: str, query: str | Mapping[str, Iterable[str]] = "") -> str:
    """The text for the request line; `path` is decoded, `query` raw text or arguments."""
    text = query if isinstance(query, str) else from_parts(version, path, query).raw_query
    escaped = path if _PLAIN_PATH.match(path) else quote(path, safe=SAFE)
    return (f"/v{version}" if version else "") + escaped + (f"?{text}" if text else "")


def filters(text: str, error_type: Callable[[int, str], Exception]) -> dict[str, list[str]]:
    """The JSON of the argument `filters` as {name: [value, ...]}; raises `refused(400, why)`.

    Older clients send lists, newer ones {"value": true}: https://docs.docker.com/reference/api/engine/ .
    """
    if not text:
        return {}
    try:
        value = request_json.read(text)
    except request_json.BadJson as error:
        raise error_type(400, f"the filters are not JSON: {error}") from error
    if not isinstance(value, dict):
        raise error_type(400, "the filters are not an object")
    parsed: dict[str, list[str]] = {}
    for name, values in value.items():
        if isinstance(values, dict) and all(isinstance(one, bool) or one is None for one in values.values()):
            parsed[name] = list(values)  # whether true or false: engines look at the keys only
        elif isinstance(values, list) and all(isinstance(one, str) for one in values):
            parsed[name] = values
        else:
            raise error_type(
                400, f'the filter {name} is neither a list of texts nor an object such as {{"value": true}}'
            )
    return parsed
