"""aggregate "BACKEND WORD..." "BACKEND WORD..." ...: several backends as one engine."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence

from machine.errors import UsageError
from machine.swarm.merge.node_info import NodeInfo
from machine.swarm.pipeline import Backend, CallNext, Reply, Request
from machine.swarmd.aggregate.members import AggregateEngine, Members
from machine.swarmd.aggregate.routes import Aggregate
from machine.swarmd.backends.dockerclient import target
from machine.swarmd.backends.registry import BackendContext, BackendFactory, find, split_words


@contextlib.asynccontextmanager
async def aggregate(args: Sequence[str], context: BackendContext) -> AsyncIterator[Backend]:
    """Each argument is a backend with its own arguments, quoted once more."""
    if not args:
        raise UsageError(
            "aggregate needs the backends that it joins",
            resolution="""'aggregate "dockerclient tcp://a:2375" "dockerclient tcp://b:2375"'""",
        )
    async with contextlib.AsyncExitStack() as stack:
        members = []
        for number, spec in enumerate(args, 1):
            member = AggregateEngine(await context.open(stack, [spec]), f"engine-{number}")
            member.node_info = NodeInfo(member.name, *engine_location(spec, context))
            members.append(member)
        joined_backend = Aggregate(Members(members, context.log))

        async def backend(request: Request, _: CallNext) -> Reply:
            return await joined_backend(request)

        yield backend


def engine_location(spec: str, context: BackendContext) -> tuple[str, str, str]:
    """No id yet, the address to show, and the host of the engine, because published ports are there too."""
    name, *args = split_words(spec)
    if name == "dockerclient":
        address, _ = target(args, context.environ)
    else:
        backend = find(name, context.extra)
        known = backend.engine_address(args) if isinstance(backend, BackendFactory) else None
        if known is None:
            return "", spec, ""
        address = known
    return "", str(address), "127.0.0.1" if address.host == "localhost" else address.host
