"""A command line split into flags and names. Pure; knows no command.

What docker-machine accepted is accepted (Go's flag package, https://pkg.go.dev/flag): one dash or two before a
long flag, `--flag value` and `--flag=value`, `--bool=false`; and more: flags and names in any order, short flags
with their value attached (`-t5`) or bundled (`-fy`).
"""

from __future__ import annotations

from machine.booleans import parse_bool
from machine.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

# What may follow a flag: nothing but =true or =false, a value, or a value only after "=".
SWITCH, VALUE, OPTIONAL = "switch", "value", "optional"

_DAY = 86400.0


class Token:
    """One flag with its value, or one name (`flag` is "")."""

    __slots__ = ("flag", "position", "value")

    def __init__(self, flag: str, value: str, position: int) -> None:
        self.flag = flag  # as declared: "--timeout", "-t"
        self.value = value  # of a switch: "true" or "false"
        self.position = position  # index into argv of the word after this one


def seconds(text: str) -> float:
    """A time to wait, for a flag's `type`: 0 to one day. Raises ValueError on anything else."""
    value = float(text)
    if not 0 <= value <= _DAY:
        raise ValueError(text)
    return value


def tokenize(
    argv: Sequence[str], follows: Callable[[str], str], unknown: Callable[[str], UsageError]
) -> Iterator[Token]:
    """Yield the flags and names of `argv` in order.

    `follows(flag)` is SWITCH, VALUE, OPTIONAL or "" for a flag that does not exist; `unknown` makes its error.
    After `--` everything is a name.
    """
    index = 0
    while index < len(argv):
        text = argv[index]
        index += 1
        if text == "--":
            for position in range(index, len(argv)):
                yield Token("", argv[position], position + 1)
            return
        if len(text) < 2 or text[0] != "-":
            yield Token("", text, index)
            continue
        for flag, value in _flags(text, follows, unknown):
            if value is None:
                if index >= len(argv):
                    raise UsageError(f"{flag} needs a value", resolution=f"write {flag} VALUE or {flag}=VALUE")
                value, index = argv[index], index + 1  # noqa: PLW2901
            yield Token(flag, value, index)


def _flags(
    text: str, follows: Callable[[str], str], unknown: Callable[[str], UsageError]
) -> Iterator[tuple[str, str | None]]:
    """The flags in one word of the command line, each with its value; None = the next word is it."""
    flag, equals, value = text.partition("=")
    flag = _long_form(flag, follows)
    kind = follows(flag)
    if not kind:
        yield from _bundle(text, follows, unknown)
    elif kind == SWITCH:
        yield flag, "true" if not equals or parse_bool(value, flag) else "false"
    else:
        yield flag, None if kind == VALUE and not equals else value


def _long_form(flag: str, follows: Callable[[str], str]) -> str:
    """`-driver` is `--driver`, and `--D` is `-D`, where only the other exists."""
    if follows(flag):
        return flag
    other = flag[1:] if flag.startswith("--") else "-" + flag
    return other if follows(other) else flag


def _bundle(
    text: str, follows: Callable[[str], str], unknown: Callable[[str], UsageError]
) -> Iterator[tuple[str, str | None]]:
    """`-fy` as -f -y, `-t5` as -t 5. A value is None when the next word is it."""
    if text.startswith("--") or not follows(text[:2]):
        raise unknown(text.partition("=")[0])
    letters = text[1:]
    for index, letter in enumerate(letters):
        kind = follows("-" + letter)
        value = letters[index + 1 :]
        if kind == SWITCH:
            yield "-" + letter, "true"
        elif kind == VALUE:
            yield "-" + letter, value or None
            return
        else:
            raise unknown(text)
