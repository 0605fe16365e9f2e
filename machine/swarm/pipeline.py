"""The pipeline: a Docker API request goes down a row of backends, the answer comes back up.

    async def backend(request: Request, call_next: CallNext) -> Reply

A backend answers by itself, or asks the rest of the pipeline with `await call_next(request)` and may change what goes
down and what comes up. The server (machine.swarm.http.server) is the only one who reads requests off a wire; the client
(machine.swarm.http.client) the only one who writes them on another. Nothing here knows a socket.

A request or an answer is streamed when its body is an async iterator; whoever takes such an answer and does not pass
it on has to `await reply.close()`.

The API: https://docs.docker.com/reference/api/engine/ .
"""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Union

from machine.swarm import limits
from machine.swarm.parsing import booleans, request_json, routes
from machine.swarm.parsing import target as targets
from machine.swarm.parsing.routes import Route

Headers = Sequence["tuple[bytes, bytes]"]  # names in lower case, as h11 gives them
READ_LIMIT = limits.BODY_WHOLE
JSON = (b"content-type", b"application/json")


class ApiError(Exception):
    """An error as the answer: raised anywhere in a pipeline, sent to the client as {"message": ...}.

    `status` is the HTTP status; 502 an engine that cannot be reached, 504 one that does not answer in time.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Unreachable(ApiError):
    """An engine could not be reached or dropped the connection: it is not the call that is wrong.

    `sent` = it may have got the call, and done what it says.
    """

    sent = True


class NotConnected(Unreachable):
    """There was no connection, so the engine has heard nothing of the call."""

    sent = False


class Hijack(ABC):
    """A connection that has stopped being HTTP: raw bytes both ways (attach, exec, websockets, BuildKit's session)."""

    @abstractmethod
    async def read(self, limit: int = 65536) -> bytes:
        """Up to `limit` bytes as soon as there are any; b"" when the other side has ended its half.

        Raises ConnectionError if the connection broke.
        """

    @abstractmethod
    async def write(self, data: bytes) -> None:
        """Send, waiting while the other side is slow. Raises ConnectionError if it is gone."""

    @abstractmethod
    async def end(self) -> None:
        """End our half; the other side reads the end and may go on sending."""

    @abstractmethod
    def close(self) -> None:
        """End both halves once what was written is out."""


Body = Union[bytes, "AsyncIterator[bytes]"]  # the whole, or a stream that can be read once


class Request:
    """One API call. Frozen: change it with `replace`. A body that is an iterator can be read once."""

    __slots__ = ("_parts", "_route", "body", "client", "headers", "method", "target")

    method: str  # "GET"
    target: str  # as on the request line: "/v1.43/containers/json?all=1"
    headers: Headers
    body: Body
    client: str  # the client's IP address; "" for a unix socket, and for calls that are made here
    _parts: targets.Target | None
    _route: tuple[Route | None, str] | None

    def __init__(self, method: str, target: str, headers: Headers = (), body: Body = b"", client: str = "") -> None:
        put = object.__setattr__
        put(self, "method", method)
        put(self, "target", target)
        put(self, "headers", headers)
        put(self, "body", body)
        put(self, "client", client)
        put(self, "_parts", None)
        put(self, "_route", None)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Request is not changed, it is replaced: replace({name}=...)")

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.target}>"

    @classmethod
    def json(cls, method: str, target: str, value: Any) -> Request:
        """A request whose body is `value` as JSON."""
        return cls(method, target, (JSON,), json.dumps(value).encode())

    @classmethod
    def for_path(
        cls, method: str, path: str, query: Mapping[str, Iterable[str]] | None = None, version: str = ""
    ) -> Request:
        """A request to a path (decoded), with arguments, in an API version."""
        return cls(method, "/")._with_target(targets.from_parts(version, path, query or {}))

    def replace(self, **changes: Any) -> Request:
        """This request with other method, target, headers or body."""
        mine = {"method": self.method, "target": self.target, "headers": self.headers, "body": self.body}
        request = Request(**{**mine, "client": self.client, **changes})
        if "target" not in changes:
            object.__setattr__(request, "_parts", self._parts)
        return request

    @property
    def parts(self) -> targets.Target:
        """The target taken apart: version, path, query."""
        parts = self._parts
        if parts is None:
            parts = targets.parse(self.target)
            object.__setattr__(self, "_parts", parts)
        return parts

    @property
    def route(self) -> Route | None:
        """The route of the API, None for one that it does not have."""
        found = self._route
        return (found if found is not None else self._found_route())[0]

    @property
    def name(self) -> str:
        """What {name} stands for in the path of its route; "" in a route without it."""
        return self._found_route()[1]

    def _found_route(self) -> tuple[Route | None, str]:
        found = self._route
        if found is None:
            found = routes.find(self.method, self.path)
            object.__setattr__(self, "_route", found)
        return found

    @property
    def verb(self) -> str:
        """What follows {name} in the path of its route, "json" or "attach/ws"; "" if nothing does."""
        route = self.route
        return route.after[1:] if route else ""

    @property
    def path(self) -> str:
        """The path without the version, percent-decoded: "/containers/web/json"."""
        return self.parts.path

    @property
    def version(self) -> str:
        """The API version asked for, "1.43"; "" if none."""
        return self.parts.version

    @property
    def query(self) -> Mapping[str, list[str]]:
        """Every argument with its values."""
        return self.parts.query

    def query_value(self, name: str, default: str = "") -> str:
        """The first value of an argument."""
        return self.query.get(name, [default])[0]

    def flag(self, name: str) -> bool:
        """Whether an argument is given and true, as the engine reads booleans."""
        return booleans.argument(self.query_value(name))

    def filters(self) -> dict[str, list[str]]:
        """The argument `filters`, in either of its forms ({"a": ["x"]} or {"a": {"x": true}}).

        Raises ApiError(400) if it is neither.
        """
        return targets.filters(self.query_value("filters"), ApiError)

    def with_path(self, path: str, query: Mapping[str, Iterable[str]] | None = None) -> Request:
        """The same call on another path (decoded) and, if given, other arguments; the version stays."""
        parts = self.parts
        if query is None:
            return self._with_target(parts._replace(path=path))
        return self._with_target(targets.from_parts(parts.version, path, query))

    def with_api_version(self, version: str) -> Request:
        """The same call in that API version."""
        return self._with_target(self.parts._replace(version=version))

    def _with_target(self, parts: targets.Target) -> Request:
        """This request at that target, which needs not be taken apart again."""
        target = targets.build(parts.version, parts.path, parts.raw_query)
        request = Request(self.method, target, self.headers, self.body, self.client)
        if parts.path.startswith("/") and (parts.version or not parts.path.startswith("/v")):
            object.__setattr__(request, "_parts", parts)
        return request

    def header(self, name: bytes) -> bytes:
        """The first header of that name (lower case); b"" if there is none."""
        return _header(self.headers, name)

    @property
    def upgrade(self) -> bool:
        """Whether the client asks for a raw connection with `Upgrade`; the older form of attach does not say so."""
        return bool(self.header(b"upgrade")) and b"upgrade" in self.header(b"connection").lower()

    async def with_body_read(self, limit: int = READ_LIMIT) -> Request:
        """This request with its body as bytes; ApiError: 413 if that is more than `limit`, 408 if it is slow."""
        if isinstance(self.body, bytes):
            return self
        try:
            async with asyncio.timeout(limits.BODY_SECONDS):
                return self.replace(body=await _read_all(self.body, limit))
        except TimeoutError:
            raise ApiError(408, f"the body did not come within {limits.BODY_SECONDS:g} s") from None

    def json_body(self) -> Any:
        """The body (bytes by now) as the engine reads it (machine.swarm.parsing.request_json); None if empty.

        Raises ApiError(400) if it is not JSON, is not said to be, or has a field of the wrong kind. What is passed on
        instead of it has to be written from this value, or the engine may read something else.
        """
        if not isinstance(self.body, bytes):
            raise TypeError("the body is a stream: await request.with_body_read() first")
        if not self.body:
            return None
        self._check_content_type()
        try:
            return request_json.read_call(self.body)
        except request_json.WrongKind as error:
            raise ApiError(400, f"the request's body is not what the API takes: {error}") from error
        except request_json.BadJson as error:
            raise ApiError(400, f"the request's body is not JSON: {error}") from error

    def _check_content_type(self) -> None:
        """Raises ApiError(400) as the engine answers: a web page can send a text without asking, JSON it cannot."""
        kind = self.header(b"content-type").decode("latin-1")
        if kind and kind.partition(";")[0].strip().lower() != "application/json":
            raise ApiError(400, f"Content-Type specified ({kind[:80]}) must be 'application/json'")


class Reply:
    """The answer to a request; `body` is bytes, a stream of them, or a Hijack with status 101 (200: the older form)."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int = 200, headers: Headers = (), body: Body | Hijack = b"") -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def __repr__(self) -> str:
        return f"<Reply {self.status}>"

    @classmethod
    def json(cls, value: Any, status: int = 200) -> Reply:
        """`value` as JSON."""
        return cls(status, (JSON,), json.dumps(value, separators=(",", ":")).encode())

    @classmethod
    def error(cls, status: int, message: str) -> Reply:
        """An error as the engine words it: {"message": ...}."""
        return cls.json({"message": message}, status)

    @property
    def ok(self) -> bool:
        """Whether it is an answer and no error."""
        return self.status < 400

    def header(self, name: bytes) -> bytes:
        """The first header of that name (lower case); b"" if there is none."""
        return _header(self.headers, name)

    async def read(self, limit: int = 1 << 30) -> bytes:
        """The whole body. Raises ApiError(502) beyond `limit` bytes. A stream is at its end afterwards."""
        if isinstance(self.body, Hijack):
            raise TypeError("a hijacked connection has no body")
        if not isinstance(self.body, bytes):
            self.body = await _read_all(self.body, limit, 502)
        return self.body

    async def json_body(self) -> Any:
        """The body as JSON, None if empty; an error answer, or one that is not JSON, is raised as ApiError."""
        data = await self.read()
        if not self.ok:
            raise ApiError(self.status, message(data))
        return _parse(data, 502, "the engine's answer is not JSON") if data else None

    async def close(self) -> None:
        """Let go of a body that nobody will read."""
        if isinstance(self.body, Hijack):
            self.body.close()
        elif not isinstance(self.body, bytes):
            finish = getattr(self.body, "aclose", None)
            if finish is not None:
                await finish()


CallNext = Callable[[Request], Awaitable[Reply]]  # gives a request to the rest of the pipeline
Backend = Callable[[Request, CallNext], Awaitable[Reply]]  # answers a request, or asks the rest of the pipeline


def link(backend: Backend, call_next: CallNext) -> CallNext:
    """Join a backend and the rest of its pipeline to one function."""

    async def call(request: Request) -> Reply:
        return await backend(request, call_next)

    return call


def compose(backends: Sequence[Backend], end: CallNext | None = None) -> CallNext:
    """A pipeline as one callable; whatever all backends pass on ends in `end`."""
    call = end or not_implemented
    for backend in reversed(backends):
        call = link(backend, call)
    return call


async def not_implemented(request: Request) -> Reply:
    """The end of a pipeline that has no engine."""
    return Reply.error(501, f"no backend of this pipeline answers {request.method} {request.path}")


def message(data: bytes) -> str:
    """The text of an error answer, which is {"message": ...} or plain."""
    try:
        value = json.loads(data)
    except ValueError:
        value = None
    if isinstance(value, dict) and isinstance(value.get("message"), str):
        return str(value["message"])
    return data.decode("utf-8", "replace").strip() or "no reason given"


def _header(headers: Headers, name: bytes) -> bytes:
    for key, value in headers:
        if key == name:
            return value
    return b""


async def _read_all(body: AsyncIterator[bytes], limit: int, status: int = 413) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for piece in body:
        size += len(piece)
        if size > limit:
            raise ApiError(status, f"a body of more than {limit} bytes is not accepted here")
        pieces.append(piece)
    return b"".join(pieces)


def _parse(data: bytes, status: int, brief: str) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ApiError(status, f"{brief}: {error}") from error
