"""Who is let in and who is not, decided by OpenSSL in real handshakes."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

import certs
from tests.certs.handshake import client_context, handshake, server_context

NAMES = ["dev", "*.lab.example", "192.0.2.7", "2001:db8::7", "localhost"]
CA = certs.make_ca("me")
SERVER = certs.make_server(CA, "me.dev", NAMES)
CLIENT = certs.make_client(CA, "me")
MASTER = certs.make_server(CA, "me.master", ["master"], client_too=True)
FOREIGN = certs.make_ca("me")
YESTERDAY = datetime.now(UTC) - timedelta(days=1)


def meet(server: certs.Pair, client: certs.Pair | None, name: str = "dev", ca: bytes = CA.cert) -> None:
    handshake(server_context(server, ca), client_context(client, ca), name)


@pytest.mark.parametrize("name", ["dev", "DEV", "db.lab.example", "192.0.2.7", "2001:db8::7", "localhost"])
def test_the_right_pair_under_every_name(name: str) -> None:
    meet(SERVER, CLIENT, name)


@pytest.mark.parametrize("name", ["prod", "lab.example", "192.0.2.8", "2001:db8::8", "127.0.0.1", "::1"])
def test_another_name_is_refused(name: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        meet(SERVER, CLIENT, name)


def test_no_certificate_is_refused() -> None:
    with pytest.raises(ssl.SSLError, match="did not return a certificate"):
        meet(SERVER, None)


def test_a_foreign_client_is_refused() -> None:
    stranger = certs.make_client(FOREIGN, "me")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(server_context(SERVER, CA.cert), client_context(stranger, CA.cert), "dev")


def test_a_foreign_server_is_refused() -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        meet(certs.make_server(FOREIGN, "me.dev", NAMES), CLIENT)


def test_an_expired_client_is_refused() -> None:
    old = certs.make_ca("me", now=YESTERDAY)
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        meet(certs.make_server(old, "s", NAMES), certs.make_client(old, "me", now=YESTERDAY, days=0.5), ca=old.cert)


def test_an_expired_server_is_refused() -> None:
    old = certs.make_ca("me", now=YESTERDAY)
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        meet(certs.make_server(old, "s", NAMES, now=YESTERDAY, days=0.5), certs.make_client(old, "me"), ca=old.cert)


def test_a_server_is_no_client_unless_it_is_a_master() -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="purpose"):
        meet(SERVER, SERVER)
    meet(SERVER, MASTER)
    meet(MASTER, CLIENT, "master")


def test_a_client_is_no_server() -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match=r"purpose|mismatch"):
        meet(CLIENT, CLIENT)


def test_a_leaf_cannot_issue() -> None:
    with pytest.raises(certs.IssuerUnfit, match="not a CA"):
        certs.make_client(SERVER, "me")


def foreign_made(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey, form: PrivateFormat
) -> certs.Pair:
    """A CA as other programs make them: docker-machine's has an organisation only and four usages."""
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "me")])
    usage = x509.KeyUsage(True, False, True, False, True, True, False, False, False)
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        name,
        name,
        key.public_key(),
        x509.random_serial_number(),
        now - timedelta(minutes=5),
        now + timedelta(days=1080),
    )
    builder = builder.add_extension(x509.BasicConstraints(True, None), True).add_extension(usage, True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
    cert = builder.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    return certs.Pair(cert.public_bytes(Encoding.PEM), key.private_bytes(Encoding.PEM, form, NoEncryption()))


@pytest.mark.parametrize("kind", ["rsa-pkcs1", "rsa-pkcs8", "ec-sec1", "ed25519"])
def test_other_programs_cas_issue_too(kind: str) -> None:
    if kind.startswith("rsa"):
        form = PrivateFormat.TraditionalOpenSSL if kind == "rsa-pkcs1" else PrivateFormat.PKCS8
        ca = foreign_made(rsa.generate_private_key(65537, 2048), form)
    elif kind == "ec-sec1":
        ca = foreign_made(ec.generate_private_key(ec.SECP384R1()), PrivateFormat.TraditionalOpenSSL)
    else:
        ca = foreign_made(ed25519.Ed25519PrivateKey.generate(), PrivateFormat.PKCS8)
    if kind == "rsa-pkcs1":
        assert ca.key.startswith(b"-----BEGIN RSA PRIVATE KEY-----")
    server, client = certs.make_server(ca, "me.dev", ["dev"]), certs.make_client(ca, "me")
    meet(server, client, ca=ca.cert)
    assert certs.issued_by(server.cert, ca.cert)
    assert certs.describe(server.cert).not_after <= certs.describe(ca.cert).not_after
