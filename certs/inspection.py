"""Reading certificates: what one says, who signed it, which key is its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certs.errors import CertsError
from certs.names import names_to_text
from certs.pem import load_cert, load_certs, load_key, public_bytes

T = TypeVar("T", bound=x509.ExtensionType)

_USAGES = {ExtendedKeyUsageOID.SERVER_AUTH: "server", ExtendedKeyUsageOID.CLIENT_AUTH: "client"}


@dataclass(frozen=True, slots=True)
class CertFacts:
    """One certificate in plain values. The dates are aware, UTC."""

    not_before: datetime
    not_after: datetime
    names: tuple[str, ...]  # DNS names and IP addresses it is good for, in its order
    is_ca: bool
    organisation: str
    common_name: str
    issuer: str  # RFC 4514 text
    usages: tuple[str, ...]  # "server", "client"; dotted numbers of others; () = not restricted
    serial: int
    fingerprint: str  # SHA-256 in hex


def describe(cert: bytes) -> CertFacts:
    """What the first certificate in `cert` says. Raises NotPem if there is none."""
    found = load_cert(cert)
    alternatives = _extension(found, x509.SubjectAlternativeName)
    constraints = _extension(found, x509.BasicConstraints)
    usage = _extension(found, x509.ExtendedKeyUsage)
    return CertFacts(
        not_before=found.not_valid_before_utc,
        not_after=found.not_valid_after_utc,
        names=names_to_text(alternatives) if alternatives else (),
        is_ca=bool(constraints and constraints.ca),
        organisation=_attribute(found.subject, NameOID.ORGANIZATION_NAME),
        common_name=_attribute(found.subject, NameOID.COMMON_NAME),
        issuer=found.issuer.rfc4514_string(),
        usages=tuple(_USAGES.get(oid, oid.dotted_string) for oid in usage) if usage else (),
        serial=found.serial_number,
        fingerprint=found.fingerprint(hashes.SHA256()).hex(),
    )


def issued_by(cert: bytes, ca_cert: bytes) -> bool:
    """Whether a CA in `ca_cert` (one certificate or several) signed `cert`. Dates are not looked at.

    False also when either is no certificate at all.
    """
    try:
        leaf, issuers = load_cert(cert), load_certs(ca_cert)
    except CertsError:
        return False
    return any(_has_issued(leaf, issuer) for issuer in issuers)


def belongs_together(cert: bytes, key: bytes) -> bool:
    """Whether `key` is the private key of `cert`. False also when either cannot be read."""
    try:
        return public_bytes(load_cert(cert).public_key()) == public_bytes(load_key(key).public_key())
    except (CertsError, ValueError):
        return False


def _has_issued(leaf: x509.Certificate, issuer: x509.Certificate) -> bool:
    constraints = _extension(issuer, x509.BasicConstraints)
    if constraints is None or not constraints.ca:
        return False
    try:
        leaf.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _extension(cert: x509.Certificate, kind: type[T]) -> T | None:
    try:
        return cert.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, ValueError):
        return None


def _attribute(name: x509.Name, oid: x509.ObjectIdentifier) -> str:
    found = name.get_attributes_for_oid(oid)
    return str(found[0].value) if found else ""
