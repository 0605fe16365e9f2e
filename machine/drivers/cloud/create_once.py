"""Making something once: what an earlier try has made, or may have made, is found again instead of made twice.

Clouds make a second thing for a repeated request, unless its name or a token of ours tells them that it is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from machine.drivers.cloud.errors import AMBIGUOUS_ERRORS, NAMED_ERRORS, ApiTimeout, ErrorClass, NameTaken

T = TypeVar("T")


def own_name(name: str, machine_id: str) -> str:
    """The name of a thing that is made for one machine: the machine's, and the beginning of its id."""
    return f"{name}-{machine_id[:12]}"


def create_or_find(
    create: Callable[[], T],
    find: Callable[[], T | None],
    *,
    ambiguous: Sequence[ErrorClass] = AMBIGUOUS_ERRORS,
    repeat: bool = True,
) -> T:
    """What `create` returns, or what `find` does after an error that leaves open whether it is there.

    Errors that are `ambiguous` do that: a name that is taken, or no answer. When nothing is found after no answer,
    `create` is called once more, except after a timeout: the thing may come into being yet. Without `repeat` an
    answer that is missing is an error at once.
    """
    try:
        return create()
    except tuple(ambiguous) as error:
        if not repeat and not isinstance(error, NameTaken):
            raise
        found = find()
        if found is not None:
            return found
        if isinstance(error, ApiTimeout | NameTaken):
            raise
        return create()


def add_rules(add: Callable[[list[T]], object], rules: list[T]) -> None:
    """Add rules to a firewall that others add to as well: one by one where some of them may be there by now."""
    if not rules:
        return
    try:
        add(rules)
    except NAMED_ERRORS:
        for rule in rules:
            try:
                add([rule])
            except NameTaken:
                continue
