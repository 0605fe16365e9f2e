"""Whether what an engine has is its own: networks and volumes that span engines, addresses of the host. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ANY_ADDRESS = ("", "0.0.0.0", "::")  # of a published port: all addresses of the engine


def is_spanning(network_or_volume: Mapping[str, Any]) -> bool:
    """Whether a network or a volume is the same one on several engines."""
    return network_or_volume.get("Scope") in ("global", "swarm")
