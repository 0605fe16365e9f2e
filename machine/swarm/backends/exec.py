"""exec PROGRAM [WORD...]: a program of any language sees every call, and may let it pass, change it or answer it.

The program reads one JSON object a line from stdin and writes one a line to stdout; docs/swarmd.md has the fields.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

from machine.errors import UsageError
from machine.swarm.backends import Place
from machine.swarm.chain import JSON, Backend, Headers, Hijack, Next, Refused, Reply, Request

BODY_LIMIT = 1 << 20  # bytes of a body that the program gets to see
LINE_LIMIT = 8 << 20  # bytes of one of its lines
PATIENCE = 30.0  # seconds that it may think about one call


@contextlib.asynccontextmanager
async def exec_(words: Sequence[str], place: Place) -> AsyncIterator[Backend]:
    """Started with the chain, started again if it ends; ended with the chain."""
    if not words:
        raise UsageError("exec needs a program", resolution="'exec ./filter.py'")
    if len(words) == 1 and words[0].lstrip().startswith("{"):
        words = _libswarm_form(words[0])
    program = _Program(list(words), place)
    await program.start()
    try:
        yield program
    finally:
        await program.stop()


def _libswarm_form(text: str) -> list[str]:
    """`exec '{"Path": "./filter", "Args": ["x"]}'`, as libswarm took it too."""
    try:
        value = json.loads(text)
        return [str(value["Path"]), *(str(word) for word in value.get("Args") or ())]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"exec cannot read {text!r}", resolution="""'exec {"Path": "./filter", "Args": []}' or 'exec ./filter'"""
        ) from error


class _Program:
    def __init__(self, argv: list[str], place: Place) -> None:
        self.argv = argv
        self.place = place
        self.process: asyncio.subprocess.Process | None = None
        self.asked: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.number = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._starting = asyncio.Lock()

    async def start(self) -> None:
        pipe = asyncio.subprocess.PIPE
        try:
            self.process = await asyncio.create_subprocess_exec(
                *self.argv, stdin=pipe, stdout=pipe, stderr=pipe, limit=LINE_LIMIT, env=dict(self.place.environ)
            )
        except OSError as error:
            raise UsageError(
                f"cannot start {self.argv[0]}", details=str(error), resolution="name a program that can be run"
            ) from error
        self._tasks = [asyncio.ensure_future(self._read(self.process)), asyncio.ensure_future(self._tell(self.process))]

    async def stop(self) -> None:
        process, self.process = self.process, None
        if process is not None and process.returncode is None:
            with contextlib.suppress(OSError):
                if process.stdin is not None:
                    process.stdin.close()
            try:
                await asyncio.wait_for(process.wait(), 2.0)
            except asyncio.TimeoutError:  # noqa: UP041 (another class than TimeoutError before Python 3.11)
                process.kill()
                await process.wait()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def __call__(self, request: Request, rest: Next) -> Reply:
        request, shown = await _shown(request)
        answer = await self._ask({"request": shown})
        if "status" in answer:
            return _reply(answer)
        changed = _changed(request, answer.get("request"))
        reply = await rest(changed)
        if not answer.get("reply") or isinstance(reply.body, Hijack):
            return reply
        if isinstance(reply.body, bytes) or reply.header(b"content-length"):
            second = {"status": reply.status, "headers": _words(reply.headers), **_body(await reply.read())}
            after = await self._ask({"request": shown, "reply": second})
            return _reply(after) if "status" in after else reply
        return reply

    async def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        async with self._starting:
            if self.process is None or self.process.returncode is not None:
                await self.start()
        assert self.process is not None  # noqa: S101
        self.number += 1
        number = self.number
        future = self.asked[number] = asyncio.get_running_loop().create_future()
        try:
            assert self.process.stdin is not None  # noqa: S101
            self.process.stdin.write(json.dumps({"id": number, **question}).encode() + b"\n")
            await self.process.stdin.drain()
            return await asyncio.wait_for(future, PATIENCE)
        except asyncio.TimeoutError as error:  # noqa: UP041 (another class than TimeoutError before Python 3.11)
            raise Refused(504, f"{self.argv[0]} said nothing within {PATIENCE:g} s") from error
        except OSError as error:
            raise Refused(502, f"{self.argv[0]} has ended") from error
        finally:
            self.asked.pop(number, None)

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None  # noqa: S101
        try:
            async for line in process.stdout:
                self._take(line)
        except ValueError as error:
            self.place.log(f"{self.argv[0]}: a line of more than {LINE_LIMIT} bytes: {error}")
            process.kill()
        status = await process.wait()
        if self.process is process:
            self.place.log(f"{self.argv[0]} ended with status {status}")
        for future in self.asked.values():
            if not future.done():
                future.set_exception(Refused(502, f"{self.argv[0]} ended with status {status}"))

    def _take(self, line: bytes) -> None:
        try:
            answer = json.loads(line)
            future = self.asked[answer["id"]]
        except (ValueError, KeyError, TypeError):
            self.place.log(f"{self.argv[0]} wrote no answer: {line[:200].decode('utf-8', 'replace').rstrip()}")
            return
        if not future.done():
            future.set_result(answer)

    async def _tell(self, process: asyncio.subprocess.Process) -> None:
        """Its stderr is for the user."""
        assert process.stderr is not None  # noqa: S101
        with contextlib.suppress(ValueError):
            async for line in process.stderr:
                self.place.log(f"{self.argv[0]}: {line.decode('utf-8', 'replace').rstrip()}")


async def _shown(request: Request) -> tuple[Request, dict[str, Any]]:
    """The request as the program sees it. A body that is long or a stream is not shown, and passes as it is."""
    shown = {
        "method": request.method,
        "target": request.target,
        "path": request.path,
        "version": request.version,
        "query": request.query,
        "headers": _words(request.headers),
    }
    size = request.header(b"content-length")
    if not isinstance(request.body, bytes) and size.isdigit() and int(size) <= BODY_LIMIT:
        request = await request.whole(BODY_LIMIT)
    if isinstance(request.body, bytes) and len(request.body) <= BODY_LIMIT:
        shown.update(_body(request.body))
    return request, shown


def _changed(request: Request, change: Any) -> Request:
    if not isinstance(change, dict):
        return request
    if "method" in change:
        request = request.replace(method=str(change["method"]))
    if "target" in change:
        request = request.replace(target=str(change["target"]))
    if isinstance(change.get("headers"), dict):
        request = request.replace(headers=_pairs(change["headers"]))
    if "body" in change or "base64" in change:
        request = request.replace(body=_bytes(change))
    return request


def _reply(answer: dict[str, Any]) -> Reply:
    status = answer["status"]
    if not isinstance(status, int) or not 200 <= status <= 599:
        raise Refused(502, f"the program answered with status {status!r}")
    if "message" in answer:
        return Reply.error(status, str(answer["message"]))
    headers = answer.get("headers")
    return Reply(status, _pairs(headers) if isinstance(headers, dict) else (JSON,), _bytes(answer))


def _words(headers: Headers) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}


def _pairs(headers: dict[str, Any]) -> list[tuple[bytes, bytes]]:
    return [(str(name).lower().encode("latin-1"), str(value).encode("latin-1")) for name, value in headers.items()]


def _body(data: bytes) -> dict[str, Any]:
    """JSON as itself, text as a string, anything else in base64."""
    if not data:
        return {}
    try:
        return {"body": json.loads(data)}
    except (ValueError, RecursionError):
        pass
    try:
        return {"body": data.decode()}
    except ValueError:
        return {"base64": base64.b64encode(data).decode()}


def _bytes(said: dict[str, Any]) -> bytes:
    if "base64" in said:
        return base64.b64decode(str(said["base64"]))
    body = said.get("body", b"")
    return body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
