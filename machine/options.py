"""A driver's or a command's option as data; no parser inside.

The command line, the environment, the docs and the checks all read these tuples.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from machine.booleans import parse_bool
from machine.errors import MachineError, UsageError

VALUE, DISK = "value", "disk"  # kinds of options that `machine set` can change


@dataclass(frozen=True, slots=True)
class Option:
    """One `--name`. `kind` is string, int, bool or list; `default` None means: by kind ("", 0, False, [])."""

    name: str  # without the dashes: "qemu-memory"
    kind: str = "string"
    env: str = ""
    default: Any = None
    help: str = ""
    secret: bool = False  # never stored in config.json, never shown
    key: str = ""  # the key in config.json's Driver object, for secrets and for the lead option of a group of secrets
    belongs_to: str = ""  # name of the lead option that this secret goes with: see machine.secrets
    changeable: str = ""  # by `machine set`: VALUE, or DISK, whose root file system grows with it; "": not

    @property
    def empty(self) -> Any:
        """The value of an option that nobody set and that has no default; a new list each time."""
        empty_values = {"string": "", "int": 0, "bool": False, "list": []}
        return empty_values[self.kind]


Values = Mapping[str, Any]  # option name -> value of its kind


def parse(option: Option, text: str, source: str) -> Any:
    """The value of `text` as the option's kind; UsageError names `source` (a flag or a variable)."""
    if option.kind == "string":
        return text
    if option.kind == "list":
        return [part for part in (p.strip() for p in text.split(",")) if part]
    if option.kind == "bool":
        return parse_bool(text, source)
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"{source} must be a whole number, not {text!r}") from None


def resolve(options: Sequence[Option], typed: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> Values:
    """Value of every option: command line, else environment, else default.

    `typed` holds only what was typed. Lists on the command line are taken as they are (commas are not
    split); a list in a variable is split at commas, as docker-machine does both.
    """
    values: dict[str, Any] = {}
    for option in options:
        if option.name in typed and typed[option.name] is not None:
            values[option.name] = typed[option.name]
        elif option.env and environ.get(option.env):
            values[option.name] = parse(option, environ[option.env], f"${option.env}")
        else:
            values[option.name] = option.empty if option.default is None else option.default
    return values


def variables_of(options: Sequence[Option], typed: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that `resolve` takes values from, by the names of their options."""
    return {
        option.name: option.env
        for option in options
        if typed.get(option.name) is None and option.env and environ.get(option.env)
    }


@contextmanager
def naming_variables(variables: Mapping[str, str]) -> Iterator[None]:
    """In the block, have an error that blames a flag nobody typed blame the variable that its value is from.

    `variables` has the variables by the names of their options. A flag in what to type stays, for it goes before a
    variable; the variable is named behind it.
    """
    try:
        yield
    except MachineError as error:
        for name, variable in variables.items():
            flag = rf"(?<![\w-])--{re.escape(name)}(?![\w-])"
            brief = re.sub(flag, f"${variable}", error.brief)
            if brief == error.brief and re.search(flag, error.resolution):
                error.resolution += f"; --{name} is set by ${variable}"
            error.brief = brief
        raise
