"""The driver contract: all that a driver of another Python package imports from this program (docs/add-a-driver.md).

What is listed in ``__all__`` keeps its name and meaning; every other module may change with any release.
"""

from __future__ import annotations

from machine.drivers.base import (
    AcceptsHostKey,
    AccountAware,
    ConsoleLog,
    Diagnosable,
    Driver,
    DriverContext,
    GrowsDisk,
    ProvidesSshKey,
    Traits,
    preflight_errors,
)
from machine.errors import (
    CommandFailed,
    CommandTimeout,
    DriverError,
    InProgress,
    MissingOptions,
    NotSupported,
    PreflightFailed,
    UsageError,
)
from machine.model import Endpoint, State, Verb
from machine.options import Option, Values
from machine.process import Completed
from machine.wait import Clock

__all__ = [
    "AcceptsHostKey",
    "AccountAware",
    "Clock",
    "CommandFailed",
    "CommandTimeout",
    "Completed",
    "ConsoleLog",
    "Diagnosable",
    "Driver",
    "DriverContext",
    "DriverError",
    "Endpoint",
    "GrowsDisk",
    "InProgress",
    "MissingOptions",
    "NotSupported",
    "Option",
    "PreflightFailed",
    "ProvidesSshKey",
    "State",
    "Traits",
    "UsageError",
    "Values",
    "Verb",
    "preflight_errors",
]
