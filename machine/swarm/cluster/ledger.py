"""What a manager did to containers that may move, beside what is signed: removals, renames, networks joined later.

Without it an engine could bring a container back that was removed, by showing its signed label again. Kept in memory
and, if there is a place for it, in a file of JSON lines that is read at the start.
"""

from __future__ import annotations

import json
import os
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

from machine.swarm import bounded_file, limits

FILE = "rescheduling.log"  # in the manager's state directory
REWRITE_AT_LINES = 10_000  # a file with more lines is written anew at the start
LINES_PER_CONTAINER = 4  # with so many more for each container that is remembered, it is written anew while we run
REMOVED = ""  # stands for the id of a container that is no more
_APPEND_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NONBLOCK", 0)  # no waiting at a pipe


class CurrentContainer(NamedTuple):
    """The container that a swarm id means now: how often it was moved, and its id on its engine, or REMOVED."""

    generation: int
    id: str


class Ledger:
    """The ledger of a manager, by swarm id; `log` gets one line when its file cannot be written."""

    def __init__(self, path: str = "", log: Callable[[str], None] = lambda _: None) -> None:
        self._path = path
        self._log = log
        self._current: OrderedDict[str, CurrentContainer] = OrderedDict()
        self._removed: OrderedDict[str, None] = OrderedDict()  # those of them that were removed, the oldest first
        self._lines = 0  # in the file
        self._names: dict[str, str] = {}
        self._networks: dict[str, dict[str, Any]] = {}
        self._write_failed = False
        if path:
            self._load()

    def record_container(self, swarm_id: str, generation: int, container_id: str) -> None:
        """Record a container with a valid signature: the first of a generation counts, and a later generation."""
        known = self._current.get(swarm_id)
        if known is None or generation > known.generation:
            self._append(["saw", swarm_id, generation, container_id])

    def record_restored(self, swarm_id: str, generation: int, container_id: str) -> None:
        """Record that this container is the current one after all: what should have taken its place is gone."""
        self._append(["saw", swarm_id, generation, container_id])

    def record_removal(self, swarm_id: str, container_id: str) -> None:
        """Record that a container was removed; one that is not the current one of its id changes nothing."""
        known = self._current.get(swarm_id)
        if known is not None and known.id == container_id:
            self._append(["removed", swarm_id])

    def record_name(self, swarm_id: str, name: str) -> None:
        """Record the name that a container was given after it was made."""
        self._append(["renamed", swarm_id, name])

    def record_network(self, swarm_id: str, network: str, settings: Any) -> None:
        """Record a network that a container joined later, with the EndpointConfig asked for; None = it left."""
        self._append(["network", swarm_id, network, settings])

    def knows(self, swarm_id: str) -> bool:
        """Return whether that id was ever given, to a container that may be gone."""
        return swarm_id in self._current

    def is_current(self, swarm_id: str, container_id: str) -> bool:
        """Return whether that container is the one which the swarm id means now."""
        known = self._current.get(swarm_id)
        return known is not None and known.id == container_id

    def name(self, swarm_id: str, created_name: str) -> str:
        """The container's name now; `created_name` = the one that it was made with."""
        return self._names.get(swarm_id, created_name)

    def networks(self, swarm_id: str) -> dict[str, Any]:
        """Networks that it joined after it was made: name -> EndpointConfig."""
        return dict(self._networks.get(swarm_id, {}))

    def _append(self, entry: list[Any]) -> None:
        self._apply(entry)
        if not self._path or self._write_failed:
            return
        try:
            with open(os.open(self._path, _APPEND_FLAGS, 0o600), "ab") as file:
                file.write(json.dumps(entry).encode() + b"\n")
        except OSError as error:
            self._write_failed = True
            self._log(f"rescheduling: {self._path} cannot be written ({error.strerror}): kept in memory only")
        self._lines += 1
        if self._lines > REWRITE_AT_LINES + LINES_PER_CONTAINER * len(self._current):
            self._rewrite()

    def _apply(self, entry: list[Any]) -> None:
        kind, swarm_id, *values = entry
        if kind == "saw":
            self._current[swarm_id] = CurrentContainer(int(values[0]), str(values[1]))
            self._removed.pop(swarm_id, None)
        elif kind == "removed":
            known = self._current.get(swarm_id, CurrentContainer(0, REMOVED))
            self._current[swarm_id] = known._replace(id=REMOVED)
            self._removed[swarm_id] = None
            self._names.pop(swarm_id, None)
            self._networks.pop(swarm_id, None)
        elif kind == "renamed":
            self._names[swarm_id] = str(values[0])
        elif kind == "network" and values[1] is None:
            self._networks.get(swarm_id, {}).pop(values[0], None)
        elif kind == "network":
            self._networks.setdefault(swarm_id, {})[str(values[0])] = values[1]
        while len(self._current) > limits.RESCHEDULE_REMEMBERED:
            oldest = next(iter(self._removed or self._current))  # one that there is may have to move: it stays longer
            self._removed.pop(oldest, None)
            del self._current[oldest]
            self._names.pop(oldest, None)
            self._networks.pop(oldest, None)

    def _load(self) -> None:
        """Read the file. A long one, or one whose last line is torn, is written anew without what was overtaken."""
        try:
            data = bounded_file.read(self._path, limits.RESCHEDULE_LEDGER_FILE)
        except FileNotFoundError:
            return
        except OSError as error:
            self._log(f"rescheduling: {self._path} cannot be read ({error.strerror})")
            return
        lines = data.splitlines()
        for line in lines:
            try:
                self._apply(json.loads(line))
            except (ValueError, TypeError, IndexError, AttributeError):
                continue
        self._lines = len(lines)
        if len(lines) > REWRITE_AT_LINES or not data.endswith(b"\n"):
            self._rewrite()

    def _rewrite(self) -> None:
        entries: list[list[Any]] = []
        for swarm_id, known in self._current.items():
            entries.append(["saw", swarm_id, *known])
            if known.id == REMOVED:
                entries.append(["removed", swarm_id])
        entries += [["renamed", swarm_id, name] for swarm_id, name in self._names.items()]
        for swarm_id, networks in self._networks.items():
            entries += [["network", swarm_id, network, settings] for network, settings in networks.items()]
        temporary = f"{self._path}.new"
        try:
            with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.writelines(json.dumps(entry).encode() + b"\n" for entry in entries)
            os.replace(temporary, self._path)
            self._lines = len(entries)
        except OSError:
            self._log(f"rescheduling: {self._path} cannot be rewritten")
