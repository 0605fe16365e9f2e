"""Which function answers which call to many engines as one: declared where the function is, for routes of the table.

What nobody answers is refused alike by all: as dockerd does for a path that there is not, and as classic Swarm did for
what makes no sense for several engines. Clients ask for swarm mode to know in which state an engine is, and some leave
a cluster before they begin, whether they are in one or not; both read the status, which is an engine's outside of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from machine.swarm.parsing import routes
from machine.swarm.parsing.routes import ROUTES, SWARM_MODE, Answerer, Route
from machine.swarm.pipeline import ApiError, Reply, Request

S = TypeVar("S")  # what answers: the context of a manager, an aggregate
Handler = Callable[[S, Request], Awaitable[Reply]]
_INIT_OR_JOIN = ("/swarm/init", "/swarm/join")  # an engine would do these


class Handlers(Generic[S]):
    """The functions of one answerer. `instead` is a sentence that says what it is, for calls of swarm mode."""

    def __init__(self, instead: str) -> None:
        self._instead = instead
        self._handlers: dict[Route, Handler[S]] = {}
        self._by_kind: dict[str, Handler[S]] = {}

    @property
    def routes(self) -> list[Route]:
        """The routes that have an answer."""
        return [route for route in ROUTES.values() if self._handler(route)]

    def handles(self, methods: str, *paths: str) -> Callable[[Handler[S]], Handler[S]]:
        """Declare a function for these methods ("GET HEAD") and paths of the table, with | as there.

        Raises KeyError for one that it lacks.
        """
        found = [ROUTES[m, path] for text in paths for path in routes.paths_of(text) for m in methods.split()]

        def declare(handler: Handler[S]) -> Handler[S]:
            self._handlers.update(dict.fromkeys(found, handler))
            return handler

        return declare

    def default_for_kind(self, *kinds: str) -> Callable[[Handler[S]], Handler[S]]:
        """Declare a function for all routes of these kinds that one engine answers, and that have no other function."""

        def declare(handler: Handler[S]) -> Handler[S]:
            self._by_kind.update(dict.fromkeys(kinds, handler))
            return handler

        return declare

    async def answer(self, subject: S, request: Request) -> Reply:
        """Answer a call. Raises ApiError if the call is refused, or no function answers its route."""
        handler = self._handler(request.route) if request.route else None
        if handler is None:
            raise self._refusal(request)
        return await handler(subject, request)

    def _handler(self, route: Route) -> Handler[S] | None:
        handler = self._handlers.get(route)
        if handler is None and route.answerer in (Answerer.OWNER, Answerer.ANY):
            return self._by_kind.get(route.kind)
        return handler

    def _refusal(self, request: Request) -> ApiError:
        if request.route is None:
            allowed = ", ".join(routes.methods_of(request.path))
            if allowed:
                return ApiError(405, f"{request.method} is not for {request.path}; it takes {allowed}")
            return ApiError(404, f"page not found: {request.method} {request.path}")
        if request.route.kind != SWARM_MODE:
            return ApiError(501, "Not supported in clustering mode.")
        if request.path in _INIT_OR_JOIN:
            return ApiError(501, self._instead)
        role = "part of a swarm" if request.path == "/swarm/leave" else "a swarm manager"
        return ApiError(503, f"This node is not {role}. {self._instead}")
