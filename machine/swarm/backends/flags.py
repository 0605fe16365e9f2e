"""The words after a backend's name: flags and the rest. The same forms as on the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from machine.errors import UsageError


def read(backend: str, words: Sequence[str], takes: Mapping[str, bool]) -> tuple[dict[str, str], list[str]]:
    """The flags with their values (a switch is "true" or "false"), and the other words.

    `takes` says of each flag whether a value follows. `-flag` is `--flag`; `--flag=value` works for all. UsageError.
    """
    flags: dict[str, str] = {}
    rest: list[str] = []
    queue = list(words)
    while queue:
        word = queue.pop(0)
        if word == "--":
            return flags, rest + queue
        if len(word) < 2 or word[0] != "-":
            rest.append(word)
            continue
        name, equals, value = word.partition("=")
        name = "-" + name if not name.startswith("--") else name
        if name not in takes:
            raise UsageError(f"the backend {backend} has no flag {name}", resolution="it knows: " + " ".join(takes))
        if equals:
            flags[name] = value.lower() if not takes[name] else value
        elif not takes[name]:
            flags[name] = "true"
        elif queue:
            flags[name] = queue.pop(0)
        else:
            raise UsageError(f"{name} needs a value", resolution=f"write {name}=VALUE")
    return flags, rest
