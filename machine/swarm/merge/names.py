"""What an object of one engine is called in the cluster: NAME, or NODE/NAME where several engines have NAME. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable


def repeated(names: Iterable[Iterable[str]]) -> frozenset[str]:
    """The names that more than one engine has; `names` are each engine's own."""
    count = Counter(name for each in names for name in set(each))
    return frozenset(name for name, times in count.items() if times > 1)


def display_name(node: str, name: str, shared: Iterable[str]) -> str:
    """What a client is shown for an engine's object; `shared` are the names that several engines have."""
    return f"{node}/{name}" if name in shared else name


def display_names(node: str, names: Iterable[str] | None, shared: Iterable[str]) -> list[str] | None:
    """What a client is shown for several of an engine's objects; None, an engine's null, stays None."""
    return None if names is None else [display_name(node, str(name), shared) for name in names]
