"""An engine as placing sees it: the manager's own, from memory, or what an aggregate has asked for one call."""

from __future__ import annotations

from typing import Any, Protocol

from machine.swarm.api.responses import EngineReply
from machine.swarm.pipeline import Request
from machine.swarm.scheduler.node import Node


class EngineView(Protocol):
    """What placement needs of an engine. `address` is an entry of `RequiredObject.nodes`, and the node's `address`."""

    address: str
    node: Node
    volumes: list[dict[str, Any]]
    networks: list[dict[str, Any]]

    @property
    def name(self) -> str: ...
    @property
    def reachable(self) -> bool: ...
    async def get(self, path: str, query: dict[str, list[str]] | None = None) -> Any:
        """Return the JSON that a path answers. Raises ApiError if the engine does not answer, or refuses."""

    async def ask(self, request: Request) -> EngineReply:
        """Pass a call on. Raises Unreachable if the engine does not answer."""
