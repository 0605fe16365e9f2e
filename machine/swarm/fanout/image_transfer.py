"""What brings an image to several engines: pull, load and import, with the progress of all as one.

The progress has lines of each engine, their id the engine's name, as in classic Swarm; what one engine says at the
end (`Status: ...`, `Loaded image: ...`, the id of an import) comes once, for that is what clients look for. An import
has an id of its own on each engine, for the time is in it; a copy of one engine's would have to be taken on its word by
all others.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Generic, NamedTuple

from machine.swarm import events
from machine.swarm.api.responses import one_line
from machine.swarm.fanout.broadcast import E
from machine.swarm.fanout.tee import Tee
from machine.swarm.pipeline import JSON, ApiError, Body, Reply, Request
from machine.swarm.printable import printable_line

LOADED = "Loaded image"  # how engines begin the line that names what was loaded
_LAST_WORDS = ("Digest: ", "Status: ", "sha256:")  # of a pull, and the id that an import ends with
_QUEUED = 16  # lines between the engines and the client, each of at most limits.EVENT_ONE bytes

Line = dict[str, Any]


async def transfer_image(
    engines: Sequence[E],
    request: Request,
    *,
    details: bool,
    after_each: Callable[[E], Awaitable[None]],
    finish: Callable[[Sequence[E], Sequence[Line]], None],
) -> Reply:
    """Answer POST /images/create or /images/load for all engines, of which there is one at least.

    With `details` the lines of each engine are passed on, its name before their ids. `after_each` is awaited for each
    engine that is done; `finish` gets the engines on which it went well, before the last lines, and the lines of one.
    Raises ApiError with the engines' own words if none of them begins.
    """
    transfer = ImageTransfer(engines, request, details=details, after_each=after_each)
    if await transfer.begun():
        return Reply(200, (JSON,), transfer.progress(finish))
    raise await transfer.refusal()


def image_tag(request: Request) -> str:
    """Return the tag that a pull or an import gives, "" for a load, and for an import without one."""
    tag, image = request.query_value("tag"), request.query_value("fromImage") or request.query_value("repo")
    separator = "@" if tag.startswith("sha256:") and request.query_value("fromImage") else ":"
    return f"{image}{separator}{tag}" if tag else image


def loaded_images(lines: Sequence[Line]) -> list[str]:
    """Return the images that an engine says it has loaded."""
    streams = [str(line.get("stream") or "") for line in lines]
    return [text.removeprefix(f"{LOADED}: ").strip() for text in streams if text.startswith(f"{LOADED}: ")]


class Outcome(NamedTuple):
    """What came of it on one engine: "" or why it failed, the status of a refusal, and the lines that clients want."""

    failure: str = ""
    status: int = 0
    lines: Sequence[Line] = ()


class ImageTransfer(Generic[E]):
    """One call made to several engines at once, its body given to each."""

    def __init__(
        self, engines: Sequence[E], request: Request, *, details: bool, after_each: Callable[[E], Awaitable[None]]
    ) -> None:
        self._engines = engines
        self._request = request
        self._details = details
        self._after_each = after_each
        self._doing, self._done = _progress_words(request)
        imports = request.path == "/images/create" and not request.query_value("fromImage")
        self._quiet = imports or request.flag("quiet")  # an engine says what it made or loaded, which scripts read
        self._queue: asyncio.Queue[Line | E] = asyncio.Queue(_QUEUED + len(engines))
        self._accepted = asyncio.Event()
        self._outcomes: dict[E, Outcome] = {}
        bodiless = request.body == b""
        self._tee = Tee(request.body, len(engines))
        self._tasks: list[asyncio.Future[None]] = [
            asyncio.ensure_future(self._ask(n, e, b"" if bodiless else self._tee.readers[n]))
            for n, e in enumerate(engines)
        ]
        self._all = asyncio.gather(*self._tasks, return_exceptions=True)
        if not bodiless:
            self._tasks.append(asyncio.ensure_future(self._tee.run()))

    async def _ask(self, number: int, engine: E, body: Body) -> None:
        try:
            outcome = await self._read(engine, await engine.ask(self._request.replace(body=body)))
            await self._after_each(engine)
        except ApiError as error:
            outcome = Outcome(error.message, error.status)
        except Exception as error:  # of one engine, or of who sends the body: no reason to wait for it for ever
            outcome = Outcome(one_line(f"it could not be done: {error!r}"), 502)
        finally:
            self._tee.drop_reader(number)
        self._outcomes[engine] = outcome
        await self._queue.put(engine)

    async def _read(self, engine: E, reply: Reply) -> Outcome:
        """Read an engine's progress to its end. Raises ApiError for an error answer."""
        if not reply.ok:
            await reply.json_body()
        self._accepted.set()
        failure = ""
        shown_lines: list[Line] = []
        async for entry in lines_of(reply):
            line = {key: printable_line(value) if isinstance(value, str) else value for key, value in entry.items()}
            failure = str(line.get("error") or "") or failure
            if str(line.get("stream") or "").startswith(LOADED) or str(line.get("status")).startswith(_LAST_WORDS):
                shown_lines.append(line)
            elif self._details and "error" not in line:
                named = f"{engine.name}: {line['id']}" if line.get("id") else engine.name
                await self._queue.put({**line, "id": named})
        return Outcome(failure, 500 if failure else 0, shown_lines)

    async def begun(self) -> bool:
        """Wait until one engine has taken the call, or all have refused it."""
        accepted = asyncio.ensure_future(self._accepted.wait())
        try:
            await asyncio.wait((accepted, self._all), return_when=asyncio.FIRST_COMPLETED)
        except BaseException:
            await self._end()
            raise
        finally:
            accepted.cancel()
        return self._accepted.is_set()

    async def refusal(self) -> ApiError:
        """Return why no engine has taken it, in the words and with the status of the first."""
        await self._end()
        first = next(iter(self._outcomes.values()), Outcome("no engine has answered", 502))
        return ApiError(first.status or 500, self._failures() or first.failure)

    def _failures(self) -> str:
        """Why it failed: each engine's reason, or the one that all have."""
        reasons = dict.fromkeys(outcome.failure for outcome in self._outcomes.values())
        if len(reasons) <= 1:
            return "".join(reasons)
        return "; ".join(f"{engine.name}: {o.failure}" for engine, o in self._outcomes.items() if o.failure)

    def _line(self, engine: E) -> bytes:
        outcome = self._outcomes[engine].failure or self._done
        return events.encode({"id": engine.name, "status": f"{self._doing} : {outcome}"})

    async def progress(self, finish: Callable[[Sequence[E], Sequence[Line]], None]) -> AsyncIterator[bytes]:
        """Yield the lines of the answer: a start and an outcome for each engine."""
        try:
            for engine in () if self._quiet else self._engines:
                yield events.encode({"id": engine.name, "status": self._doing})
            ended = 0
            while ended < len(self._engines):
                item = await self._queue.get()
                if isinstance(item, dict):
                    yield events.encode(item)
                    continue
                ended += 1
                if not self._quiet:
                    yield self._line(item)
            good = [engine for engine in self._engines if not self._outcomes[engine].failure]
            for engine in self._engines if self._quiet and good else ():
                if engine not in good:
                    yield self._line(engine)
            last = self._outcomes[good[0]].lines if good else ()
            finish(good, last)
            for line in last:
                yield events.encode(line)
            if not good:
                failures = self._failures()
                yield events.encode({"errorDetail": {"message": failures}, "error": failures})
        finally:
            await self._end()

    async def _end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, self._all, return_exceptions=True)


def _progress_words(request: Request) -> tuple[str, str]:
    """How the line of an engine says what it does, and that it has done it."""
    if request.query_value("fromImage"):
        return f"Pulling {image_tag(request)}...", "downloaded"
    return ("Importing image...", "imported") if request.path == "/images/create" else ("Loading image...", "loaded")


async def lines_of(reply: Reply) -> AsyncIterator[Line]:
    """The objects of a progress; what is none is left out. The reply is closed at the end."""
    lines = events.JsonStream()
    try:
        async for piece in pieces_of(reply):
            try:
                found = lines.feed(piece)
            except ValueError:
                lines = events.JsonStream()
                continue
            for line in found:
                yield line
    finally:
        await reply.close()


async def pieces_of(reply: Reply) -> AsyncIterator[bytes]:
    """The bytes of an answer as they come, and the end of a line after the last."""
    if isinstance(reply.body, bytes):
        yield reply.body + b"\n"
    elif isinstance(reply.body, AsyncIterator):
        async for piece in reply.body:
            yield piece
        yield b"\n"  # the last line may come without an end
