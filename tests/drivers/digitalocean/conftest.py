"""A fresh account for each test; what it was asked and answered is held against the API's description afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.drivers.digitalocean.fake_digitalocean import Ocean


@pytest.fixture
def cloud() -> Iterator[Ocean]:
    """An account with nothing in it."""
    account = Ocean()
    yield account
    account.close()
