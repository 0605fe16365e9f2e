"""Which options a clone takes from its source, and which it may have of its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from machine.errors import UsageError


def own_fields(own: object, typed: Collection[str], driver_name: str, changeable: Mapping[str, str]) -> dict[str, Any]:
    """Return field -> value, of the settings `own`, for the options `typed`; `changeable` has the field of each option.

    Raises UsageError for an option of that driver that only a machine of an image can have.
    """
    for name in typed:
        if name.startswith(f"{driver_name}-") and name not in changeable:
            raise UsageError(
                f"--{name} has no effect with --from: a clone has it from its source", resolution=f"leave --{name} out"
            )
    return {field: getattr(own, field) for name, field in changeable.items() if name in typed}


def check_disk(flag: str, wanted: int, source: int) -> None:
    """Raise UsageError, which names the flag, for a disk that is smaller than the source's. Both in MB."""
    if wanted < source:
        raise UsageError(
            f"--{flag} {wanted} is less than the disk of the machine that is cloned ({source} MB)",
            resolution=f"--{flag} {source}, or more, or leave it out",
        )
