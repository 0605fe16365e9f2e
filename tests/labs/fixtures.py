"""The fixture `lab`; a conftest.py takes it over with `from tests.labs.fixtures import lab`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.labs.image import LabUnavailable
from tests.labs.nspawn import Lab


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """One lab for the whole run of tests; skips, saying why, where hosts cannot be booted."""
    try:
        made = Lab()
    except LabUnavailable as why:
        pytest.skip(str(why))
    with made:
        yield made
