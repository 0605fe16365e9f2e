"""One stream to several readers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from machine.swarm.fanout.tee import Tee


async def test_a_tee_gives_everyone_everything_and_does_not_wait_for_who_left() -> None:
    async with asyncio.timeout(10):

        async def source() -> AsyncIterator[bytes]:
            for n in range(100):
                yield b"%d," % n

        tee = Tee(source(), 3)

        async def read(number: int, most: int) -> bytes:
            seen = b""
            async for piece in tee.readers[number]:
                seen += piece
                if len(seen) > most:
                    tee.drop_reader(number)
                    break
            return seen

        got = await asyncio.gather(read(0, 1 << 20), read(1, 10), read(2, 1 << 20), tee.run())
        whole = b"".join(b"%d," % n for n in range(100))
        assert got[0] == got[2] == whole
        assert whole.startswith(got[1])


async def test_an_error_of_the_source_is_every_readers() -> None:
    async def source() -> AsyncIterator[bytes]:
        yield b"x"
        raise ConnectionResetError("gone")

    tee = Tee(source(), 2)

    async def read(number: int) -> bytes:
        return b"".join([piece async for piece in tee.readers[number]])

    async with asyncio.timeout(5):
        *errors, _ = await asyncio.gather(read(0), read(1), tee.run(), return_exceptions=True)
    for error in errors:
        assert isinstance(error, ConnectionResetError)
        assert str(error) == "gone"
