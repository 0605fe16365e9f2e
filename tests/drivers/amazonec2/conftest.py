"""One moto_server for all tests of the driver, a fresh account for each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.drivers.amazonec2.ec2 import Ec2
from tests.drivers.amazonec2.moto import ENVIRON, Moto


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    """Running while tests do."""
    server = Moto(tmp_path_factory.mktemp("moto"))
    yield server
    server.stop()


@pytest.fixture
def cloud(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ec2]:
    """An account with nothing in it."""
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    account = Ec2(moto)
    yield account
    if not account.proxy.closed.is_set():
        account.proxy.close()
