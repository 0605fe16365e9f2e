"""The one printer of errors: what happened, what was seen, what to type next."""

from __future__ import annotations

from machine.errors import MachineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO


# Commands that touch no store.
_STORELESS = frozenset(("completion", "drivers", "help", "plugin", "version"))


def print_error(error: MachineError, stream: TextIO, *, as_json: bool = False, store: str = "") -> None:
    """Write one error: as text, or with `as_json` as an object on one line (`status` and `code` are the exit status).

    `store` is the one that was named on the command line, "" if none was.
    """
    resolution = in_store(error.resolution, store)
    if as_json:
        import json
        import time

        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "level": "error",
            "message": error.brief,
            "error": type(error).__name__,
            "details": error.details,
            "resolution": resolution,
            "status": error.exit_code,
            "code": error.exit_code,
            "machine": error.machine,
        }
        stream.write(json.dumps(line) + "\n")
        return
    text = f"Error: {_indent(error.brief)}\n"
    if error.details:
        text += f"    {_indent(error.details)}\n"
    if resolution:
        text += f"Try: {_indent(resolution)}\n"
    stream.write(text)


def in_store(resolution: str, store: str) -> str:
    """Return `resolution` with the store in its commands: without it, `machine rm dev` would remove another machine."""
    if not store or "machine " not in resolution:
        return resolution
    import re
    import shlex

    from machine.cli.commands import COMMANDS

    names = "|".join(sorted(COMMANDS.keys() - _STORELESS, key=len, reverse=True))
    option_value = shlex.quote(store)
    return re.sub(rf"(?<![\w-])machine (?=(?:{names})(?![\w-]))", lambda _: f"machine -s {option_value} ", resolution)


def _indent(text: str) -> str:
    """Return `text` with control characters escaped; lines after the first are indented, so that none is forged."""
    from machine.printable import in_text

    return in_text(text).strip("\n").replace("\n", "\n    ")


def bug_error(error: BaseException, root: str) -> MachineError:
    """Return the error for an exception that no layer translated, which is a bug of this program.

    The traceback is appended to `bug.log` (mode 0600) in the store `root`, or shown if that cannot be written.
    """
    import os
    import traceback

    from machine import files

    trace = "".join(traceback.format_exception(error))
    path = os.path.join(root, "bug.log")
    try:
        files.make_directory(root)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="utf-8") as log:
            log.write(trace + "\n")
        seen = f"the traceback is at the end of {path}"
    except OSError:
        seen = trace
    text = f"{type(error).__name__}: {error}".strip(": ")
    return MachineError(
        "this is a bug in machine",
        details=f"{text}\n{seen}",
        resolution="report it with that traceback; --debug shows it here",
    )
