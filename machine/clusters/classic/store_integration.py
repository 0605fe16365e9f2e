"""`machine swarm manage` over this store: its engines are the store's machines, its certificates the store's.

machine/swarm knows no store: machine/cli/swarm.py passes these functions to it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from machine import files, paths
from machine.clusters.classic import cluster_key
from machine.errors import MachineError
from machine.store import Record, Store
from machine.swarm.cli_flags import ParsedArgs
from machine.swarm.discovery import Discovery
from machine.swarm.http import hostport
from machine.swarm.http.address import TlsConfig, parse
from machine.swarm.manager.config import manager_config_from
from machine.swarm.manager.manager import ManagerConfig

if TYPE_CHECKING:
    from machine.authority import Authority

NAMES = ("localhost", "127.0.0.1", "::1")
LOCK_SECONDS = 10.0


def registry_path(store: Store) -> str:
    """Return the path of the store's own registry of tokens."""
    return paths.swarm(store.root, paths.SWARM_REGISTRY)


class Machines(Discovery):
    """Every machine of the store that has an address."""

    description = "the machines of the store"

    def __init__(self, store: Store) -> None:
        self._store = store

    async def nodes(self) -> list[str]:
        """Return the addresses as recorded now; machines whose record cannot be read are left out."""
        return list(engine_records(self._store))


def engine_records(store: Store) -> dict[str, Record]:
    """Return the record of each machine with an address, by the address of its engine."""
    records = {}
    for name in store.names():
        try:
            record = store.load(name)
        except MachineError:
            continue
        if record.address():
            records[_address(record)] = record
    return records


def manager_config(
    store: Store, args: ParsedArgs, config: ManagerConfig | None, environ: dict[str, str]
) -> tuple[ManagerConfig, TlsConfig | None]:
    """Return the manager's config with the store's certificates for engines, and the TLS of its listener.

    Without a `config` it is for all machines of the store. Raises CertificateError or StoreError if the store's
    certificates or records cannot be read.
    """
    if config is None:
        config = manager_config_from(args, environ, registry_path(store), Machines(store))
    else:
        shared = cluster_key.key_file_of_masters(store, args.one_url(environ.get("SWARM_DISCOVERY", "")))
        if shared and not config.key_named:
            config = config._replace(key_file=shared)
    from machine import authority  # cryptography: a manager with --tls files, or without TLS, does not wait for it

    store_authority = authority.ensure(store.root)
    server_tls = _server_tls(store, store_authority, (*NAMES, *_hosts(args)))
    root = store.root
    client = TlsConfig(paths.certs(root, paths.CA), paths.certs(root, paths.CERT), paths.certs(root, paths.KEY))
    config = config._replace(tls=client, tls_for_address=lambda address: trust_for(store, address))
    return config, server_tls


def _server_tls(store: Store, store_authority: Authority, names: Sequence[str]) -> TlsConfig:
    """Return the listener's certificate and key; made anew only if they are unfit: another manager may read them."""
    import certs
    from machine import authority

    directory = paths.swarm(store.root)
    ca, cert, key = (os.path.join(directory, name) for name in (paths.CA, paths.SERVER_CERT, paths.SERVER_KEY))
    with store.lock("swarm-manager", seconds=LOCK_SECONDS, what="make the certificate of the swarm's manager"):
        old = files.read(cert)
        if (
            files.read(ca) != store_authority.ca
            or authority.needs_renewal(old, names, store_authority.ca, datetime.now(UTC))
            or not certs.belongs_together(old, files.read(key))
        ):
            pair = store_authority.issue_server("swarm", names, swarm_master=True)
            files.make_directory(directory)
            for path, data, mode in ((ca, store_authority.ca, 0o644), (key, pair.key, 0o600), (cert, pair.cert, 0o644)):
                files.write(path, data, mode)
    return TlsConfig(ca, cert, key)


def _hosts(args: ParsedArgs) -> list[str]:
    """Return the names and addresses of this host that the command line has. Raises UsageError if one is no address."""
    urls = [*args.all("--host"), *filter(None, [args.text("--advertise")])]
    return [host for host in (parse(url, default_host="").host for url in urls) if host not in ("", "0.0.0.0", "::")]


def trust_for(store: Store, address: str) -> TlsConfig | None:
    """Return the certificates of the machine at `address`, None if the store has no machine there."""
    record = engine_records(store).get(address)
    if record is None:
        return None
    ca, cert, key = (os.path.join(record.cert_dir(), name) for name in (paths.CA, paths.CERT, paths.KEY))
    return TlsConfig(ca, cert, key) if all(os.path.exists(path) for path in (ca, cert, key)) else None


def _address(record: Record) -> str:
    host = record.address()
    return hostport.join(host, record.engine_port())
