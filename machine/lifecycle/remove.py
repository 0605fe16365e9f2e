"""Away with a machine, whatever is left of it: on the platform first, here last."""

from __future__ import annotations

import os

from machine import contexts, files, paths, secrets
from machine.errors import MachineError
from machine.lifecycle.world import World, open_driver

WAIT_SECONDS = 10.0


def remove(world: World, name: str, *, force: bool = False) -> None:
    """Remove all that `create` made. With `force` the record goes even when the platform does not answer.

    Repeating it finishes what an interrupted one began: absent is success for every part.
    """
    store = world.store
    with store.lock(f"machine-{name}", seconds=WAIT_SECONDS, what=f"remove {name}"):
        try:
            record = store.load(name)
            world.console.step("Removing the machine")
            driver = open_driver(world, record)
            driver.remove()
            secret_keys = [option.key for option in driver.options if option.secret]
            secrets.forget(store.directory(name), secret_keys, world.environ)
        except MachineError as error:
            if not store.exists(name) or not (force or barely_begun(store.directory(name))):
                raise
            world.console.warn(f"{error.brief}; its record is removed all the same, look for leftovers")
        try:
            contexts.remove(name, cert_dir=store.directory(name), environ=world.environ)
        except MachineError as error:
            world.console.warn(f"its docker context stays: {error.brief}")
        store.delete(name)
    world.console.done(f"{name} is removed")


def barely_begun(directory: str) -> bool:
    """Whether a create was killed before its record was written: then nothing was asked of any platform."""
    return all(entry == paths.LOG or files.leftover(entry) for entry in os.listdir(directory))
