"""The copies of CA and client pair that every machine's directory carries."""

from __future__ import annotations

import os

import certs
from machine import files, paths
from machine.errors import StoreError


def deliver(store_root: str, ca: bytes, client: certs.Pair) -> list[str]:
    """Give the machines under `ca` the new client pair; returns their names. Machines under another CA keep theirs."""
    updated = []
    for name in machines(store_root):
        directory = paths.machine(store_root, name)
        old = _read_copy(store_root, name, paths.CERT)
        if old is None or _read_copy(store_root, name, paths.CA) != ca or old == client.cert:
            continue
        files.write(os.path.join(directory, paths.KEY), client.key)
        files.write(os.path.join(directory, paths.CERT), client.cert, files.PUBLIC)
        updated.append(name)
    return updated


def outdated(store_root: str, ca: bytes, previous: bytes) -> bool:
    """Whether a machine under `ca` still has the `previous` client certificate: a delivery was cut short."""
    return bool(previous) and any(
        _read_copy(store_root, name, paths.CERT) == previous and _read_copy(store_root, name, paths.CA) == ca
        for name in machines(store_root)
    )


def ca_copies(store_root: str) -> dict[str, bytes]:
    """Machine's name -> its copy of a CA certificate, for those that have one."""
    found = {name: _read_copy(store_root, name, paths.CA) for name in machines(store_root)}
    return {name: ca for name, ca in found.items() if ca}


def machines(store_root: str) -> list[str]:
    """The names of the machines in the store."""
    try:
        return sorted(name for name in os.listdir(paths.machines(store_root)) if not name.startswith("."))
    except OSError:
        return []


def _read_copy(store_root: str, name: str, file: str) -> bytes | None:
    """A machine's copy, b"" if it has none; None if it cannot be read, which is the business of that machine alone."""
    try:
        return files.read(paths.machine(store_root, name, file))
    except StoreError:
        return None
