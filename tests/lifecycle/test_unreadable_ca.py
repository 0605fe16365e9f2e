"""A CA key that may not be read is found before anything is made, or goes on being made."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from machine import files
from machine.console import Console
from machine.errors import PreflightFailed, StoreError
from machine.lifecycle import create
from machine.lifecycle.driver_record import open_driver
from machine.session import Session
from machine.store import Record, Store

FILES = {"ca_cert": "ca.pem", "ca_key": "ca-key.pem", "client_cert": "cert.pem", "client_key": "key.pem"}


@pytest.fixture
def session(tmp_path: Path) -> Session:
    store = Store(str(tmp_path / "store"))
    store.add("m1")
    store.save(Record.new(store.root, "m1", "none", {"URL": "tcp://192.0.2.1:2376"}))
    return Session(store, Console(io.StringIO()), environ={"HOME": str(tmp_path)})


@pytest.fixture
def unreadable(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Paths that nobody may read, root included."""
    found: set[str] = set()
    plain = files.read_plain

    def read_plain(path: str, largest: int = files.LARGEST) -> bytes:
        if path in found:
            raise PermissionError(13, "Permission denied", path)
        return plain(path, largest)

    monkeypatch.setattr(files, "read_plain", read_plain)
    return found


@pytest.mark.parametrize("file", FILES.values())
def test_the_check_of_a_create_finds_it(session: Session, unreadable: set[str], file: str) -> None:
    record = session.store.load("m1")
    create.check(session, record, open_driver(session, record))
    path = Path(session.store.root, "certs", file)
    path.parent.mkdir(exist_ok=True)
    path.write_text("x")
    unreadable.add(str(path))
    with pytest.raises(PreflightFailed, match=f"cannot read {path}: permission denied") as caught:
        create.check(session, record, open_driver(session, record))
    assert caught.value.resolution.startswith(f"chmod u+r {path}")
    assert caught.value.exit_code == 3


def test_a_key_of_the_users_own_is_looked_at_too(session: Session, unreadable: set[str], tmp_path: Path) -> None:
    record = session.store.load("m1")
    own = Session(session.store, session.console, environ=session.environ, tls={"ca_key": str(tmp_path / "key")})
    unreadable.add(str(tmp_path / "key"))
    with pytest.raises(PreflightFailed, match="cannot read"):
        create.check(own, record, open_driver(session, record))


def test_a_resume_finds_it_before_its_first_step(
    session: Session, unreadable: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(create, "run_steps", lambda *_: pytest.fail("a step was taken"))
    unreadable.add(os.path.join(session.store.root, "certs", "ca-key.pem"))
    with pytest.raises(StoreError, match=r"ca-key\.pem"):
        create.resume(session, "m1")
