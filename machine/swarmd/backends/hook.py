"""The protocol between the backend `exec` and its program: what it is shown, and what its answers mean. Pure.

It fails closed: what the program is shown is what the engine gets, what it is not shown passes only if it says so by
name, and an answer that is not understood refuses the call. docs/swarmd.md has the fields.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import re
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from machine.swarm import limits
from machine.swarm.http.headers import length
from machine.swarm.parsing import request_json
from machine.swarm.parsing.fields import HOST_FIELDS
from machine.swarm.parsing.target import build
from machine.swarm.pipeline import JSON, ApiError, Headers, Reply, Request

UNSEEN = ("refuse", "pass")
_ANSWERS = frozenset(("id", "status", "message", "body", "base64", "headers", "request", "reply", "unseen"))
_CHANGES = frozenset(("method", "target", "headers", "body", "base64"))
_FILES = re.compile(r"/(build|images/(load|create)|containers/.+/archive|plugins/create)\Z")  # bodies that are no JSON
_API_INSIDE = ("/grpc", "/session")  # connections that carry calls of their own: BuildKit's
_START = re.compile(r"/containers/.+/start\Z")
_FORM = "application/x-www-form-urlencoded"


class ShownRequest(NamedTuple):
    """A request as it goes on, the question to the program, and why a part of it is not in the question ("" if all is).

    What goes on says what the question says: a body of JSON is written anew from what was read.
    """

    request: Request
    question: dict[str, Any]
    unseen: str


async def show_request(request: Request) -> ShownRequest:
    """What the program is shown of a request.

    Raises ApiError(400) if the engine might read in it what cannot be shown.
    """
    request, unseen = await _first_bytes(request)
    if request.upgrade and request.path in _API_INSIDE:
        unseen = "what goes over this connection is not shown"
    body: dict[str, Any] = {}
    if isinstance(request.body, bytes) and not unseen:
        request, body = _read(request)
    question = {
        "method": request.method,
        "target": request.target,
        "path": request.path,
        "version": request.version,
        "query": request.query,
        "headers": header_texts(request.headers),
        **body,
    }
    if unseen:
        question["unseen"] = unseen
    return ShownRequest(request, question, unseen)


async def _first_bytes(request: Request) -> tuple[Request, str]:
    """The request with a body that is no longer than the limit as bytes; else as it was, and why it is not shown."""
    if isinstance(request.body, bytes):
        long = len(request.body) > limits.HOOK_BODY
        return request, _too_long() if long else ""
    start, ended = await _begin(request.body)
    if ended:
        return request.replace(body=start), ""
    return request.replace(body=_join_stream(start, request.body)), _too_long()


async def _begin(body: AsyncIterator[bytes]) -> tuple[bytes, bool]:
    """A little more than may be shown, at most, and whether that is all."""
    pieces: list[bytes] = []
    size = 0
    while size <= limits.HOOK_BODY:
        try:
            piece = await anext(body)
        except StopAsyncIteration:
            return b"".join(pieces), True
        size += len(piece)
        pieces.append(piece)
    return b"".join(pieces), False


async def _join_stream(start: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield start
    async for piece in pieces:
        yield piece


def _too_long() -> str:
    return f"a body of more than {limits.HOOK_BODY} bytes"


def _read(request: Request) -> tuple[Request, dict[str, Any]]:
    """The request with its body as it is shown, and how: JSON as itself, text as a string, anything else in base64."""
    data = request.body
    assert isinstance(data, bytes)  # noqa: S101
    if not data:
        return request, {}
    if request.header(b"content-type").decode("latin-1").partition(";")[0].strip().lower() == _FORM:
        raise ApiError(400, f"a body of {_FORM} hides arguments: give them in the URL")
    if _FILES.match(request.path) or data.lstrip()[:1] not in (b"{", b"["):
        return request, _text(data)
    try:
        value = request_json.read_call(data)
    except request_json.BadJson as error:
        raise ApiError(400, f"the request's body begins like JSON and is not valid JSON: {error}") from error
    if value and _START.match(request.path):
        raise ApiError(400, "starting a container takes no body (it did before API 1.24): configure it at its create")
    if request.path == "/containers/create" and isinstance(value, dict):
        value = nested_host_config(value)
    return request.replace(body=request_json.write(value)), {"body": value}


def nested_host_config(body: dict[str, Any]) -> dict[str, Any]:
    """A create's body with the host's settings where they belong: engines before 23 take them beside HostConfig too."""
    beside = {name: value for name, value in body.items() if name in HOST_FIELDS and value is not None}
    if not beside:
        return body
    kept = {name: value for name, value in body.items() if name not in HOST_FIELDS}
    return {**kept, "HostConfig": {**beside, **(body.get("HostConfig") or {})}}


def _text(data: bytes) -> dict[str, Any]:
    try:
        return {"body": data.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def show_reply(reply: Reply, data: bytes) -> dict[str, Any]:
    """An engine's answer as it is shown."""
    try:
        body: dict[str, Any] = {"body": json.loads(data)} if data else {}
    except (ValueError, RecursionError):
        body = _text(data)
    return {"status": reply.status, "headers": header_texts(reply.headers), **body}


async def begin_reply(reply: Reply) -> bytes | None:
    """The body of an answer if it may be shown; None if it is too long, a stream that goes on, or a raw connection."""
    if isinstance(reply.body, bytes):
        return reply.body if len(reply.body) <= limits.HOOK_BODY else None
    if not isinstance(reply.body, AsyncIterator):
        return None
    if (length(reply.headers) or 0) > limits.HOOK_BODY:
        return None
    try:
        async with asyncio.timeout(limits.HOOK_SECONDS):
            start, ended = await _begin(reply.body)
    except TimeoutError:
        return None
    return start if ended else None


class Decision(NamedTuple):
    """What the program decided: an answer, or the request that goes on and whether it wants to see the reply."""

    answer: Reply | None
    request: Request
    wants_reply: bool = False
    unseen_passes: bool = False


def parse_answer(answer: dict[str, Any], shown: ShownRequest) -> Decision:
    """What an answer to a question means.

    Raises ApiError(502) if that is not clear, ApiError(413) for what it did not see.
    """
    unknown = sorted(set(answer) - _ANSWERS)
    if unknown:
        raise _unclear(f"there is no field {unknown[0]!r} in an answer")
    if "status" in answer:
        return Decision(_answer(answer), shown.request)
    if set(answer) & {"message", "body", "base64", "headers"}:
        raise _unclear("an answer has a status; a request that is changed is under request")
    request = _apply_change(shown.request, answer.get("request"))
    replaced = isinstance(answer.get("request"), dict) and bool(set(answer["request"]) & {"body", "base64"})
    if answer.get("unseen", "refuse") not in UNSEEN:
        raise _unclear(f"unseen is {answer['unseen']!r}, neither refuse nor pass")
    if shown.unseen and not replaced and answer.get("unseen") != "pass":
        raise ApiError(413, f"the filter of this endpoint cannot see {shown.unseen}, and lets nothing unseen pass")
    wants = answer.get("reply", False)
    if not isinstance(wants, bool):
        raise _unclear("reply is neither true nor false")
    return Decision(None, request, wants, answer.get("unseen") == "pass")


def parse_reply_answer(answer: dict[str, Any], reply: Reply) -> Reply:
    """The reply that goes up after the program has seen it.

    Raises ApiError(502) if what the program says is not clear.
    """
    unknown = sorted(set(answer) - _ANSWERS)
    if unknown:
        raise _unclear(f"there is no field {unknown[0]!r} in an answer")
    if "request" in answer:
        raise _unclear("a request cannot be changed when its reply is there")
    return _answer(answer) if "status" in answer else reply


def _unclear(reason: str) -> ApiError:
    return ApiError(502, f"the filter of this endpoint gave no clear answer: {reason}")


def _apply_change(request: Request, change: Any) -> Request:
    if change is None:
        return request
    if not isinstance(change, dict) or set(change) - _CHANGES:
        raise _unclear("request is an object with method, target, headers, body or base64")
    if "method" in change:
        request = request.replace(method=_token(change["method"]))
    if "target" in change:
        request = request.replace(target=_target(change["target"]))
    if "headers" in change:
        request = request.replace(headers=_pairs(change["headers"]))
    if "body" in change or "base64" in change:
        request = request.replace(body=_bytes(change))
    return request


def _token(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Z]{1,20}", value):
        raise _unclear(f"{str(value)[:40]!r} is not a method")
    return value


def _target(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"/[!-~]*", value):
        raise _unclear(f"{str(value)[:40]!r} is not a target; write it as {build('1.43', '/containers/a b/json')}")
    return value


def _answer(answer: dict[str, Any]) -> Reply:
    status = answer["status"]
    if isinstance(status, bool) or not isinstance(status, int) or not 200 <= status <= 599:
        raise _unclear(f"the status {str(status)[:40]!r} is none from 200 to 599")
    if "message" in answer:
        return Reply.error(status, str(answer["message"]))
    headers = _pairs(answer["headers"]) if "headers" in answer else [JSON]
    return Reply(status, headers, _bytes(answer))


def header_texts(headers: Headers) -> dict[str, str]:
    """Headers as the program gets them: an object of texts, repeated ones joined by commas."""
    found: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _pairs(headers: Any) -> list[tuple[bytes, bytes]]:
    if not isinstance(headers, dict):
        raise _unclear("headers is an object of texts")
    try:
        return [(str(name).lower().encode("latin-1"), str(value).encode("latin-1")) for name, value in headers.items()]
    except UnicodeEncodeError:
        raise _unclear("a header has characters that headers cannot have") from None


def _bytes(answer: dict[str, Any]) -> bytes:
    if "base64" in answer:
        try:
            return base64.b64decode(str(answer["base64"]), validate=True)
        except (binascii.Error, ValueError):
            raise _unclear("base64 is not valid") from None
    body = answer.get("body", b"")
    if isinstance(body, bytes):
        return body
    return body.encode("utf-8", "replace") if isinstance(body, str) else json.dumps(body).encode()
