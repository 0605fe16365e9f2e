"""The key that all managers of one classic swarm sign with: kept with each of its masters in the store.

A new swarm's is derived from the store's own key and the discovery, so masters that are made side by side have the
same one, and two swarms of one store have not. A master that came from another store brought its swarm's along.
"""

from __future__ import annotations

import os

from machine import files, paths
from machine.errors import MachineError
from machine.store import Record, Store
from machine.swarm.cluster import signing


def ensure(store: Store, record: Record) -> bytes:
    """The text of the key's file for a master, which keeps it from now on. UsageError if the file cannot be used.

    b"" for a machine that came from another store without its keys: what is on it is right, and not known here.
    """
    mine = _file(store, record.name)
    if os.path.exists(mine):
        return signing.key_text(signing.load_key(mine))
    discovery = record.swarm_options().discovery
    shared = of_masters(store, discovery)
    if shared:
        key = signing.load_key(shared)
    elif record.raw.get("Machine", {}).get("Imported"):
        return b""
    else:
        own = paths.swarm(store.root, signing.KEY_FILE)
        key = signing.derived(signing.load_key(own), discovery)
    files.write(mine, signing.key_text(key))
    return signing.key_text(key)


def of_masters(store: Store, discovery: str) -> str:
    """The file of the key that the swarm's masters in this store have; "" if none has one."""
    for name in store.names():
        try:
            options = store.load(name).swarm_options()
        except MachineError:
            continue  # another machine whose record is broken is none of this command's business
        if options.master and options.discovery == discovery and os.path.exists(_file(store, name)):
            return _file(store, name)
    return ""


def _file(store: Store, name: str) -> str:
    return os.path.join(store.directory(name), paths.SWARM_KEY)
