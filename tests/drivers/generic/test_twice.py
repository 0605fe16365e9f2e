"""One host is one machine of a store."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from machine.drivers.generic.driver import GenericDriver
from machine.errors import PreflightFailed
from machine.options import resolve
from tests.drivers.contexts import real
from tests.sshd import free_port


def driver(tmp_path: Path, siblings: list[dict[str, Any]], **given: Any) -> GenericDriver:
    ctx = dataclasses.replace(real(tmp_path, "new"), siblings=lambda: siblings)
    values = {f"generic-{name.replace('_', '-')}": value for name, value in given.items()}
    return GenericDriver.configure(ctx, resolve(GenericDriver.options, values, {}))


def test_a_host_that_is_a_machine_already_is_refused(tmp_path: Path) -> None:
    worker = {"MachineName": "worker", "IPAddress": "host.example", "SSHPort": 22}
    with pytest.raises(PreflightFailed) as caught:
        driver(tmp_path, [worker], ip_address="Host.Example").check()
    assert caught.value.brief == "Host.Example is already machine worker"
    assert "machine rm worker" in caught.value.resolution
    assert caught.value.exit_code == 3


def test_another_port_or_address_is_another_host(tmp_path: Path) -> None:
    port = free_port()
    others = [
        {"MachineName": "a", "IPAddress": "127.0.0.1", "SSHPort": port + 1},
        {"MachineName": "b", "IPAddress": "127.0.0.2", "SSHPort": port},
    ]
    with pytest.raises(PreflightFailed, match="no sshd answers"):
        driver(tmp_path, others, ip_address="127.0.0.1", ssh_port=port).check()
