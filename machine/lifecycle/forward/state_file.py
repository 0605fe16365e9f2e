"""What a running `machine forward` writes down in its machine's directory, for --list and `ls`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from machine import files, lock, paths
from machine.forwarded_ports import LARGEST, Port
from machine.lifecycle.forward.open_ports import Refusal
from machine.lifecycle.forward.published import Published
from machine.store import Store

OPEN, REFUSED = "open", "refused"


def lock_name(name: str) -> str:
    """Return the name of the store's lock that a machine's `forward` holds as long as it runs."""
    return f"forward-{name}"


def purpose(name: str) -> str:
    """Return what that lock is held for, as its text says."""
    return f"forward the ports of {name}"


def runner(store: Store, name: str) -> int:
    """Return the process that forwards the machine's ports now, 0 if none does."""
    pid, what = lock.holder_and_purpose(paths.lock(store.root, lock_name(name)))
    return int(pid) if pid and what == purpose(name) else 0


def path_of(store: Store, name: str) -> str:
    """Return the file of a machine."""
    return os.path.join(store.directory(name), paths.FORWARDS)


def write(
    path: str, address: str, opened: Mapping[Port, Published], refused: Mapping[Port, Refusal], *, connected: bool
) -> None:
    """Write down what is open. Raises StoreError if the disk is full."""
    rows = [_row(published, OPEN if connected else "waiting", "") for published in opened.values()]
    rows += [_row(refusal.published, REFUSED, refusal.reason) for refusal in refused.values()]
    rows.sort(key=lambda row: (row["port"], row["protocol"]))
    files.write(path, json.dumps({"address": address, "connected": connected, "ports": rows}).encode())


def _row(published: Published, state: str, reason: str) -> dict[str, Any]:
    return {
        "protocol": published.kind,
        "port": published.port,
        "container": published.container,
        "state": state,
        "reason": reason,
    }


def read(path: str) -> dict[str, Any]:
    """Return what was written; without any ports where there is no such file, or it makes no sense."""
    nothing: dict[str, Any] = {"address": "", "connected": False, "ports": []}
    try:
        found = json.loads(files.read_plain(path, LARGEST))
    except (OSError, ValueError, RecursionError):
        return nothing
    keys = {"protocol", "port", "container", "state", "reason"}
    rows = found.get("ports") if isinstance(found, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) and keys <= row.keys() for row in rows):
        return nothing
    return {**nothing, **found}
