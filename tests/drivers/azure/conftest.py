"""One fake ARM for all tests of the driver, a fresh subscription for each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.drivers.azure.arm import Arm
from tests.drivers.azure.cloud import Azure, pki


@pytest.fixture(scope="session")
def arm() -> Iterator[Arm]:
    """Running while tests do."""
    pytest.importorskip("azure.mgmt.compute", reason="needs the SDK: pip install '.[azure]'")
    server = Arm()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """CA and certificate of the fault proxy."""
    return pki(tmp_path_factory.mktemp("azure-pki"))


@pytest.fixture
def cloud(arm: Arm, keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Azure]:
    """A subscription with nothing in it, and no login of whoever runs the tests."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in [name for name in os.environ if name.startswith(("AZURE_", "IDENTITY_", "MSI_", "IMDS_"))]:
        monkeypatch.delenv(name)
    account = Azure(arm, keys)
    yield account
    if not account.proxy.closed.is_set():
        account.proxy.close()
