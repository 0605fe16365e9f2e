"""The shell scripts in `scripts/`, with paths and limits of this program put in for their placeholders.

A placeholder is a name between two `@`. One that has a line of its own stands for whole lines, or for none; any other
for a part of its line, quoted for the shell by the caller where it may hold more than a word.
"""

from __future__ import annotations

import os
import re

_DIRECTORY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "scripts")
_PLACEHOLDER = re.compile(r"^@(?P<lines>[A-Z0-9_]+)@\n|@(?P<part>[A-Z0-9_]+)@", re.MULTILINE)


def read(name: str, /, **values: object) -> str:
    """Return the script `name`.sh; the values are those of its placeholders, by their names in lower case.

    Raises ValueError if a value lacks its placeholder, or a placeholder its value.
    """
    with open(os.path.join(_DIRECTORY, f"{name}.sh"), encoding="utf-8") as file:
        return fill(file.read(), **values)


def fill(script: str, /, **values: object) -> str:
    """Return `script` with the values put in for its placeholders. Raises ValueError as in `read`."""
    used = set()

    def value_of(match: re.Match[str]) -> str:
        name = (match["lines"] or match["part"]).lower()
        used.add(name)
        value = str(values.get(name, ""))
        return f"{value}\n" if match["lines"] and value and not value.endswith("\n") else value

    filled = _PLACEHOLDER.sub(value_of, script)
    if used != values.keys():
        raise ValueError(f"placeholders {sorted(used)}, values {sorted(values)}")
    return filled
