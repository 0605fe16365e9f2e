"""A unix socket that leads to a machine's engine: bytes both ways, over TLS with the store's client certificate.

Nothing of the Docker API is looked at, so that upgraded connections (`docker exec -it`, attach, BuildKit's sessions and
its h2c) pass like all others. The record and the certificates are read anew for each connection: an address that has
changed and certificates that were renewed need no restart.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import ssl
from collections.abc import Callable

from machine import files, paths, socket_path
from machine.errors import CertificateError, MachineError, MachineNotFound, UsageError, reason_of
from machine.store import Record, Store
from machine.swarm.http.address import TLS_PORT, Address, TlsConfig, dial, parse
from machine.swarm.http.open_files import raise_limit
from machine.swarm.http.server import remove_dead_socket
from machine.swarm.http.stream import Stream, pump

DIAL_SECONDS = 10.0  # for the engine to take a connection, TLS included
LONGEST_HEAD = 64 * 1024  # bytes that are read of a request before it is told that the engine does not answer
REFUSE_SECONDS = 5.0  # for a client to take that answer
LOOK_EVERY = 5.0  # seconds between two looks whether the machine is still there


class EngineSocket:
    """Serves the socket of one machine. `log` takes one line about what went wrong."""

    def __init__(self, store: Store, name: str, log: Callable[[str], None]) -> None:
        self._store, self._name, self._log = store, name, log
        self._tasks: set[asyncio.Task[None]] = set()
        self._trouble = ""  # what the last connection failed of, so that a log says it once

    async def serve(self, path: str, ready: Callable[[], None], stop: asyncio.Event | None = None) -> None:
        """Listen at `path`, call `ready`, serve until SIGINT, SIGTERM, SIGHUP or `stop`, and remove the socket.

        It ends too when the machine is removed: by a command that came before this process could be seen, say.
        Raises UsageError if the place is another program's, StoreError if its directory is not safe.
        """
        stop = stop or asyncio.Event()
        loop = asyncio.get_running_loop()
        listening = listen(path)
        identity = os.stat(path)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
                loop.add_signal_handler(number, stop.set)
        raise_limit()
        server = await loop.create_unix_server(lambda: Stream(on_open=self._begin), sock=listening)
        try:
            ready()
            while not stop.is_set() and self._store.exists(self._name):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), LOOK_EVERY)
        finally:
            server.close()
            _remove(path, identity)
            for task in tuple(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, client: Stream) -> None:
        task = asyncio.get_running_loop().create_task(self._connect(client))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, client: Stream) -> None:
        """Carry one connection to the engine, or tell the client why that does not go."""
        try:
            try:
                address, tls = engine_address(self._store.load(self._name))
                engine = await dial(address, tls, timeout=DIAL_SECONDS)
            except (MachineError, OSError) as error:
                await self._refuse(client, error)
                return
            self._trouble = ""
            await pump(client, engine)
        finally:
            client.close()

    async def _refuse(self, client: Stream, error: MachineError | OSError) -> None:
        message = refusal(self._name, error)
        if message != self._trouble:
            self._trouble = message
            self._log(message)
        with contextlib.suppress(OSError):  # TimeoutError among them
            async with asyncio.timeout(REFUSE_SECONDS):
                await _answer_unavailable(client, message)


def engine_address(record: Record) -> tuple[Address, ssl.SSLContext | None]:
    """Return where the engine of a machine is, and with which certificates it is dialled; None: it has no TLS.

    Raises MachineNotFound while there is no address, CertificateError if a file of the three is missing.
    """
    url = record.url()
    if not url:
        raise MachineNotFound(f"the address of {record.name} is not known", resolution=f"machine start {record.name}")
    address = parse(url, default_port=TLS_PORT)
    ca, cert, key = (os.path.join(record.cert_dir(), name) for name in (paths.CA, paths.CERT, paths.KEY))
    missing = [path for path in (ca, cert, key) if not os.path.exists(path)]
    if address.path or (record.is_only_url() and len(missing) == 3):
        return address, None
    if missing:
        raise CertificateError(
            f"{missing[0]} is missing", resolution=f"machine regenerate-certs {record.name}", machine=record.name
        )
    return address, TlsConfig(ca, cert, key).for_client()


def refusal(name: str, error: MachineError | OSError) -> str:
    """Return what a client of the socket is told when the engine cannot be reached, with what to type."""
    if isinstance(error, MachineError):
        return f"machine: {error.brief}" + (f"; {error.resolution}" if error.resolution else "")
    return f"machine: the engine of {name} cannot be reached: {reason_of(error)}; machine status {name}"


def listen(path: str) -> socket.socket:
    """Return a socket that listens at `path`, 0600 in a directory 0700. One of a process that is gone is replaced."""
    if not hasattr(socket, "AF_UNIX"):
        raise UsageError(
            "there are no unix sockets here", resolution="point the program at the machine with machine env"
        )
    socket_path.make_directory(path)
    remove_dead_socket(path)
    made = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        made.bind(path)
    except OSError as error:
        made.close()
        raise UsageError(
            f"cannot listen on {path}", details=reason_of(error), resolution="set XDG_RUNTIME_DIR to another directory"
        ) from error
    finally:
        os.umask(before)
    os.chmod(path, files.PRIVATE)  # where the system does not look at the umask
    return made


def _remove(path: str, identity: os.stat_result) -> None:
    """Remove the socket, unless another one has its place by now."""
    with contextlib.suppress(OSError):
        if os.path.samestat(os.lstat(path), identity):
            os.unlink(path)


async def _answer_unavailable(client: Stream, message: str) -> None:
    """Read the head of a request and answer 503, as the docker client shows it."""
    head = b""
    while b"\r\n\r\n" not in head and len(head) < LONGEST_HEAD and (data := await client.read()):
        head += data
    body = json.dumps({"message": message}).encode()
    shown = b"" if head.startswith(b"HEAD ") else body
    await client.write(
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nConnection: close\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (len(body), shown)
    )
    await client.end()
    while await client.read():  # closing on unread bytes would reset the connection, and the answer with it
        pass
