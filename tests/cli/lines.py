"""Command lines that act on machines, typed in this process over a store of the test."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from machine.cli import main


class CommandLine:
    """One command line, run in this process."""

    def __init__(self, line: list[str], stdin: str = "") -> None:
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.stdin", io.StringIO(stdin))
            self.status = main(line, stdout=out, stderr=err)
        self.out, self.err = out.getvalue(), err.getvalue()


def none(name: str = "m", *more: str) -> CommandLine:
    """A machine of driver none."""
    return CommandLine(["create", "-d", "none", "--url", "tcp://127.0.0.1:2376", *more, name])


def names() -> list[str]:
    return CommandLine(["ls", "-q"]).out.split()


def change(store: Path, driver_name: str, name: str = "m", /, **values: object) -> None:
    """Make a machine one of another driver, as if that had made it."""
    config = store / "machines" / name / "config.json"
    record = json.loads(config.read_text())
    record["DriverName"] = driver_name
    record["Driver"] |= values
    config.write_text(json.dumps(record))
