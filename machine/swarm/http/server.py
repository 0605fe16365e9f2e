"""The server of a pipeline: listens, and makes every connection a task of its own.

A connection waits only for its own client and its own answer, so a slow client stalls nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import stat
from collections.abc import Callable

from machine.errors import UsageError, reason_of
from machine.swarm import loop_guard
from machine.swarm.http.address import Address, TlsConfig
from machine.swarm.http.admission import Admission, backlog_for, limits_for
from machine.swarm.http.connection import Connection, Limits, Listener
from machine.swarm.http.open_files import raise_limit
from machine.swarm.http.stream import Stream
from machine.swarm.pipeline import CallNext, Request
from machine.swarm.printable import printable_log

__all__ = ["Limits", "Listener", "Server"]


class Server:
    """Gives every request to the pipeline `chain`. `log` takes one line about what went wrong here."""

    def __init__(
        self, chain: CallNext, *, limits: Limits | None = None, log: Callable[[str], None] = lambda _: None
    ) -> None:
        self.chain = chain
        self.limits = limits or Limits()
        self.log = printable_log(log)
        self._mark = loop_guard.new_listener_id()
        self._admission: Admission | None = None
        self._listeners: list[asyncio.AbstractServer] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._paths: list[str] = []

    async def listen(
        self,
        address: Address,
        trust: TlsConfig | None = None,
        refuses: Callable[[Request], str] = lambda _: "",
        address_flag: str = "",
    ) -> Address:
        """Start listening and return where (port 0 has become a real one). Raises UsageError if the place is taken.

        `refuses` says why a request is not taken at this address, "" if it is; `address_flag` is what an address
        follows on the command line, for the error.
        """
        tls = trust.for_server() if trust else None
        loop = asyncio.get_running_loop()
        backlog = backlog_for(raise_limit())
        verified = bool(address.path) or (trust is not None and trust.verify)
        rules = Listener(self.limits, self.log, self._limit_admission(), verified, refuses, self._mark)

        def stream() -> Stream:
            return Stream(tls, server_side=True, on_open=lambda stream: self._on_connection(stream, rules))

        try:
            if address.path:
                remove_dead_socket(address.path)
                before = os.umask(0o117)  # 0660, as Docker's own socket
                try:
                    listener = await loop.create_unix_server(stream, address.path, backlog=backlog)
                finally:
                    os.umask(before)
                self._paths.append(address.path)
                _give_to_docker(address.path)
            else:
                listener = await loop.create_server(stream, address.host, address.port, backlog=backlog)
        except OSError as error:
            raise _listen_error(address, error, address_flag) from error
        self._listeners.append(listener)
        if address.path:
            return address
        return address._replace(port=listener.sockets[0].getsockname()[1])

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._tasks)

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

    def _limit_admission(self) -> Admission:
        """Who may wait here; made with the first listener, when it is known how many files there are."""
        if self._admission is None:
            waiting, per_address = limits_for(raise_limit())
            limits = self.limits
            self._admission = Admission(
                limits.connections,
                waiting if limits.waiting is None else limits.waiting,
                per_address if limits.waiting_per_address is None else limits.waiting_per_address,
            )
        return self._admission

    def _on_connection(self, stream: Stream, listener: Listener) -> None:
        connection = Connection(stream, self.chain, listener)
        if not listener.admission.arrive(connection.visitor):
            stream.abort()
            return
        task = asyncio.get_running_loop().create_task(connection.run())
        self._tasks.add(task)

        def gone(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            listener.admission.leave(connection.visitor)

        task.add_done_callback(gone)


def _give_to_docker(path: str) -> None:
    """As dockerd does: the group `docker`, if there is one and we may, can use the socket."""
    with contextlib.suppress(ImportError, KeyError, OSError):
        import grp  # not on Windows

        os.chown(path, -1, grp.getgrnam("docker").gr_gid)


def _listen_error(address: Address, error: OSError, flag: str) -> UsageError:
    """Return the error for an address that cannot be opened, with what to type; `flag` goes before an address."""
    brief, reason = f"cannot listen on {address}", reason_of(error)
    elsewhere = "choose another address"
    if not address.path and error.errno in (errno.EADDRINUSE, errno.EACCES):
        port = address.port + (1 if 1024 <= address.port < 65535 else 1024 if address.port < 1024 else -1)
        elsewhere = f"choose another port, such as {f'{flag} {address._replace(port=port)}'.strip()}"
    if error.errno != errno.EADDRINUSE:
        return UsageError(brief, details=reason, resolution=elsewhere)
    return UsageError(
        f"{brief}: another program has port {address.port}" if address.port else brief,
        details=reason,
        resolution=f"{elsewhere}, or end that program: sudo ss -ltnp 'sport = :{address.port}' shows which it is",
    )


def remove_dead_socket(path: str) -> None:
    """Remove the socket of a program that is gone. Raises UsageError if somebody listens there or it is no socket."""
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
        f"{path} is taken" if stat.S_ISSOCK(mode) else f"{path} exists and is not a socket",
        resolution="choose another path, or remove it",
    )
