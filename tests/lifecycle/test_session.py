"""What drivers are handed: their locks say what they wait for."""

from __future__ import annotations

import io
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from machine import lock, paths
from machine.console import Console
from machine.errors import DriverError
from machine.lifecycle.driver_record import driver_context, save_endpoint
from machine.model import Endpoint
from machine.session import Session
from machine.store import Record, Store

HOLDER = """
import sys, time
from machine import lock
with lock.hold(sys.argv[1], what="image-debian-13"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_driver_that_waits_for_another_process_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "QUIET_SECONDS", 0.1)
    store, said = Store(str(tmp_path / "store")), io.StringIO()
    store.add("dev")
    given = driver_context(Session(store, Console(said)), Record.new(store.root, "dev", "none", {}))
    path = paths.lock(store.root, "image-debian-13")
    with subprocess.Popen([sys.executable, "-c", HOLDER, path], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        threading.Timer(0.5, process.kill).start()
        with given.lock("image-debian-13"):
            process.wait()
    assert f"waiting for process {process.pid} (image-debian-13)" in said.getvalue()


@pytest.mark.parametrize(
    "odd",
    [
        Endpoint("10.0.0.5\n    ProxyCommand touch x"),
        Endpoint("-oProxyCommand=x"),
        Endpoint("\x1b[2J10.0.0.5"),
        Endpoint("10.0.0.5 10.0.0.6"),
        Endpoint("$(touch x)"),
        Endpoint("10.0.0.5", ssh_user="root\nHost *"),
        Endpoint("10.0.0.5", ssh_user="-l"),
        Endpoint("10.0.0.5", peer_address="10.0.0.6\u2028x"),
    ],
    ids=str,
)
def test_what_would_be_something_else_to_ssh_is_not_taken_for_an_address(odd: Endpoint, tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"))
    store.add("dev")
    session, record = Session(store, Console(io.StringIO())), Record.new(store.root, "dev", "generic", {})
    save_endpoint(session, record, Endpoint("fe80::1%eth0", ssh_user="CORP\\someone"))
    before = dict(record.driver_object)
    with pytest.raises(DriverError, match="which is not valid"):
        save_endpoint(session, record, odd)
    assert record.driver_object == before
