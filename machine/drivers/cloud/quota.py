"""Whether a limit of an account leaves room for one more machine. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from machine.drivers.cloud.errors import ErrorTable, QuotaExceeded


@dataclass(frozen=True, slots=True)
class Quota:
    """How much of something an account has, may have, and needs for the machine."""

    what: str  # in the plural: servers, GB of volumes
    used: int
    limit: int  # less than 0: none
    needed: int = 1

    @property
    def is_exceeded(self) -> bool:
        """Whether the machine would be too much."""
        return 0 <= self.limit < self.used + self.needed


def check(table: ErrorTable, owner: str, quotas: Iterable[Quota], who: str = "", text: str = "") -> None:
    """Raises QuotaExceeded for the first quota that is exceeded.

    `owner` ("the account") has it, `who` would be too much.
    """
    for quota in quotas:
        if quota.is_exceeded:
            brief = f"{owner} has {quota.used} {quota.what} and may have {quota.limit}"
            more = f", and {who} needs {quota.needed} more" if who else ""
            raise table.error(QuotaExceeded, brief + more, text)
