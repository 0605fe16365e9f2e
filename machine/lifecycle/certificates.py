"""What follows from new client certificates: docker contexts get them, records say how long they last."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from machine import docker_context, files, paths
from machine.errors import MachineError
from machine.session import Session
from machine.store import Record

if TYPE_CHECKING:
    from datetime import datetime

    from machine.authority import Authority


def authority_of(session: Session) -> Authority:
    """Return the store's CA and client pair, made on first use. What had to be repaired is a warning."""
    from machine import authority  # cryptography

    found = authority.ensure(session.store.root, session.tls)
    for note in (*found.notes, *found.warnings()):
        session.console.warn(note)
    found.notes.clear()
    if found.updated:
        propagate(session, found.updated)
    return found


def check_readable(session: Session) -> None:
    """Raise StoreError for a file of the CA or the client pair that is there and may not be read. Makes nothing.

    What is missing is made, or complained of, by `authority_of`, which a create comes to only after the boot.
    """
    for path in paths.authority(session.store.root, session.tls).values():
        files.read(path)


def check_can_issue(session: Session, *, server: bool) -> None:
    """Raise CertificateError where a create would find out after the boot that the CA cannot issue. Makes nothing.

    `server`: whether it needs a server certificate beside the client pair.
    """
    if files.read(paths.authority(session.store.root, session.tls)["ca_cert"]):
        from machine import authority  # cryptography

        authority.check_can_issue(session.store.root, session.tls, server=server)


def renew_client(session: Session) -> None:
    """Make a new client pair (`regenerate-certs --client-certs`), and a new CA where that is about to end."""
    issuer = authority_of(session)
    issuer.updated.clear()
    issuer.renew_client()
    propagate(session, issuer.updated)


def propagate(session: Session, names: Sequence[str]) -> None:
    """Update the docker contexts and the records of the machines `names`, which have a new client pair.

    A machine that another command works on is left out; its record is brought up to date by the next command.
    """
    refresh_contexts(session)
    for name in names:
        try:
            with session.store.lock(f"machine-{name}", seconds=0, what=f"note the certificates of {name}"):
                record_expiry(session, session.store.load(name))
        except MachineError as error:
            session.console.debug(f"the end of {name}'s certificates was not noted: {error.brief}")


def refresh_contexts(session: Session, cert_dir: str = "") -> None:
    """Copy renewed certificates to the docker contexts, or to that of one machine. A failure is only a warning."""
    try:
        docker_context.refresh(session.environ, cert_dir=cert_dir)
    except MachineError as error:
        session.console.warn(f"docker contexts keep their old certificates: {error.brief}")


def record_expiry(session: Session, record: Record) -> None:
    """Write down when the first of the machine's three certificates ends, for `ls` and `env` to warn of."""
    ends = [_end(record, name) for name in (paths.SERVER_CERT, paths.CA, paths.CERT)]
    known = [end for end in ends if end is not None]
    end = min(known).strftime("%Y-%m-%dT%H:%M:%SZ") if known else ""
    if record.certificates_end != end:
        record.certificates_end = end
        session.store.save(record)


def _end(record: Record, name: str) -> datetime | None:
    """Return when a certificate of the machine ends, None where there is none that can be read."""
    import certs

    try:
        return certs.describe(files.read(os.path.join(record.cert_dir(), name))).not_after
    except certs.CertsError:
        return None
