"""debug: one line on stderr for every call and its answer."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Sequence

from machine.errors import MASK, UsageError, masked
from machine.swarm.pipeline import ApiError, Backend, CallNext, Hijack, Reply, Request
from machine.swarmd.backends.registry import BackendContext

SECRET_ARGUMENTS = ("buildargs", "remote", "outputs", "password", "token", "authconfig")  # hold or may hold secrets


@contextlib.asynccontextmanager
async def debug(args: Sequence[str], context: BackendContext) -> AsyncIterator[Backend]:
    """Shows method, target, status, kind of body and milliseconds; nothing that holds secrets: headers, bodies."""
    if args:
        raise UsageError("debug takes no arguments", details=" ".join(args))

    async def show(request: Request, call_next: CallNext) -> Reply:
        start = time.perf_counter()
        try:
            reply = await call_next(request)
        except ApiError as error:
            context.log(
                f"{request.method} {shown_target(request.target)} -> {error.status} {error.message} {_ms(start)}"
            )
            raise
        context.log(f"{request.method} {shown_target(request.target)} -> {reply.status} {_kind(reply)} {_ms(start)}")
        return reply

    yield show


def shown_target(target: str) -> str:
    """The target without the values of arguments that hold passwords, and without the token of a discovery."""
    path, found, query = target.partition("?")
    shown = []
    for pair in query.split("&") if query else ():
        name, equals, value = pair.partition("=")
        shown.append(f"{name}={MASK}" if equals and name.lower() in SECRET_ARGUMENTS else f"{name}{equals}{value}")
    return masked(path) + found + "&".join(shown)


def _kind(reply: Reply) -> str:
    if isinstance(reply.body, Hijack):
        return "raw"
    return f"{len(reply.body)} bytes" if isinstance(reply.body, bytes) else "stream"


def _ms(start: float) -> str:
    return f"{(time.perf_counter() - start) * 1000:.1f} ms"
