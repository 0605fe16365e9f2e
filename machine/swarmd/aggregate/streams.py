"""The events of several engines as one stream, with back-pressure."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence

from machine.swarm.api.responses import one_line
from machine.swarm.events import CLUSTER_EVENT, JsonStream, encode, read_events, subjects
from machine.swarm.fanout.image_transfer import pieces_of
from machine.swarm.merge.events import mark_event
from machine.swarm.pipeline import ApiError, Request
from machine.swarmd.aggregate.members import AggregateEngine

_QUEUED = 16  # lines between the engines and the client, each of at most limits.EVENT_ONE bytes
RETRY_SECONDS = (1.0, 10.0)  # seconds before a lost stream of events is asked for again: first, at most


async def merge_streams(sources: Sequence[AsyncIterator[bytes]]) -> AsyncGenerator[bytes, None]:
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
    member: AggregateEngine,
    request: Request,
    log: Callable[[str], None],
    is_anothers: Callable[[str, AggregateEngine], bool],
) -> AsyncIterator[bytes]:
    """One engine's events, marked with its name; asked for again when the engine comes back.

    What it tells of the cluster itself, or of containers that are on other engines as `is_anothers` says, is left out.
    """
    wait = RETRY_SECONDS[0]
    while True:
        try:
            reply = await member.ask(request)
            try:
                if not reply.ok:
                    await reply.json_body()
                lines = JsonStream()
                async for piece in pieces_of(reply):
                    for event in read_events(lines, piece):
                        wait = RETRY_SECONDS[0]
                        foreign = any(is_anothers(key, member) for key in subjects(event))
                        if event.get("Type") != CLUSTER_EVENT and not foreign:
                            yield encode(mark_event(event, member.node_info))
            finally:
                await reply.close()
            if request.query_value("until"):
                return
        except (ApiError, ValueError) as error:
            if request.query_value("until"):
                return
            log(one_line(f"the events of {member.name} stopped: {error}"))
        await asyncio.sleep(wait)
        wait = min(wait * 2, RETRY_SECONDS[1])
