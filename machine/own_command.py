"""How this program is started once more, in a process of its own."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

# Of __main__, set by launchers that bring the program along: those of the zipapp and of the Debian package.
ATTRIBUTE = "MACHINE_COMMAND"


def own_command() -> list[str]:
    """Return the words that start this very program from any directory; arguments come after them."""
    return list(_launched_by()) or [sys.executable, "-P", "-m", "machine"]


def is_packaged() -> bool:
    """Return whether the program came as the zipapp or as the Debian package, to which pip adds no extras."""
    return bool(_launched_by())


def _launched_by() -> Sequence[str]:
    return getattr(sys.modules.get("__main__"), ATTRIBUTE, None) or ()
