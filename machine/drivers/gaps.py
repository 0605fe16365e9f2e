"""What a driver cannot do without and was not given, told all at once: options.py for `create` alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from machine.errors import NOTHING_MADE, MissingOptions


@dataclass(frozen=True, slots=True)
class MissingOption:
    """An option that a driver cannot do without and that was not given: what is missing, and how to give it."""

    brief: str
    resolution: str
    credential: bool = False


def check_complete(driver_name: str, gaps: Sequence[MissingOption]) -> None:
    """MissingOptions that tells all `gaps` of a driver at once, its exit code saying if credentials are among them."""
    if not gaps:
        return
    if len(gaps) == 1:
        error = MissingOptions(gaps[0].brief, resolution=gaps[0].resolution)
    else:
        error = MissingOptions(
            f"the driver {driver_name} needs {len(gaps)} things that were not given",
            details="\n".join(gap.brief for gap in gaps),
            resolution="\n".join(gap.resolution for gap in gaps),
        )
    if any(gap.credential for gap in gaps):
        error.exit_code = NOTHING_MADE
    raise error
