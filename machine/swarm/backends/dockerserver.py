"""dockerserver [--tls... flags] [--insecure] [URL...]: listen for Docker clients, give their calls to what follows."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence

from machine.swarm.backends import Place
from machine.swarm.backends.flags import read
from machine.swarm.http.address import TLS_FLAGS, trust_of
from machine.swarm.http.listener import Demands, listen
from machine.swarm.http.server import Server
from machine.swarm.pipeline import Backend, Next, Reply, Request

PORT = 4243  # libswarm's
DEFAULT = f"tcp://localhost:{PORT}"
_FLAGS = {**TLS_FLAGS, "--insecure": False}


@contextlib.asynccontextmanager
async def dockerserver(words: Sequence[str], place: Place) -> AsyncIterator[Backend]:
    """Listens until the chain is closed. As a backend behind another it passes calls on."""
    flags, urls = read("dockerserver", words, _FLAGS)
    trust = trust_of(flags, place.environ)
    demands = Demands(trust, "this cluster", insecure=flags.get("--insecure") == "true")
    server = Server(place.next, log=place.log)
    try:
        for url in urls or [DEFAULT]:
            place.log(f"dockerserver listens on {await listen(server, url, demands, port=PORT)}")
        yield _pass_on
    finally:
        await server.close()


async def _pass_on(request: Request, rest: Next) -> Reply:
    return await rest(request)
