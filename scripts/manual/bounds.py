"""The table of bounds in docs/security.md: the constants of machine/swarm/limits.py, each with its reason."""

from __future__ import annotations

import re
from pathlib import Path

from machine.swarm import limits
from manual.markdown import table, with_part

BEGIN, END = "<!-- bounds: made by `make docs` from machine/swarm/limits.py -->\n", "<!-- end of bounds -->\n"
CONSTANT = re.compile(r"^([A-Z][A-Z_]+) = (.+?)(?:  # (.+))?$", re.MULTILINE)


def page() -> str:
    """Return docs/security.md with its table of bounds as it is now."""
    found = CONSTANT.findall(Path(limits.__file__).read_text())
    rows = [(f"`{name}`", figure(name, getattr(limits, name), text), reason) for name, text, reason in found]
    return with_part("security.md", BEGIN, END, table(("bound", "figure", "of what, and why so"), rows))


def figure(name: str, value: float, expression: str) -> str:
    """Return a bound with its unit."""
    if "MIB" in expression or "KIB" in expression:
        return f"{value // limits.MIB} MiB" if value % limits.MIB == 0 else f"{value // limits.KIB} KiB"
    return f"{value:,.10g} s" if "SECONDS" in name else f"{value:,}"
