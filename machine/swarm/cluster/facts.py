"""What an engine's /version and /info say, as far as the cluster needs it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from machine.swarm.merge.engine_info import EngineInfo

OLDEST, NEWEST = (1, 24), (1, 99)  # API versions; what is passed on is not ours to limit
_SEPARATORS = re.compile(r"[\s/|:]")  # NODE/NAME, ID|ADDRESS, HOST:PORT
Api = tuple[int, int]


class EngineFacts(NamedTuple):
    """What an engine says of itself. `cpus` and `memory` have no overcommit; `labels` has the automatic ones too."""

    id: str
    name: str
    labels: dict[str, str]
    cpus: int
    memory: int
    version: str
    api: Api
    oldest_api: Api
    ostype: str
    arch: str
    info: EngineInfo = EngineInfo()  # what its answer to /info gives to the cluster's

    def reuse_info(self, previous: EngineFacts | None) -> EngineFacts:
        """These facts, with the `info` of those before if only counters in it differ: no reason to merge it again."""
        if (
            previous is None
            or previous.info.common is not self.info.common
            or previous.info.warnings != self.info.warnings
        ):
            return self
        return self._replace(info=previous.info)


@lru_cache(maxsize=256)  # asked for each engine at every call
def api_of(text: str, default: Api = OLDEST) -> Api:
    """ "1.43" as (1, 43)."""
    major, _, minor = text.partition(".")
    known = all(part.isascii() and part.isdigit() and len(part) <= 4 for part in (major, minor))
    return (int(major), int(minor)) if known else default


def negotiate_version(requested: str, facts: EngineFacts) -> str:
    """The version to ask the engine in for a client that asked in `requested`; "" stays "" (the engine's own)."""
    if not requested:
        return ""
    major, minor = max(min(api_of(requested), facts.api), facts.oldest_api)
    return f"{major}.{minor}"


def _api(version: Mapping[str, Any], field: str, default: Api) -> Api:
    """A version in the answer; `default` if it is not said. Raises ValueError if it is none."""
    text = str(version.get(field) or "")
    found = api_of(text, (0, 0)) if version.get(field) is not None else default
    if found == (0, 0):
        raise ValueError(f"its {field} is not a version: {text[:80]}")
    return found


def facts_of(version: Mapping[str, Any], info: Mapping[str, Any]) -> EngineFacts:
    """The facts in both answers. Raises ValueError if they are no engine's."""
    name, key = str(info.get("Name") or ""), str(info.get("ID") or "")
    if not name or not key:
        raise ValueError("its info has neither name nor id: this is not a Docker Engine")
    if _SEPARATORS.search(name):
        raise ValueError(f"its name {name[:80]!r} has characters that no host's name has, and that separate names here")
    api, oldest = _api(version, "ApiVersion", OLDEST), _api(version, "MinAPIVersion", (1, 12))
    if api < OLDEST:
        raise ValueError(
            f"it speaks API {api[0]}.{api[1]}, and {OLDEST[0]}.{OLDEST[1]} is the oldest that a swarm takes"
        )
    if oldest > api:
        raise ValueError(f"it speaks API {api[0]}.{api[1]} and no version below {oldest[0]}.{oldest[1]}")
    labels: dict[str, str] = {}
    for label in info.get("Labels") or ():
        label_key, _, value = str(label).partition("=")
        if label_key != "node":  # means the node's own name in a constraint
            labels[label_key] = value
    automatic = {
        "storagedriver": info.get("Driver"),
        "kernelversion": info.get("KernelVersion"),
        "operatingsystem": info.get("OperatingSystem"),
        "ostype": info.get("OSType") or version.get("Os"),
    }
    labels.update({label_key: str(value) for label_key, value in automatic.items() if value})
    return EngineFacts(
        id=key,
        name=name,
        labels=labels,
        cpus=int(info.get("NCPU") or 0),
        memory=int(info.get("MemTotal") or 0),
        version=str(version.get("Version") or ""),
        api=min(api, NEWEST),
        oldest_api=oldest,
        ostype=labels.get("ostype", ""),
        arch=str(version.get("Arch") or info.get("Architecture") or ""),
        info=EngineInfo.of(info),
    )
