"""The store's certificate authority and client pair: made once, under a lock; kept whole; renewed in time.

    authority = ensure(store_root)
    pair = authority.issue_server("dev", ["192.0.2.7", "localhost"])

What a docker client uses for a machine are the copies in machines/NAME (so that an imported machine may have
another CA); this package makes the originals in certs/ and hands renewed client pairs on to those copies.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType

import certs
from machine import files, lock, paths
from machine.authority import bootstrap, copies
from machine.authority.bootstrap import CertPaths
from machine.errors import UsageError

LOCK_SECONDS = 60.0  # making everything takes a fraction of one


@dataclass
class Authority:
    """The CA and the client pair of one store, as they are on disk."""

    store_root: str
    cert_paths: CertPaths
    ca: bytes  # the CA's certificate, PEM
    ca_key: bytes = field(repr=False)  # b"" where only the certificate is here: nothing can be issued then
    client: certs.Pair
    notes: list[str] = field(default_factory=list)  # what was repaired or renewed: to be shown as warnings
    updated: list[str] = field(default_factory=list)  # machines whose copies of the client pair were renewed

    def issue_server(
        self, machine_name: str, names: Iterable[str], *, swarm_master: bool = False, now: datetime | None = None
    ) -> certs.Pair:
        """A server pair for a machine, good for its name, `localhost` and `names`; nothing is written.

        Names that no certificate can carry are left out, with a note. Raises CertificateError without a CA key.
        """
        all_names = [*names, machine_name, "localhost"]
        for name in all_names:
            if not certs.is_name(name) and name != machine_name:
                self.notes.append(f"{name!r} is neither an address nor a DNS name: not in the certificate")
        try:
            return certs.make_server(
                certs.Pair(self.ca, self._key()),
                f"{bootstrap.owner()}.{machine_name}",
                [name for name in all_names if certs.is_name(name)],
                client_too=swarm_master,
                now=now,
            )
        except certs.CertsError as error:
            raise bootstrap.cannot_issue_error(self.cert_paths, error) from error

    def renew_client(self, *, new_ca: bool | None = None, now: datetime | None = None) -> None:
        """Make a new client pair and hand it to the machines of this CA, which go on without a restart.

        `new_ca`: make a new CA before that; None: only if the CA ends within 30 days. The old CA's files are kept
        beside it (.bak), and each machine works with its copies of the old ones until its own certificate is
        regenerated.
        """
        moment = now or datetime.now(UTC)
        with _locked(self.store_root, self.cert_paths):
            if new_ca is None:
                new_ca = certs.describe(self.ca).not_after - moment <= certs.SOON
            if new_ca:
                pair = bootstrap.replace_ca(self.cert_paths, moment)
                self.ca, self.ca_key = pair.cert, pair.key
            self.client = bootstrap.replace_client(self.cert_paths, certs.Pair(self.ca, self._key()), moment)
            self.updated += copies.deliver(self.store_root, self.ca, self.client)

    def warnings(self, now: datetime | None = None) -> list[str]:
        """One sentence for each of the two certificates that ends within 30 days, saying what to type."""
        moment = now or datetime.now(UTC)
        warnings = []
        for label, pem in (("CA", self.ca), ("client certificate", self.client.cert)):
            end = certs.describe(pem).not_after
            if end - moment <= certs.SOON:
                days = max((end - moment).days, 0)
                when = f"ends on {end:%Y-%m-%d}, in {days} days" if end > moment else f"has ended on {end:%Y-%m-%d}"
                warnings.append(
                    f"the {label} of this store {when}: `machine regenerate-certs --client-certs NAME...` renews it"
                )
        return warnings

    def _key(self) -> bytes:
        if not self.ca_key:
            raise bootstrap.no_key_error(self.cert_paths)
        return self.ca_key


def ensure(store_root: str, tls: Mapping[str, str] = MappingProxyType({}), now: datetime | None = None) -> Authority:
    """Return the authority of a store; what is missing, cut short or about to end is made.

    All who ask at once get the same. The paths `tls` (--tls-ca-cert and so on, by the keys of paths.AUTHORITY) replace
    those under certs/; what is found there is never overwritten. Raises CertificateError if what is on disk does not
    fit together and is not ours to throw away, StoreError.
    """
    cert_paths = CertPaths.of(store_root, tls)
    moment = now or datetime.now(UTC)
    valid = bootstrap.load_valid(cert_paths, moment)
    if valid is not None:
        ca, client = valid
        if not copies.outdated(store_root, ca.cert, bootstrap.previous_client(cert_paths)):
            return Authority(store_root, cert_paths, ca.cert, ca.key, client)
    with _locked(store_root, cert_paths):
        bootstrap.sweep(store_root)
        notes: list[str] = []
        ca = bootstrap.ensure_ca(store_root, cert_paths, moment, notes)
        client, changed = bootstrap.ensure_client(cert_paths, ca, moment, notes)
        outdated = changed or copies.outdated(store_root, ca.cert, bootstrap.previous_client(cert_paths))
        updated = copies.deliver(store_root, ca.cert, client) if outdated else []
    return Authority(store_root, cert_paths, ca.cert, ca.key, client, notes, updated)


def check_can_issue(store_root: str, tls: Mapping[str, str], *, server: bool) -> None:
    """Raises CertificateError if the CA that `ensure` would take could not issue what a create needs. Only reads.

    `server`: a server certificate, and not just a client pair where there is none that is good.
    """
    bootstrap.check_can_issue(store_root, CertPaths.of(store_root, tls), datetime.now(UTC), server=server)


def needs_renewal(cert: bytes, names: Iterable[str], ca: bytes, now: datetime) -> str | None:
    """Why a machine's server certificate should be made again ("the certificate ..."), or None.

    Names that no certificate can carry do not count: `issue_server` leaves them out.
    """
    return certs.needs_renewal(cert, [name for name in names if certs.is_name(name)], ca, now, usage="server")


def check_names(names: Iterable[str]) -> None:
    """Raises UsageError if one of `names` (--tls-san) is neither an address nor a DNS name."""
    for name in names:
        if not certs.is_name(name):
            raise UsageError(
                f"{name!r} is neither an IP address nor a DNS name, so no certificate can carry it",
                resolution="give --tls-san one address or name at a time, without port or scheme",
            )


def _locked(store_root: str, cert_paths: CertPaths) -> AbstractContextManager[None]:
    """Be the only one at work on a CA, of all stores that have it: by a link, or by --tls-ca-key.

    The lock is that of the store in which the CA's key really lies, or beside the key where that is no store. Where
    nothing may be written there, nothing is made there either, and the store's own lock does.
    """
    files.need_directory(os.path.join(store_root, "certs"))
    real = os.path.realpath(os.path.dirname(cert_paths.ca_key) or ".")
    root = os.path.dirname(real)
    path = paths.lock(root, "certs") if os.path.basename(real) == "certs" else os.path.join(real, ".ca.lock")
    writable = root if os.path.basename(real) == "certs" else real
    if os.path.isdir(writable) and not os.access(writable, os.W_OK):
        path = paths.lock(store_root, "certs")
    return lock.hold(path, seconds=LOCK_SECONDS, what="make the certificates of this store")
