"""A manager on the laptop: its engines are the machines of the store, its certificates the store's.

machine/swarm knows no store: machine/cli/swarm.py hands this in.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime

import certs
from machine import authority, files, paths
from machine.clusters.classic import cluster_key
from machine.errors import MachineError
from machine.store import Record, Store
from machine.swarm.backends.swarm import plan_of
from machine.swarm.cli_flags import ParsedArgs
from machine.swarm.discovery import Discovery
from machine.swarm.http import hostport
from machine.swarm.http.address import TlsConfig, parse
from machine.swarm.manager.manager import ManagerConfig

NAMES = ("localhost", "127.0.0.1", "::1")
LOCK_SECONDS = 10.0


def registry(store: Store) -> str:
    """Return the path of the store's own registry of tokens."""
    return paths.swarm(store.root, paths.SWARM_REGISTRY)


class Machines(Discovery):
    """Every machine of the store that has an address."""

    description = "the machines of the store"

    def __init__(self, store: Store) -> None:
        self._store = store

    async def nodes(self) -> list[str]:
        """As recorded now; machines whose record cannot be read are left out."""
        return list(engines(self._store))


def engines(store: Store) -> dict[str, Record]:
    """The machines' engines: address -> record."""
    found = {}
    for name in store.names():
        try:
            record = store.load(name)
        except MachineError:
            continue
        if record.address():
            found[_address(record)] = record
    return found


def complete(
    store: Store, given: ParsedArgs, plan: ManagerConfig | None, environ: dict[str, str]
) -> tuple[ManagerConfig, TlsConfig | None]:
    """The plan with the store's certificates for engines, and the TLS of the front: a certificate for this host.

    Without a plan, one over all machines of the store. CertificateError, StoreError.
    """
    if plan is None:
        given.words = ["nodes://placeholder:1"]
        plan = plan_of(given, environ, registry(store))._replace(discovery=Machines(store))
    else:
        shared = cluster_key.of_masters(store, given.one_url(environ.get("SWARM_DISCOVERY", "")))
        if shared and not plan.key_named:
            plan = plan._replace(key_file=shared)
    own = authority.ensure(store.root)
    front = _front(store, own, (*NAMES, *_hosts(given)))
    at = store.root
    client = TlsConfig(paths.certs(at, paths.CA), paths.certs(at, paths.CERT), paths.certs(at, paths.KEY))
    plan = plan._replace(trust=client, trusted=lambda address: trust_for(store, address))
    return plan, front


def _front(store: Store, own: authority.Authority, names: Sequence[str]) -> TlsConfig:
    """This host's certificate and key; made again only if they do not do, for another manager may be reading them."""
    directory = paths.swarm(store.root)
    ca, cert, key = (os.path.join(directory, name) for name in (paths.CA, paths.SERVER_CERT, paths.SERVER_KEY))
    with store.lock("swarm-manager", seconds=LOCK_SECONDS, what="make the certificate of the swarm's manager"):
        old = files.read(cert)
        if (
            files.read(ca) != own.ca
            or authority.needs_renewal(old, names, own.ca, datetime.now(UTC))
            or not certs.belongs_together(old, files.read(key))
        ):
            pair = own.issue_server("swarm", names, swarm_master=True)
            files.make_directory(directory)
            for path, data, mode in ((ca, own.ca, 0o644), (key, pair.key, 0o600), (cert, pair.cert, 0o644)):
                files.write(path, data, mode)
    return TlsConfig(ca, cert, key)


def _hosts(given: ParsedArgs) -> list[str]:
    """The names and addresses of this host that the command line tells. UsageError."""
    told = [*given.all("--host"), *filter(None, [given.text("--advertise")])]
    return [host for host in (parse(url, default_host="").host for url in told) if host not in ("", "0.0.0.0", "::")]


def trust_for(store: Store, address: str) -> TlsConfig | None:
    """The certificates of the machine at `address`, which may be another store's; None if they are this store's."""
    record = engines(store).get(address)
    if record is None:
        return None
    ca, cert, key = (os.path.join(record.cert_dir(), name) for name in (paths.CA, paths.CERT, paths.KEY))
    return TlsConfig(ca, cert, key) if all(os.path.exists(path) for path in (ca, cert, key)) else None


def _address(record: Record) -> str:
    host = record.address()
    return hostport.join(host, record.engine_port())
