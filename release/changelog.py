"""CHANGELOG.md: one section for each release, `## [X.Y.Z] - YYYY-MM-DD`, as keepachangelog.com has it.

python -m release.changelog vX.Y.Z      print the section, for the notes of a release
"""

from __future__ import annotations

import re
import sys
from datetime import date
from pathlib import Path

from release.process import ReleaseError

FILE = Path(__file__).resolve().parent.parent / "CHANGELOG.md"
_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
_RELEASE = re.compile(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)")


def section(text: str, version: str) -> str:
    """The text of a release's section, without its heading. Raises ReleaseError unless it is dated and has lines.

    A candidate (1.2.3rc1) has the section of its release, or as long as that is not written, what is unreleased.
    """
    final = version.partition("rc")[0]
    parts = _HEADING.split(text)
    bodies = dict(zip(parts[1::2], parts[2::2], strict=True))
    for heading, body in bodies.items():
        found = _RELEASE.fullmatch(heading)
        if found and found[1] == final:
            return _checked(heading, found[2], body)
    for heading, body in bodies.items():
        if final != version and heading.strip("[]") == "Unreleased" and body.strip():
            return body.strip()
    heading = f"## [{final}] - {date.today()}"
    raise ReleaseError(f"CHANGELOG.md has no section for {version}: write `{heading}` in the place of `## Unreleased`")


def _checked(heading: str, day: str, body: str) -> str:
    try:
        date.fromisoformat(day)
    except ValueError:
        raise ReleaseError(f"CHANGELOG.md: `## {heading}` has no date of the calendar") from None
    if not body.strip():
        raise ReleaseError(f"CHANGELOG.md: the section `## {heading}` is empty: say what users notice")
    return body.strip()


if __name__ == "__main__":
    try:
        print(section(FILE.read_text(), sys.argv[1].removeprefix("v")))
    except ReleaseError as error:
        sys.exit(f"no notes: {error}")
