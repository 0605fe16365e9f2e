"""Where an engine's answers come in: bytes, nesting, values and shapes are checked here, once, and then trusted.

`send_checked` passes a call on to an engine and gives an EngineReply, whose `json_body` is what the API says it is, or
raises WrongAnswer. An error answer is a sentence afterwards, whatever the engine put into its body.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from typing import Any

from machine.swarm import limits
from machine.swarm.api import bounded_json
from machine.swarm.api.response_kind import body_of
from machine.swarm.api.response_shapes import shape_of
from machine.swarm.api.shapes import Check, WrongShape, anything
from machine.swarm.parsing.routes import Body
from machine.swarm.pipeline import JSON, ApiError, CallNext, Hijack, Reply, Request, Unreachable
from machine.swarm.printable import printable

_LINES = re.compile(r"[\r\n]+[ \t]*")
_REDIRECTS = (300, 301, 302, 303, 305, 307, 308)  # many clients follow these, with the credentials for a registry
_OF_A_BODY = (b"content-type", b"content-length", b"content-encoding")


class WrongAnswer(Unreachable):
    """The engine answers, but not what the API says: nobody can work with it."""

    def __init__(self, message: str) -> None:
        super().__init__(502, message)


class EngineReply(Reply):
    """An answer of the engine called `source`, to `call` ("GET /images/json"), with the check of its JSON."""

    __slots__ = ("call", "check", "source")

    def __init__(self, reply: Reply, source: str, call: str, check: Check) -> None:
        super().__init__(reply.status, reply.headers, reply.body)
        self.source = source
        self.call = call
        self.check = check

    async def read(self, limit: int = limits.ENGINE_ANSWER) -> bytes:
        """The whole body. Raises WrongAnswer beyond `limit` bytes. A stream is at its end afterwards."""
        if isinstance(self.body, Hijack):
            raise self.wrong("it has stopped speaking HTTP")
        if not isinstance(self.body, bytes):
            try:
                self.body = await _gather(self, self.body, limit)
            except WrongAnswer:
                raise
            except Unreachable as error:
                raise Unreachable(error.status, f"{self.source}: {self.call}: {error.message}") from error
        return self.body

    async def json_body(self) -> Any:
        """The body as JSON of the shape that the API says, None if empty. Raises ApiError for an error, WrongAnswer."""
        data = await self.read()
        if not self.ok:
            raise ApiError(self.status, error_message(data))
        if not data and self.check is anything:
            return None
        try:
            value = await bounded_json.read_in_turns(data)
            self.check(value)
        except WrongShape as error:
            raise self.wrong(f"its JSON{error}") from None
        except ValueError as error:
            raise self.wrong(str(error)) from None
        return value

    def wrong(self, reason: str) -> WrongAnswer:
        """The error that says what is wrong with this answer."""
        return WrongAnswer(one_line(f"{self.source}: its answer to {self.call} is not valid: {reason}"))


async def send_checked(client: CallNext, request: Request, source: str) -> EngineReply:
    """Pass a call on to the engine called `source`. Raises Unreachable if the engine does not answer.

    An error answer's body is sound afterwards.
    """
    reply = await client(request)
    engine_reply = EngineReply(reply, source, f"{request.method} {request.path}", anything)
    if isinstance(reply.body, Hijack):
        return engine_reply
    if not reply.ok:
        await _make_sentence(engine_reply)
        return engine_reply
    if reply.status in _REDIRECTS:
        await engine_reply.close()
        raise engine_reply.wrong("it sends the client to another address")
    if body_of(request) is Body.WHOLE:
        engine_reply.check = shape_of(request)
        await engine_reply.read()  # whole: what breaks off is an error then, and not half an answer
    return engine_reply


def error_message(data: bytes) -> str:
    """The text of an error answer, which is {"message": ...} or plain: a few lines that can be shown."""
    try:
        value = json.loads(data[: limits.ENGINE_ERROR])
    except (ValueError, RecursionError):
        value = None
    message = value.get("message") if isinstance(value, dict) else None
    if not isinstance(message, str):
        message = data[: limits.ENGINE_ERROR_LETTERS * 4].decode("utf-8", "replace")
    lines = (printable(line) for line in message[: limits.ENGINE_ERROR_LETTERS].splitlines())
    return "\n".join(line for line in lines if line.strip()).strip() or "no reason given"


def one_line(text: str) -> str:
    """A reason for the log and for `docker info`: on one line, and not too long."""
    return printable(_LINES.sub(" ", text))[: limits.ENGINE_REASON_LETTERS]


async def _make_sentence(reply: EngineReply) -> None:
    """Have {"message": TEXT} in an error answer, with a text that can be shown; what is so already stays as it is."""
    data = await reply.read(limits.ENGINE_ERROR)
    text = error_message(data)
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict) or value.get("message") != text:
        reply.body = json.dumps({"message": text}).encode()
        reply.headers = [JSON, *(pair for pair in reply.headers if pair[0] not in _OF_A_BODY)]


async def _gather(reply: EngineReply, body: AsyncIterator[bytes], limit: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for piece in body:
        size += len(piece)
        if size > limit:
            await reply.close()
            raise reply.wrong(f"it is longer than {limit} bytes")
        pieces.append(piece)
    return b"".join(pieces)
