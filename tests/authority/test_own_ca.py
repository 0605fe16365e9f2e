"""A CA of the user's own, in files that the variables and flags name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

import certs
from machine import authority
from machine.errors import CertificateError
from tests.authority.test_authority import certs_dir


def user_files(tmp_path: Path, ca: certs.Pair) -> dict[str, str]:
    (tmp_path / "corp.pem").write_bytes(ca.cert)
    (tmp_path / "corp-key.pem").write_bytes(ca.key)
    return {"ca_cert": str(tmp_path / "corp.pem"), "ca_key": str(tmp_path / "corp-key.pem")}


def test_the_users_own_ca_is_used(store: str, tmp_path: Path) -> None:
    corp = certs.make_ca("corp")
    found = authority.ensure(store, user_files(tmp_path, corp))
    assert found.ca == corp.cert
    assert certs.issued_by(found.client.cert, corp.cert)
    assert sorted(os.listdir(certs_dir(store))) == ["cert.pem", "key.pem"]


def test_the_users_own_files_are_never_overwritten(store: str, tmp_path: Path) -> None:
    paths = user_files(tmp_path, certs.make_ca("corp"))
    before = Path(paths["ca_cert"]).read_bytes()
    Path(paths["ca_key"]).unlink()
    with pytest.raises(CertificateError, match="is not here"):
        authority.ensure(store, paths)
    assert Path(paths["ca_cert"]).read_bytes() == before
    Path(paths["ca_cert"]).write_bytes(before[:40])
    with pytest.raises(CertificateError, match="cannot be used"):
        authority.ensure(store, paths)
    assert Path(paths["ca_cert"]).read_bytes() == before[:40]
    stranger = tmp_path / "mine.pem"
    stranger.write_bytes(before)
    with pytest.raises(CertificateError, match="cannot be used"):
        authority.ensure(store, {"client_cert": str(stranger)})
    assert stranger.read_bytes() == before


def test_paths_that_do_not_exist_yet_are_made_there(store: str, tmp_path: Path) -> None:
    found = authority.ensure(store, {"ca_cert": str(tmp_path / "x" / "a.pem"), "ca_key": str(tmp_path / "x" / "b.pem")})
    assert (tmp_path / "x" / "a.pem").read_bytes() == found.ca
    assert (tmp_path / "x" / "b.pem").stat().st_mode & 0o777 == 0o600


def test_a_ca_key_with_a_passphrase_is_named_as_such(store: str, tmp_path: Path) -> None:
    paths = user_files(tmp_path, certs.make_ca("corp"))
    key = load_pem_private_key(Path(paths["ca_key"]).read_bytes(), None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"geheim"))
    Path(paths["ca_key"]).write_bytes(locked)
    with pytest.raises(CertificateError) as caught:
        authority.ensure(store, paths)
    assert "passphrase" in caught.value.details
    assert "openssl pkey" in caught.value.resolution
