"""The token service: a backend of a pipeline that answers the token protocol from a registry.

    POST   /v1/clusters                  a new token, plain text
    POST   /v1/clusters/T?ttl=SECONDS    body ip:port, raw or a JSON string: registered for that long
    GET    /v1/clusters/T                200, a JSON array of ip:port; 404 for an unknown token
    DELETE /v1/clusters/T?address=...    ours: taken out before its time

The same without /v1, for `token://host:port/T`. A manager whose token is in a registry of its own serves it too, behind
its TLS: there ttl=0 means "until taken out", for nodes that are registered by somebody else and have no heartbeat.
"""

from __future__ import annotations

import asyncio
import json

from machine.swarm import limits
from machine.swarm.discovery.fetch import DiscoveryError
from machine.swarm.discovery.registry import Full, Registry, TooMany, UnknownToken
from machine.swarm.http.admission import counted_as
from machine.swarm.pipeline import ApiError, Backend, CallNext, Reply, Request

_STATUS: dict[type, int] = {UnknownToken: 404, TooMany: 429, Full: 507}
TEXT = (b"content-type", b"text/plain; charset=utf-8")
LARGEST = limits.TOKEN_BODY
DEFAULT_TTL = 180  # seconds, for a registration that names none


def registrar(registry: Registry) -> Backend:
    """The service in front of something else, for members that are trusted: passes on what is not about clusters."""
    own = service(registry, shortest=0)

    async def answer(request: Request, call_next: CallNext) -> Reply:
        return await (own(request, call_next) if request.path.startswith("/v1/clusters/") else call_next(request))

    return answer


def service(registry: Registry, *, shortest: int = 1) -> Backend:
    """The service over one registry; `shortest` is the least ttl that is taken."""

    async def answer(request: Request, call_next: CallNext) -> Reply:  # noqa: ARG001 (nothing is passed on)
        words = [word for word in request.path.split("/") if word]
        if words[:1] == ["v1"]:
            words = words[1:]
        if words == [] and request.method in ("GET", "HEAD"):
            return Reply(200, (TEXT,), b"token discovery\n")
        if words[:1] != ["clusters"] or len(words) > 2:
            return Reply.error(404, "there is nothing here; the protocol is POST /v1/clusters")
        try:
            return await _act(registry, request, words[1] if len(words) == 2 else "", shortest)
        except DiscoveryError as error:
            return Reply.error(_STATUS.get(type(error), 400), str(error))

    return answer


async def _act(registry: Registry, request: Request, token: str, shortest: int) -> Reply:
    request = await request.with_body_read(LARGEST)
    if len(request.body) > LARGEST:  # type: ignore[arg-type]  # bytes by now
        raise ApiError(413, f"a body of more than {LARGEST} bytes is not accepted here")
    if request.method == "POST" and not token:
        maker = counted_as(request.client)
        return Reply(200, (TEXT,), (await asyncio.to_thread(registry.create, maker)).encode())
    if request.method == "GET" and token:
        return Reply.json(await asyncio.to_thread(registry.nodes, token))
    if request.method == "POST":
        text = request.body.decode("utf-8", "replace") if isinstance(request.body, bytes) else ""
        await asyncio.to_thread(registry.register, token, _plain(text), _ttl(request, shortest))
        return Reply(200, (TEXT,), b"")
    if request.method == "DELETE" and token:
        await asyncio.to_thread(registry.nodes, token)  # raises UnknownToken
        await asyncio.to_thread(registry.remove, token, request.query_value("address"))
        return Reply(200, (TEXT,), b"")
    return Reply.error(405, f"{request.method} is not for this path")


def _plain(text: str) -> str:
    """`text`, or what it says as a JSON string."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, str) else text


def _ttl(request: Request, shortest: int) -> int:
    text = request.query_value("ttl", str(DEFAULT_TTL))
    if not text.isascii() or not text.isdecimal() or int(text[:10]) < shortest:
        raise ApiError(400, f"ttl={text[:20]} is not a number of seconds")
    return int(text[:10])
