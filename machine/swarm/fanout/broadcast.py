"""One call to many engines: so many at a time, and those that hang are not waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from machine.swarm.api.responses import EngineReply
from machine.swarm.merge.node_info import Answers, NodeInfo
from machine.swarm.merge.values import union
from machine.swarm.pipeline import ApiError, Reply, Request, Unreachable
from machine.swarm.printable import traceback_of

MAX_CONCURRENT = 64  # engines asked at the same time for one call
HANG_CHECK_SECONDS = 0.25  # seconds between two looks at whether those that are still awaited hang


class BroadcastTarget(Protocol):
    """What a call to many engines needs of each of them."""

    @property
    def name(self) -> str:
        """The engine's name in errors and in NODE/NAME."""

    @property
    def node_info(self) -> NodeInfo:
        """What clients see of the engine."""

    @property
    def suspect(self) -> bool:
        """Whether it has let a call wait, or failed, since it last answered a look."""

    async def ask(self, request: Request) -> EngineReply:
        """Pass a call on; its answer is checked. Raises Unreachable if the engine does not answer."""


E = TypeVar("E", bound=BroadcastTarget)
T = TypeVar("T")


async def broadcast(
    engines: Sequence[E], act: Callable[[E], Awaitable[T]], log: Callable[[str], None]
) -> dict[E, T | ApiError]:
    """Call `act` with every engine, MAX_CONCURRENT at a time; return the result of each, or why it refused.

    Engines that hang are not waited for once all others are done: they count as failed. `log` gets the traceback of
    what is no refusal, which is no reason to answer nothing of the other engines.
    """
    limit = asyncio.Semaphore(MAX_CONCURRENT)

    async def act_on(engine: E) -> T | ApiError:
        async with limit:
            try:
                return await act(engine)
            except ApiError as error:
                return error
            except Exception as error:
                log(traceback_of(error))
                return ApiError(502, f"{engine.name}: its answer could not be used")

    if len(engines) == 1:
        return {engines[0]: await act_on(engines[0])}
    tasks = {engine: asyncio.ensure_future(act_on(engine)) for engine in engines}
    try:
        await _wait_for_most(tasks)
    finally:
        for task in tasks.values():
            task.cancel()
    return {engine: _result(engine, task) for engine, task in tasks.items()}


async def _wait_for_most(tasks: Mapping[E, asyncio.Future[Any]]) -> None:
    """Until all are done, or all but engines that are suspect."""
    waiting = {task: engine for engine, task in tasks.items()}
    while waiting:
        done, _ = await asyncio.wait(waiting, timeout=HANG_CHECK_SECONDS, return_when=asyncio.ALL_COMPLETED)
        for task in done:
            del waiting[task]
        if waiting and len(waiting) < len(tasks) and all(engine.suspect for engine in waiting.values()):
            return


def _result(engine: E, task: asyncio.Future[T | ApiError]) -> T | ApiError:
    if task.done() and not task.cancelled():
        return task.result()
    return Unreachable(504, f"{engine.name} does not answer")


def successful(results: Mapping[E, T | ApiError]) -> dict[E, T]:
    """Return what went well.

    When nothing did, raise the first refusal that is an engine's answer, else why none of them answers.
    """
    fine = {engine: result for engine, result in results.items() if not isinstance(result, ApiError)}
    refusals = [result for result in results.values() if isinstance(result, ApiError)]
    if refusals and not fine:
        answers = [refusal for refusal in refusals if not isinstance(refusal, Unreachable)]
        if answers or len(refusals) == 1:
            raise (answers or refusals)[0]
        reasons = "; ".join(refusal.message for refusal in refusals)
        raise Unreachable(refusals[0].status, f"none of the engines answers: {reasons}")
    return fine


async def ask_each(engines: Sequence[E], request: Request, log: Callable[[str], None]) -> dict[E, EngineReply]:
    """Make a call to every engine; return the answers, read, errors too. Raises ApiError if no engine answers."""

    async def ask(engine: E) -> EngineReply:
        reply = await engine.ask(request)
        await reply.read()
        return reply

    return successful(await broadcast(engines, ask, log))


async def engines_with(engines: Sequence[E], path: str, log: Callable[[str], None], seconds: float) -> list[E]:
    """Return the engines that have what is at a path (decoded), as far as they say so within `seconds`."""

    async def ask(engine: E) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await (await engine.ask(Request.for_path("GET", path))).json_body()
        except TimeoutError:
            raise Unreachable(504, f"{engine.name} does not say whether it has {path}") from None
        return True

    return [engine for engine, has in (await broadcast(engines, ask, log)).items() if has is True]


async def merge_removals(replies: Mapping[E, EngineReply]) -> Reply:
    """Return the answers to DELETE /images/X as one; an error only if none of the engines could."""
    good = [reply for reply in replies.values() if reply.ok]
    if not good:
        return next(iter(replies.values()))
    return Reply.json(union([await reply.json_body() for reply in good]) or [])


async def first_answer(engines: Sequence[E], request: Request) -> EngineReply:
    """Return the answer of the first engine that gives one; for calls that any engine answers alike, and may repeat."""
    for engine in engines[:-1]:
        try:
            return await engine.ask(request)
        except Unreachable:
            continue
    return await engines[-1].ask(request)


def by_node(answers: Mapping[E, Any]) -> Answers:
    """Return engines' answers as machine.swarm.merge takes them."""
    return [(engine.node_info, answer) for engine, answer in answers.items()]
