"""The command line: one command, one file (machine.cli.commands); it starts, and errors end, in main.py."""

from __future__ import annotations

from machine.cli.main import main

__all__ = ["main"]
