"""One host is one machine of a store."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path
from typing import Any

import pytest

from machine.console import Console
from machine.drivers.generic.driver import GenericDriver
from machine.errors import PreflightFailed
from machine.lifecycle.driver_record import driver_context
from machine.options import resolve
from machine.session import Session
from machine.store import Record, Store
from tests.drivers.contexts import real
from tests.sshd import free_port


def driver(tmp_path: Path, siblings: list[dict[str, Any]], **given: Any) -> GenericDriver:
    ctx = dataclasses.replace(real(tmp_path, "new"), siblings=lambda: siblings)
    values = {f"generic-{name.replace('_', '-')}": value for name, value in given.items()}
    return GenericDriver.configure(ctx, resolve(GenericDriver.traits.options, values, {}))


def test_a_host_that_is_a_machine_already_is_refused(tmp_path: Path) -> None:
    worker = {"Phase": "ready", "MachineName": "worker", "IPAddress": "host.example", "SSHPort": 22}
    with pytest.raises(PreflightFailed) as caught:
        driver(tmp_path, [worker], ip_address="Host.Example").check()
    assert caught.value.brief == "Host.Example is already machine worker"
    assert "machine rm worker" in caught.value.resolution
    assert caught.value.exit_code == 3


def test_a_host_that_is_half_made_is_refused_too(tmp_path: Path) -> None:
    half = {"Phase": "recorded", "MachineName": "half", "IPAddress": "127.0.0.1", "SSHPort": 22}
    with pytest.raises(PreflightFailed) as caught:
        driver(tmp_path, [half], ip_address="127.0.0.1").check()
    assert "create --resume half" in caught.value.resolution
    assert "machine rm half" in caught.value.resolution


def test_another_port_or_address_is_another_host(tmp_path: Path) -> None:
    port = free_port()
    others = [
        {"Phase": "ready", "MachineName": "a", "IPAddress": "127.0.0.1", "SSHPort": port + 1},
        {"Phase": "ready", "MachineName": "b", "IPAddress": "127.0.0.2", "SSHPort": port},
    ]
    with pytest.raises(PreflightFailed, match="no sshd answers"):
        driver(tmp_path, others, ip_address="127.0.0.1", ssh_port=port).check()


def test_a_name_that_does_not_resolve_is_told_from_a_host_that_does_not_answer(tmp_path: Path) -> None:
    with pytest.raises(PreflightFailed, match=r"the name nohost\.invalid does not resolve here \(.") as caught:
        driver(tmp_path, [], ip_address="nohost.invalid").check()
    assert caught.value.exit_code == 3


def test_the_record_of_the_store_says_so(tmp_path: Path) -> None:
    """With records as they are on disk: the context's own list of siblings."""
    store, port = Store(str(tmp_path / "store")), free_port()
    store.add("worker")
    record = Record.new(store.root, "worker", "generic", {"IPAddress": "127.0.0.1", "SSHPort": port})
    record.phase = "ready"
    store.save(record)
    world = Session(store, Console(io.StringIO()), environ={"HOME": str(tmp_path)})
    for name, refused in (("dup", True), ("worker", False)):
        ctx = driver_context(world, Record.new(store.root, name, "generic", {}))
        given = {"generic-ip-address": "127.0.0.1", "generic-ssh-port": port}
        found = GenericDriver.configure(ctx, resolve(GenericDriver.traits.options, given, {}))
        with pytest.raises(PreflightFailed) as caught:
            found.check()
        assert (caught.value.brief == "127.0.0.1 is already machine worker") is refused
