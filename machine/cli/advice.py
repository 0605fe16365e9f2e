"""The nearest known word to a mistyped one. Imported only when something was mistyped."""

from __future__ import annotations

from difflib import get_close_matches

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def nearest(word: str, known: Iterable[str], sentence: str) -> str:
    """`sentence` with {} filled by the known word most like `word`; "" if none is like it."""
    names = {name.lstrip("-"): name for name in known}
    found = get_close_matches(word.lstrip("-"), list(names), n=1, cutoff=0.6)
    return sentence.format(names[found[0]]) if found else ""
