"""Ctrl-C and SIGTERM in the commands that change machines: which machine it was, and how to go on."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.cli.lines import CommandLine, none


def interrupt() -> None:
    """Do what Ctrl-C does."""
    raise KeyboardInterrupt


def terminate() -> None:
    """Get a SIGTERM."""
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(5)


@pytest.mark.parametrize(
    ("line", "action", "again"),
    [
        (["stop", "m"], "power.power", "machine stop m"),
        (["stop"], "power.power", "machine stop default"),
        (["restart", "m"], "power.power", "machine restart m"),
        (["upgrade", "m"], "provision.upgrade", "machine upgrade m"),
        (["provision", "m"], "provision.provision", "machine provision m"),
        (["regenerate-certs", "m", "-f"], "provision.regenerate", "machine regenerate-certs -f m"),
        (["rm", "-y", "m"], "remove.remove", "machine rm -y m"),
    ],
)
@pytest.mark.usefixtures("store")
def test_an_interrupted_command_says_the_machine_and_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, line: list[str], action: str, again: str
) -> None:
    none("m", "default")
    for end, status in ((interrupt, 130), (terminate, 143)):
        monkeypatch.setattr(f"machine.lifecycle.{action}", lambda *_, _end=end, **__: _end())
        typed = CommandLine(line)
        assert typed.status == status
        name = again.rsplit(maxsplit=1)[-1]
        assert typed.err.splitlines() == [f"Error: interrupted while working on {name}", f"Try: to go on: {again}"]


def test_the_command_to_go_on_names_the_store(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    none()
    monkeypatch.setattr("machine.lifecycle.power.power", lambda *_: interrupt())
    typed = CommandLine(["-s", str(store), "kill", "m"])
    assert typed.err.splitlines()[-1] == f"Try: to go on: machine -s {store} kill m"
