"""The driver contract: all that a driver of another Python package imports from this program (docs/add-a-driver.md).

What is listed in ``__all__`` keeps its name and meaning, and so do the public names of the modules among it
(``cloud_...``, docs/add-a-cloud.md); every other module may change with any release.
"""

from __future__ import annotations

from machine.drivers.base import (
    AcceptsHostKey,
    AccountAware,
    Changeable,
    ConsoleLog,
    Diagnosable,
    Driver,
    DriverContext,
    EndsProcesses,
    GrowsDisk,
    HasForwarder,
    Priced,
    ProvidesSshKey,
    Traits,
    preflight_errors,
)
from machine.drivers.cloud import config as cloud_fields
from machine.drivers.cloud import errors as cloud_errors
from machine.drivers.cloud import firewall as cloud_firewall
from machine.drivers.cloud import groups as cloud_groups
from machine.drivers.cloud import lookup as cloud_lookup
from machine.drivers.cloud import quota as cloud_quota
from machine.drivers.cloud.config import CloudConfig
from machine.drivers.cloud.driver import CloudDriver, Provider
from machine.drivers.cloud.flags import DriverFlags
from machine.drivers.cloud.ports import PortRange
from machine.drivers.cloud.user_data import UserDataLimits
from machine.drivers.missing_options import MissingOption
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
    "Changeable",
    "Clock",
    "CloudConfig",
    "CloudDriver",
    "CommandFailed",
    "CommandTimeout",
    "Completed",
    "ConsoleLog",
    "Diagnosable",
    "Driver",
    "DriverContext",
    "DriverError",
    "DriverFlags",
    "Endpoint",
    "EndsProcesses",
    "GrowsDisk",
    "HasForwarder",
    "InProgress",
    "MissingOption",
    "MissingOptions",
    "NotSupported",
    "Option",
    "PortRange",
    "PreflightFailed",
    "Priced",
    "Provider",
    "ProvidesSshKey",
    "State",
    "Traits",
    "UsageError",
    "UserDataLimits",
    "Values",
    "Verb",
    "cloud_errors",
    "cloud_fields",
    "cloud_firewall",
    "cloud_groups",
    "cloud_lookup",
    "cloud_quota",
    "preflight_errors",
]
