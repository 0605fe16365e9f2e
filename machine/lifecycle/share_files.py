"""The files of a machine's shares: for each a lock, which shows whether its process runs, and its state as JSON, and
what the process has printed.
"""

from __future__ import annotations

import json
import os
import re
from enum import StrEnum

from machine import files
from machine.store import Store

_NAME = re.compile(r"share-([0-9a-f]{12})\.lock")
LONGEST_TEXT = 300  # characters of what a state says


class State(StrEnum):
    """How far a share is."""

    CONNECTING = "connecting"
    INSTALLING = "installing sshfs"
    MOUNTED = "mounted"
    FAILED = "failed"
    OFF = "off"


def lock(store: Store, name: str, tag: str) -> str:
    return os.path.join(store.directory(name), f"share-{tag}.lock")


def purpose(name: str) -> str:
    """Return what the process of a share is there for, as its file and errors say."""
    return f"share with {name}"


def log(store: Store, name: str, tag: str) -> str:
    return os.path.join(store.directory(name), f"share-{tag}.log")


def state(store: Store, name: str, tag: str) -> str:
    return os.path.join(store.directory(name), f"share-{tag}.json")


def tags(store: Store, name: str) -> list[str]:
    """The tags of all shares that have a lock file in the machine's directory, recorded or not."""
    try:
        entries = os.listdir(store.directory(name))
    except OSError:
        return []
    return [found[1] for entry in entries if (found := _NAME.fullmatch(entry))]


def write_state(store: Store, name: str, tag: str, now: State, text: str) -> None:
    """Write how far a share is; `text` says why."""
    files.write(state(store, name, tag), json.dumps({"State": now, "Text": text[:LONGEST_TEXT]}).encode())


def read_state(store: Store, name: str, tag: str) -> tuple[State, str]:
    """How far a share is, and why; OFF where nothing is known."""
    try:
        with open(state(store, name, tag), "rb") as file:
            found = json.loads(file.read(4096))
        return State(found["State"]), str(found["Text"])
    except (OSError, ValueError, KeyError, TypeError):
        return State.OFF, ""


def remove(store: Store, name: str, tag: str) -> None:
    for path in (lock(store, name, tag), state(store, name, tag), log(store, name, tag)):
        files.remove_quietly(path)
