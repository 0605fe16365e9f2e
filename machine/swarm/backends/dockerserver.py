"""dockerserver [--tls... flags] [--insecure] [URL...]: listen for Docker clients, give their calls to what follows."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence

from machine.errors import UsageError
from machine.swarm.address import TLS_FLAGS, TLS_PORT, parse, trust_of
from machine.swarm.backends import Place
from machine.swarm.backends.flags import read
from machine.swarm.chain import Backend, Next, Reply, Request
from machine.swarm.server import Server

DEFAULT = "tcp://localhost:4243"  # libswarm's
_FLAGS = {**TLS_FLAGS, "--insecure": False}


@contextlib.asynccontextmanager
async def dockerserver(words: Sequence[str], place: Place) -> AsyncIterator[Backend]:
    """Listens until the chain is closed. As a backend behind another it passes calls on."""
    flags, urls = read("dockerserver", words, _FLAGS)
    trust = trust_of(flags, place.environ)
    server = Server(place.next, log=place.log)
    try:
        for url in urls or [DEFAULT]:
            address = parse(url, default_port=TLS_PORT if trust else 4243)
            if trust is None and not address.loopback and flags.get("--insecure") != "true":
                raise UsageError(
                    f"listening on {address} without TLS would give this cluster to whoever can reach it",
                    resolution="add --tlsverify with --tlscacert, --tlscert and --tlskey, or --insecure if you mean it",
                )
            place.log(f"dockerserver listens on {await server.listen(address, trust)}")
        yield _pass_on
    finally:
        await server.close()


async def _pass_on(request: Request, rest: Next) -> Reply:
    return await rest(request)
