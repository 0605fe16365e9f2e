"""`Session`, what every command on machines needs: the store, the console, a clock, the environment."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from machine import paths
from machine.console import Console
from machine.errors import Interrupted, MachineError
from machine.store import Record, Store
from machine.wait import Clock, SystemClock

LOCK_SECONDS = 10.0  # how long to wait for another command that holds the machine


class InterruptibleClock:
    """The system's clock, whose sleepers all wake with Interrupted once `stop` is called (Ctrl-C)."""

    def __init__(self) -> None:
        self._clock = SystemClock()
        self._stopped = threading.Event()

    def now(self) -> float:
        return self._clock.now()

    def sleep(self, seconds: float) -> None:
        if self._stopped.wait(seconds):
            raise Interrupted("interrupted")

    def stop(self) -> None:
        self._stopped.set()


@dataclass(frozen=True)
class Session:
    """What functions on machines are passed. `tls` are the --tls-* paths: ca_cert, ca_key, client_cert, client_key."""

    store: Store
    console: Console
    clock: Clock = field(default_factory=InterruptibleClock)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    tls: Mapping[str, str] = field(default_factory=dict)

    def for_machine(self, name: str) -> Session:
        """Return a session whose console names machine `name` in its lines and writes them to its log."""
        log = paths.machine(self.store.root, name, paths.LOG)
        return replace(self, console=self.console.for_machine(name, log))


def readable_records(store: Store) -> list[Record]:
    """Return all records of the store that can be read."""
    found = []
    for name in store.names():
        try:
            found.append(store.load(name))
        except MachineError:
            continue
    return found
