"""The key that all managers of one classic swarm sign with: kept with each of its masters in the store.

A new swarm's is derived from the store's own key and the discovery, so masters that are made side by side have the
same one, and two swarms of one store have not. A master that was imported has brought its swarm's key along.
"""

from __future__ import annotations

import os

from machine import files, paths
from machine.clusters.classic import membership
from machine.store import Record, Store
from machine.swarm.cluster import signing


def ensure(store: Store, record: Record) -> bytes:
    """Return the key that a master signs with, as the text of a file; it is kept in the master's directory.

    Raises UsageError if its file cannot be used. b"" for a machine that was imported without its keys: it has the right
    one.
    """
    path = _key_file(store, record.name)
    if os.path.exists(path):
        return signing.key_text(signing.load_key(path))
    discovery = record.swarm_options().discovery
    shared = key_file_of_masters(store, discovery)
    if shared:
        key = signing.load_key(shared)
    elif record.raw.get("Machine", {}).get("Imported"):
        return b""
    else:
        store_key = paths.swarm(store.root, signing.KEY_FILE)
        key = signing.derived(signing.load_key(store_key), discovery)
    files.write(path, signing.key_text(key))
    return signing.key_text(key)


def key_file_of_masters(store: Store, discovery: str) -> str:
    """Return the path of the key that a master of the swarm in this store has; "" if none has one."""
    paths_of_keys = (_key_file(store, record.name) for record in membership.masters(store, discovery))
    return next(filter(os.path.exists, paths_of_keys), "")


def _key_file(store: Store, name: str) -> str:
    return os.path.join(store.directory(name), paths.SWARM_KEY)
