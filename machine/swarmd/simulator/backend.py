"""simulator [--name NAME] [CONTAINER...]: a simulated engine in memory, with these containers running."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

from machine.swarm.pipeline import JSON, Backend, CallNext, Reply, Request
from machine.swarmd.backends.flags import read
from machine.swarmd.backends.registry import BackendContext
from machine.swarmd.simulator import SimulatedEngine

_HEADERS = ((b"api-version", b"1.51"), (b"ostype", b"linux"), (b"server", b"Docker/29.0.0 (simulated)"))


@contextlib.asynccontextmanager
async def simulator(args: Sequence[str], _: BackendContext) -> AsyncIterator[Backend]:
    """An engine that lives as long as the pipeline does."""
    flags, container_names = read("simulator", args, {"--name": True})
    ask = as_pipeline_end(SimulatedEngine(flags.get("--name") or "simulator", container_names=tuple(container_names)))

    async def backend(request: Request, _: CallNext) -> Reply:
        return await ask(request)

    yield backend


def as_pipeline_end(engine: SimulatedEngine) -> CallNext:
    """A simulated engine as the end of a pipeline."""

    async def ask(request: Request) -> Reply:
        request = await request.with_body_read()
        assert isinstance(request.body, bytes)  # noqa: S101
        response = engine.answer(request.method, request.target, request.body)
        if response.events:
            return Reply(200, (*_HEADERS, JSON), _events(engine))
        if response.until:
            return Reply(200, (*_HEADERS, JSON), _exit(engine, response.until))
        kind = JSON if response.body[:1] in b"[{" else (b"content-type", b"text/plain; charset=utf-8")
        return Reply(response.status, (*_HEADERS, kind), response.body)

    return ask


async def _events(engine: SimulatedEngine) -> AsyncIterator[bytes]:
    queue: asyncio.Queue[bytes] = asyncio.Queue()
    engine.listeners.add(queue.put_nowait)
    try:
        while True:
            yield await queue.get()
    finally:
        engine.listeners.discard(queue.put_nowait)


async def _exit(engine: SimulatedEngine, identity: str) -> AsyncIterator[bytes]:
    code: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    engine.when_ended(identity, lambda value: None if code.done() else code.set_result(value))
    yield b'{"StatusCode":%d}\n' % await code
