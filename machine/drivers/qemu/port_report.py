"""What a machine says of its ports: a line of JSON from its port reporter, checked, and kept for the next forwarder.

The reporter says all of it when something changes, and otherwise every 15 seconds only. So a forwarder that comes later
begins with what was said last, be it of a machine that goes on from its saved memory: its ports are what they were.
"""

from __future__ import annotations

import json

from machine import files
from machine.errors import StoreError
from machine.forwarded_ports import LOCALHOST
from machine.hostport import ENGINE_PORT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    Port = tuple[str, int]  # ("tcp" or "udp", number)

GREATEST_LINE = 1 << 20  # bytes
MOST_PORTS = 4096  # of one machine; each costs an open file of qemu's
MOST_LOCAL_PORTS = 1024  # of one machine on localhost


class Report:
    """What a line from the machine says: ports open at its address, on localhost, and for IPv6 only.

    `engine` is another text whenever the engine was started anew, "" while it is off.
    """

    def __init__(self, ports: set[Port], localhost: set[Port], six: set[Port], engine: str) -> None:
        self.ports, self.localhost, self.six, self.engine = ports, localhost, six, engine


def read(line: str, address: str) -> Report | None:
    """The report in a line; None when it makes no sense: the machine's word is trusted no further than a port number.

    `address` is the machine's here: what containers publish at that address counts as open there. What they publish
    at 127.0.0.1 is for localhost only.
    """
    try:
        found = json.loads(line)
        ports = {_port(kind, number) for kind, number in found["open"]}
        localhost = ports | {_port(kind, number) for kind, number in found.get("local", [])}
        ports |= {_port(kind, number) for kind, where, number in found.get("bound", []) if where == address}
        six = {_port(kind, number) for kind, number in found.get("six", [])}
        engine = str(found.get("engine", "on" if ("tcp", ENGINE_PORT) in ports else ""))  # machines of older versions
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
        return None
    if address == LOCALHOST:  # macOS: both are the same
        ports |= localhost
    return Report(_first(ports, MOST_PORTS), _first(localhost, MOST_LOCAL_PORTS), _first(six, MOST_PORTS), engine)


def _first(ports: Iterable[Port | None], most: int) -> set[Port]:
    return set(sorted(filter(None, ports))[:most])


def _port(kind: Any, number: Any) -> Port | None:
    port = (str(kind), int(number))
    return port if kind in ("tcp", "udp") and 0 < port[1] < 65536 else None


def remembered(lines: Iterable[str], path: str) -> Iterator[str]:
    """The line that the file `path` has of an earlier forwarder, then `lines`, of which it gets each that makes sense.

    The file is read like a line of the machine: what makes no sense is nothing.
    """
    try:
        known = files.read_plain(path, GREATEST_LINE).decode("ascii", "replace")
    except OSError:
        known = ""
    if known:
        yield known
    for line in lines:
        yield line
        if line == known or read(line, "") is None:
            continue
        try:
            files.write(path, line.encode("ascii", "replace"))
            known = line
        except StoreError:
            continue  # the disk is full; the next report tries again


def copy(source: str, target: str) -> None:
    """Copy the file of `remembered` of the moment of a snapshot; where there is none, `target` is removed."""
    try:
        files.write(target, files.read_plain(source, GREATEST_LINE))
    except (OSError, StoreError):
        files.remove_quietly(target)
