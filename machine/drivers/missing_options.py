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


def check_complete(driver_name: str, missing: Sequence[MissingOption]) -> None:
    """Raise MissingOptions that tells all of a driver at once; its exit code tells whether credentials are."""
    if not missing:
        return
    if len(missing) == 1:
        error = MissingOptions(missing[0].brief, resolution=missing[0].resolution)
    else:
        error = MissingOptions(
            f"the driver {driver_name} needs {len(missing)} things that were not given",
            details="\n".join(one.brief for one in missing),
            resolution="\n".join(one.resolution for one in missing),
        )
    if any(one.credential for one in missing):
        error.exit_code = NOTHING_MADE
    raise error
