"""Records of machines in a classic swarm, and the command lines that make them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from machine import authority, files, paths
from machine.model import Endpoint, SwarmOptions
from machine.store import Record, Store
from tests.sshd import free_port

TOKEN = "0123456789abcdef0123456789abcdef"
NONE = ["create", "-d", "none", "--url", "tcp://192.0.2.7:2376", "--no-context"]
NODE = [*NONE, "--swarm", "--swarm-discovery", f"token://{TOKEN}", "m"]
AWAY = Endpoint("192.0.2.1", peer_address="10.0.0.1")  # a cloud's, with a private address
HOME = Endpoint("127.84.0.1", engine_port=12376, peer_address="10.84.0.1")  # a virtual machine on this computer


def saved_member(store: Store, name: str, driver_object: dict[str, Any], *, master: bool = False) -> Record:
    """A machine that has entered its swarm; nothing listens at its address."""
    options = SwarmOptions(True, master, True, f"token://{TOKEN}")
    data = {"IPAddress": "127.0.0.1", "SSHUser": "root", "SwarmEntered": ["127.0.0.1:1"], **driver_object}
    record = Record.new(store.root, name, "amazonec2", data, swarm=options)
    store.add(name)
    record.driver_object["SwarmPort"] = free_port()
    pair = authority.ensure(store.root).client
    for file, data_ in ((paths.CA, authority.ensure(store.root).ca), (paths.CERT, pair.cert), (paths.KEY, pair.key)):
        files.write(str(Path(record.cert_dir()) / file), data_)
    store.save(record)
    return record
