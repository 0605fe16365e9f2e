"""Progress goes to stderr; stdout is data and not touched here.

Three looks: on a terminal one moving line per machine (rich, imported only then), plain lines elsewhere,
one JSON object a line with --log-format json. Everything said about a machine is also appended, with the
time, to the log in its directory. Registered secrets are masked in all of them.
"""

from __future__ import annotations

import os
import sys
import threading
import time

from machine.errors import MASK
from machine.printable import in_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, TextIO

_LOG_LIMIT = 1 << 20  # bytes of a machine's log; beyond it the older half is forgotten
_SHORTEST_SECRET = 4  # masking shorter ones would turn ordinary words into stars


class Console:
    """The printer of progress and warnings. `for_machine` returns one that names a machine in its lines."""

    def __init__(self, err: TextIO | None = None, *, log_format: str = "text", debug: bool = False) -> None:
        self.err = sys.stderr if err is None else err
        self.json = log_format == "json"
        self.debugging = debug
        self.machine = ""
        self._log_path = ""
        self._shared = _Shared()
        self._task: Any = None
        self._began = time.monotonic()

    def for_machine(self, name: str, log_path: str = "") -> Console:
        """Return a console that names machine `name`; lines also go to `log_path`, if its directory exists."""
        other = Console(self.err, debug=self.debugging)
        other.json, other._shared = self.json, self._shared
        other.machine, other._log_path = name, log_path
        return other

    def hide(self, secret: str) -> None:
        """Mask `secret` in everything that is printed from now on."""
        if len(secret) >= _SHORTEST_SECRET:
            self._shared.secrets.add(secret)

    def step(self, text: str) -> None:
        """Print the next thing that is being done; it replaces the machine's moving line on a terminal."""
        self._emit("step", text)

    def info(self, text: str) -> None:
        """Print a line of information."""
        self._emit("info", text)

    def warn(self, text: str) -> None:
        """Print a warning."""
        self._emit("warning", text)

    def debug(self, text: str) -> None:
        """Print a line with --debug only; it is always in the machine's log."""
        self._emit("debug", text)

    def done(self, text: str, **fields: str) -> None:
        """Print the last line about a machine: its moving line ends. `fields` are further keys of the JSON line."""
        self._emit("done", text, fields)

    def failed(self, text: str) -> None:
        """Print the last line about one of several machines that has failed, while the others go on."""
        self._emit("failed", text)

    def close(self) -> None:
        """End the moving lines. None begins again: a thread that has not noticed Ctrl-C may still say something."""
        with self._shared.lock:
            self._shared.closed = True
            if self._shared.progress is not None:
                self._shared.progress.stop()
                self._shared.progress = None

    def mask(self, text: str) -> str:
        """Return `text` with every registered secret masked; longest first, for one may be the start of another."""
        for secret in sorted(self._shared.secrets, key=len, reverse=True):  # other threads may add some
            text = text.replace(secret, MASK)
        return text

    def log(self, level: str, text: str) -> None:
        """Write to the machine's log file only. A failure is ignored: `rm` has to work on a full disk."""
        if not self._log_path:
            return
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        lines = "".join(f"{stamp} {level:7} {line}\n" for line in in_text(self.mask(text)).splitlines())
        try:
            # a pipe in its place would be waited for
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NONBLOCK", 0)
            fd = os.open(self._log_path, flags, 0o600)
            with os.fdopen(fd, "a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(lines)
                file.flush()
                long = os.fstat(fd).st_size > _LOG_LIMIT
            if long:
                _forget_older_half(self._log_path)
        except OSError:
            return  # the directory is not there yet, or the disk is full: the screen still has the line

    def _emit(self, level: str, text: str, fields: Mapping[str, str] | None = None) -> None:
        text = in_text(self.mask(text))
        self.log(level, text)
        if level == "debug" and not self.debugging:
            return
        with self._shared.lock:
            if self.json:
                self._write_json(level, text, fields or {})
            elif level in ("step", "done", "failed") and self.machine and self._on_terminal():
                self._draw(level, text)
            else:
                self._write_plain(level, text)

    def _write_json(self, level: str, text: str, fields: Mapping[str, str]) -> None:
        import json

        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        entry: dict[str, Any] = {"time": stamp, "level": level, "machine": self.machine, "message": text}
        if level in ("done", "failed"):
            entry["seconds"] = round(time.monotonic() - self._began, 1)
        entry.update(fields)
        print(json.dumps({k: v for k, v in entry.items() if v != ""}), file=self.err, flush=True)

    def _write_plain(self, level: str, text: str) -> None:
        prefix = f"({self.machine}) " if self.machine else ""
        word = {"warning": "Warning: ", "debug": "debug: ", "failed": "failed: "}.get(level, "")
        board = self._shared.progress
        for line in text.splitlines() or [""]:
            if board is not None:
                board.console.print(f"{prefix}{word}{line}", markup=False, highlight=False, soft_wrap=True)
            else:
                print(f"{prefix}{word}{line}", file=self.err, flush=True)

    def _on_terminal(self) -> bool:
        return (
            not self._shared.closed
            and self.err.isatty()
            and os.environ.get("TERM", "dumb") != "dumb"
            and not self.debugging
        )

    def _draw(self, level: str, text: str) -> None:
        shared = self._shared
        if shared.progress is None:
            shared.progress = _new_progress(self.err)
        if self._task is None or self._task not in shared.progress.task_ids:
            self._task = shared.progress.add_task(text, machine=self.machine, total=None)
        shared.progress.update(self._task, description=text)
        if level in ("done", "failed"):
            elapsed = shared.progress.tasks[shared.progress.task_ids.index(self._task)].elapsed or 0.0
            shared.progress.remove_task(self._task)
            self._task = None
            self._write_plain(level, f"{text} ({elapsed:.0f} s)")
        if not shared.progress.task_ids:
            shared.progress.stop()
            shared.progress = None


def _forget_older_half(path: str) -> None:
    """Cut a log at the first whole line of its second half; what two commands say meanwhile may lose a line."""
    import contextlib

    from machine import files
    from machine.errors import StoreError

    with contextlib.suppress(StoreError), open(path, "rb") as file:
        file.seek(_LOG_LIMIT // 2)
        file.readline()
        files.write(path, file.read())


class _Shared:
    """What all consoles of one program have in common."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.secrets: set[str] = set()
        self.progress: Any = None
        self.closed = False


def _new_progress(err: TextIO) -> Any:
    from rich.console import Console as RichConsole
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.table import Column

    rest = Column(ratio=1, no_wrap=True)  # where the terminal is narrow this column gives way, never the time
    progress = Progress(
        SpinnerColumn(),
        TextColumn("{task.fields[machine]}", style="bold", markup=False),
        TextColumn("{task.description}", markup=False, table_column=rest),
        TimeElapsedColumn(),
        console=RichConsole(file=err),
        transient=True,
        expand=True,
    )
    progress.start()
    return progress
