"""What the certificates say, and what the readers make of good and bad bytes."""

from __future__ import annotations

import ipaddress
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

import certs

NOW = datetime(2031, 5, 4, 3, 2, 1, tzinfo=UTC)
CA = certs.make_ca("me", now=NOW)
SERVER = certs.make_server(CA, "me.dev", ["dev", "192.0.2.7"], now=NOW)
CLIENT = certs.make_client(CA, "me.client", name="me", now=NOW)
BYTES = st.binary(max_size=300) | st.binary(max_size=200).map(
    lambda body: b"-----BEGIN CERTIFICATE-----\n" + body + b"\n-----END CERTIFICATE-----\n"
)


def parsed(pem: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem)


def usage(pem: bytes) -> set[str]:
    found = parsed(pem).extensions.get_extension_for_class(x509.KeyUsage)
    assert found.critical
    names = ("digital_signature", "key_encipherment", "key_agreement", "key_cert_sign", "crl_sign")
    return {name for name in names if getattr(found.value, name)}


def test_a_ca_signs_certificates_and_nothing_else() -> None:
    facts = certs.describe(CA.cert)
    assert facts.is_ca
    assert (facts.organisation, facts.usages, facts.names) == ("me", (), ())
    assert usage(CA.cert) == {"key_cert_sign", "crl_sign"}
    constraints = parsed(CA.cert).extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert constraints.value.path_length == 0
    assert facts.not_after - NOW == timedelta(days=3650)
    assert NOW - facts.not_before == timedelta(minutes=5)


def test_leafs_are_good_for_one_thing() -> None:
    assert certs.describe(SERVER.cert).usages == ("server",)
    assert certs.describe(CLIENT.cert).usages == ("client",)
    assert certs.describe(certs.make_server(CA, "m", ["m"], now=NOW, client_too=True).cert).usages == (
        "server",
        "client",
    )
    for pair in (SERVER, CLIENT):
        assert usage(pair.cert) == {"digital_signature"}
        assert not certs.describe(pair.cert).is_ca
        assert parsed(pair.cert).extensions.get_extension_for_class(x509.BasicConstraints).critical
        assert certs.describe(pair.cert).not_after - NOW == timedelta(days=825)


def test_key_identifiers_chain() -> None:
    own = parsed(CA.cert).extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    for pair in (SERVER, CLIENT):
        issuer = parsed(pair.cert).extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
        assert issuer.key_identifier == own
        assert parsed(pair.cert).extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest != own


def test_subjects() -> None:
    server = certs.describe(SERVER.cert)
    assert (server.organisation, server.common_name, server.names) == ("me.dev", "dev", ("dev", "192.0.2.7"))
    assert certs.describe(CLIENT.cert).common_name == "me"
    assert parsed(SERVER.cert).subject != parsed(SERVER.cert).issuer
    long = certs.describe(certs.make_server(CA, "o" * 100, ["n" * 60 + "." + "m" * 60], now=NOW).cert)
    assert (long.organisation, long.common_name) == ("o" * 64, "n" * 60 + ".mmm")
    assert long.names == ("n" * 60 + "." + "m" * 60,)


def test_keys_are_p256_and_fresh() -> None:
    keys = [parsed(pair.cert).public_key() for pair in (CA, SERVER, CLIENT)]
    assert all(isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp256r1" for key in keys)
    assert len({pair.key for pair in (CA, SERVER, CLIENT)}) == 3
    assert all(pair.key.startswith(b"-----BEGIN PRIVATE KEY-----") for pair in (CA, SERVER, CLIENT))


def test_serials_are_128_random_bits() -> None:
    serials = {certs.describe(certs.make_client(CA, "me", now=NOW).cert).serial for _ in range(50)}
    assert len(serials) == 50
    assert max(serials).bit_length() <= 128
    assert sum(serial.bit_length() > 100 for serial in serials) == 50


def test_a_printed_pair_does_not_show_its_key() -> None:
    assert "PRIVATE" not in repr(CA)
    assert "PRIVATE" not in str([CA])


def test_names_are_told_apart_and_each_is_there_once() -> None:
    names = [
        "Dev",
        "dev",
        "dev.",
        "192.0.2.7",
        "2001:DB8:0::7",
        "[2001:db8::7]",
        "fe80::1%eth0",
        "münchen.example",
        "*.x",
    ]
    pair = certs.make_server(CA, "me", names, now=NOW)
    assert certs.describe(pair.cert).names == (
        "Dev",
        "192.0.2.7",
        "2001:db8::7",
        "fe80::1",
        "xn--mnchen-3ya.example",
        "*.x",
    )


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        ".",
        "a..b",
        "-a",
        "a-",
        "a b",
        "a/b",
        "http://x",
        "10.0.0.0/8",
        "x" * 64,
        "a." * 130 + "a",
        "*",
        "a.*",
        "ü" * 80,
        "a\nb",
        "dev\n",
    ],
)
def test_what_is_no_name_is_refused(name: str) -> None:
    if name.strip() != name and certs.is_name(name.strip()):
        assert certs.is_name(name), "white space around a name is dropped"
        return
    assert not certs.is_name(name)
    with pytest.raises(certs.NameNotAllowed, match="neither"):
        certs.make_server(CA, "me", ["dev", name], now=NOW)


def test_a_server_needs_a_name() -> None:
    with pytest.raises(certs.NameNotAllowed):
        certs.make_server(CA, "me", [], now=NOW)


@given(st.text(max_size=80))
def test_any_text_is_a_name_or_is_not(text: str) -> None:
    if not certs.is_name(text):
        return
    facts = certs.describe(certs.make_server(CA, "me", [text], now=NOW).cert)
    assert certs.needs_renewal(certs.make_server(CA, "me", facts.names, now=NOW).cert, [text], CA.cert, NOW) is None


@given(st.lists(st.ip_addresses(), min_size=1, max_size=5, unique=True))
def test_every_address_is_carried(addresses: list[ipaddress.IPv4Address | ipaddress.IPv6Address]) -> None:
    names = [str(address) for address in addresses]
    cert = certs.make_server(CA, "me", names, now=NOW).cert
    alternatives = parsed(cert).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert alternatives.get_values_for_type(x509.IPAddress) == [
        ipaddress.ip_address(str(a).partition("%")[0]) for a in addresses
    ]
    assert certs.needs_renewal(cert, names, CA.cert, NOW, usage="server") is None


def test_a_leaf_does_not_outlive_its_ca() -> None:
    short = certs.make_ca("me", now=NOW, days=100)
    assert certs.describe(certs.make_client(short, "me", now=NOW).cert).not_after == NOW + timedelta(days=100)
    with pytest.raises(certs.IssuerUnfit, match="has ended on 2031-08-12"):
        certs.make_client(short, "me", now=NOW + timedelta(days=101))


def test_a_clock_that_runs_far_behind_is_noticed() -> None:
    with pytest.raises(certs.IssuerUnfit, match=r"begins only on 2031-05-04 02:57 UTC.*clock"):
        certs.make_client(CA, "me", now=NOW - timedelta(days=1))


def test_a_ca_with_another_ones_key_cannot_issue() -> None:
    with pytest.raises(certs.IssuerUnfit, match="does not belong"):
        certs.make_client(certs.Pair(CA.cert, CLIENT.key), "me", now=NOW)


def test_a_locked_key_is_named_as_such() -> None:
    locked = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    )
    with pytest.raises(certs.KeyLocked, match="passphrase"):
        certs.make_client(certs.Pair(CA.cert, locked), "me", now=NOW)


def test_a_key_that_cannot_sign_is_refused() -> None:
    key = x25519.X25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(certs.NotPem, match="cannot sign"):
        certs.make_client(certs.Pair(CA.cert, key), "me", now=NOW)


def test_belonging() -> None:
    other = certs.make_ca("me", now=NOW)
    assert certs.issued_by(SERVER.cert, CA.cert)
    assert certs.issued_by(CA.cert, CA.cert)
    assert certs.issued_by(SERVER.cert, other.cert + CA.cert), "a bundle of CAs will do"
    assert not certs.issued_by(SERVER.cert, other.cert)
    assert not certs.issued_by(CLIENT.cert, SERVER.cert)
    assert certs.belongs_together(SERVER.cert, SERVER.key)
    assert not certs.belongs_together(SERVER.cert, CLIENT.key)
    assert not certs.belongs_together(SERVER.key, SERVER.cert)


@given(BYTES)
def test_bad_bytes_are_a_certs_error(data: bytes) -> None:
    with pytest.raises(certs.CertsError):
        certs.describe(data)
    with pytest.raises(certs.CertsError):
        certs.make_client(certs.Pair(CA.cert, data), "me", now=NOW)
    assert not certs.issued_by(data, CA.cert)
    assert not certs.issued_by(CLIENT.cert, data)
    assert not certs.belongs_together(CLIENT.cert, data)
    assert certs.needs_renewal(data, [], CA.cert, NOW) == "cannot be read"


@given(st.integers(0, len(SERVER.cert) - 40))
def test_a_truncated_certificate_is_a_certs_error(length: int) -> None:
    with pytest.raises(certs.NotPem):
        certs.describe(SERVER.cert[:length])


@pytest.mark.parametrize(
    ("cert", "names", "later", "reason"),
    [
        (SERVER.cert, ["dev", "192.0.2.7"], 0, None),
        (SERVER.cert, ["DEV"], 794, None),
        (SERVER.cert, [], 796, "ends on 2033-08-06"),
        (SERVER.cert, [], 825, "has ended on 2033-08-06"),
        (SERVER.cert, ["dev", "192.0.2.8", "prod"], 0, "does not carry 192.0.2.8, prod"),
        (certs.make_ca("x", now=NOW).cert, [], 0, "is not issued by this CA"),
        (CLIENT.cert, [], 0, "is not good for a server"),
        (b"", [], 0, "cannot be read"),
    ],
)
def test_renewal(cert: bytes, names: list[str], later: int, reason: str | None) -> None:
    assert certs.needs_renewal(cert, names, CA.cert, NOW + timedelta(days=later), usage="server") == reason


def test_a_leaf_that_ends_with_its_ca_is_not_renewed_over_and_over() -> None:
    short = certs.make_ca("me", now=NOW, days=100)
    leaf = certs.make_client(short, "me", now=NOW).cert
    assert certs.needs_renewal(leaf, [], short.cert, NOW + timedelta(days=90)) is None
    assert certs.needs_renewal(leaf, [], short.cert, NOW + timedelta(days=100)) == "has ended on 2031-08-12"


def test_openssl_agrees(tmp_path: Path) -> None:
    ca, server, client = certs.make_ca("me"), tmp_path / "server.pem", tmp_path / "client.pem"
    (tmp_path / "ca.pem").write_bytes(ca.cert)
    server.write_bytes(certs.make_server(ca, "me.dev", ["dev", "192.0.2.7"]).cert)
    client.write_bytes(certs.make_client(ca, "me").cert)
    verify = ["openssl", "verify", "-x509_strict", "-CAfile", str(tmp_path / "ca.pem")]
    for arguments in (
        ["-purpose", "sslserver", "-verify_ip", "192.0.2.7", str(server)],
        ["-purpose", "sslclient", str(client)],
    ):
        done = subprocess.run([*verify, *arguments], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert subprocess.run([*verify, "-purpose", "sslclient", str(server)], capture_output=True).returncode != 0
    assert ExtendedKeyUsageOID.SERVER_AUTH.dotted_string == "1.3.6.1.5.5.7.3.1"


@pytest.mark.parametrize("name", ["", "\udcff", "\u00fc" * 100, "a" * 100, "a\0b"])
def test_any_user_name_fits_into_a_subject(name: str) -> None:
    assert 1 <= len(certs.describe(certs.make_client(certs.make_ca(name), name).cert).organisation.encode()) <= 64
