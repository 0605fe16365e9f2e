"""How a store comes to its CA and client pair: read, repaired if a killed program left half of it, or made.

A key is written before its certificate, so that a certificate on disk always has its key; whoever is killed in
between leaves a key alone, which nothing was issued with. docker-machine writes the other way round and not
atomically, so files cut short are met too. Nothing is ever thrown away: what is replaced is kept as *.bak.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import certs
from machine import files, paths
from machine.authority import copies
from machine.errors import CertificateError


@dataclass(frozen=True)
class CertPaths:
    """Where the four files are, and whether they are the store's own or the user's (--tls-*)."""

    ca_cert: str
    ca_key: str
    client_cert: str
    client_key: str
    own_ca: bool = True
    own_client: bool = True

    @classmethod
    def of(cls, store_root: str, given: Mapping[str, str]) -> CertPaths:
        """The given paths (by the keys of paths.AUTHORITY), and for each that is missing or "" the file in certs/."""
        return cls(
            **paths.authority(store_root, given),
            own_ca=not (given.get("ca_cert") or given.get("ca_key")),
            own_client=not (given.get("client_cert") or given.get("client_key")),
        )


def owner() -> str:
    """Who the certificates are made for: $USER, as docker-machine has it."""
    return os.environ.get("USER") or os.environ.get("USERNAME") or "unknown"


def load_valid(cert_paths: CertPaths, now: datetime) -> tuple[certs.Pair, certs.Pair] | None:
    """CA and client pair when all is well, None when something is to be made. Takes no lock, writes nothing."""
    ca, client = _read(cert_paths.ca_cert, cert_paths.ca_key), _read(cert_paths.client_cert, cert_paths.client_key)
    valid = certs.belongs_together(ca.cert, ca.key) and _client_problem(client, ca, now) is None
    return (ca, client) if valid and not _keys_readable_by_others(cert_paths) else None


def ensure_ca(store_root: str, cert_paths: CertPaths, now: datetime, notes: list[str]) -> certs.Pair:
    """The CA, made or repaired where that is safe; its key is b"" if it is not here and the CA is in use.

    Raises CertificateError for files that are whole and do not fit together, and for the user's own (--tls-ca-*).
    """
    ca = _read(cert_paths.ca_cert, cert_paths.ca_key)
    _restrict_modes(cert_paths, notes)
    if certs.belongs_together(ca.cert, ca.key):
        return _replace_if_ended(cert_paths, ca, now, notes)
    if _is_complete(ca.cert) and _is_complete(ca.key):
        raise _mismatch_error(cert_paths, ca)
    if _is_complete(ca.cert) and _in_use(store_root, cert_paths, ca.cert):
        return certs.Pair(ca.cert, b"")
    if not cert_paths.own_ca and (ca.cert or ca.key):
        raise no_key_error(cert_paths) if _is_complete(ca.cert) else _unreadable_error(cert_paths.ca_cert)
    for name, copy in copies.ca_copies(store_root).items():
        if certs.belongs_together(copy, ca.key):
            files.write(cert_paths.ca_cert, copy, files.PUBLIC)
            notes.append(f"{cert_paths.ca_cert} was missing or cut short: restored from the copy of machine {name}")
            return certs.Pair(copy, ca.key)
    if ca.cert or ca.key:
        notes.append(
            f"the CA in {os.path.dirname(cert_paths.ca_cert)} was only half there and nothing used it: made a new one"
        )
    elif copies.ca_copies(store_root):
        notes.append(
            "the CA of this store was gone: made a new one; machines keep working with their copies of the old one"
            " until `machine regenerate-certs NAME...` gives them new certificates"
        )
    return replace_ca(cert_paths, now)


def check_can_issue(store_root: str, cert_paths: CertPaths, now: datetime, *, server: bool) -> None:
    """Raises CertificateError if the CA that is there could not issue what a create needs. Writes nothing.

    `server`: a server certificate, too; else the client pair is enough, and nothing is issued where it is good.
    """
    ca = _read(cert_paths.ca_cert, cert_paths.ca_key)
    if not server and _client_problem(_read(cert_paths.client_cert, cert_paths.client_key), ca, now) is None:
        return
    if not certs.belongs_together(ca.cert, ca.key):
        if _is_complete(ca.cert) and _is_complete(ca.key):
            raise _mismatch_error(cert_paths, ca)
        if _is_complete(ca.cert) and (not cert_paths.own_ca or _in_use(store_root, cert_paths, ca.cert)):
            raise no_key_error(cert_paths)
        return  # it is made, repaired or complained of by `ensure_ca`
    if cert_paths.own_ca and certs.describe(ca.cert).not_after <= now:
        return  # a new one takes its place
    try:
        certs.make_client(ca, owner(), now=now)
    except certs.CertsError as error:
        raise cannot_issue_error(cert_paths, error) from error


def _replace_if_ended(cert_paths: CertPaths, ca: certs.Pair, now: datetime, notes: list[str]) -> certs.Pair:
    """The CA, or a new one in place of one of ours that has ended: no machine can be used with that any more."""
    end = certs.describe(ca.cert).not_after
    if end > now or not cert_paths.own_ca:
        return ca
    notes.append(
        f"the CA of this store has ended on {end:%Y-%m-%d}: made a new one;"
        " `machine regenerate-certs NAME...` gives the machines new certificates"
    )
    return replace_ca(cert_paths, now)


def replace_ca(cert_paths: CertPaths, now: datetime) -> certs.Pair:
    """A new CA in place of what is there, which is kept as *.bak."""
    for path in (cert_paths.ca_cert, cert_paths.ca_key):
        if os.path.exists(path):
            os.replace(path, path + ".bak")
    return _write(certs.make_ca(owner(), now=now), cert_paths.ca_cert, cert_paths.ca_key)


def ensure_client(cert_paths: CertPaths, ca: certs.Pair, now: datetime, notes: list[str]) -> tuple[certs.Pair, bool]:
    """The client pair, and whether it is new.

    Raises CertificateError if one is needed and cannot or must not be made.
    """
    client = _read(cert_paths.client_cert, cert_paths.client_key)
    problem = _client_problem(client, ca, now)
    if problem is None:
        return client, False
    exists = bool(client.cert or client.key)
    if exists and (not cert_paths.own_client or not ca.key) and certs.belongs_together(client.cert, client.key):
        notes.append(f"the client certificate {cert_paths.client_cert} {problem}")
        return client, False
    if exists and not cert_paths.own_client:
        raise _unreadable_error(cert_paths.client_cert, f"the client certificate {problem}")
    if not ca.key:
        raise no_key_error(cert_paths)
    if exists:
        notes.append(f"the client certificate {problem}: made a new one")
    return replace_client(cert_paths, ca, now), True


def replace_client(cert_paths: CertPaths, ca: certs.Pair, now: datetime) -> certs.Pair:
    """A new client pair on disk; the old one is kept as *.bak. Raises CertificateError if the CA cannot issue."""
    try:
        pair = certs.make_client(ca, f"{owner()}.<bootstrap>", name=owner(), now=now)
    except certs.CertsError as error:
        raise cannot_issue_error(cert_paths, error) from error
    for path, mode in ((cert_paths.client_key, files.PRIVATE), (cert_paths.client_cert, files.PUBLIC)):
        old = files.read(path)
        if old:
            files.write(path + ".bak", old, mode)
    return _write(pair, cert_paths.client_cert, cert_paths.client_key)


def previous_client(cert_paths: CertPaths) -> bytes:
    """The client certificate before this one, b"" if there was none."""
    return files.read(cert_paths.client_cert + ".bak")


def sweep(store_root: str) -> None:
    """Remove what killed writers left in certs/; only under the lock."""
    for name in os.listdir(paths.certs(store_root)):
        if files.leftover(name):
            os.unlink(paths.certs(store_root, name))


def no_key_error(cert_paths: CertPaths) -> CertificateError:
    """The CA can be used but not issue."""
    return CertificateError(
        f"the CA's private key {cert_paths.ca_key} is not here, so no certificate can be issued",
        details="Machines that have their certificates can still be used.",
        resolution="ask whoever made the CA for the key, or name it with --tls-ca-key, or use another --storage-path",
    )


def cannot_issue_error(cert_paths: CertPaths, error: certs.CertsError) -> CertificateError:
    """`error` of the CA, with what to do about it."""
    return CertificateError(
        f"the CA {cert_paths.ca_cert} cannot issue a certificate: {error}",
        resolution="check this computer's clock"
        if cert_paths.own_ca
        else "name a CA that can by --tls-ca-cert, --tls-ca-key",
    )


def _write(pair: certs.Pair, cert_path: str, key_path: str) -> certs.Pair:
    """The key first: see the module's docstring."""
    files.write(key_path, pair.key, files.PRIVATE)
    files.write(cert_path, pair.cert, files.PUBLIC)
    return pair


def _read(cert_path: str, key_path: str) -> certs.Pair:
    return certs.Pair(files.read(cert_path), files.read(key_path))


def _is_complete(pem: bytes) -> bool:
    """Whether a file was written to its end, as far as that shows."""
    return b"-----END" in pem


def _client_problem(client: certs.Pair, ca: certs.Pair, now: datetime) -> str | None:
    if not certs.belongs_together(client.cert, client.key):
        return "and its key are not both there" if not (client.cert and client.key) else "and its key do not fit"
    return certs.needs_renewal(client.cert, (), ca.cert, now, usage="client")


def _in_use(store_root: str, cert_paths: CertPaths, ca: bytes) -> bool:
    """Whether a machine or the client pair depends on that CA."""
    client = _read(cert_paths.client_cert, cert_paths.client_key)
    paired = certs.issued_by(client.cert, ca) and certs.belongs_together(client.cert, client.key)
    return paired or ca in copies.ca_copies(store_root).values()


def _keys_readable_by_others(cert_paths: CertPaths) -> list[str]:
    """The store's own key files that others may read."""
    own = [
        path
        for path, is_own in ((cert_paths.ca_key, cert_paths.own_ca), (cert_paths.client_key, cert_paths.own_client))
        if is_own
    ]
    return [p for p in own if os.name != "nt" and os.path.exists(p) and os.stat(p).st_mode & 0o077]


def _restrict_modes(cert_paths: CertPaths, notes: list[str]) -> None:
    for path in _keys_readable_by_others(cert_paths):
        os.chmod(path, files.PRIVATE)
        notes.append(f"{path} was readable by others: its mode is 0600 now")


def _mismatch_error(cert_paths: CertPaths, ca: certs.Pair) -> CertificateError:
    """Why two files that are both whole make no CA."""
    brief = f"the CA {cert_paths.ca_cert} and the key {cert_paths.ca_key} cannot be used together"
    try:
        certs.describe(ca.cert)
        certs.make_client(ca, owner())
    except certs.KeyLocked as error:
        copy = f"openssl pkey -in {cert_paths.ca_key} -out COPY"
        return CertificateError(brief, details=str(error), resolution=f"`{copy}` writes it without; see --tls-ca-key")
    except certs.CertsError as error:
        details = str(error)
    return CertificateError(
        brief,
        details=details,
        resolution="put back the right two files from a backup; or move both away, then run"
        " `machine regenerate-certs NAME...` for every machine",
    )


def _unreadable_error(path: str, details: str = "") -> CertificateError:
    return CertificateError(
        f"{path} cannot be used", details=details, resolution="put the right file there, or leave out the --tls-* flags"
    )
