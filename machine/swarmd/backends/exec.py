"""exec PROGRAM [WORD...]: a program of any language sees every call, and may let it pass, change it or answer it.

The program reads one JSON object a line from stdin and writes one a line to stdout; docs/swarmd.md has the fields.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

from machine.errors import UsageError, reason_of
from machine.swarm import limits
from machine.swarm.http.headers import length
from machine.swarm.pipeline import ApiError, Backend, CallNext, Reply, Request
from machine.swarmd.backends import hook
from machine.swarmd.backends.registry import BackendContext

PATIENCE = limits.HOOK_SECONDS
PIPES_SECONDS = 1.0  # for the last words of a program that has ended


@contextlib.asynccontextmanager
async def exec_(args: Sequence[str], context: BackendContext) -> AsyncIterator[Backend]:
    """Started with the pipeline, started again if it ends; ended with the pipeline."""
    if not args:
        raise UsageError("exec needs a program", resolution="'exec ./filter.py'")
    if len(args) == 1 and args[0].lstrip().startswith("{"):
        args = _libswarm_form(args[0])
    program = _Program(list(args), context)
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
    def __init__(self, argv: list[str], context: BackendContext) -> None:
        self.argv = argv
        self.context = context
        self.process: asyncio.subprocess.Process | None = None
        self.pending: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.number = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._starting = asyncio.Lock()

    async def start(self) -> None:
        pipe = asyncio.subprocess.PIPE
        try:
            self.process = await asyncio.create_subprocess_exec(
                *self.argv, stdin=pipe, stdout=pipe, stderr=pipe, limit=limits.HOOK_LINE, env=dict(self.context.environ)
            )
        except OSError as error:
            raise UsageError(
                f"cannot start {self.argv[0]}", details=reason_of(error), resolution="name a program that can be run"
            ) from error
        self._tasks = [
            asyncio.ensure_future(self._read(self.process)),
            asyncio.ensure_future(self._log_stderr(self.process)),
        ]

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
        if self._tasks:  # a child of the program's may still hold its pipes, and would be waited for
            _, unended = await asyncio.wait(self._tasks, timeout=PIPES_SECONDS)
            for task in unended:
                task.cancel()
            if process is not None and unended:
                process._transport.close()  # type: ignore[attr-defined]  # nothing public closes the pipes
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def __call__(self, request: Request, call_next: CallNext) -> Reply:
        shown = await hook.show_request(request)
        decision = hook.parse_answer(await self._ask({"request": shown.question}), shown)
        if decision.answer is not None:
            return decision.answer
        reply = await call_next(decision.request)
        return await self._changed_reply(reply, shown, decision) if decision.wants_reply else reply

    async def _changed_reply(self, reply: Reply, shown: hook.ShownRequest, decision: hook.Decision) -> Reply:
        """The reply as the program changes it.

        Raises ApiError(502) for one that it cannot be shown, unless that may pass.
        """
        if decision.unseen_passes and not isinstance(reply.body, bytes) and length(reply.headers) is None:
            return reply
        data = await hook.begin_reply(reply)
        if data is None:
            await reply.close()
            raise ApiError(
                502, f"{self.argv[0]} asked to see an answer that is too long or goes on, and did not see it"
            )
        reply.body = data
        second = hook.show_reply(reply, data)
        return hook.parse_reply_answer(await self._ask({"request": shown.question, "reply": second}), reply)

    async def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        async with self._starting:
            if self.process is None or self.process.returncode is not None:
                await self.start()
        assert self.process is not None  # noqa: S101
        self.number += 1
        number = self.number
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self.pending[number] = future
        try:
            assert self.process.stdin is not None  # noqa: S101
            async with asyncio.timeout(PATIENCE):  # it may not even read the question
                self.process.stdin.write(json.dumps({"id": number, **question}).encode() + b"\n")
                await self.process.stdin.drain()
                return await future
        except TimeoutError as error:
            raise ApiError(504, f"{self.argv[0]} said nothing within {PATIENCE:g} s") from error
        except OSError as error:
            raise ApiError(502, f"{self.argv[0]} has ended") from error
        finally:
            self.pending.pop(number, None)

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None  # noqa: S101
        try:
            async for line in process.stdout:
                self._take(line)
        except ValueError as error:
            self.context.log(f"{self.argv[0]}: a line of more than {limits.HOOK_LINE} bytes: {error}")
            process.kill()
        status = await process.wait()
        if self.process is process:
            self.context.log(f"{self.argv[0]} ended with status {status}")
        self._refuse(self.pending.values(), f"ended with status {status}")

    def _take(self, line: bytes) -> None:
        """Take a line of the program: an answer, or noise, after which the calls that wait are soon refused."""
        try:
            answer = json.loads(line)
            number = answer["id"]
        except (ValueError, KeyError, TypeError, RecursionError):
            self._noise(line)
            return
        future = self.pending.get(number) if isinstance(number, int) and not isinstance(number, bool) else None
        if future is None and isinstance(number, int) and 0 < number <= self.number:
            self.context.log(f"{self.argv[0]} answered too late, or twice")
        elif future is None:
            self._noise(line)
        elif not future.done():
            future.set_result(answer)

    def _noise(self, line: bytes) -> None:
        self.context.log(f"{self.argv[0]} wrote no answer: {line[:200].decode('utf-8', 'replace').rstrip()}")
        waiting = [future for future in self.pending.values() if not future.done()]
        asyncio.get_running_loop().call_later(limits.HOOK_NOISE_SECONDS, self._refuse, waiting, "gave no clear answer")

    def _refuse(self, waiting: Iterable[asyncio.Future[dict[str, Any]]], reason: str) -> None:
        for future in waiting:
            if not future.done():
                future.set_exception(ApiError(502, f"{self.argv[0]} {reason}"))

    async def _log_stderr(self, process: asyncio.subprocess.Process) -> None:
        """Log what the program writes to stderr: it is for the user."""
        assert process.stderr is not None  # noqa: S101
        with contextlib.suppress(ValueError):
            async for line in process.stderr:
                self.context.log(f"{self.argv[0]}: {line.decode('utf-8', 'replace').rstrip()}")
