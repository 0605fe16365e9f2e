"""Many engines' answers to GET /info as one, with every field that the newest API has. Pure.

Numbers of things are added up, lists united, and of all else what most engines say is said. A field that no engine
has is empty, and has the type that typed clients expect: https://docs.docker.com/reference/api/engine/ (SystemInfo).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from machine.swarm.merge.engine_info import SUMMED, EngineInfo
from machine.swarm.printable import printable

CountedValue = tuple[Any, int]  # a value, and how many engines have it
_COMMIT = {"ID": ""}
NO_SWARM_MODE = {
    "NodeID": "", "NodeAddr": "", "LocalNodeState": "inactive", "ControlAvailable": False, "Error": "",
    "RemoteManagers": None,
}  # fmt: skip
DEFAULTS: dict[str, Any] = {
    "Driver": "",
    "DriverStatus": [],
    "Plugins": {"Volume": [], "Network": [], "Authorization": None, "Log": []},
    "MemoryLimit": True,
    "SwapLimit": True,
    "KernelMemory": False,
    "KernelMemoryTCP": False,
    "CpuCfsPeriod": True,
    "CpuCfsQuota": True,
    "CPUShares": True,
    "CPUSet": True,
    "PidsLimit": True,
    "OomKillDisable": False,
    "IPv4Forwarding": True,
    "BridgeNfIptables": False,
    "BridgeNfIp6tables": False,
    "NFd": 0,
    "NGoroutines": 0,
    "NEventsListener": 0,
    "LoggingDriver": "",
    "CgroupDriver": "",
    "CgroupVersion": "",
    "KernelVersion": "",
    "OperatingSystem": "linux",
    "OSVersion": "",
    "OSType": "linux",
    "Architecture": "",
    "IndexServerAddress": "",
    "RegistryConfig": {
        "AllowNondistributableArtifactsCIDRs": [],
        "AllowNondistributableArtifactsHostnames": [],
        "InsecureRegistryCIDRs": [],
        "IndexConfigs": {},
        "Mirrors": [],
    },
    "GenericResources": None,
    "DockerRootDir": "",
    "HttpProxy": "",
    "HttpsProxy": "",
    "NoProxy": "",
    "ExperimentalBuild": False,
    "Runtimes": {},
    "DefaultRuntime": "",
    "LiveRestoreEnabled": False,
    "Isolation": "",
    "InitBinary": "",
    "ContainerdCommit": _COMMIT,
    "RuncCommit": _COMMIT,
    "InitCommit": _COMMIT,
    "SecurityOptions": [],
    "ProductLicense": "",
    "DefaultAddressPools": [],
    "FirewallBackend": {"Driver": ""},
    "CDISpecDirs": [],
    "DiscoveredDevices": [],
    "Containerd": {"Address": "", "Namespaces": {"Containers": "", "Plugins": ""}},
}
_MERGED = ("Plugins", "RegistryConfig", "SecurityOptions", "DefaultAddressPools", "CDISpecDirs", "DiscoveredDevices",
           "GenericResources", "Runtimes")  # fmt: skip


def merge_info(infos: Sequence[tuple[str, EngineInfo]]) -> dict[str, Any]:
    """One info of (engine's name, its info); without the fields that are the cluster's own."""
    merged: dict[str, Any] = {}
    alike = Counter([info.common for _, info in infos])  # in the order of the engines
    keys = dict.fromkeys([*DEFAULTS, *(key for common in alike for key in common.fields)])
    for key in keys:
        default = DEFAULTS.get(key)
        if key in SUMMED:
            merged[key] = sum(info.summed[key] for _, info in infos if type(info.summed.get(key)) is int)
            continue
        values = [
            (common.fields[key], count)
            for common, count in alike.items()
            if key in common.fields and _fits(common.fields[key], default, key)
        ]
        if not values:
            merged[key] = default
        elif key not in DEFAULTS and 2 * sum(count for _, count in values) <= len(infos):
            continue  # a field that is newer than this list, and that few engines have
        elif key in _MERGED:
            merged[key] = _merge(values)
        else:
            merged[key] = _most_common(values)
    merged["DriverStatus"] = [row for row in merged["DriverStatus"] if _is_row(row)]
    merged["Warnings"] = [f"{name}: {text}" for name, info in infos for text in _strings(info.warnings)] or None
    shown: dict[str, Any] = _printable(merged)  # docker prints it as it is
    return shown


def _printable(value: Any) -> Any:
    """A value whose texts are one line each and change nothing on a terminal."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, list):
        return [_printable(item) for item in value]
    if isinstance(value, dict):
        return {printable(key): _printable(item) for key, item in value.items()}
    return value


def _fits(value: Any, default: Any, key: str) -> bool:
    """Whether a value has the type that clients expect; of a field that nobody knows yet, any that is not null."""
    if default is None:
        return isinstance(value, list) if key in DEFAULTS else value is not None
    return type(value) is type(default)


def _is_row(row: Any) -> bool:
    return isinstance(row, list) and len(row) == 2 and all(isinstance(cell, str) for cell in row)


def _strings(value: Any) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def most_common(values: Iterable[Any]) -> Any:
    """The value that most have; of several as common the first."""
    return _most_common([(value, 1) for value in values])


def _most_common(values: Sequence[CountedValue]) -> Any:
    first: dict[Any, Any] = {}
    counts: Counter[Any] = Counter()
    for value, count in values:
        key = value if type(value) is str else canonical_key(value)
        first.setdefault(key, value)
        counts[key] += count
    return first[counts.most_common(1)[0][0]]


def canonical_key(value: Any) -> tuple[str]:
    """Something to compare it by, which no text equals."""
    return (json.dumps(value, sort_keys=True),)


def _merge(values: Sequence[CountedValue]) -> Any:
    """Lists joined, each item once; objects key by key; anything else as most have it."""
    if all(isinstance(value, list) for value, _ in values):
        seen = {json.dumps(item, sort_keys=True): item for value, _ in values for item in value}
        return list(seen.values())
    if all(isinstance(value, dict) for value, _ in values):
        keys = dict.fromkeys(key for value, _ in values for key in value)
        return {
            key: _merge(present) if present else None
            for key in keys
            for present in [[(value[key], count) for value, count in values if value.get(key) is not None]]
        }
    return _most_common(values)
