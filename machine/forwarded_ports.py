"""What of a machine's published ports is open on localhost, as its forwarder writes it down for `ls` and the like.

The file is replaced whole whenever that changes, and removed when the forwarder ends. Read by `ls` for every machine:
needs `os` only, and json where there is such a file.
"""

from __future__ import annotations

import os

from machine import files, paths

Port = tuple[str, int]  # ("tcp" or "udp", number)
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LOCALHOST = "127.0.0.1"
LARGEST = 1 << 20  # bytes of the file; 1024 ports with their reasons take 200 KB
SHOWN = 5  # ports of a machine that are named in one cell


def write(path: str, opened: Iterable[Port], refused: Mapping[Port, str]) -> None:
    """Write down which ports are open, and why others are not. Raises StoreError if the disk is full."""
    import json

    content = {
        "open": [[kind, number] for kind, number in sorted(opened)],
        "refused": [[kind, number, reason] for (kind, number), reason in sorted(refused.items())],
    }
    files.write(path, json.dumps(content).encode())


def read(path: str) -> tuple[list[Port], dict[Port, str]]:
    """Return the ports that are open, and why others are not; nothing where there is no file or it makes no sense."""
    if not os.path.exists(path):
        return [], {}
    import json

    try:
        found = json.loads(files.read_plain(path, LARGEST))
        opened = [(str(kind), int(number)) for kind, number in found["open"]]
        return opened, {(str(kind), int(number)): str(reason) for kind, number, reason in found["refused"]}
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return [], {}


def of_machine(directory: str) -> tuple[list[Port], dict[Port, str]]:
    """Return which ports of the machine with this directory are open on localhost, and why others are not."""
    return read(os.path.join(directory, paths.FORWARDED_PORTS))


def name(port: Port) -> str:
    """Return a port as docker writes it: "8080", "53/udp"."""
    kind, number = port
    return str(number) if kind == "tcp" else f"{number}/{kind}"


def names(ports: Iterable[Port]) -> str:
    """Return ports in one line, the numbers first."""
    return ", ".join(name(port) for port in sorted(ports, key=lambda port: (port[1], port[0])))


def marks(refused: Mapping[Port, str]) -> str:
    """Return what to say of the ports that are not on localhost, in one line; "" if there are none."""
    shown = sorted(refused.items())[:SHOWN]
    texts = [f"port {name(port)} is not on localhost: {reason}" for port, reason in shown]
    if len(refused) > SHOWN:
        texts.append(f"nor are {len(refused) - SHOWN} more")
    return "; ".join(texts)
