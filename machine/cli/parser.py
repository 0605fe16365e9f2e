"""The parser of one command. Declared in argparse's terms; argparse itself is imported only to print help.

argparse takes no names between flags, no `-driver x`, no `--swarm=false`, and costs a third of the time of
`machine ip`. So machine.cli.tokenize splits the command line, and the values are assigned here.
"""

from __future__ import annotations

import os

from machine.cli.tokenize import OPTIONAL, SWITCH, VALUE, tokenize
from machine.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from machine.cli.global_flags import GlobalFlags

_KNOWN = {"action", "nargs", "const", "default", "type", "choices", "metavar", "help", "dest", "required"}
_KINDS = {"int": "a whole number", "float": "a number", "seconds": "a number of seconds, 86400 at most"}
_ACTIONS = ("store", "store_true", "append")

MAX_FLAGS_IN_USAGE = (
    12  # flags that the line of usage spells out; with more, such as those of create, it fills a screen
)


class Namespace:
    """The values of one command line, an attribute for each flag and name, as argparse's Namespace has them."""

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def __init__(self, **values: object) -> None:
        self.__dict__.update(values)


class Argument:
    """One flag or positional argument, as `add_argument` declares it."""

    __slots__ = ("action", "default", "dest", "flags", "nargs", "of_driver", "options")

    def __init__(self, flags: tuple[str, ...], options: dict[str, Any]) -> None:
        """Raises ValueError for something of argparse's that this parser does not have."""
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
    def display_name(self) -> str:
        """The name by which errors refer to it."""
        return self.flags[0] if self.flags else str(self.options.get("metavar") or self.dest)

    @property
    def needs_one(self) -> bool:
        """Whether it is a positional argument that needs a value."""
        return self.nargs in (None, "+")

    @property
    def is_verb(self) -> bool:
        """Whether it is the positional argument for a command's own commands (`ls` in `machine context ls`)."""
        return not self.flags and self.dest == "verb" and self.nargs is None

    @property
    def follows(self) -> str:
        """What may follow the flag, as machine.cli.tokenize has it."""
        if self.action == "store_true":
            return SWITCH
        return OPTIONAL if self.nargs == "?" else VALUE

    def convert(self, text: str) -> Any:
        """Return the value of `text`. Raises UsageError if it has none of the argument's type."""
        try:
            value = self.options.get("type", str)(text)
        except (ValueError, TypeError):
            kind = _KINDS.get(self.options["type"].__name__, "something else")
            raise UsageError(f"{self.display_name} must be {kind}, not {text!r}") from None
        choices = self.options.get("choices")
        if choices and value not in choices:
            from machine.cli.suggest import wrong_choice

            raise wrong_choice(self.display_name, choices, text)
        return value


class Group:
    """Flags under one heading of the help."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.arguments: list[Argument] = []

    def add_argument(self, *flags: str, **options: Any) -> Argument:
        """Declare a flag or a positional argument as argparse does, with `action` store, store_true or append."""
        self.arguments.append(Argument(flags, options))
        return self.arguments[-1]


class Parser(Group):
    """The parser of one command; `argv` and `environ` are for flags that depend on others (create's on -d)."""

    def __init__(
        self, command: str, description: str, *, argv: Sequence[str] = (), environ: Mapping[str, str] | None = None
    ) -> None:
        super().__init__("")
        self.prog = f"machine {command}"
        self.description = description
        self.argv = list(argv)
        self.environ = dict(environ or {})
        self.groups: list[Group] = [self]
        self.explain_unknown: list[Callable[[str], str]] = []  # flag -> advice, "" for none, asked before any other
        self.add_argument("--help", "-h", action="store_true", help="Show this text")

    def add_argument_group(self, title: str) -> Group:
        """Return a new group of flags with a heading of its own in the help."""
        self.groups.append(Group(title))
        return self.groups[-1]

    def flags(self) -> dict[str, Argument]:
        """Return the arguments of this command by their flags, short and long."""
        return {flag: argument for group in self.groups for argument in group.arguments for flag in argument.flags}

    def positionals(self) -> list[Argument]:
        """Return the positional arguments in their order."""
        return [argument for group in self.groups for argument in group.arguments if not argument.flags]

    def read(self, argv: Sequence[str], globals_: GlobalFlags) -> Namespace:
        """Return the values of `argv`; global flags go to `globals_`. Raises UsageError for whatever does not fit."""
        from machine.cli.global_flags import AFTER_COMMAND

        own = self.flags()

        def follows(flag: str) -> str:
            return own[flag].follows if flag in own else AFTER_COMMAND.get(flag, "")

        values = {a.dest: a.default for a in [*own.values(), *self.positionals()]}
        names: list[str] = []
        for word in tokenize(argv, follows, self._unknown_flag):
            if not word.flag:
                names.append(word.value)
            elif word.flag not in own:
                globals_.set(word.flag, word.value)
            else:
                argument = own[word.flag]
                if argument.action == "store_true":
                    values[argument.dest] = word.value == "true"
                elif argument.follows == OPTIONAL and not word.value:
                    values[argument.dest] = argument.options.get("const")
                elif argument.action == "append":
                    values[argument.dest] = [*(values[argument.dest] or []), argument.convert(word.value)]
                else:
                    values[argument.dest] = argument.convert(word.value)
        if not names and any(place.is_verb for place in self.positionals()):
            values["help"] = True  # no verb: show which there are, as `machine` and `machine swarm` do
        if not values["help"]:
            self._assign_positionals(names, values)
        return Namespace(**values)

    def _assign_positionals(self, names: list[str], values_by_dest: dict[str, Any]) -> None:
        """Give each positional argument its values: one if it needs one, the rest to those that take more."""
        positionals = self.positionals()
        needed_later = sum(place.needs_one for place in positionals)  # names that this place and those after it need
        for place in positionals:
            if place.needs_one:
                needed_later -= 1
            free = len(names) - needed_later
            if free < 1 and place.needs_one:
                raise self._missing_error(place)
            count = max(0, free if place.nargs in ("*", "+") else min(free, 1))
            own_names, names = names[:count], names[count:]
            if place.is_verb:
                self._check_verb(own_names, place.options["choices"])
            values = [place.convert(name) for name in own_names]
            if place.nargs in ("*", "+"):
                values_by_dest[place.dest] = values or place.default or []
            elif values:
                values_by_dest[place.dest] = values[0]
        if names:
            raise UsageError(
                f"{self.prog} takes no more arguments than that: {' '.join(names)}",
                resolution=f"see {self.prog} --help",
            )

    def _missing_error(self, place: Argument) -> UsageError:
        """Return the error for a positional argument that was not given, with the values that it may have."""
        brief, choices = f"{self.prog} needs a {place.display_name}", place.options.get("choices")
        if choices:
            return UsageError(f"{brief}: {', '.join(choices)}", resolution=f"{self.prog} {choices[0]}")
        return UsageError(brief, resolution=f"see {self.prog} --help")

    def _check_verb(self, names: Sequence[str], verbs: Sequence[str]) -> None:
        """Raise UsageError for a name that is none of the command's verbs."""
        from machine.cli.suggest import suggestion

        for name in names:
            if name not in verbs:
                raise UsageError(
                    f"there is no command {name!r} of {self.prog}",
                    resolution=suggestion(name, verbs, "did you mean {}?") or f"use one of: {' '.join(verbs)}",
                )

    def _unknown_flag(self, flag: str) -> UsageError:
        for explain in self.explain_unknown:
            if resolution := explain(flag):
                return UsageError(f"{self.prog} has no flag {flag}", resolution=resolution)
        from machine.cli.global_flags import AFTER_COMMAND, SHORT
        from machine.cli.suggest import suggestion

        long = SHORT.get(flag[:2], "")
        if long in AFTER_COMMAND:
            value = " VALUE" if AFTER_COMMAND[long] == VALUE else ""
            command = f"machine {flag[:2]}{value} {self.prog.removeprefix('machine ')}"
            return UsageError(
                f"{flag[:2]} comes before the command",
                resolution=f"{command} ...; or, after the command, {long}{value}",
            )
        return UsageError(
            f"{self.prog} has no flag {flag}",
            resolution=suggestion(flag, [*self.flags(), *AFTER_COMMAND], "{}, or ")
            + f"{self.prog} --help for the list",
        )

    def format_help(self) -> str:
        """Return the help: usage, the description, and every flag and positional argument."""
        import argparse

        names = " ".join(f"[{argument.options.get('metavar') or argument.dest} ...]" for argument in self.positionals())
        many = sum(bool(argument.flags) for group in self.groups for argument in group.arguments) > MAX_FLAGS_IN_USAGE
        parser = argparse.ArgumentParser(
            prog=self.prog,
            usage=f"{self.prog} [FLAGS] {names}" if many else None,
            description=_fit_lines(self.description, columns() - 2),
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


def _fit_lines(text: str, width: int) -> str:
    """Return the text in lines no longer than `width`: prose, and the right column of a list, but not examples.

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
            prefix = row[0] if row else ""
            lines += textwrap.wrap(
                line[len(prefix) :],
                width,
                initial_indent=prefix,
                subsequent_indent=" " * len(prefix),
                break_on_hyphens=False,
            )
    return "\n".join(lines)


def columns() -> int:
    """Return the width for help: $COLUMNS, else that of the terminal, which may be behind a pager, else 80."""
    variable = os.environ.get("COLUMNS", "")
    if variable.isascii() and variable.isdigit() and int(variable) > 0:
        return max(int(variable), 40)
    for stream in (1, 2, 0):
        try:
            return max(os.get_terminal_size(stream).columns, 40)
        except (OSError, ValueError, AttributeError):
            continue
    return 80
