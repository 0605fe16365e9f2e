"""Variables in the command of a service: where they are set, and what the command means with them. Pure.

systemd: Environment= and EnvironmentFile= (systemd.exec(5)), expanded as systemd.service(5) says under "COMMAND LINES".
OpenRC: /etc/conf.d/SERVICE is shell, of which plain assignments are understood and nothing is run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from machine.provision.units import OURS, resolve_specifiers, split_words, values_of

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BRACED = re.compile(r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_SHELL = re.compile(
    r"""[ \t\r\n;]+|\#[^\n]*|(?P<word>(?:[^\s"'\\;|&<>()`]|\\[\s\S]|"(?:[^"\\]|\\[\s\S])*"|'[^']*')+)"""
)
_SHELL_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_]\w*)(?::?-)?\}|([A-Za-z_]\w*))")
_NEEDS_ESCAPE = '"\\`$'  # in double quotes of an environment file a backslash before another character is kept


def from_units(files: Iterable[tuple[str, str]], specifiers: Mapping[str, str]) -> dict[str, str]:
    """What Environment= lines set, from a unit's files (path, text) in systemd's order. Our own drop-in is left out."""
    variables: dict[str, str] = {}
    for path, text in files:
        if path.rsplit("/", 1)[-1] == OURS:
            continue
        for value in values_of(text, "Environment"):
            if not value:
                variables.clear()
            for _, meant in split_words(value):
                name, equals, content = meant.partition("=")
                if equals and _NAME.fullmatch(name):
                    variables[name] = resolve_specifiers(content, specifiers)
    return variables


def from_file(text: str) -> dict[str, str]:
    """What an EnvironmentFile= sets. Lines that are no assignment are passed over, as systemd does."""
    variables: dict[str, str] = {}
    position = 0
    while position < len(text):
        while position < len(text) and text[position] in " \t\n\r":
            position += 1
        if text[position : position + 1] in ("#", ";"):
            position = _line_end(text, position)
            continue
        equals, end = text.find("=", position), _line_end(text, position)
        if equals < 0 or equals > end:
            position = end + 1
            continue
        name = text[position:equals].strip()
        value, position = _file_value(text, equals + 1)
        if _NAME.fullmatch(name):
            variables[name] = value
    return variables


def _line_end(text: str, position: int) -> int:
    """Where the line ends that `position` is in; a backslash before the end goes on with the next one."""
    while position < len(text) and text[position] != "\n":
        position += 2 if text[position] == "\\" else 1
    return min(position, len(text))


def _file_value(text: str, position: int) -> tuple[str, int]:
    """The value that begins at `position`, and where the text goes on after its line."""
    value, kept_length = "", 0  # `kept_length`: how much of the value is not blank at its end, or was quoted
    while text[position : position + 1] in (" ", "\t"):
        position += 1
    plain = False  # quotes count at the start and after other quotes only
    while position < len(text) and text[position] != "\n":
        char = text[position]
        if char in "'\"" and not plain:
            quoted, position = _read_quoted(text, position)
            value += quoted
            kept_length = len(value)
            continue
        if char == "\\":
            position += 1
            char = text[position : position + 1]
            if char not in ("\n", ""):
                value += char
                kept_length = len(value)
        elif plain or char not in " \t\r":  # blanks between quotes do not count
            value += char
            if char not in " \t\r":
                kept_length, plain = len(value), True
        position += 1
    return value[:kept_length], position


def _read_quoted(text: str, position: int) -> tuple[str, int]:
    """The content of the quotes that open at `position`, and where the text goes on after them."""
    quote, value = text[position], ""
    position += 1
    while position < len(text) and text[position] != quote:
        if quote == '"' and text[position] == "\\" and position + 1 < len(text):
            position += 1
            if text[position] not in _NEEDS_ESCAPE and text[position] != "\n":
                value += "\\"
            if text[position] == "\n":
                position += 1
                continue
        value += text[position]
        position += 1
    return value, position + 1


def expand(word: str, variables: Mapping[str, str]) -> list[str]:
    """The words that one word of a command stands for: `$NAME` alone may be none or many, `${NAME}` is put in."""
    if word.startswith("$") and word[1:2] not in ("$", "{", ""):
        return [part for _, part in split_words(variables.get(word[1:], ""))]
    return [_BRACED.sub(lambda found: variables.get(found[1], "") if found[1] else "$", word)]


def variable_names(word: str) -> list[str]:
    """The names of the variables in one word of a command."""
    if word.strip("\"'").startswith("$") and not word.strip("\"'").startswith(("$$", "${")):
        return [word.strip("\"'")[1:]]
    return [name for name in _BRACED.findall(word) if name]


def from_shell(text: str, name: str) -> str | None:
    """What the plain assignments of a shell file leave in variable `name`, "" if nothing sets it.

    None when that cannot be told without running the file: a substitution, a condition, any other command.
    """
    variables: dict[str, str] = {}
    position = 0
    while position < len(text):
        match = _SHELL.match(text, position)
        if match is None:
            return None
        position, word = match.end(), match["word"]
        if word is None or word == "export":
            continue
        key, equals, value = word.partition("=")
        name_only = key.removesuffix("+")
        content = _shell_value(value, variables)
        if not equals or not _NAME.fullmatch(name_only) or content is None:
            return None
        variables[name_only] = variables.get(name_only, "") + content if key != name_only else content
    return variables.get(name, "")


def _shell_value(value: str, variables: Mapping[str, str]) -> str | None:
    """A word of shell without its quotes, variables that were set before put in; None if something would be run."""
    result, position, quote = "", 0, ""
    while position < len(value):
        char = value[position]
        if quote == "'" and char != "'":
            result += char
        elif char in "'\"" and quote in ("", char):
            quote = "" if quote else char
        elif char == "\\":
            position += 1
            result += (
                value[position : position + 1]
                if not quote or value[position : position + 1] in '"\\$`'
                else "\\" + value[position : position + 1]
            )
        elif char == "`":
            return None
        elif char == "$":
            match = _SHELL_VARIABLE.match(value, position)
            if match is None:
                return None
            result += variables.get(match[1] or match[2], "")
            position = match.end() - 1
        else:
            result += char
        position += 1
    return None if quote else result
