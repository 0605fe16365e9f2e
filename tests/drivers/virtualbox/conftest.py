"""A VirtualBox with nothing in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.drivers.virtualbox.fake_vboxmanage import Fake


@pytest.fixture
def vbox(tmp_path: Path) -> Fake:
    return Fake(tmp_path / "virtualbox")
