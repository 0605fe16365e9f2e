"""Making certificates: a CA, and under it client and server leafs with only the usages that they need."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed448, ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from certs.errors import IssuerUnfit, NameNotAllowed
from certs.inspection import belongs_together
from certs.names import general_names, names_to_text
from certs.pem import Pair, PrivateKey, key_to_pem, load_cert, load_key, new_key

CA_DAYS = 3650
LEAF_DAYS = 825  # the most that Apple's and other clients accept of a server
BACK = timedelta(minutes=5)  # certificates start earlier than now, for machines whose clock is slow
_LONGEST = 64  # of a name in a subject, RFC 5280 appendix A.1


def make_ca(organisation: str, *, now: datetime | None = None, days: float = CA_DAYS) -> Pair:
    """A new CA, signed by itself, which may sign leafs but no further CA. `now` is aware, default the clock."""
    key = new_key()
    subject = _subject(organisation, f"{organisation} machine CA")
    start, end = _span(now, days)
    builder = _draft(subject, subject, key, start, end)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_key_usage(ca=True), critical=True)
    return _sign(builder, key, key)


def make_client(
    ca: Pair, organisation: str, *, name: str = "", now: datetime | None = None, days: float = LEAF_DAYS
) -> Pair:
    """A client's pair under `ca`. `name` (default the organisation) becomes its CN, which engines show as the user."""
    subject = _subject(organisation, name or organisation)
    return _leaf(ca, subject, [ExtendedKeyUsageOID.CLIENT_AUTH], _span(now, days))


def make_server(
    ca: Pair,
    organisation: str,
    names: Sequence[str],
    *,
    client_too: bool = False,
    now: datetime | None = None,
    days: float = LEAF_DAYS,
) -> Pair:
    """A server's pair for `names` (IP addresses and DNS names, at least one), the first being its CN as well.

    `client_too` for a swarm master, which is a server to its users and a client of the engines. Raises NameNotAllowed
    if a name is neither an address nor a DNS name, or there is none. Raises IssuerUnfit, NotPem or KeyLocked if the
    issuer cannot sign.
    """
    alternatives = general_names(names)
    if not alternatives:
        raise NameNotAllowed("a server certificate needs at least one name")
    usages = [ExtendedKeyUsageOID.SERVER_AUTH]
    if client_too:
        usages.append(ExtendedKeyUsageOID.CLIENT_AUTH)
    subject = _subject(organisation, names_to_text(alternatives)[0])
    return _leaf(ca, subject, usages, _span(now, days), x509.SubjectAlternativeName(alternatives))


def _leaf(
    ca: Pair,
    subject: x509.Name,
    usages: list[ObjectIdentifier],
    span: tuple[datetime, datetime],
    alternatives: x509.SubjectAlternativeName | None = None,
) -> Pair:
    """A certificate signed by `ca`, which it does not outlive."""
    issuer, issuer_key = load_cert(ca.cert), load_key(ca.key)
    start, end = span
    _fit(issuer, ca, start + BACK)
    key = new_key()
    builder = _draft(
        subject, issuer.subject, key, max(start, issuer.not_valid_before_utc), min(end, issuer.not_valid_after_utc)
    )
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage(ca=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    builder = builder.add_extension(_authority_key(issuer), critical=False)
    if alternatives is not None:
        builder = builder.add_extension(alternatives, critical=False)
    return _sign(builder, key, issuer_key)


def _fit(issuer: x509.Certificate, ca: Pair, now: datetime) -> None:
    """Raises IssuerUnfit unless the CA is one, is valid at `now`, and the key is its own."""
    try:
        is_ca = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        is_ca = False
    if not is_ca:
        raise IssuerUnfit("the certificate that should issue is not a CA's")
    if issuer.not_valid_after_utc <= now:
        raise IssuerUnfit(f"the CA has ended on {issuer.not_valid_after_utc:%Y-%m-%d}")
    if issuer.not_valid_before_utc > now:
        raise IssuerUnfit(f"the CA begins only on {issuer.not_valid_before_utc:%Y-%m-%d %H:%M} UTC: look at the clock")
    if not belongs_together(ca.cert, ca.key):
        raise IssuerUnfit("the CA's key does not belong to its certificate")


def _subject(organisation: str, common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, _fitting(organisation)),
            x509.NameAttribute(NameOID.COMMON_NAME, _fitting(common_name)),
        ]
    )


def _fitting(text: str) -> str:
    """`text` as far as a subject holds it: the library counts bytes, and takes no halves of characters."""
    return text.encode("utf-8", "replace")[:_LONGEST].decode("utf-8", "ignore") or "unknown"


def _span(now: datetime | None, days: float) -> tuple[datetime, datetime]:
    """Start and end of a validity that begins a little before `now` and lasts `days` from it."""
    moment = now or datetime.now(UTC)
    return moment - BACK, moment + timedelta(days=days)


def _draft(
    subject: x509.Name, issuer: x509.Name, key: PrivateKey, start: datetime, end: datetime
) -> x509.CertificateBuilder:
    """What every certificate has: names, dates, a random serial (RFC 5280 4.1.2.2) and its key's identifier."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(_serial())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _serial() -> int:
    """128 random bits; zero is not a serial."""
    return secrets.randbits(128) or 1


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    """A CA signs certificates and lists of revoked ones; a leaf with an ECDSA key signs its handshakes."""
    return x509.KeyUsage(
        digital_signature=not ca,
        key_cert_sign=ca,
        crl_sign=ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _authority_key(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """The issuer's own key identifier, or one computed where an old CA has none."""
    try:
        own = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key())  # type: ignore[arg-type]
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


def _sign(builder: x509.CertificateBuilder, key: PrivateKey, signer: PrivateKey) -> Pair:
    """The finished pair of `key`. Edwards curves bring their own hash."""
    bare = isinstance(signer, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey)
    cert = builder.sign(signer, None if bare else hashes.SHA256())
    return Pair(cert.public_bytes(Encoding.PEM), key_to_pem(key))
