"""Clones: machines that are made of another machine, at one of its snapshots."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

from machine.clusters import table as clusters
from machine.drivers.base import Clones, Driver
from machine.drivers.record_keys import CLONE_OF
from machine.errors import MachineError, NotSupported, UsageError
from machine.lifecycle import snapshot
from machine.lifecycle.driver_record import open_driver
from machine.model import EngineOptions
from machine.session import Session
from machine.store import Record

_PREFIX = "clone-"  # of the snapshots that are made for clones of a machine as it is now


@dataclass(frozen=True)
class CloneRequest:
    """The machine of which clones are to be made, its snapshot, and the driver's options that were typed."""

    machine: str
    tag: str
    typed: frozenset[str]


def check_source(session: Session, name: str, driver_name: str, tag: str) -> Record:
    """Return the record of a machine that is to be cloned by that driver.

    Raises UsageError if it cannot be: it is unfinished, of another driver, in a cluster, or has no snapshot `tag`.
    """
    session.store.require(name)
    record = session.store.load(name)
    if record.driver_name != driver_name:
        raise UsageError(
            f"{name} is a machine of the driver {record.driver_name}, and its clones are, too",
            resolution=f"add -d {record.driver_name}",
        )
    if not record.reached("ready"):
        raise UsageError(f"{name} is incomplete", resolution=f"machine create --resume {name}")
    if clusters.hooks_of(record):
        raise UsageError(
            f"{name} is in a cluster, whose secrets are on its disk: it cannot be cloned",
            resolution="create the machine anew, as another member of the cluster",
        )
    driver = open_driver(session, record)
    if not isinstance(driver, Clones):
        raise NotSupported(
            f"the driver {driver_name} cannot clone a machine", resolution="leave --from out, and create it anew"
        )
    if tag:
        snapshot.find(snapshot.of(driver), name, tag)
    return record


def take_over(session: Session, driver: Driver, request: CloneRequest) -> None:
    """Make a drafted machine a clone. Raises UsageError for an option that a clone cannot have."""
    source = open_driver(session, session.store.load(request.machine))
    if isinstance(driver, Clones):
        driver.clone_from(source, request.tag, request.typed)


def engine_options(source: EngineOptions, own: EngineOptions) -> EngineOptions:
    """Return the engine's options of a clone: those of its source, but for what was asked for itself.

    Without the source's data-root, say, the engine would not see the images and volumes that the clone has of it.
    """
    usual = EngineOptions()
    asked = {field.name: getattr(own, field.name) for field in fields(EngineOptions)}
    return replace(source, **{name: value for name, value in asked.items() if value != getattr(usual, name)})


def is_needed(session: Session, names: Iterable[str], source: str, tag: str) -> bool:
    """Return whether one of these machines is incomplete, and to be made of that snapshot."""
    for name in names:
        try:
            record = session.store.load(name)
        except MachineError:
            continue
        made_of = record.driver_object.get(CLONE_OF)
        if not record.reached("ready") and made_of == {"Machine": source, "Snapshot": tag}:
            return True
    return False


def snapshot_now(session: Session, name: str) -> str:
    """Make a snapshot of the machine as it is, for clones of it, and return its tag."""
    tag = _PREFIX + secrets.token_hex(3)
    snapshot.take(session, name, tag)
    return tag
