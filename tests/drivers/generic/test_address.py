"""What driver generic says of an address at which no sshd answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from machine.drivers.generic.driver import GenericDriver
from machine.errors import PreflightFailed
from machine.options import resolve
from tests.drivers.contexts import real
from tests.sshd import free_port


@pytest.mark.parametrize(
    ("address", "expected"),
    [("nohost.invalid", r"the name nohost\.invalid does not resolve here \(."), ("127.0.0.1", "no sshd answers at")],
)
def test_a_name_that_does_not_resolve_is_told_from_a_host_that_does_not_answer(
    tmp_path: Path, address: str, expected: str
) -> None:
    values = resolve(GenericDriver.traits.options, {"generic-ip-address": address, "generic-ssh-port": free_port()}, {})
    driver = GenericDriver.configure(real(tmp_path, "new"), values)
    with pytest.raises(PreflightFailed, match=expected) as caught:
        driver.check()
    assert caught.value.exit_code == 3
