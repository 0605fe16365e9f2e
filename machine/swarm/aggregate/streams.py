"""Streams of several engines as one, and one stream for several engines; each with back-pressure."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from typing import Any, NamedTuple

from machine.swarm import limits
from machine.swarm.aggregate.members import Member
from machine.swarm.api import bounded_json
from machine.swarm.api.responses import one_line
from machine.swarm.cluster.events import CLUSTER_EVENT, check, normalize, subjects
from machine.swarm.http.line_buffer import LineBuffer
from machine.swarm.merge.events import mark_event
from machine.swarm.pipeline import Body, Refused, Request, Unreachable
from machine.swarm.printable import printable, printable_line

_QUEUED = 16  # lines or chunks between the engines and the client, each of at most limits.EVENT_ONE bytes
_IMAGE_ID = re.compile(r"sha256:[0-9a-f]{64}\Z")
_RETRY = (1.0, 10.0)  # seconds before a lost stream of events is asked for again: first, at most


async def lines(body: Body) -> AsyncIterator[bytes]:
    """A body line by line, without empty ones."""
    if isinstance(body, bytes):
        rest = body
    else:
        buffer = LineBuffer()
        async for data in body:
            whole = buffer.feed(data)
            if len(buffer) > limits.EVENT_ONE:
                raise Unreachable(502, f"a line of more than {limits.EVENT_ONE} bytes")
            for line in whole:
                if line.strip():
                    yield line.strip()
        rest = buffer.take()
    for line in rest.split(b"\n"):
        if line.strip():
            yield line.strip()


async def merged(sources: Sequence[AsyncIterator[bytes]]) -> AsyncGenerator[bytes, None]:
    """What all of them give, as it comes; ends with the last. An error of one is raised."""
    queue: asyncio.Queue[bytes | BaseException | None] = asyncio.Queue(_QUEUED)

    async def carry(source: AsyncIterator[bytes]) -> None:
        try:
            async for data in source:
                await queue.put(data)
        except Exception as error:
            await queue.put(error)
        await queue.put(None)

    tasks = [asyncio.ensure_future(carry(source)) for source in sources]
    open_sources = len(tasks)
    try:
        while open_sources:
            item = await queue.get()
            if item is None:
                open_sources -= 1
            elif isinstance(item, BaseException):
                raise item
            else:
                yield item
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def events(
    member: Member, request: Request, log: Callable[[str], None], is_anothers: Callable[[str, Member], bool]
) -> AsyncIterator[bytes]:
    """One engine's events, marked with its name; asked for again when the engine comes back.

    What it tells of the cluster itself, or of containers that are on other engines as `is_anothers` says, is left out.
    """
    wait = _RETRY[0]
    while True:
        try:
            reply = await member.ask(request)
            try:
                if not reply.ok:
                    await reply.value()
                async for line in lines(reply.body):  # type: ignore[arg-type]
                    wait = _RETRY[0]
                    happened = _parsed_event(line)
                    if happened.get("Type") != CLUSTER_EVENT and not any(
                        is_anothers(key, member) for key in subjects(happened)
                    ):
                        yield json.dumps(mark_event(happened, member.node), separators=(",", ":")).encode() + b"\n"
            finally:
                await reply.close()
            if request.arg("until"):
                return
        except (Refused, ValueError) as error:
            if request.arg("until"):
                return
            log(one_line(f"the events of {member.name} stopped: {error}"))
        await asyncio.sleep(wait)
        wait = min(wait * 2, _RETRY[1])


def _parsed_event(line: bytes) -> dict[str, Any]:
    """One event in Docker's words. ValueError if it is none."""
    happened = bounded_json.read(line, limits.EVENT_VALUES)
    check(happened)
    return normalize(happened)


class Failure(NamedTuple):
    """Why one engine failed: the status of its refusal, or 200 if it failed after it had begun, and its words."""

    status: int
    text: str


async def progress(member: Member, request: Request, failed: list[Failure], told: set[str]) -> AsyncIterator[bytes]:
    """One engine's progress of a pull, a load or an import, its name before each id.

    What a load or an import results in is told as one engine tells it, once: `told` is shared by all engines. An error
    is noted in `failed` and shown as progress.
    """
    name, begun = member.name, False
    try:
        reply = await member.ask(request)
        try:
            if not reply.ok:
                await reply.value()
            begun = True
            async for line in lines(reply.body):  # type: ignore[arg-type]
                entry = _parsed(line)
                if "error" in entry:
                    raise Refused(500, printable(str(entry["error"])))
                shown = {key: printable_line(value) for key, value in entry.items() if isinstance(value, str)}
                result = _result(entry)
                if result:
                    if result not in told:
                        told.add(result)
                        yield _line({**entry, **shown})
                    continue
                shown["id"] = f"{name}: {shown['id']}" if shown.get("id") else name
                yield _line({**entry, **shown})
        finally:
            await reply.close()
    except Refused as error:
        failed.append(Failure(200 if begun else error.status, f"{name}: {error.message}"))
        yield _line({"id": name, "status": f"failed: {error.message}"})
    finally:
        if isinstance(request.body, _Copy):
            await request.body.aclose()


async def broadcast(members: Sequence[Member], requests: Sequence[Request]) -> AsyncIterator[bytes]:
    """The progress of the same work on all, from when one has begun it; fails only if it failed on every one.

    Refused, as one engine refuses before it begins, if all of them refuse; the status is the first one's.
    """
    failed: list[Failure] = []
    pairs = zip(members, requests)  # noqa: B905 (strict= came with Python 3.10)
    told: set[str] = set()
    source = merged([progress(member, request, failed, told) for member, request in pairs])
    shown = []
    async for line in source:
        shown.append(line)
        if len(shown) > len(failed) or len(failed) == len(members):
            break
    if len(failed) == len(members) and all(failure.status != 200 for failure in failed):
        await source.aclose()
        raise Refused(failed[0].status, "; ".join(failure.text for failure in failed))
    return _rest(shown, source, failed, len(members))


async def _rest(
    shown: Sequence[bytes], source: AsyncIterator[bytes], failed: Sequence[Failure], count: int
) -> AsyncIterator[bytes]:
    """What is already there and what comes after it; an error at the end if all `count` engines failed."""
    for line in shown:
        yield line
    async for line in source:
        yield line
    if len(failed) == count:
        text = "; ".join(failure.text for failure in failed)
        yield _line({"error": text, "errorDetail": {"message": text}})


def tee(body: AsyncIterator[bytes], count: int) -> list[AsyncIterator[bytes]]:
    """One stream for `count` readers, as fast as the slowest; a reader that was closed is left out."""
    source = _Source(body)
    source.copies = [_Copy(source) for _ in range(count)]
    return list(source.copies)


class _Source:
    """What is read once and handed to all copies."""

    def __init__(self, body: AsyncIterator[bytes]) -> None:
        self.body = body
        self.copies: list[_Copy] = []
        self.task: asyncio.Future[None] | None = None

    async def feed(self) -> None:
        last: Exception | None = None
        try:
            async for data in self.body:
                for copy in self.copies:
                    await copy.put(data)
                if all(copy.closed for copy in self.copies):
                    return
        except Exception as error:
            last = error
        for copy in self.copies:
            await copy.put(last)


class _Copy:
    """One reader's view of a shared stream. The first that reads starts the feeding."""

    def __init__(self, source: _Source) -> None:
        self.source = source
        self.queue: asyncio.Queue[bytes | Exception | None] = asyncio.Queue(8)
        self.closed = False

    def __aiter__(self) -> _Copy:
        return self

    async def __anext__(self) -> bytes:
        if self.source.task is None:
            self.source.task = asyncio.ensure_future(self.source.feed())
        item = await self.queue.get()
        if item is None:
            raise StopAsyncIteration
        if isinstance(item, Exception):
            raise item
        return item

    async def put(self, item: bytes | Exception | None) -> None:
        if not self.closed:
            await self.queue.put(item)

    async def aclose(self) -> None:
        self.closed = True
        while not self.queue.empty():
            self.queue.get_nowait()  # makes room for a feeder that waits in put
        task = self.source.task
        if task is not None and all(copy.closed for copy in self.source.copies):
            task.cancel()


def _result(entry: dict[str, Any]) -> str:
    """What a line says of the whole call, "" for progress: `Loaded image: x` of a load, the id of an import.

    Each engine makes an id of its own out of the same archive, because the time is in it; the first one is told.
    """
    if isinstance(entry.get("stream"), str):
        return str(entry["stream"])
    return "imported" if _IMAGE_ID.match(str(entry.get("status"))) else ""


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        entry = bounded_json.read(line, limits.EVENT_VALUES)
    except ValueError:
        entry = None
    return (
        entry if isinstance(entry, dict) else {"status": line[: limits.ENGINE_ERROR_LETTERS].decode("utf-8", "replace")}
    )


def _line(entry: dict[str, Any]) -> bytes:
    return json.dumps(entry, separators=(",", ":")).encode() + b"\r\n"
