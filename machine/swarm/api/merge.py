"""Many engines' answers as one. Pure: parsed JSON in, parsed JSON out; unknown keys are kept.

Each function takes pairs (node, what that engine said). What an engine says is somebody else's JSON: a missing key, or
null where a list belongs, is no reason to fail.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from machine.swarm.scheduler.placement import is_spanning

Json = dict[str, Any]


class Node(NamedTuple):
    """An engine as its container's clients see it."""

    name: str
    id: str = ""
    address: str = ""  # "10.0.0.5:2376", or the path of a socket
    ip: str = ""  # what 0.0.0.0 means there; "" when that is not known
    cpus: int = 0
    memory: int = 0  # bytes
    labels: tuple[str, ...] = ()

    def described(self) -> Json:
        """As classic Swarm's inspect had it."""
        labels = dict(label.partition("=")[::2] for label in self.labels)
        facts = {"ID": self.id, "IP": self.ip, "Addr": self.address, "Name": self.name}
        return {**facts, "Cpus": self.cpus, "Memory": self.memory, "Labels": labels}


Said = Iterable["tuple[Node, Any]"]


def containers(said: Said, *, limit: int = 0) -> list[Json]:
    """The union, newest first, with at most `limit` entries if that is positive.

    A container answers to NODE/NAME, and to NAME alone when no other node has a container of that name.
    """
    entries = [(node, entry) for node, items in said for entry in _objects(items)]
    count: dict[str, int] = {}
    for _, entry in entries:
        for name in _names(entry):
            count[name] = count.get(name, 0) + 1
    entries.sort(key=lambda pair: _number(pair[1].get("Created")), reverse=True)
    return [_placed(node, entry, count) for node, entry in (entries[:limit] if limit > 0 else entries)]


def _placed(node: Node, entry: Json, count: dict[str, int]) -> Json:
    names = []
    for name in _names(entry):
        names += [f"/{name}"] if count[name] == 1 else []
        names.append(f"/{node.name}/{name}")
    ports = [_at(node, port) for port in _objects(entry.get("Ports"))]
    return {**entry, "Names": names, "Ports": ports}


def _at(node: Node, port: Json) -> Json:
    return {**port, "IP": node.ip} if node.ip and port.get("IP") == "0.0.0.0" else port


def _names(entry: Json) -> list[str]:
    """A container's own names; "/other/alias" is a link's and left out."""
    names = entry.get("Names")
    own = [str(name).lstrip("/") for name in names if str(name).count("/") < 2] if isinstance(names, list) else []
    return own[:1]


def inspected(node: Node, container: Json) -> Json:
    """GET /containers/X/json with the node it is on, and published ports at the node's address."""
    settings = container.get("NetworkSettings")
    if isinstance(settings, dict) and isinstance(settings.get("Ports"), dict) and node.ip:
        ports = {}
        for inside, outside in settings["Ports"].items():
            known = [{**o, "HostIp": node.ip} if o.get("HostIp") == "0.0.0.0" else o for o in _objects(outside)]
            ports[inside] = known if outside else outside
        container = {**container, "NetworkSettings": {**settings, "Ports": ports}}
    return {**container, "Node": node.described()}


def images(said: Said) -> list[Json]:
    """The union by image id; tags and digests united, newest first."""
    found: dict[str, Json] = {}
    for _, items in said:
        for image in _objects(items):
            known = found.setdefault(str(image.get("Id")), {**image, "RepoTags": [], "RepoDigests": []})
            for key in ("RepoTags", "RepoDigests"):
                known[key] += [item for item in _list(image.get(key)) if item not in known[key]]
    return sorted(found.values(), key=lambda image: _number(image.get("Created")), reverse=True)


def networks(said: Said) -> list[Json]:
    """One entry per name, or per id for those that span nodes; the containers in it united."""
    found: dict[tuple[str, str], Json] = {}
    for _, items in said:
        for network in _objects(items):
            key = ("id", str(network.get("Id"))) if is_spanning(network) else ("name", str(network.get("Name")))
            known = found.setdefault(key, {**network, "Containers": {}})
            inside = network.get("Containers")
            known["Containers"].update(inside if isinstance(inside, dict) else {})
    return list(found.values())


def volumes(said: Said) -> Json:
    """GET /volumes: one entry per name; warnings say which node gave them."""
    found: dict[str, Json] = {}
    warnings: list[str] = []
    for node, answer in said:
        for volume in _objects(answer.get("Volumes") if isinstance(answer, dict) else None):
            found.setdefault(str(volume.get("Name")), volume)
        warnings += [f"{node.name}: {text}" for text in _list(answer.get("Warnings"))]
    return {"Volumes": list(found.values()), "Warnings": warnings or None}


def union(lists: Iterable[Any]) -> list[Any] | None:
    """Lists of several engines as one, each entry once. None if none of them is a list, as engines say null."""
    found = [one for one in lists if isinstance(one, list)]
    if not found:
        return None
    return list({json.dumps(entry, sort_keys=True): entry for one in found for entry in one}.values())


def pruned(said: Said) -> Json:
    """Any of the prune calls: numbers added, lists joined."""
    total: Json = {}
    for _, answer in said:
        for key, value in (answer or {}).items():
            if isinstance(value, list):
                total[key] = union([total.get(key), value])
            elif isinstance(value, (int, float)):
                total[key] = (total.get(key) or 0) + value
            else:
                total.setdefault(key, value)
    return total


def disk(said: Said) -> Json:
    """GET /system/df."""
    answers = list(said)

    def part(key: str) -> list[tuple[Node, Any]]:
        return [(node, answer.get(key)) for node, answer in answers]

    return {
        "LayersSize": sum(_number(answer.get("LayersSize")) for _, answer in answers),
        "Images": images(part("Images")),
        "Containers": containers(part("Containers")),
        "Volumes": volumes((node, {"Volumes": items}) for node, items in part("Volumes"))["Volumes"],
        "BuildCache": [item for _, items in part("BuildCache") for item in _objects(items)],
        "BuilderSize": sum(_number(answer.get("BuilderSize")) for _, answer in answers),
    }


def version(said: Said) -> Json:
    """GET /version of the first engine, with the API versions that all of them speak."""
    answers = [answer for _, answer in said]
    first: Json = dict(answers[0])
    first["ApiVersion"] = lowest(answer.get("ApiVersion", "") for answer in answers)
    first["MinAPIVersion"] = highest(answer.get("MinAPIVersion", "") for answer in answers)
    return first


_SUMS = (
    "Containers", "ContainersRunning", "ContainersPaused", "ContainersStopped", "Images", "NCPU", "MemTotal",
    "NFd", "NGoroutines", "NEventsListener",
)  # fmt: skip
_SAME = ("OSType", "Architecture", "OperatingSystem", "KernelVersion", "ServerVersion", "Driver", "CgroupVersion")


def info(said: Said, absent: Iterable[tuple[str, str]] = (), *, name: str = "aggregate") -> Json:
    """GET /info: the first engine's with numbers added up; `absent` are nodes that do not answer, and why.

    A fact in which the engines differ is every value there is. The nodes are told in SystemStatus, as classic Swarm
    did, and in the labels, which every client shows.
    """
    answers = list(said)
    merged: Json = dict(answers[0][1]) if answers else {}
    for key in _SUMS:
        merged[key] = sum(_number(answer.get(key)) for _, answer in answers)
    for key in _SAME:
        values = dict.fromkeys(str(answer[key]) for _, answer in answers if answer.get(key))
        merged[key] = ", ".join(values)
    merged["ID"] = ":".join(node.id for node, _ in answers) or name
    merged["Name"] = name
    merged["Warnings"] = [
        f"{n.name}: {text}" for n, answer in answers for text in _list(answer.get("Warnings"))
    ] or None
    lines = [["Nodes", str(len(answers))]]
    labels = []
    for node, answer in answers:
        counts = f"{_number(answer.get('Containers'))} ({_number(answer.get('ContainersRunning'))} Running)"
        lines += [[" " + node.name, node.address], ["  └ Status", "Healthy"], ["  └ Containers", counts]]
        labels.append(f"node.{node.name}={node.address}")
    for other, why in absent:
        lines += [[" " + other, ""], ["  └ Status", "Unhealthy"], ["  └ Error", why]]
        labels.append(f"node.{other}=unreachable: {why}")
    merged["SystemStatus"], merged["Labels"] = lines, labels
    return merged


def event(node: Node, happened: Json) -> Json:
    """An event with the node it is from, as classic Swarm had it."""
    facts = {"node.name": node.name, "node.id": node.id, "node.addr": node.address, "node.ip": node.ip}
    actor = happened.get("Actor") if isinstance(happened.get("Actor"), dict) else {}
    attributes = {**(actor.get("Attributes") or {}), **facts}  # type: ignore[union-attr]
    marked = {**happened, "Actor": {**(actor or {}), "Attributes": attributes}}
    if happened.get("from"):
        source = happened["from"].partition(" node:")[0]  # which node it is, an engine does not say
        marked["from"] = f"{source} node:{node.name}"
    return {**marked, "node": {"Name": node.name, "Id": node.id, "Addr": node.address, "Ip": node.ip}}


def lowest(versions: Iterable[str]) -> str:
    """The lowest of version numbers like "1.44"; "" if there are none."""
    return min(filter(None, versions), key=_version_key, default="")


def highest(versions: Iterable[str]) -> str:
    """The highest of version numbers like "1.44"; "" if there are none."""
    return max(filter(None, versions), key=_version_key, default="")


def _version_key(version: str) -> tuple[int, ...]:
    return tuple(int(piece) if piece.isdigit() else 0 for piece in version.split("."))


def _objects(value: Any) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _number(value: Any) -> int:
    return int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else 0
