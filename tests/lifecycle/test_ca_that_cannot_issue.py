"""A CA that cannot issue is told by the check of a create: nothing is on record, and nothing was made."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import certs
from machine import authority
from machine.console import Console
from machine.errors import CertificateError, PreflightFailed
from machine.lifecycle import create
from machine.lifecycle.draft import CreateRequest
from machine.model import EngineOptions, SwarmOptions
from machine.session import Session
from machine.store import Store

CA = certs.make_ca("corp")
LEAF = certs.make_client(CA, "corp")
LONG_AGO = datetime.now(UTC) - timedelta(days=900)
BAD: dict[str, Callable[[], certs.Pair]] = {
    "is not here": lambda: certs.Pair(CA.cert, b""),
    "cannot be used together": lambda: certs.Pair(CA.cert, LEAF.key),
    "is not a CA's": lambda: LEAF,
    "has ended|cannot issue": lambda: certs.make_ca("corp", now=LONG_AGO, days=30),
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


def own(tmp_path: Path, pair: certs.Pair) -> dict[str, str]:
    """The --tls-ca-* paths of a pair, of which what is b"" is no file."""
    found = {"ca_cert": tmp_path / "corp.pem", "ca_key": tmp_path / "corp-key.pem"}
    for path, pem in zip(found.values(), (pair.cert, pair.key), strict=True):
        if pem:
            path.write_bytes(pem)
    return {key: str(path) for key, path in found.items()}


def listed(place: str) -> list[str]:
    return sorted(str(path) for path in Path(place).rglob("*"))


@pytest.mark.parametrize("said", BAD)
def test_the_check_of_a_create_finds_it(store: Store, tmp_path: Path, said: str) -> None:
    tls = own(tmp_path, BAD[said]())
    session = Session(store, Console(io.StringIO()), environ={"HOME": str(tmp_path)}, tls=tls)
    request = CreateRequest("none", {"url": "tcp://127.0.0.1:2376"}, EngineOptions(), SwarmOptions())
    with pytest.raises(PreflightFailed, match=said) as caught:
        create.create(session, "m1", request)
    assert caught.value.exit_code == 3
    assert "--resume" not in caught.value.resolution
    assert "--tls-ca" in caught.value.resolution or "backup" in caught.value.resolution
    assert store.names() == []
    with pytest.raises(CertificateError):
        authority.ensure(store.root, tls)


def test_what_can_be_made_or_used_is_no_error_and_nothing_is_written(store: Store, tmp_path: Path) -> None:
    authority.check_can_issue(store.root, {}, server=True)
    authority.check_can_issue(store.root, own(tmp_path, CA), server=True)
    assert listed(store.root) == []
    authority.ensure(store.root)
    before = listed(store.root)
    authority.check_can_issue(store.root, {}, server=True)
    assert listed(store.root) == before


def test_a_store_without_its_key_still_does_for_a_machine_that_needs_no_server_certificate(store: Store) -> None:
    authority.ensure(store.root)
    Path(store.root, "certs", "ca-key.pem").unlink()
    authority.check_can_issue(store.root, {}, server=False)
    with pytest.raises(CertificateError, match="is not here"):
        authority.check_can_issue(store.root, {}, server=True)


def test_a_ca_of_ours_that_has_ended_is_replaced(store: Store) -> None:
    authority.ensure(store.root, now=datetime.now(UTC) - timedelta(days=9000))
    authority.check_can_issue(store.root, {}, server=True)
