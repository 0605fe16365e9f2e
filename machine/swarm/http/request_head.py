"""Which heads of requests are taken: those that every reader behind us reads alike. Pure.

A request that two parts of a pipeline may read differently (where its body ends, which path it asks for) lets a client
say one thing to a policy and another to the engine, so it is refused here, once, for all listeners.
RFC 9112 (https://www.rfc-editor.org/rfc/rfc9112), sections 3.2 (targets) and 6.3 (length of a body).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import unquote_to_bytes

from machine.swarm import limits

_SCHEMES = ("http://", "https://", "tcp://")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_VERSION_LIKE = re.compile(r"/v[0-9.]*\.[0-9.]*(?=/|\Z)")  # what dockerd takes for a version, however odd
_VERSION = re.compile(r"/v[0-9]{1,4}\.[0-9]{1,4}(?=/|\Z)")


class BadHead(ValueError):
    """The head is not taken. `status` is the HTTP status to answer with."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def check_framing(http_version: bytes, headers: Sequence[tuple[bytes, bytes]]) -> None:
    """Raises BadHead if it is not certain where the body ends, or if there are too many headers.

    Names are in lower case.
    """
    if len(headers) > limits.CLIENT_HEADERS:
        raise BadHead(f"a request has at most {limits.CLIENT_HEADERS} headers", 431)
    names = [name for name, _ in headers]
    if b"transfer-encoding" not in names:
        return
    if b"content-length" in names:
        raise BadHead("a request with both Content-Length and Transfer-Encoding has no certain end: send one of them")
    if http_version != b"1.1":
        raise BadHead("Transfer-Encoding is not for HTTP/1.0: send Content-Length")


def origin_form(method: str, target: str) -> str:
    """`target` as path and query: the form that clients send to servers. Raises BadHead if it is no such thing."""
    if method == "CONNECT":
        raise BadHead("this is no proxy: CONNECT is not for it", 405)
    if target == "*" and method == "OPTIONS":
        return target
    scheme = next((scheme for scheme in _SCHEMES if target.lower().startswith(scheme)), "")
    if scheme:
        remainder = target[len(scheme) :]
        end = min((remainder.find(sign) for sign in "/?" if sign in remainder), default=len(remainder))
        target = remainder[end:] if remainder[end : end + 1] == "/" else "/" + remainder[end:]
    if not target.startswith("/") or "#" in target:
        raise BadHead("the target of a request begins with a slash and has no #")
    path, _, query = target.partition("?")
    _check_path(path)
    _check_query(query)
    return target


def _check_query(query: str) -> None:
    """Releases of Go before 1.17 end an argument at a semicolon; all of them leave out one with a bad escape."""
    if ";" in query:
        raise BadHead("the arguments have a semicolon, which readers understand differently: write it %3B")
    if _BAD_ESCAPE.search(query):
        raise BadHead("the arguments have a % that is not followed by two hexadecimal digits")


def _check_path(path: str) -> None:
    if _BAD_ESCAPE.search(path):
        raise BadHead("the path has a % that is not followed by two hexadecimal digits")
    try:
        plain = unquote_to_bytes(path).decode()
    except UnicodeDecodeError:
        raise BadHead("the path is not UTF-8") from None
    if _CONTROL.search(plain):
        raise BadHead("the path has control characters")
    if any(part in (".", "..") for part in plain.split("/")):
        raise BadHead("the path has the segments . or ..: write it without them")
    if _VERSION_LIKE.match(plain) and not _VERSION.match(plain):
        raise BadHead("an API version is written /v1.43")
