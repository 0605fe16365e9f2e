"""GET /version of several engines, and the API versions that all of them speak."""

from __future__ import annotations

from machine.swarm.merge.node_info import Answers, Json


def merge_version(answers: Answers) -> Json:
    """Return the answer of the first engine with the API versions that all of them speak."""
    versions = [answer for _, answer in answers]
    lowest = min(
        (version for answer in versions if (version := answer.get("ApiVersion"))), key=_version_numbers, default=""
    )
    highest = max(
        (version for answer in versions if (version := answer.get("MinAPIVersion"))), key=_version_numbers, default=""
    )
    return {**versions[0], "ApiVersion": lowest, "MinAPIVersion": highest}


def _version_numbers(version: str) -> tuple[int, ...]:
    return tuple(int(piece) if piece.isdigit() else 0 for piece in version.split("."))
