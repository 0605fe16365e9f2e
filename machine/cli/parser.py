"""The parser of one command: argparse's declarations and help, our own cutting of the words.

argparse alone takes no names between flags, no `-driver x`, no `--swarm=false`. So `read` cuts the words first
(machine.cli.words) and hands argparse the flags, each joined to its value, and then the names.
"""

from __future__ import annotations

import argparse

from machine.cli.words import OPTIONAL, SWITCH, VALUE, cut
from machine.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import NoReturn

    from machine.cli.globals import Flags


class Parser(argparse.ArgumentParser):
    """`typed` and `environ` are for commands whose flags depend on others (create's on -d)."""

    def __init__(
        self, command: str, description: str, *, typed: Sequence[str] = (), environ: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(
            prog=f"machine {command}",
            description=description,
            allow_abbrev=False,
            add_help=False,
            formatter_class=_Formatter,
        )
        self.command = command
        self.typed = list(typed)
        self.environ = dict(environ or {})
        self.add_argument("--help", "-h", action="store_true", help="Show this text")

    def error(self, message: str) -> NoReturn:
        """argparse's complaint as one of ours."""
        extra = message.removeprefix("unrecognized arguments: ")
        if extra != message:
            message = f"takes no more words: {extra}"
        raise UsageError(f"{self.prog}: {message}", resolution=f"see {self.prog} --help")

    def flag_follows(self, flag: str) -> str:
        """What may follow one of this command's flags (machine.cli.words); "" if it has no such flag."""
        action = self._option_string_actions.get(flag)
        if action is None:
            return ""
        if action.nargs == 0:
            return SWITCH
        return OPTIONAL if action.nargs == "?" else VALUE

    def flag_names(self) -> list[str]:
        """Every flag of this command."""
        return list(self._option_string_actions)

    def read(self, argv: Sequence[str], flags: Flags) -> argparse.Namespace:
        """The values of `argv`; global flags go to `flags`. UsageError on whatever does not fit."""
        from machine.cli.globals import AFTER_COMMAND

        given: list[tuple[str, str, str]] = []
        names: list[str] = []
        for word in cut(argv, lambda flag: self.flag_follows(flag) or AFTER_COMMAND.get(flag, ""), self._unknown):
            kind = self.flag_follows(word.flag)
            if not word.flag:
                names.append(word.value)
            elif not kind:
                flags.set(word.flag, word.value)
            elif kind == SWITCH and word.value == "false":
                same = self._option_string_actions[word.flag].option_strings
                given = [item for item in given if item[0] not in same]
            else:
                given.append((word.flag, kind, word.value))
        if any(flag in ("--help", "-h") for flag, *_ in given):
            return argparse.Namespace(help=True)
        return self.parse_args([*(_joined(*item) for item in given), *(["--", *names] if names else [])])

    def _unknown(self, flag: str) -> UsageError:
        from machine.cli.advice import nearest
        from machine.cli.globals import AFTER_COMMAND

        known = [*self.flag_names(), *AFTER_COMMAND]
        return UsageError(
            f"{self.prog} has no flag {flag}",
            resolution=nearest(flag, known, "{}, or ") + f"{self.prog} --help for the list",
        )


def _joined(flag: str, kind: str, value: str) -> str:
    if kind == SWITCH or (kind == OPTIONAL and not value):
        return flag
    return f"{flag}={value}" if flag.startswith("--") else flag + value


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Room for long flags: the column of explanations starts at 34, and the terminal's width is used."""

    def __init__(self, prog: str, indent_increment: int = 2, max_help_position: int = 34) -> None:
        super().__init__(prog, indent_increment, max_help_position)
