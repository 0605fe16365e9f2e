"""Which function answers which path: every route is declared where its function is. Pure."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from machine.swarm.pipeline import Reply, Request

if TYPE_CHECKING:
    from machine.swarm.manager.routes.context import ManagerContext

Handler = Callable[
    ["ManagerContext", Request, str], Awaitable[Reply]
]  # the text is what {name} stood for, "" without one


class Table:
    """Routes by their first word. {name} takes anything, slashes too: containers may be called NODE/name."""

    def __init__(self) -> None:
        self.routes: list[tuple[frozenset[str], str]] = []
        self._found: dict[str, list[tuple[frozenset[str], re.Pattern[str], Handler]]] = {}

    def at(self, methods: str, *paths: str) -> Callable[[Handler], Handler]:
        """Declare a function for these methods ("GET HEAD") and paths ("/containers/{name}/json")."""

        def declare(handler: Handler) -> Handler:
            allowed = frozenset(methods.split())
            for path in paths:
                pattern = re.compile(re.escape(path).replace(r"\{name\}", "(?P<name>.+)") + r"\Z")
                self.routes.append((allowed, path))
                self._found.setdefault(path.split("/")[1], []).append((allowed, pattern, handler))
            return handler

        return declare

    def find(self, method: str, path: str) -> tuple[Handler, str] | None:
        """The function for a call and what {name} stands for; None if there is no such route."""
        for allowed, pattern, handler in self._found.get(path.split("/", 2)[1] if path[:1] == "/" else "", ()):
            if method in allowed:
                found = pattern.match(path)
                if found is not None:
                    return handler, found.groupdict().get("name", "")
        return None

    def methods(self, path: str) -> Sequence[str]:
        """What a path may be asked with; empty if there is no such path."""
        routes = self._found.get(path.split("/", 2)[1] if path[:1] == "/" else "", ())
        return sorted({method for allowed, pattern, _ in routes if pattern.match(path) for method in allowed})


TABLE = Table()
