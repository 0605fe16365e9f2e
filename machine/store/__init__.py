"""Records on disk: STORE/machines/NAME/config.json, docker-machine's layout.

A machine is there if its directory is there; one without a readable config.json is broken, which is the business of
that machine alone. Imported by the fast commands: nothing here costs more than `json` and `os`.
"""

from __future__ import annotations

from machine.store.normalize import PHASES
from machine.store.record import Record
from machine.store.store import Store

__all__ = ["PHASES", "Record", "Store"]
