"""When a leaf has to be made again."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from certs.errors import CertsError
from certs.inspection import CertFacts, describe, issued_by
from certs.names import is_name, normal

SOON = timedelta(days=30)  # before the end of a certificate


def needs_renewal(cert: bytes, names: Iterable[str], ca: bytes, now: datetime, *, usage: str = "") -> str | None:
    """Why `cert` should be made again, as the end of the sentence "the certificate ...", or None.

    `names`: those it must be good for (more is no harm; () for a client's). `usage`: "server" or "client", when
    it must be good for that. `ca`: the CA's certificate, without its key. A leaf that ends soon only because
    its CA does is left alone: a new one would end on the same day.
    """
    try:
        facts, issuer = describe(cert), describe(ca)
    except CertsError:
        return "cannot be read"
    if not issued_by(cert, ca):
        return "is not issued by this CA"
    return _ending(facts, issuer, now) or _unfit(facts, names, usage)


def _ending(facts: CertFacts, issuer: CertFacts, now: datetime) -> str | None:
    if facts.not_after <= now:
        return f"has ended on {facts.not_after:%Y-%m-%d}"
    if facts.not_after - now <= SOON and facts.not_after < issuer.not_after:
        return f"ends on {facts.not_after:%Y-%m-%d}"
    return None


def _unfit(facts: CertFacts, names: Iterable[str], usage: str) -> str | None:
    if usage and facts.usages and usage not in facts.usages:
        return f"is not good for a {usage}"
    have = {normal(name) for name in facts.names if is_name(name)}
    missing = [name for name in names if normal(name) not in have]
    return "does not carry " + ", ".join(missing) if missing else None
