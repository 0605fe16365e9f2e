"""The front of a chain: listens, and makes every connection a task of its own.

A connection waits only for its own client and its own answer, so a slow client stalls nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
from collections.abc import Callable

from machine.errors import UsageError
from machine.swarm.address import Address, Trust
from machine.swarm.chain import Next
from machine.swarm.connection import Connection, Limits
from machine.swarm.stream import Stream

__all__ = ["Limits", "Server"]


class Server:
    """Gives every request to `chain`. `log` takes one line about what went wrong here."""

    def __init__(
        self, chain: Next, *, limits: Limits | None = None, log: Callable[[str], None] = lambda _: None
    ) -> None:
        self.chain = chain
        self.limits = limits or Limits()
        self.log = log
        self._listeners: list[asyncio.AbstractServer] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._paths: list[str] = []

    async def listen(self, address: Address, trust: Trust | None = None) -> Address:
        """Start listening and return where (port 0 has become a real one). UsageError if the place is taken."""
        tls = trust.for_server() if trust else None
        loop = asyncio.get_running_loop()

        def stream() -> Stream:
            return Stream(tls, server_side=True, opened=self._opened)

        try:
            if address.path:
                _make_room(address.path)
                before = os.umask(0o117)  # 0660, as Docker's own socket
                try:
                    listener = await loop.create_unix_server(stream, address.path, backlog=1024)
                finally:
                    os.umask(before)
                self._paths.append(address.path)
                _give_to_docker(address.path)
            else:
                listener = await loop.create_server(stream, address.host, address.port, backlog=1024)
        except OSError as error:
            raise UsageError(
                f"cannot listen on {address}",
                details=error.strerror or str(error),
                resolution="choose another address, or end what listens there",
            ) from error
        self._listeners.append(listener)
        if address.path:
            return address
        return address._replace(port=listener.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        for listener in self._listeners:
            listener.close()
        for path in self._paths:
            with contextlib.suppress(OSError):
                os.unlink(path)
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _opened(self, stream: Stream) -> None:
        if len(self._tasks) >= self.limits.connections:
            stream.abort()
            return
        task = asyncio.get_running_loop().create_task(Connection(stream, self.chain, self.limits, self.log).run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _give_to_docker(path: str) -> None:
    """As dockerd does: the group `docker`, if there is one and we may, can use the socket."""
    with contextlib.suppress(ImportError, KeyError, OSError):
        import grp  # not on Windows

        os.chown(path, -1, grp.getgrnam("docker").gr_gid)


def _make_room(path: str) -> None:
    """Remove the socket of a program that is gone; UsageError if somebody listens there or it is no socket."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return
    if stat.S_ISSOCK(mode):
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(path)
            except ConnectionRefusedError:
                os.unlink(path)
                return
    raise UsageError(
        f"{path} is taken" if stat.S_ISSOCK(mode) else f"{path} is there and is no socket",
        resolution="choose another path, or remove it",
    )
