"""The manager: discovery, cluster, routes and rescheduler joined into one backend; alone or one of several replicas."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import time
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

from machine.errors import UsageError
from machine.swarm.cluster import Cluster, Settings
from machine.swarm.cluster.ledger import Ledger
from machine.swarm.cluster.signing import Keyring, load_key
from machine.swarm.discovery import Discovery, DiscoveryError
from machine.swarm.http.address import TlsConfig, parse
from machine.swarm.http.client import Client
from machine.swarm.http.open_files import raise_limit
from machine.swarm.manager.election import Election
from machine.swarm.manager.rescheduling import Rescheduler
from machine.swarm.manager.routes import ManagerContext, answer
from machine.swarm.parsing.routes import Answerer
from machine.swarm.pipeline import ApiError, Backend, CallNext, Reply, Request, Unreachable
from machine.swarm.printable import printable_log

GC_THRESHOLDS = (50_000, 20, 100)  # collections: what is remembered here lives long, and there is much of it


REPLICA_HEADER = b"x-machine-swarm-replica"  # a call that a replica has passed on


class ManagerConfig(NamedTuple):
    """What a manager is to be. `tls` is shown to engines and to the primary; `advertise` is "host:port"."""

    discovery: Discovery
    settings: Settings
    tls: TlsConfig | None = None
    replication: bool = False
    advertise: str = ""
    ttl: int = 20
    debug: bool = False
    tls_for_address: Callable[[str], TlsConfig | None] | None = (
        None  # another trust for each engine's address, where known
    )
    key_file: str = ""  # the key that signs what may be made again elsewhere, shared by all managers of the cluster
    key_named: bool = False  # whether somebody named that file, and means it
    older_key_file: str = ""  # what signed before: accepted, if it is there
    ledger_file: str = ""  # what was removed, renamed, connected; "" = kept in memory only


@contextlib.asynccontextmanager
async def manager(config: ManagerConfig, log: Callable[[str], None] = lambda _: None) -> AsyncIterator[Backend]:
    """The backend, alive until the block is left. Raises DiscoveryError if the discovery cannot carry an election.

    Raises UsageError if the key file cannot be used.
    """
    raise_limit()  # each engine takes two connections or more
    log = printable_log(log)
    gc.set_threshold(*GC_THRESHOLDS)
    connect = connector(config.tls, config.tls_for_address)
    keyring = Keyring(_key(config, log), *_older_key(config, log))
    ledger = Ledger(config.ledger_file, log)
    cluster = Cluster(config.discovery, connect, config.settings, log=log, keyring=keyring, ledger=ledger)
    context = ManagerContext(cluster, debug=config.debug)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(_end, asyncio.ensure_future(cluster.run()))
        if not config.replication:
            rescheduler = Rescheduler(context)
            stack.push_async_callback(rescheduler.close)
            yield _local(context)
            return
        candidate = getattr(config.discovery, "candidate", None)
        if candidate is None or not config.advertise:
            raise DiscoveryError("replication takes etcd:// or consul:// as discovery, and --advertise HOST:PORT")
        election = Election(candidate(config.advertise, config.ttl), log=log)
        replicas = Replicas(context, election, connector(config.tls, config.tls_for_address, no_time_limit=True))
        stack.push_async_callback(replicas.close)
        stack.push_async_callback(_end, asyncio.ensure_future(election.run()))
        stack.push_async_callback(_end, asyncio.ensure_future(replicas.follow()))
        yield replicas


def _key(config: ManagerConfig, log: Callable[[str], None]) -> bytes:
    """The cluster's key; b"" if there is no place to keep one and none was named.

    Raises UsageError if the named file cannot be used.
    """
    if not config.key_file:
        return b""
    try:
        return load_key(config.key_file)
    except UsageError as error:
        if config.key_named:
            raise
        log(f"{error.brief} ({error.resolution}). Until then containers are rescheduled only if this process made them")
        return b""


def _older_key(config: ManagerConfig, log: Callable[[str], None]) -> list[bytes]:
    """The key that this manager signed with before it was given the cluster's, if it has one."""
    if config.older_key_file in ("", config.key_file) or not os.path.exists(config.older_key_file):
        return []
    try:
        return [load_key(config.older_key_file)]
    except UsageError as error:
        log(f"{error.brief} ({error.resolution}). Containers that were signed with it are not rescheduled")
        return []


def connector(
    tls: TlsConfig | None,
    tls_for_address: Callable[[str], TlsConfig | None] | None = None,
    *,
    no_time_limit: bool = False,
) -> Callable[[str], CallNext]:
    """The way to an engine, or (`no_time_limit`) to another manager, from its address.

    Those of the same files share a TLS context.
    """
    contexts = {tls: tls.for_client() if tls else None}

    def connect(address: str) -> CallNext:
        files = (tls_for_address(address) if tls_for_address else None) or tls
        if files not in contexts:
            contexts[files] = files.for_client() if files else None
        client = Client(parse(address), no_time_limit=no_time_limit)
        client.tls = contexts[files]
        return client

    return connect


def _local(context: ManagerContext) -> Backend:
    async def ask(request: Request, call_next: CallNext) -> Reply:
        return await answer(context, request, call_next)

    return ask


class Replicas:
    """Answers as the primary does, by itself or through the primary. The rescheduler only lives in the primary."""

    def __init__(self, context: ManagerContext, election: Election, connect: Callable[[str], CallNext]) -> None:
        self._context = context
        self._election = election
        self._connect = connect
        self._patience = 2.0 * election.candidate.ttl  # seconds that a call waits for a primary that can be reached
        self._primary: tuple[str, CallNext] | None = None
        self._rescheduler: Rescheduler | None = None

    async def __call__(self, request: Request, call_next: CallNext) -> Reply:
        """Answer a call, or pass it to the primary; wait while there is no primary.

        Raises ApiError(503) if none is elected in time, or it does not answer.
        """
        own = request.route is not None and request.route.answerer is Answerer.ITSELF
        if own or request.path == "/debug" or request.path.startswith("/debug/"):
            return await answer(self._context, request, call_next)
        end = time.monotonic() + self._patience
        while True:
            primary = await self._wait_for_primary(end)
            if self._election.leading:
                return await answer(self._context, request, call_next)
            if request.header(REPLICA_HEADER):
                raise ApiError(503, "the replicas do not agree on their primary yet: try again")
            marked = request.replace(headers=[*request.headers, (REPLICA_HEADER, b"1")])
            try:
                return await self._client_for(primary)(marked)
            except Unreachable as error:
                if error.sent or not isinstance(request.body, bytes) or time.monotonic() > end:
                    raise ApiError(503, f"the primary manager, {primary}, is not there: {error.message}") from error
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._election.wait_for_change(primary)  # another one is soon elected

    async def _wait_for_primary(self, end: float) -> str:
        """The primary's address, waiting for one until `end` (time.monotonic).

        Raises ApiError(503) if there is none by then.
        """
        try:
            async with asyncio.timeout(max(end - time.monotonic(), 0)):
                return await self._election.wait_for_primary()
        except TimeoutError:
            text = "there is no primary manager: the replicas elect none, or the discovery store does not answer"
            raise ApiError(503, text) from None

    def _client_for(self, primary: str) -> CallNext:
        if self._primary is None or self._primary[0] != primary:
            self._primary = (primary, self._connect(primary))
        return self._primary[1]

    async def follow(self) -> None:
        """Follow the election without end: start the rescheduler as primary, end it as replica."""
        while True:
            primary, leading = self._election.primary, self._election.leading
            self._context.role = "primary" if leading else "replica"
            self._context.primary = primary
            if leading and self._rescheduler is None:
                self._rescheduler = Rescheduler(self._context)
            elif not leading and self._rescheduler is not None:
                await self.close()
            await self._election.wait_for_change(primary)  # also one that came while the rescheduler was being closed

    async def close(self) -> None:
        """End the rescheduler, if this manager runs it."""
        rescheduler, self._rescheduler = self._rescheduler, None
        if rescheduler is not None:
            await rescheduler.close()


async def _end(task: asyncio.Future[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
