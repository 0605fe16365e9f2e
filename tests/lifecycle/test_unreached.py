"""An engine that came up on its host and is not reached from here: what stands open is said, and how to undo it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from machine import authority, files, paths
from machine.console import Console
from machine.errors import WaitTimeout
from machine.lifecycle.provision import finish
from machine.model import Endpoint
from machine.provision.host_files import CLOSE_ENGINE_PORT
from machine.session import Session
from machine.store import Record, Store
from tests.lifecycle.test_waiting import LeapingClock
from tests.sshd import free_port


@pytest.mark.parametrize(
    ("driver_name", "user", "undo"),
    [
        ("generic", "root", f"machine ssh m '{CLOSE_ENGINE_PORT}' closes that port, then machine rm m"),
        ("generic", "ops", "sudo sh -c "),
        ("digitalocean", "root", "to undo that: machine rm m"),
    ],
)
def test_what_stands_open_is_said(tmp_path: Path, driver_name: str, user: str, undo: str) -> None:
    store = Store(str(tmp_path))
    session = Session(store, Console(io.StringIO()), environ={}, clock=LeapingClock())
    record = Record.new(store.root, "m", driver_name, {"IPAddress": "127.0.0.1"})
    store.add("m")
    own = authority.ensure(store.root)
    for name, data in ((paths.CA, own.ca), (paths.CERT, own.client.cert), (paths.KEY, own.client.key)):
        files.write(str(Path(record.cert_dir()) / name), data)
    endpoint = Endpoint("127.0.0.1", ssh_user=user, engine_port=free_port(), listen_port=2376)
    with pytest.raises(WaitTimeout) as refused:
        finish(session, record, endpoint)
    assert "its dockerd listens on port 2376 of every address" in refused.value.details
    assert "client certificate of this store" in refused.value.details
    assert undo in refused.value.details
    assert refused.value.resolution.endswith("then: machine provision m")


def test_the_page_has_the_same_command() -> None:
    page = Path(__file__).parents[2] / "docs" / "provisioning.md"
    assert f"\n    {CLOSE_ENGINE_PORT}\n" in page.read_text(encoding="utf-8")
