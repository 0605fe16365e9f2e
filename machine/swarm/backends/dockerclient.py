"""dockerclient [--tls... flags] [URL]: the Docker Engine at an address. The end of a chain."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence

from machine.errors import UsageError
from machine.swarm.address import PLAIN_PORT, TLS_FLAGS, TLS_PORT, parse, trust_of
from machine.swarm.backends import Place
from machine.swarm.backends.flags import read
from machine.swarm.chain import Backend, Next, Reply, Request
from machine.swarm.client import Client


@contextlib.asynccontextmanager
async def dockerclient(words: Sequence[str], place: Place) -> AsyncIterator[Backend]:
    """Connects when first asked; an engine that is away now may come back later."""
    flags, urls = read("dockerclient", words, TLS_FLAGS)
    if len(urls) > 1:
        raise UsageError(
            "dockerclient takes one address",
            details=" ".join(urls),
            resolution="""for several engines: 'aggregate "dockerclient tcp://A" "dockerclient tcp://B"'""",
        )
    trust = trust_of(flags, place.environ)
    url = urls[0] if urls else "unix:///var/run/docker.sock"
    client = Client(parse(url, default_port=TLS_PORT if trust else PLAIN_PORT), trust)
    try:
        yield as_backend(client)
    finally:
        await client.close()


def as_backend(client: Next) -> Backend:
    """An end of a chain as a backend: it never passes on."""

    async def ask(request: Request, _: Next) -> Reply:
        return await client(request)

    return ask
