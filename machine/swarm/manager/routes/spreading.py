"""What brings an image to every engine: pull, load and import.

The progress has a line per engine, its id the engine's name; what one engine says at the end (`Status: ...`,
`Loaded image: ...`, the id of an import) comes once, for that is what clients look for. An import has an id of its own
on each engine, for the time is in it; a copy of one engine's would have to be taken on its word by all others.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from machine.swarm.cluster import Engine, events
from machine.swarm.cluster.images import changed_tags
from machine.swarm.manager.routes.context import ManagerContext
from machine.swarm.manager.routes.table import TABLE
from machine.swarm.manager.routes.tee import Tee
from machine.swarm.pipeline import JSON, Body, Refused, Reply, Request
from machine.swarm.printable import printable_line

LOADED = "Loaded image"  # how engines begin the line that names what was loaded
_LAST_WORDS = ("Digest: ", "Status: ", "sha256:")  # of a pull, and the id that an import ends with


@TABLE.at("POST", "/images/create", "/images/load")
async def spread(context: ManagerContext, request: Request, name: str) -> Reply:  # noqa: ARG001
    """Pull, import or load on every engine. Refused with the engines' own status when none of them begins."""
    engines = context.cluster.healthy()
    if not engines:
        raise Refused(503, "No healthy node available in the cluster")
    image = request.arg("fromImage")
    if image and request.arg("tag"):
        image += ("@" if request.arg("tag").startswith("sha256:") else ":") + request.arg("tag")
    tags = [image]
    quiet = request.flag("quiet")  # then an engine says nothing but what it loaded, and scripts read just that
    doing, done = (f"Pulling {image}...", "downloaded") if image else ("Loading image...", "loaded")
    if request.path == "/images/create" and not image:
        doing, done, quiet = "Importing image...", "imported", True
        tags = [request.arg("repo") + (f":{request.arg('tag')}" if request.arg("tag") else "")]
    spreading = Spreading(context, engines, request, doing, done, quiet=quiet)
    if not await spreading.begun():
        return await spreading.refusal()
    return Reply(200, (JSON,), spreading.progress(tags))


class Outcome(NamedTuple):
    """What came of it on one engine: "" or why it failed, the status of a refusal, and the lines that clients want."""

    failure: str = ""
    status: int = 0
    lines: Sequence[dict[str, Any]] = ()


class Spreading:
    """One call made to several engines at once, its body given to each."""

    def __init__(
        self, context: ManagerContext, engines: list[Engine], request: Request, doing: str, done: str, *, quiet: bool
    ) -> None:
        """`doing` and `done` word the line of each engine; with `quiet` only those that failed have one."""
        self._context = context
        self._quiet = quiet
        self._engines = engines
        self._request = request
        self._doing, self._done = doing, done
        self._before = {engine: dict(engine.image_table.tags) for engine in engines}
        self._ends: asyncio.Queue[tuple[Engine, Outcome]] = asyncio.Queue()
        self._accepted = asyncio.Event()
        self._outcomes: dict[Engine, Outcome] = {}
        bodiless = request.body == b""
        self._tee = Tee(request.body, len(engines))
        self._tasks: list[asyncio.Future[None]] = [
            asyncio.ensure_future(self._ask(n, e, b"" if bodiless else self._tee.readers[n]))
            for n, e in enumerate(engines)
        ]
        self._all = asyncio.gather(*self._tasks, return_exceptions=True)
        if not bodiless:
            self._tasks.append(asyncio.ensure_future(self._tee.run()))

    async def _ask(self, number: int, engine: Engine, body: Body) -> None:
        try:
            reply = await engine.ask(self._request.replace(body=body))
            if reply.ok:
                self._accepted.set()
            outcome = await read(reply)
            with suppress(Refused):
                await engine.refresh_kinds("image")
        except Refused as error:
            outcome = Outcome(error.message, error.status)
        finally:
            self._tee.leave(number)
        self._outcomes[engine] = outcome
        await self._ends.put((engine, outcome))

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

    async def refusal(self) -> Reply:
        """Why no engine has taken it, in the words and with the status of the first."""
        await self._end()
        first = next(iter(self._outcomes.values()), Outcome("no engine has answered", 502))
        return Reply.error(first.status or 500, self._failures() or first.failure)

    def _failures(self) -> str:
        """Why it failed: each engine's reason, or the one that all have."""
        reasons = dict.fromkeys(outcome.failure for outcome in self._outcomes.values())
        if len(reasons) <= 1:
            return "".join(reasons)
        return "; ".join(f"{engine.name}: {o.failure}" for engine, o in self._outcomes.items() if o.failure)

    def _line(self, engine: Engine, outcome: Outcome) -> bytes:
        return events.encode({"id": engine.name, "status": f"{self._doing} : {outcome.failure or self._done}"})

    async def progress(self, tags: Sequence[str]) -> AsyncIterator[bytes]:
        """The answer's lines; afterwards the tags that were brought mean what they mean on these engines."""
        try:
            for engine in () if self._quiet else self._engines:
                yield events.encode({"id": engine.name, "status": self._doing})
            for _ in self._engines:
                engine, outcome = await self._ends.get()
                if not self._quiet:
                    yield self._line(engine, outcome)
            good = [engine for engine in self._engines if not self._outcomes[engine].failure]
            for engine, outcome in self._outcomes.items() if self._quiet and good else ():
                if outcome.failure:
                    yield self._line(engine, outcome)
            self._note(good, tags)
            for line in self._outcomes[good[0]].lines if good else ():
                yield events.encode(line)
            if not good:
                failures = self._failures()
                yield events.encode({"errorDetail": {"message": failures}, "error": failures})
        finally:
            await self._end()

    def _note(self, good: list[Engine], tags: Sequence[str]) -> None:
        changed = [tag for e in good for tag in changed_tags(self._before[e], e.image_table.tags)]
        streams = [str(line.get("stream") or "") for e in good[:1] for line in self._outcomes[e].lines]
        loaded = [text.removeprefix(LOADED + ": ").strip() for text in streams if text.startswith(LOADED + ": ")]
        self._context.images.note(good, [*changed, *loaded, *tags])

    async def _end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, self._all, return_exceptions=True)


async def read(reply: Reply) -> Outcome:
    """Read an engine's progress to its end."""
    if not reply.ok:
        try:
            await reply.value()
        except Refused as error:
            return Outcome(error.message, reply.status)
    failure = ""
    wanted: list[dict[str, Any]] = []
    async for told in lines_of(reply):
        line = {key: printable_line(value) if isinstance(value, str) else value for key, value in told.items()}
        failure = str(line.get("error") or "") or failure
        if str(line.get("stream") or "").startswith(LOADED) or str(line.get("status") or "").startswith(_LAST_WORDS):
            wanted.append(line)
    return Outcome(failure, 500 if failure else 0, wanted)


async def lines_of(reply: Reply) -> AsyncIterator[dict[str, Any]]:
    """The objects of a progress; what is none is left out."""
    lines = events.Lines()
    async for piece in _pieces(reply):
        try:
            found = lines.feed(piece)
        except ValueError:
            lines = events.Lines()
            continue
        for line in found:
            yield line


async def _pieces(reply: Reply) -> AsyncIterator[bytes]:
    if isinstance(reply.body, bytes):
        yield reply.body + b"\n"
    elif isinstance(reply.body, AsyncIterator):
        async for piece in reply.body:
            yield piece
        yield b"\n"  # the last line may come without an end
