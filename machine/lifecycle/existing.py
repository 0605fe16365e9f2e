"""The errors and hints about a machine that exists already, or is incomplete."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from machine.errors import MachineError, MachineExists
from machine.session import Session
from machine.store import Store


def already_exists_error(session: Session, name: str) -> MachineError:
    """Return the error for a `create` of a name that is taken, with what the user probably wants instead."""
    holder = session.store.holder(f"machine-{name}")
    try:
        record = session.store.load(name)
    except MachineError as error:  # no record yet, if somebody is at work on it: that is not to be thrown away
        if holder:
            return _creation_in_progress(name, holder)
        return MachineExists(
            f'Docker machine "{name}" already exists, and its record is broken',
            details=error.brief,
            resolution=f"machine rm -f {name} removes what is left of it",
        )
    if holder and not record.reached("ready"):
        return _creation_in_progress(name, holder)
    if not record.reached("ready"):
        return MachineExists(
            f"Docker machine \"{name}\" already exists and is incomplete (create got as far as '{record.phase}')",
            resolution=incomplete_resolution(name),
        )
    return MachineExists(
        f'Docker machine "{name}" already exists',
        resolution=f"choose another name, or remove it first: machine rm {name}",
    )


def creation_in_progress_error(session: Session, name: str) -> MachineError:
    """Return the error for a `create` of a name whose lock another command holds, or held a moment ago."""
    return _creation_in_progress(name, session.store.holder(f"machine-{name}"))


def _creation_in_progress(name: str, holder: str) -> MachineError:
    creator = f"process {holder}" if holder else "another command"
    return MachineExists(
        f'Docker machine "{name}" already exists: {creator} is making it',
        resolution="choose another name, or wait until that command has ended; machine ls shows what came of it",
    )


def incomplete_resolution(name: str) -> str:
    """Return what to type after the creation of machine `name` was cut short."""
    return f"{continue_resolution(name)}; machine rm {name} removes it"


def continue_resolution(name: str) -> str:
    """Return what to type to go on with the creation of machine `name`."""
    return f"machine create --resume {name} continues from here"


def resume_resolution(store: Store, names: Sequence[str]) -> str:
    """Return what to type after the creation of machines was cut short, for those that are in the store; else ""."""
    existing = " ".join(name for name in names if store.exists(name))
    if not existing:
        return ""
    return f"machine create --resume {existing} continues from here; machine rm {existing} removes what there is"


def incomplete_names(store: Store) -> list[str]:
    """Return the names of the machines whose creation was cut short, or goes on; records that are broken are left out.

    Raises StoreError if the store cannot be listed.
    """
    incomplete = []
    for name in store.names():
        with contextlib.suppress(MachineError):
            if not store.load(name).reached("ready"):
                incomplete.append(name)
    return incomplete
