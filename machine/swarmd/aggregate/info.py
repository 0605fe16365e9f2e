"""GET /info of an aggregate: its engines as one, and which of them there are. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from machine.swarm.merge.engine_info import EngineInfo
from machine.swarm.merge.info import NO_SWARM_MODE, merge_info
from machine.swarm.merge.node_info import Answers, Json
from machine.swarm.merge.values import number

NAME = "aggregate"
_SUMS = ("Containers", "ContainersRunning", "ContainersPaused", "ContainersStopped", "NCPU", "MemTotal")


def aggregate_info(answers: Answers, absent: Iterable[tuple[str, str]], images: int) -> Json:
    """Return the engines' infos as one; `absent` are nodes that do not answer, and why; `images` is their number.

    The nodes are told in SystemStatus, as classic Swarm did, and in the labels, which every client shows.
    """
    answers = list(answers)
    rows = [["Nodes", str(len(answers))]]
    labels = []
    for node, answer in answers:
        counts = f"{number(answer.get('Containers'))} ({number(answer.get('ContainersRunning'))} Running)"
        rows += [[f" {node.name}", node.address], ["  └ Status", "Healthy"], ["  └ Containers", counts]]
        labels.append(f"node.{node.name}={node.address}")
    for name, why in absent:
        rows += [[f" {name}", ""], ["  └ Status", "Unhealthy"], ["  └ Error", why]]
        labels.append(f"node.{name}=unreachable: {why}")
    return {
        **merge_info([(node.name, EngineInfo.of(answer)) for node, answer in answers]),
        **{key: sum(number(answer.get(key)) for _, answer in answers) for key in _SUMS},
        "ID": ":".join(node.id for node, _ in answers) or NAME,
        "Name": NAME,
        "ServerVersion": ", ".join(_versions(answers)),
        "SystemTime": next((answer["SystemTime"] for _, answer in answers if "SystemTime" in answer), ""),
        "Debug": False,
        "Swarm": NO_SWARM_MODE,
        "Images": images,
        "Labels": labels,
        "SystemStatus": rows,
    }


def _versions(answers: Iterable[tuple[Any, Any]]) -> Iterable[str]:
    """Every engine's version once: one that is older than the others explains what it cannot do."""
    return dict.fromkeys(str(answer["ServerVersion"]) for _, answer in answers if answer.get("ServerVersion"))
