"""The arguments after a backend's name: flags and positional ones. The same forms as on the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from machine.errors import UsageError
from machine.swarm.flag_tokens import tokenize


def read(backend: str, args: Sequence[str], takes_value: Mapping[str, bool]) -> tuple[dict[str, str], list[str]]:
    """The flags with their values (a switch is "true" or "false"), and the positional arguments.

    `takes_value` says of each flag whether a value follows. `-flag` is `--flag`; `--flag=value` works for all. Raises
    UsageError if there is no such flag, or its value is missing or wrong.
    """
    flags: dict[str, str] = {}
    positionals: list[str] = []

    def find(name: str) -> tuple[str, bool]:
        long = name if name.startswith("--") else f"-{name}"
        if long not in takes_value:
            raise UsageError(
                f"the backend {backend} has no flag {long}", resolution="it knows: " + " ".join(takes_value)
            )
        return long, takes_value[long]

    for token in tokenize(args, find):
        if token.flag:
            flags[token.flag] = token.value
        else:
            positionals.append(token.value)
    return flags, positionals
