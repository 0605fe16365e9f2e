"""The states of all machines for `ls`, asked at once with one deadline: engines first, then drivers of silent ones."""

from __future__ import annotations

import threading
import time

from machine.cli.connect import engine_of
from machine.cli.ls_rows import one_line
from machine.errors import MachineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from machine.cli.app import App
    from machine.cli.ls_rows import Row
    from machine.engine import Answer, EngineClient

_SILENT_FRACTION = 1 / 3  # of the timeout, after which a silent engine's driver is asked as well


def fill_in_states(app: App, rows: Sequence[Row], seconds: float) -> None:
    """Fill in what the engines answer for all rows that have a record, within `seconds` (0: none is asked).

    A machine whose engine answers is running: its driver is not even imported. The drivers of the others are asked,
    each in a thread of its own, once their engine has failed or has been silent for a third of the time.
    """
    readable = [row for row in rows if row.record is not None]
    for row in readable:
        row.state, row.version = "Timeout", "Unknown"
    if seconds <= 0 or not readable:
        return
    from machine.engine import ask_many

    states = _DriverStates(app, time.monotonic() + seconds)
    waiting: dict[EngineClient, Row] = {}
    for row in readable:
        try:
            waiting[engine_of(row.record, seconds=seconds)] = row  # type: ignore[arg-type]
        except MachineError as error:
            if row.record is not None and row.record.reached("provisioned"):  # before, there is no engine to be missed
                row.error = one_line(error)
            states.begin(row)

    def ask_drivers_of_silent() -> None:
        for row in list(waiting.values()):
            states.begin(row)

    timer = threading.Timer(seconds * _SILENT_FRACTION, ask_drivers_of_silent)
    timer.daemon = True
    timer.start()
    ask_many(list(waiting), lambda answer: _take_answer(waiting.pop(answer.engine), answer, states))
    timer.cancel()
    states.finish()


def _take_answer(row: Row, answer: Answer, states: _DriverStates) -> None:
    """Fill in a row from its engine's answer; ask the driver if the engine failed."""
    row.response_seconds = answer.seconds
    if answer.version is not None:
        row.state, row.version, row.error = "Running", f"v{answer.version.get('Version', '')}", ""
        states.answered.add(row.name)
    elif answer.error is not None:
        row.error = one_line(answer.error)
        states.begin(row)


class _DriverStates:
    """The states that drivers report, each asked in a thread that is abandoned at the deadline."""

    def __init__(self, app: App, deadline: float) -> None:
        self.app = app
        self.deadline = deadline
        self.answered: set[str] = set()  # names whose engine spoke for itself
        self._threads: dict[str, tuple[Row, threading.Thread]] = {}
        self._states: dict[str, tuple[str, str]] = {}  # name -> state, error
        self._lock = threading.Lock()
        self._closed = False

    def begin(self, row: Row) -> None:
        """Ask the driver of a row, once."""
        with self._lock:
            if self._closed or row.name in self._threads:
                return
            thread = threading.Thread(target=self._ask, args=(row,), daemon=True)
            self._threads[row.name] = (row, thread)
            thread.start()

    def finish(self) -> None:
        """Wait for the drivers until the deadline and fill in their states."""
        with self._lock:
            self._closed = True  # the timer may still be at work
        for name, (row, thread) in self._threads.items():
            thread.join(max(0.0, self.deadline - time.monotonic()))
            if name in self.answered or name not in self._states:
                continue
            row.state, error = self._states[name]
            if error:
                row.error = error
            elif row.state != "Running":
                row.error, row.version = "", "Unknown"

    def _ask(self, row: Row) -> None:
        from machine.lifecycle.driver_record import open_driver

        try:
            result = str(open_driver(self.app.open_session(), row.record).state()), ""  # type: ignore[arg-type]
        except MachineError as error:
            result = "Error", one_line(error)
        except Exception as error:
            result = "Error", f"bug in the driver: {type(error).__name__}: {error}"
        self._states[row.name] = result
