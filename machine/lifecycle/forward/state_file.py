"""What a running `machine forward` writes down in its machine's directory, for --list and `ls`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from machine import background, files, paths
from machine.forwarded_ports import LARGEST, Port
from machine.lifecycle.forward.open_ports import Refusal
from machine.lifecycle.forward.published import Published
from machine.store import Store

OPEN, REFUSED = "open", "refused"


def lock_path(store: Store, name: str) -> str:
    """Return the file by which the process that forwards a machine's ports is found (machine.background)."""
    return paths.lock(store.root, f"forward-{name}")


def purpose(name: str) -> str:
    """Return what that process is there for, as its file and errors say."""
    return f"forward the ports of {name}"


def runner(store: Store, name: str) -> int:
    """Return the process that forwards the machine's ports now, 0 if none does."""
    return background.running(lock_path(store, name))


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
    content = {"process": os.getpid(), "address": address, "connected": connected, "ports": rows}
    files.write(path, json.dumps(content).encode())


def _row(published: Published, state: str, reason: str) -> dict[str, Any]:
    return {
        "protocol": published.kind,
        "port": published.port,
        "container": published.container,
        "state": state,
        "reason": reason,
    }


def read(path: str, pid: int) -> dict[str, Any]:
    """Return what process `pid` has written; without any ports where there is no such file, or it makes no sense."""
    nothing: dict[str, Any] = {"process": pid, "address": "", "connected": False, "ports": []}
    try:
        found = json.loads(files.read_plain(path, LARGEST))
    except (OSError, ValueError, RecursionError):
        return nothing
    keys = {"protocol", "port", "container", "state", "reason"}
    rows = found.get("ports") if isinstance(found, dict) else None
    if not isinstance(rows, list) or found.get("process", pid) != pid:  # of one that was killed
        return nothing
    if not all(isinstance(row, dict) and keys <= row.keys() for row in rows):
        return nothing
    return {**nothing, **found}


def is_written(path: str, pid: int) -> bool:
    """Return whether process `pid` has written what it forwards: it is connected, and knows what is published."""
    return bool(pid) and bool(read(path, pid)["address"])
