"""The three standard streams, whatever the caller left of them.

A program can be started with some of them closed (`machine ls >&-`). Then the next file that is opened would get
the stream's number, and what is meant for the terminal would end up in a certificate. So the numbers are taken
before anything else is opened.
"""

from __future__ import annotations

import os
import sys

from machine.errors import MachineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO


class ClosedStdout:
    """Stands for a stdout that is closed: a command that prints nothing works, the others fail with MachineError."""

    encoding = "utf-8"

    def write(self, _: str) -> int:
        """Raises MachineError if stdout is closed."""
        raise MachineError(
            "the output cannot be written: stdout is closed", resolution="give it somewhere to go, such as > /dev/null"
        )

    def flush(self) -> None:
        """Do nothing: nothing waits to be written."""

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return 1


def ensure_std_streams() -> None:
    """Give sys.stdin, sys.stdout and sys.stderr a file each where they have none; nothing to do as a rule."""
    if None not in (sys.stdin, sys.stdout, sys.stderr):
        return
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDONLY if number == 0 else os.O_WRONLY)  # takes the lowest free number
            os.set_inheritable(number, True)
    if sys.stdin is None:
        sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)


def stdout() -> TextIO:
    """sys.stdout, which can print any text: bytes of odd file names as they are, what it has no letter for escaped."""
    if sys.stdout is None:
        return ClosedStdout()  # type: ignore[return-value]
    import codecs

    def replacement(error: UnicodeError) -> tuple[str | bytes, int]:
        try:
            return codecs.lookup_error("surrogateescape")(error)
        except UnicodeError:
            return codecs.lookup_error("backslashreplace")(error)

    codecs.register_error("machine", replacement)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="machine")
    return sys.stdout
