"""dockerserver [--tls... flags] [--insecure] [URL...]: listen for Docker clients, give their calls to what follows."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence

from machine.swarm.http.address import TLS_FLAGS, tls_from_flags
from machine.swarm.http.listener import ListenerPolicy, listen
from machine.swarm.http.server import Server
from machine.swarm.pipeline import Backend, CallNext, Reply, Request
from machine.swarmd.backends.flags import read
from machine.swarmd.backends.registry import BackendContext

PORT = 4243  # libswarm's
DEFAULT = f"tcp://localhost:{PORT}"
_FLAGS = {**TLS_FLAGS, "--insecure": False}


@contextlib.asynccontextmanager
async def dockerserver(args: Sequence[str], context: BackendContext) -> AsyncIterator[Backend]:
    """Listens until the pipeline is closed. As a backend behind another it passes calls on."""
    flags, urls = read("dockerserver", args, _FLAGS)
    trust = tls_from_flags(flags, context.environ)
    policy = ListenerPolicy(trust, "this cluster", insecure=flags.get("--insecure") == "true")
    server = Server(context.call_next, log=context.log)
    try:
        for url in urls or [DEFAULT]:
            context.log(f"dockerserver listens on {await listen(server, url, policy, port=PORT)}")
        yield _pass_on
    finally:
        await server.close()


async def _pass_on(request: Request, call_next: CallNext) -> Reply:
    return await call_next(request)
