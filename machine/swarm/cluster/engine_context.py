"""What an engine needs of the cluster that it belongs to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from machine.swarm.cluster.container import ContainerRecord, Host
from machine.swarm.cluster.facts import EngineFacts
from machine.swarm.cluster.index import Index
from machine.swarm.cluster.ledger import Ledger
from machine.swarm.cluster.settings import Settings
from machine.swarm.cluster.signing import Keyring

E = TypeVar("E", bound=Host)


class EngineContext(Protocol[E]):
    """The cluster, as its engines of type E see it."""

    settings: Settings
    index: Index[ContainerRecord[E]]
    keyring: Keyring
    ledger: Ledger
    log: Callable[[str], None]
    dial_limit: asyncio.Semaphore
    list_limit: asyncio.Semaphore

    def reject_duplicate(self, engine: E, facts: EngineFacts) -> None:
        """Raise Unreachable for an engine that is in the cluster already under another address."""

    def engine_changed(self, engine: E, event_name: str) -> None:
        """Note that an engine came, went or came back."""

    def on_container(self, container: ContainerRecord[E]) -> None:
        """Note that a container was taken in."""

    def forward_event(self, engine: E, event: dict[str, Any]) -> None:
        """Pass an engine's event on to whoever listens."""

    def id_is_free(self, engine: E, key: str) -> bool:
        """Whether what `key` means is on `engine`, or nowhere yet."""
