"""Routes of images: united in lists, pulled and removed everywhere, found where they are."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from machine.swarm.chain import JSON, Refused, Reply, Request
from machine.swarm.cluster import Engine, events
from machine.swarm.routes.desk import Desk, good
from machine.swarm.routes.table import TABLE
from machine.swarm.routes.tee import Tee

OF = "/images/{name}/"


@TABLE.at("GET", "/images/json")
async def images(desk: Desk, request: Request, name: str) -> Reply:  # noqa: ARG001
    """One entry per id, its tags and digests united; from memory if nothing but nodes is filtered."""
    filters = request.filters()
    nodes = filters.pop("node", [])
    engines = [e for e in desk.cluster.healthy() if not nodes or e.name in nodes or e.id in nodes]
    if not filters and not any(request.flag(flag) for flag in ("all", "digests", "shared-size", "manifests")):
        return Reply.json(unite([e.images for e in engines]))
    query = {k: list(v) for k, v in request.query.items() if k != "filters"}
    if filters:
        query["filters"] = [json.dumps(filters)]
    if not engines:
        return Reply.json([])
    return Reply.json(unite(list((await desk.values(engines, request.at("/images/json", query))).values())))


def unite(lists: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Several engines' images as one list, newest first."""
    found: dict[str, dict[str, Any]] = {}
    for image in (image for images in lists for image in images or ()):
        known = found.setdefault(str(image.get("Id")), dict(image))
        for key in ("RepoTags", "RepoDigests"):
            united = dict.fromkeys([*(known.get(key) or ()), *(image.get(key) or ())])
            if len(united) > 1:
                united.pop("<none>:<none>", None)
                united.pop("<none>@<none>", None)
            known[key] = list(united)
    return sorted(found.values(), key=lambda image: -int(image.get("Created") or 0))


def holders(desk: Desk, name: str) -> list[Engine]:
    """The healthy engines that have an image, by tag, digest, id or its beginning."""
    name = name.removeprefix("docker.io/").removeprefix("library/")
    tagged = name if ":" in name.rpartition("/")[2] or "@" in name else f"{name}:latest"
    key = name.removeprefix("sha256:")
    short = len(key) >= 4 and all(sign in "0123456789abcdef" for sign in key)

    def has(image: dict[str, Any]) -> bool:
        names = [*(image.get("RepoTags") or ()), *(image.get("RepoDigests") or ())]
        return tagged in names or (short and str(image.get("Id")).removeprefix("sha256:").startswith(key))

    return [e for e in desk.cluster.healthy() if any(has(image) for image in e.images)]


@TABLE.at("GET", OF + "json", OF + "history", OF + "get")
@TABLE.at("POST", OF + "push")
async def one(desk: Desk, request: Request, name: str) -> Reply:
    """To the first engine that has it; any engine words the error if none has."""
    found = holders(desk, name)
    return await (found[0] if found else desk.cluster.some()).ask(request)


@TABLE.at("GET", "/images/get")
async def get(desk: Desk, request: Request, name: str) -> Reply:  # noqa: ARG001
    """From one engine that has all the names asked for."""
    names = [name for text in request.query.get("names", []) for name in text.split(",")]
    common = [e for e in desk.cluster.healthy() if all(e in holders(desk, name) for name in names)]
    if not common:
        raise Refused(404, f"Unable to find an engine that has all of {', '.join(names)}: save them one by one")
    return await common[0].ask(request)


@TABLE.at("POST", OF + "tag")
async def tag(desk: Desk, request: Request, name: str) -> Reply:
    """On every engine that has it."""
    found = holders(desk, name) or [desk.cluster.some()]
    replies = await _on_each(desk, found, request)
    return next((r for r in replies.values() if not r.ok), None) or next(iter(replies.values()))


@TABLE.at("DELETE", "/images/{name}")
async def remove(desk: Desk, request: Request, name: str) -> Reply:
    """From every engine that has it; an error only if none could."""
    found = holders(desk, name) or [desk.cluster.some()]
    replies = await _on_each(desk, found, request)
    fine = [r for r in replies.values() if r.ok]
    if not fine:
        return next(iter(replies.values()))
    gone = [entry for reply in fine for entry in await reply.value() or ()]
    return Reply.json(list({json.dumps(entry, sort_keys=True): entry for entry in gone}.values()))


async def _on_each(desk: Desk, engines: list[Engine], request: Request) -> dict[Engine, Reply]:
    async def ask(engine: Engine) -> Reply:
        reply = await engine.ask(request)
        await reply.read()
        with suppress(Refused):
            await engine.look_at("image")
        return reply

    return good(await desk.each(engines, ask))


@TABLE.at("POST", "/images/prune")
async def prune(desk: Desk, request: Request, name: str) -> Reply:  # noqa: ARG001
    """On every engine."""
    answers = await desk.values(desk.cluster.healthy(), request)
    deleted = [entry for answer in answers.values() for entry in answer.get("ImagesDeleted") or ()]
    for engine in answers:
        with suppress(Refused):
            await engine.look_at("image")
    reclaimed = sum(answer.get("SpaceReclaimed") or 0 for answer in answers.values())
    return Reply.json({"ImagesDeleted": deleted or None, "SpaceReclaimed": reclaimed})


@TABLE.at("POST", "/images/create", "/images/load")
async def spread(desk: Desk, request: Request, name: str) -> Reply:  # noqa: ARG001
    """Pull, import or load on every engine. The progress has a line per engine, its id the engine's name."""
    engines = desk.cluster.healthy()
    if not engines:
        raise Refused(503, "No healthy node available in the cluster")
    image = request.arg("fromImage") + (f":{request.arg('tag')}" if request.arg("tag") else "")
    doing, done = ("Pulling", "downloaded") if image else ("Loading", "loaded")
    return Reply(200, (JSON,), _progress(engines, request, f"{doing} {image or 'image'}...", done))


async def _progress(engines: list[Engine], request: Request, doing: str, done: str) -> AsyncIterator[bytes]:
    for engine in engines:
        yield events.encode({"id": engine.name, "status": doing})
    ends: asyncio.Queue[tuple[Engine, Outcome]] = asyncio.Queue()
    tee = Tee(request.body, len(engines))
    bodiless = request.body == b""

    async def ask(number: int, engine: Engine) -> None:
        body = b"" if bodiless else tee.readers[number]
        try:
            outcome = await _outcome(await engine.ask(request.replace(body=body)))
            with suppress(Refused):
                await engine.look_at("image")
        except Refused as error:
            outcome = Outcome(error.message)
        finally:
            tee.leave(number)
        await ends.put((engine, outcome))

    tasks = [asyncio.ensure_future(ask(n, e)) for n, e in enumerate(engines)]
    if not bodiless:
        tasks.append(asyncio.ensure_future(tee.run()))
    failures = []
    loaded: dict[str, None] = {}
    try:
        for _ in engines:
            engine, outcome = await ends.get()
            if outcome.failure:
                failures.append(f"{engine.name}: {outcome.failure}")
            loaded.update(dict.fromkeys(outcome.loaded))
            yield events.encode({"id": engine.name, "status": f"{doing} : {outcome.failure or done}"})
        for text in loaded:
            yield events.encode({"stream": text})
        if len(failures) == len(engines):
            yield events.encode({"errorDetail": {"message": "; ".join(failures)}, "error": "; ".join(failures)})
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Outcome(NamedTuple):
    """What came of it on one engine: "" or why it failed, and the lines that say which images were loaded."""

    failure: str = ""
    loaded: Sequence[str] = ()


async def _outcome(reply: Reply) -> Outcome:
    """Read an engine's progress to its end."""
    if not reply.ok:
        try:
            await reply.value()
        except Refused as error:
            return Outcome(error.message)
    failure = ""
    loaded: list[str] = []
    lines = events.Lines()
    async for piece in _pieces(reply):
        try:
            for line in lines.feed(piece):
                failure = str(line.get("error") or "") or failure
                text = str(line.get("stream") or "")
                if text.startswith("Loaded image"):  # clients look for these words
                    loaded.append(text)
        except ValueError:
            lines = events.Lines()
    return Outcome(failure, loaded)


async def _pieces(reply: Reply) -> AsyncIterator[bytes]:
    if isinstance(reply.body, bytes):
        yield reply.body + b"\n"
    elif isinstance(reply.body, AsyncIterator):
        async for piece in reply.body:
            yield piece
