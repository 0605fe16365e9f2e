"""The parser of one command. Declared in argparse's terms; argparse itself is imported only to print help.

argparse takes no names between flags, no `-driver x`, no `--swarm=false`, and costs a third of the time of
`machine ip`. So the words are cut by machine.cli.tokenize and put in their places here.
"""

from __future__ import annotations

import os

from machine.cli.tokenize import OPTIONAL, SWITCH, VALUE, tokenize
from machine.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from machine.cli.global_flags import Flags

_KNOWN = {"action", "nargs", "const", "default", "type", "choices", "metavar", "help", "dest", "required"}
_KINDS = {"int": "a whole number", "float": "a number", "seconds": "a number of seconds, 86400 at most"}
_ACTIONS = ("store", "store_true", "append")

MOST_IN_USAGE = 12  # flags that the line of usage spells out; with more, such as those of create, it fills a screen


class Values:
    """The values of one command line, an attribute for each flag and name (in annotations: argparse's Namespace)."""

    def __init__(self, **values: object) -> None:
        self.__dict__.update(values)


class Argument:
    """One flag or place for names: the arguments of `add_argument`, kept as they were given."""

    __slots__ = ("action", "default", "dest", "flags", "nargs", "of_driver", "options")

    def __init__(self, flags: tuple[str, ...], options: dict[str, Any]) -> None:
        """ValueError on something of argparse's that is not done here."""
        self.options = options
        self.of_driver = False  # whether it is an option of the chosen driver
        self.flags = flags if flags[0].startswith("-") else ()
        self.action = options.get("action", "store")
        if self.action not in _ACTIONS or not set(options) <= _KNOWN:
            raise ValueError(f"{flags[0]}: {options} is more than machine.cli.parser does")
        long = next((flag for flag in flags if flag.startswith("--")), flags[0])
        self.dest = options.get("dest") or long.lstrip("-").replace("-", "_")
        self.nargs = options.get("nargs")
        self.default = options.get("default", False if self.action == "store_true" else None)

    @property
    def shown(self) -> str:
        """How errors call it."""
        return self.flags[0] if self.flags else str(self.options.get("metavar") or self.dest)

    @property
    def needs_one(self) -> bool:
        """Whether it is a place for names that may not stay empty."""
        return self.nargs in (None, "+")

    @property
    def is_verb(self) -> bool:
        """Whether it is the place of a command's own commands (`ls` in `machine context ls`)."""
        return not self.flags and self.dest == "verb" and self.nargs is None

    @property
    def follows(self) -> str:
        """What may follow the flag, as machine.cli.tokenize has it."""
        if self.action == "store_true":
            return SWITCH
        return OPTIONAL if self.nargs == "?" else VALUE

    def convert(self, text: str) -> Any:
        """The value that `text` stands for. UsageError if it is none."""
        try:
            value = self.options.get("type", str)(text)
        except (ValueError, TypeError):
            kind = _KINDS.get(self.options["type"].__name__, "something else")
            raise UsageError(f"{self.shown} must be {kind}, not {text!r}") from None
        choices = self.options.get("choices")
        if choices and value not in choices:
            raise UsageError(f"{self.shown} must be one of {', '.join(choices)}, not {text!r}")
        return value


class Group:
    """Flags under one heading of the help."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.arguments: list[Argument] = []

    def add_argument(self, *flags: str, **options: Any) -> Argument:
        """As argparse's, with `action` store, store_true or append; `default` may be any value."""
        self.arguments.append(Argument(flags, options))
        return self.arguments[-1]


class Parser(Group):
    """`typed` and `environ` are for commands whose flags depend on others (create's on -d)."""

    def __init__(
        self, command: str, description: str, *, typed: Sequence[str] = (), environ: Mapping[str, str] | None = None
    ) -> None:
        super().__init__("")
        self.prog = f"machine {command}"
        self.description = description
        self.typed = list(typed)
        self.environ = dict(environ or {})
        self.groups: list[Group] = [self]
        self.explain_unknown: list[Callable[[str], str]] = []  # flag -> advice, "" for none, asked before any other
        self.add_argument("--help", "-h", action="store_true", help="Show this text")

    def add_argument_group(self, title: str) -> Group:
        """A heading; flags are added to what this returns."""
        self.groups.append(Group(title))
        return self.groups[-1]

    def flags(self) -> dict[str, Argument]:
        """Every flag of this command, short and long."""
        return {flag: argument for group in self.groups for argument in group.arguments for flag in argument.flags}

    def places(self) -> list[Argument]:
        """What takes names, in order."""
        return [argument for group in self.groups for argument in group.arguments if not argument.flags]

    def read(self, argv: Sequence[str], globals_: Flags) -> Namespace:
        """The values of `argv`; global flags go to `globals_`. UsageError on whatever does not fit."""
        from machine.cli.global_flags import AFTER_COMMAND

        own = self.flags()

        def follows(flag: str) -> str:
            return own[flag].follows if flag in own else AFTER_COMMAND.get(flag, "")

        found = {a.dest: a.default for a in [*own.values(), *self.places()]}
        names: list[str] = []
        for word in tokenize(argv, follows, self._unknown):
            if not word.flag:
                names.append(word.value)
            elif word.flag not in own:
                globals_.set(word.flag, word.value)
            else:
                argument = own[word.flag]
                if argument.action == "store_true":
                    found[argument.dest] = word.value == "true"
                elif argument.follows == OPTIONAL and not word.value:
                    found[argument.dest] = argument.options.get("const")
                elif argument.action == "append":
                    found[argument.dest] = [*(found[argument.dest] or []), argument.convert(word.value)]
                else:
                    found[argument.dest] = argument.convert(word.value)
        if not names and any(place.is_verb for place in self.places()):
            found["help"] = True  # nothing is asked: tell what there is, as `machine` and `machine swarm` do
        if not found["help"]:
            self._place(names, found)
        return Values(**found)  # type: ignore[return-value]

    def _place(self, names: list[str], found: dict[str, Any]) -> None:
        """Give each place its names: one if it needs one, the rest to those that take more."""
        places = self.places()
        later = sum(place.needs_one for place in places)  # names that this place and those after it need
        for place in places:
            if place.needs_one:
                later -= 1
            free = len(names) - later
            if free < 1 and place.needs_one:
                raise UsageError(f"{self.prog} needs a {place.shown}", resolution=f"see {self.prog} --help")
            count = max(0, free if place.nargs in ("*", "+") else min(free, 1))
            taken, names = names[:count], names[count:]
            if place.is_verb:
                self._know(taken, place.options["choices"])
            values = [place.convert(name) for name in taken]
            if place.nargs in ("*", "+"):
                found[place.dest] = values or place.default or []
            elif values:
                found[place.dest] = values[0]
        if names:
            raise UsageError(
                f"{self.prog} takes no more arguments than that: {' '.join(names)}",
                resolution=f"see {self.prog} --help",
            )

    def _know(self, typed: Sequence[str], verbs: Sequence[str]) -> None:
        """UsageError if what is typed is none of the command's verbs."""
        from machine.cli.suggest import suggestion

        for name in typed:
            if name not in verbs:
                raise UsageError(
                    f"there is no command {name!r} of {self.prog}",
                    resolution=suggestion(name, verbs, "did you mean {}?") or f"use one of: {' '.join(verbs)}",
                )

    def _unknown(self, flag: str) -> UsageError:
        for elsewhere in self.explain_unknown:
            if advice := elsewhere(flag):
                return UsageError(f"{self.prog} has no flag {flag}", resolution=advice)
        from machine.cli.global_flags import AFTER_COMMAND
        from machine.cli.suggest import suggestion

        return UsageError(
            f"{self.prog} has no flag {flag}",
            resolution=suggestion(flag, [*self.flags(), *AFTER_COMMAND], "{}, or ")
            + f"{self.prog} --help for the list",
        )

    def format_help(self) -> str:
        """Usage, the description, and every flag and name."""
        import argparse

        names = " ".join(f"[{argument.options.get('metavar') or argument.dest} ...]" for argument in self.places())
        many = sum(bool(argument.flags) for group in self.groups for argument in group.arguments) > MOST_IN_USAGE
        parser = argparse.ArgumentParser(
            prog=self.prog,
            usage=f"{self.prog} [FLAGS] {names}" if many else None,
            description=_fitted(self.description, columns() - 2),
            add_help=False,
            formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(
                prog, max_help_position=34, width=columns() - 2
            ),
        )
        for group in self.groups:
            target = parser.add_argument_group(group.title) if group.title else parser
            for argument in group.arguments:
                target.add_argument(*(argument.flags or (argument.dest,)), **argument.options)
        return "Usage: " + parser.format_help().removeprefix("usage: ")


def _fitted(text: str, width: int) -> str:
    """Lines no longer than `width`: prose, and the right column of a list. Examples of what to type stay whole.

    Lines of prose that follow each other are one paragraph, filled anew.
    """
    import re
    import textwrap

    lines: list[str] = []
    for line in re.sub(r"(?m)(^\S.*)\n(?=\S)", r"\1 ", text).split("\n"):
        row = re.match(r" +\S.*? {2,}(?=\S)", line)
        if len(line) <= width or (line.startswith(" ") and not row):
            lines.append(line)
        else:
            left = row[0] if row else ""
            lines += textwrap.wrap(
                line[len(left) :], width, initial_indent=left, subsequent_indent=" " * len(left), break_on_hyphens=False
            )
    return "\n".join(lines)


def columns() -> int:
    """The width for help: $COLUMNS, else that of the terminal, which may be behind a pager, else 80."""
    typed = os.environ.get("COLUMNS", "")
    if typed.isascii() and typed.isdigit() and int(typed) > 0:
        return max(int(typed), 40)
    for stream in (1, 2, 0):
        try:
            return max(os.get_terminal_size(stream).columns, 40)
        except (OSError, ValueError, AttributeError):
            continue
    return 80
