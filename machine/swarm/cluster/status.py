"""A container's status as the engine words it, "Up 5 minutes (healthy)", kept true while time passes. Pure.

The engine says it once; to ask again for each list would cost a request per engine. The words for a time are those of
Docker's go-units: https://pkg.go.dev/github.com/docker/go-units#HumanDuration .
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

MINUTE, HOUR = 60, 3600
DAY = 24 * HOUR
WEEK, MONTH, YEAR = 7 * DAY, 30 * DAY, 365 * DAY
_UNITS = {"second": 1, "minute": MINUTE, "hour": HOUR, "day": DAY, "week": WEEK, "month": MONTH, "year": YEAR}
_TEXT = re.compile(
    r"(Up |Exited \(-?\d+\) |Restarting \(-?\d+\) )"
    r"(Less than a second|About an? \w+|\d+ \w+)"
    r"( ago)?( \(.*\))?\Z"
)
NEVER = float("inf")
_USUAL = 80  # letters of a status that is worth remembering


class Status(NamedTuple):
    """`before` + a time + `after`, the time counted from `since` (seconds since 1970); fixed text without it."""

    before: str
    since: float | None = None
    after: str = ""

    def at(self, now: float) -> tuple[str, float]:
        """The text now, and when it will be another."""
        if self.since is None:
            return self.before, NEVER
        words, lasts = duration(max(now - self.since, 0))
        return f"{self.before}{words}{self.after}", now + lasts


def read(text: str, now: float) -> Status:
    """The status that an engine gave as `text` at the time `now`."""
    before, seconds, after = _split_cached(text) if len(text) <= _USUAL else _split(text)
    return Status(before) if seconds is None else Status(before, now - seconds, after)


def _split(text: str) -> tuple[str, int | None, str]:
    found = _TEXT.match(text)
    seconds = seconds_of(found[2]) if found else None
    if found is None or seconds is None:
        return text, None, ""
    return found[1], seconds, (found[3] or "") + (found[4] or "")


_split_cached = lru_cache(maxsize=1024)(_split)  # containers that were started together say the same


def same(old: Status, new: Status, now: float) -> bool:
    """Whether both read the same now: then the older one knows better since when."""
    return old.before == new.before and old.after == new.after and old.at(now)[0] == new.at(now)[0]


def duration(seconds: float) -> tuple[str, float]:
    """The words for a time, and for how many seconds more they hold."""
    whole = int(seconds)
    hours = int(seconds / HOUR + 0.5)
    if whole < MINUTE:
        words = "Less than a second" if whole < 1 else "1 second" if whole == 1 else f"{whole} seconds"
        return words, whole + 1 - seconds
    if whole < HOUR:
        minutes = whole // MINUTE
        return ("About a minute" if minutes == 1 else f"{minutes} minutes"), (minutes + 1) * MINUTE - seconds
    lasts = max((hours + 0.5) * HOUR - seconds, 1.0)
    if hours == 1:
        return "About an hour", lasts
    if hours < 48:
        return f"{hours} hours", lasts
    for unit, size, most in (("days", DAY, 2 * WEEK), ("weeks", WEEK, 2 * MONTH), ("months", MONTH, 2 * YEAR)):
        if hours * HOUR < most:
            return f"{hours * HOUR // size} {unit}", lasts
    years = whole // YEAR
    return f"{years} years", min(lasts, (years + 1) * YEAR - seconds)


def seconds_of(text: str) -> int | None:
    """About how long the words mean; None if they are no time."""
    if text == "Less than a second":
        return 0
    count, _, unit = text.removeprefix("About ").partition(" ")
    size = _UNITS.get(unit.removesuffix("s"))
    if size is None:
        return None
    return size if count in ("a", "an") else int(count) * size if count.isdecimal() else None
