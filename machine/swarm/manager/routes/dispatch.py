"""The swarm as one engine: a call is given to the route that answers it."""

from __future__ import annotations

from machine.swarm.api.swarm_mode import refuse_swarm_mode
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
from machine.swarm.manager.routes.table import TABLE
from machine.swarm.pipeline import CallNext, Reply, Request

# Importing these modules has entered their routes in TABLE.
ROUTES = (build, containers, create, images, info, networks, prune, system, volumes)
CLASSIC = "This is a classic swarm, not Docker's swarm mode: it has no services, nodes or secrets."
CORS = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-headers", b"Origin, X-Requested-With, Content-Type, Accept, X-Registry-Auth"),
    (b"access-control-allow-methods", b"GET, POST, DELETE, PUT, OPTIONS"),
)


async def answer(context: ManagerContext, request: Request, rest: CallNext | None = None) -> Reply:  # noqa: ARG001
    """Answer one call; the end of a pipeline. Refused is for the server to word."""
    found = TABLE.find(request.method, request.path)
    if found is None:
        return Reply(200, CORS) if context.cluster.settings.cors and request.method == "OPTIONS" else unknown(request)
    handler, name = found
    reply = await handler(context, request, name)
    if context.cluster.settings.cors and reply.status != 101:
        reply.headers = [*reply.headers, *CORS]
    return reply


def unknown(request: Request) -> Reply:
    """No route: say what is meant instead."""
    refuse_swarm_mode(request, CLASSIC)
    methods = TABLE.methods(request.path)
    if methods:
        return Reply.error(405, f"{request.method} is not for {request.path}; it takes {', '.join(methods)}")
    return Reply.error(404, f"page not found: {request.method} {request.path}")
