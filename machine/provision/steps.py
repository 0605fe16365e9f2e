"""The steps of plans, `Run` and `WriteFile`: a plan is a generator that yields them and has no side effects.

Only for a step with `needs_output=True` is the plan sent a `Completed`; after any other it is simply resumed, so that
apply.py may put many of them into one script. Steps that need output are few: each costs one round trip.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeVar

from machine.process import Completed

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Run:
    """A POSIX sh script, run as root under `set -eu` with no standard input; status 0 is success."""

    name: str  # what it does, as words after "failed to": "install Docker"
    script: str
    needs_output: bool = False  # the plan needs its output
    seconds: float = 60.0  # how long it may take
    resolution: str = ""  # of the error when it fails: what to do
    shown: str = ""  # what --dry-run prints instead of a long script: remarks


@dataclass(frozen=True, slots=True)
class WriteFile:
    """A file, with its content compared first and replaced whole; born with no more than its mode."""

    path: str
    content: bytes
    mode: int = 0o644
    secret: bool = False  # not shown by --dry-run
    # A command that must accept the new file, whose path is its $1, before it takes the old one's place.
    check: str = ""
    resolution: str = ""
    needs_output: bool = False
    seconds: float = 30.0
    purpose: str = ""  # the name, where the path alone would tell a user nothing

    @property
    def name(self) -> str:
        return self.purpose or f"write {self.path}"


Step = Run | WriteFile
Steps = Generator[Step, Completed, T]  # a part of a plan, for `yield from`


@dataclass(frozen=True, slots=True)
class Result:
    """What a plan has done: the value that the generator returns."""

    changed: tuple[str, ...] = ()  # the names of the steps that changed the machine
    notes: tuple[str, ...] = ()  # what the user should know: warnings, in whole sentences
    restarted: bool = False  # whether the engine was
    before: str = ""  # upgrade: the engine's version before and after
    after: str = ""


Plan = Generator[Step, Completed, Result]
