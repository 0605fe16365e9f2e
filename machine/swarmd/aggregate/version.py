"""GET /version of several engines, and the API versions that all of them speak."""

from __future__ import annotations

from machine.swarm.merge.node_info import Answers, Json


def merge_version(answers: Answers) -> Json:
    """Return the answer of the first engine with the API versions that all of them speak."""
    found = [answer for _, answer in answers]
    lowest = min((version for answer in found if (version := answer.get("ApiVersion"))), key=_parts, default="")
    highest = max((version for answer in found if (version := answer.get("MinAPIVersion"))), key=_parts, default="")
    return {**found[0], "ApiVersion": lowest, "MinAPIVersion": highest}


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(piece) if piece.isdigit() else 0 for piece in version.split("."))
