"""machine NAME: the engine of a machine of the store, with its certificates."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Sequence

from machine import paths
from machine.errors import EngineError, UsageError
from machine.store import Store
from machine.swarm.http.address import TLS_PORT, Address, TlsConfig, parse
from machine.swarm.http.client import Client
from machine.swarm.pipeline import Backend, CallNext, Reply, Request, Unreachable
from machine.swarmd.backends.registry import BackendContext, BackendFactory


class MachineBackend(BackendFactory):
    """The backend `machine NAME` over one store."""

    summary = "the engine of a machine of the store"

    def __init__(self, store: Store) -> None:
        self._store = store

    def __call__(self, args: Sequence[str], context: BackendContext) -> contextlib.AbstractAsyncContextManager[Backend]:
        """Return the client of the machine's engine.

        Raises UsageError, MachineNotFound or EngineError if `open_machine` does.
        """
        return open_machine(self._store, args, context)

    def engine_address(self, args: Sequence[str]) -> Address | None:
        """Return where the machine's engine is. Raises MachineNotFound or EngineError if `address_of` does."""
        return address_of(self._store, args[0])[0] if args else None


@contextlib.asynccontextmanager
async def open_machine(store: Store, arguments: Sequence[str], context: BackendContext) -> AsyncIterator[Backend]:
    """Give a client of the machine's engine, which looks up the address again when the engine cannot be reached.

    Raises UsageError for other arguments than one name. Raises MachineNotFound if the store has none of that name.
    Raises EngineError for a machine without a URL.
    """
    if len(arguments) != 1:
        raise UsageError("the backend machine takes one name", resolution="machine ls -q shows the names")
    name = arguments[0]
    address, trust = address_of(store, name)
    client = Client(address, trust)

    async def call(request: Request, _: CallNext) -> Reply:
        nonlocal client, address
        try:
            return await client(request)
        except Unreachable as error:
            new_address, trust = address_of(store, name)
            if new_address == address or error.sent or not isinstance(request.body, bytes):
                raise
            context.log(f"{name} is at {new_address} now")
            await client.close()
            client, address = Client(new_address, trust), new_address
            return await client(request)

    try:
        yield call
    finally:
        await client.close()


def address_of(store: Store, name: str) -> tuple[Address, TlsConfig | None]:
    """Return where a machine's engine is and the files to trust it by; None for a machine without certificates.

    Raises MachineNotFound if the store has none of that name. Raises EngineError without an address, or without
    certificates that there should be.
    """
    record = store.load(name)
    url = record.url()
    if not url:
        raise EngineError(f"{name} has no address yet", resolution=f"machine start {name}")
    directory = record.cert_dir()
    ca, cert, key = (os.path.join(directory, file) for file in (paths.CA, paths.CERT, paths.KEY))
    if not all(os.path.exists(file) for file in (ca, cert, key)):
        if record.is_only_url():
            return parse(url), None
        raise EngineError(
            f"the certificates of {name} are not in {directory}", resolution=f"machine regenerate-certs {name}"
        )
    return parse(url, default_port=TLS_PORT), TlsConfig(ca, cert, key)
