"""Small real things for tests of the chain: TLS files, a raw TCP server, a front with a given chain."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import certs
from machine.swarm.http.address import Address, TlsConfig
from machine.swarm.http.client import Client
from machine.swarm.http.server import Limits, Server
from machine.swarm.pipeline import CallNext

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Keys(NamedTuple):
    """PEM files of one CA: what a server and a client are told."""

    server: TlsConfig
    client: TlsConfig
    stranger: TlsConfig  # a client whose certificate another CA signed


def keys(directory: Path) -> Keys:
    """Make them for 127.0.0.1 and localhost."""
    ca, other = certs.make_ca("swarm tests"), certs.make_ca("somebody else")
    pairs = {
        "server": certs.make_server(ca, "swarm tests", ["127.0.0.1", "localhost"]),
        "client": certs.make_client(ca, "swarm tests"),
        "stranger": certs.make_client(other, "somebody else"),
    }
    (directory / "ca.pem").write_bytes(ca.cert)
    for name, pair in pairs.items():
        (directory / f"{name}.pem").write_bytes(pair.cert)
        (directory / f"{name}-key.pem").write_bytes(pair.key)
    found = [
        TlsConfig(str(directory / "ca.pem"), str(directory / f"{name}.pem"), str(directory / f"{name}-key.pem"))
        for name in pairs
    ]
    return Keys(*found)


@contextlib.asynccontextmanager
async def front(
    chain: CallNext, trust: TlsConfig | None = None, limits: Limits | None = None
) -> AsyncIterator[Address]:
    """A server on a free port of 127.0.0.1."""
    said: list[str] = []
    server = Server(chain, limits=limits, log=said.append)
    try:
        yield await server.listen(Address("127.0.0.1", 0), trust)
    finally:
        await server.close()
    assert not [line for line in said if "Traceback" in line], said


@contextlib.asynccontextmanager
async def raw_server(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[Address]:
    """A TCP server that does whatever `handler` does."""
    server = await asyncio.start_server(handler, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield Address("127.0.0.1", server.sockets[0].getsockname()[1])


@contextlib.asynccontextmanager
async def client(address: Address, trust: TlsConfig | None = None) -> AsyncIterator[Client]:
    """A client that is closed afterwards."""
    made = Client(address, trust, connect_timeout=5)
    try:
        yield made
    finally:
        await made.close()
