"""How this program is started once more, in a process of its own."""

from __future__ import annotations

import sys

# Of __main__, set by launchers that bring the program along: those of the zipapp and of the Debian package.
ATTRIBUTE = "MACHINE_COMMAND"


def own_command() -> list[str]:
    """Return the words that start this very program from any directory; arguments come after them."""
    words = getattr(sys.modules.get("__main__"), ATTRIBUTE, None)
    return list(words) if words else [sys.executable, "-P", "-m", "machine"]
