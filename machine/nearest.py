"""The known word that somebody may have meant. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word most like `word`, "" if none is like it. Dashes before a flag do not count."""
    from difflib import get_close_matches  # costs 5 ms, and only mistakes need it

    names = {name.lstrip("-"): name for name in known}
    found = get_close_matches(word.lstrip("-"), list(names), n=1)
    return names[found[0]] if found else ""
