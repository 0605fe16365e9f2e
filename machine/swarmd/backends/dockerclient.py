"""dockerclient [--tls... flags] [URL]: the Docker Engine at an address. The end of a pipeline."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence

from machine.errors import UsageError
from machine.swarm.http.address import PLAIN_PORT, TLS_FLAGS, TLS_PORT, Address, TlsConfig, parse, tls_from_flags
from machine.swarm.http.client import Client
from machine.swarm.pipeline import Backend, CallNext, Hijack, NotConnected, Reply, Request, Unreachable
from machine.swarmd.backends.flags import read
from machine.swarmd.backends.registry import BackendContext

WANTS_TLS = b"HTTP request to an HTTPS server"  # what Go's server answers
LONGEST_ERROR = 1 << 20  # bytes of an answer that says what is wrong
HINT = "dockerclient --tlsverify --tlscacert CA.pem --tlscert CERT.pem --tlskey KEY.pem tcp://HOST:2376"


@contextlib.asynccontextmanager
async def dockerclient(args: Sequence[str], context: BackendContext) -> AsyncIterator[Backend]:
    """Connects when first asked; an engine that is away now may come back later."""
    address, trust = target(args, context.environ)
    client = Client(address, trust)
    try:
        yield as_backend(client if trust or client.address.path else _with_tls_hint(client))
    finally:
        await client.close()


def target(args: Sequence[str], environ: Mapping[str, str]) -> tuple[Address, TlsConfig | None]:
    """Where the arguments after `dockerclient` say that the engine is, and the TLS to use there.

    Raises UsageError if there is more than one address, or a flag is wrong.
    """
    flags, urls = read("dockerclient", args, TLS_FLAGS)
    if len(urls) > 1:
        raise UsageError(
            "dockerclient takes one address",
            details=" ".join(urls),
            resolution="""for several engines: 'aggregate "dockerclient tcp://A" "dockerclient tcp://B"'""",
        )
    trust = tls_from_flags(flags, environ)
    url = urls[0] if urls else "unix:///var/run/docker.sock"
    return parse(url, default_port=TLS_PORT if trust else PLAIN_PORT), trust


def _with_tls_hint(client: Client) -> CallNext:
    """A client without TLS that says so when the other side seems to want TLS."""
    hint = f"the engine at {client.address} seems to want TLS: {HINT}"

    async def ask(request: Request) -> Reply:
        try:
            reply = await client(request)
        except NotConnected:
            raise
        except Unreachable as error:
            error.message = f"{error.message}; if it wants TLS: {HINT}"
            error.args = (error.message,)
            raise
        if reply.status == 400 and not isinstance(reply.body, Hijack):
            body = await reply.read(LONGEST_ERROR)
            if WANTS_TLS in body:
                return Reply.error(400, f"{hint} (it answered: {body[:200].decode('utf-8', 'replace').strip()})")
        return reply

    return ask


def as_backend(client: CallNext) -> Backend:
    """An end of a pipeline as a backend: it never passes on."""

    async def ask(request: Request, _: CallNext) -> Reply:
        return await client(request)

    return ask
