"""Keys and certificates as PEM bytes, and back.

New keys are ECDSA on P-256 in PKCS#8 (RFC 5958), which OpenSSL, Go and Python all read. Whatever else
`cryptography` reads is taken as an issuer's key too: docker-machine's CAs are RSA in PKCS#1.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from certs.errors import KeyLocked, NotPem

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey | ed448.Ed448PublicKey
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key, both PEM. The key does not show when the pair is printed."""

    cert: bytes
    key: bytes = field(repr=False)


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def key_to_pem(key: PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def load_key(pem: bytes) -> PrivateKey:
    """The private key in `pem`. Raises KeyLocked if a passphrase protects it, NotPem if there is none that can sign."""
    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError:  # how the library says that a password is missing
        raise KeyLocked("the private key is protected by a passphrase") from None
    except Exception as error:  # UnsupportedAlgorithm and ValueError, by version
        raise NotPem("there is no private key in PEM that can be read") from error
    if not isinstance(key, PrivateKey):
        raise NotPem(f"a {type(key).__name__} cannot sign certificates")
    return key


def load_cert(pem: bytes) -> x509.Certificate:
    """The first certificate in `pem`. Raises NotPem if there is none."""
    return load_certs(pem)[0]


def load_certs(pem: bytes) -> list[x509.Certificate]:
    """Every certificate in `pem`, at least one. Raises NotPem if there is none that can be read."""
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise NotPem("there is no certificate in PEM that can be read") from error


def public_bytes(key: object) -> bytes:
    """A public key in one comparable form. Raises NotPem for kinds that sign no certificates."""
    if not isinstance(key, PublicKey):
        raise NotPem(f"a {type(key).__name__} cannot sign certificates")
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
