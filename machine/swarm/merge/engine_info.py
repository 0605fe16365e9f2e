"""What one engine's answer to GET /info gives to the cluster's, kept once for all engines that say the same. Pure.

Most engines of a cluster are alike: what they have in common is one object here, so that it costs memory once, and
uniting their infos is work for each kind of engine rather than for each engine.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

SUMMED = ("NFd", "NGoroutines", "NEventsListener")
OWN = frozenset((  # what is said of the cluster itself, or makes no sense for several engines
    "ID", "Name", "ServerVersion", "Swarm", "Labels", "Warnings", "SystemTime", "SystemStatus", "Debug", "NCPU",
    "MemTotal", "Images", "Containers", "ContainersRunning", "ContainersPaused", "ContainersStopped", "ClusterStore",
    "ClusterAdvertise", "ClientInfo",
))  # fmt: skip
_SINGLE = OWN.union(SUMMED)


class CommonInfo:
    """The fields of an info that are neither counted nor an engine's own; equal ones are the same object."""

    __slots__ = ("__weakref__", "fields")

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self.fields = fields


_common_infos: WeakValueDictionary[bytes, CommonInfo] = WeakValueDictionary()  # by a digest of their JSON


class EngineInfo(NamedTuple):
    """One engine's info, as far as the cluster's has something of it."""

    common: CommonInfo = CommonInfo({})
    summed: Mapping[str, Any] = {}  # the fields in SUMMED
    warnings: Any = None

    @classmethod
    def of(cls, info: Mapping[str, Any]) -> EngineInfo:
        """Of an answer to GET /info."""
        fields = {key: value for key, value in info.items() if key not in _SINGLE}
        digest = hashlib.blake2b(json.dumps(fields).encode(), digest_size=32).digest()
        common = _common_infos.get(digest)
        if common is None:
            common = _common_infos[digest] = CommonInfo(fields)
        return cls(common, {key: info[key] for key in SUMMED if key in info}, info.get("Warnings"))
