"""Whether a container is one that this cluster's managers made."""

from __future__ import annotations

from typing import Any

from machine.swarm.cluster.container import ContainerRecord
from machine.swarm.cluster.facts import EngineFacts
from machine.swarm.cluster.ledger import Ledger
from machine.swarm.cluster.signing import Keyring, SignedCreate


def signed_create(
    container: ContainerRecord[Any], keyring: Keyring, ledger: Ledger, engine: EngineFacts
) -> SignedCreate | None:
    """The create that a manager signed for just this container on just this engine, noted in the ledger; else None."""
    signed = keyring.read(container.signature_label) if container.signature_label else None
    if signed is None or not signed.is_for(engine.id, engine.name, container.swarm_id):
        return None
    if ledger.name(container.swarm_id, signed.name) != container.name:
        return None
    ledger.record_container(container.swarm_id, signed.generation, container.id)
    return signed
