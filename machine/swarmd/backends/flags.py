"""The words after a backend's name: flags and the rest. The same forms as on the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from machine.errors import UsageError
from machine.swarm.flag_tokens import tokenize


def read(backend: str, words: Sequence[str], takes: Mapping[str, bool]) -> tuple[dict[str, str], list[str]]:
    """The flags with their values (a switch is "true" or "false"), and the other words.

    `takes` says of each flag whether a value follows. `-flag` is `--flag`; `--flag=value` works for all. UsageError.
    """
    flags: dict[str, str] = {}
    rest: list[str] = []

    def find(name: str) -> tuple[str, bool]:
        long = name if name.startswith("--") else f"-{name}"
        if long not in takes:
            raise UsageError(f"the backend {backend} has no flag {long}", resolution="it knows: " + " ".join(takes))
        return long, takes[long]

    for token in tokenize(words, find):
        if token.flag:
            flags[token.flag] = token.value
        else:
            rest.append(token.value)
    return flags, rest
