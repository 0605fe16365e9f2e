"""A hostile client: bytes on a socket, and what comes back."""

from __future__ import annotations

import asyncio
import re

from machine.swarm.http.address import Address, TlsConfig, dial
from machine.swarm.pipeline import Reply, Request


async def echo(request: Request) -> Reply:
    """Answers with what it read."""
    whole = await request.with_body_read()
    assert isinstance(whole.body, bytes)
    return Reply.json({"method": whole.method, "target": whole.target, "size": len(whole.body), "from": whole.client})


async def say(address: Address, *pieces: bytes, trust: TlsConfig | None = None, end: bool = True) -> bytes:
    """Everything that comes back for these bytes; a connection that is dropped ends it."""
    stream = await dial(address, trust.for_client() if trust else None)
    got = b""
    try:
        for piece in pieces:
            await stream.write(piece)
        if end:
            await stream.end()
        while data := await stream.read():
            got += data
    except OSError:
        pass
    finally:
        stream.abort()
    return got


def statuses(answer: bytes) -> list[int]:
    """The status of every answer in there, in order."""
    return [int(number) for number in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


async def settle(rounds: int = 50) -> None:
    """Let the loop do what is ready."""
    for _ in range(rounds):
        await asyncio.sleep(0)
