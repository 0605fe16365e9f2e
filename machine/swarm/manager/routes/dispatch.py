"""The swarm as one engine: a call is given to the route that answers it."""

from __future__ import annotations

from machine.swarm.manager.routes import (
    build,
    containers,
    create,
    images,
    info,
    networks,
    prune,
    system,
    volumes,
)
from machine.swarm.manager.routes.context import ManagerContext
from machine.swarm.manager.routes.table import HANDLERS
from machine.swarm.pipeline import CallNext, Reply, Request

# Importing these modules has entered their routes in TABLE.
ROUTE_MODULES = (build, containers, create, images, info, networks, prune, system, volumes)
CORS = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-headers", b"Origin, X-Requested-With, Content-Type, Accept, X-Registry-Auth"),
    (b"access-control-allow-methods", b"GET, POST, DELETE, PUT, OPTIONS"),
)


async def answer(context: ManagerContext, request: Request, call_next: CallNext | None = None) -> Reply:  # noqa: ARG001
    """Answer one call; the end of a pipeline. ApiError is for the server to word."""
    if context.cluster.settings.cors and request.method == "OPTIONS" and request.route is None:
        return Reply(200, CORS)
    reply = await HANDLERS.answer(context, request)
    if context.cluster.settings.cors and reply.status != 101:
        reply.headers = [*reply.headers, *CORS]
    return reply
