"""The fixture `openstack`; a test takes it over with `from tests.labs.openstack.fixtures import openstack`."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.labs.openstack.cloud import Cloud, OpenStack, standing

ASK = "MACHINE_TEST_OPENSTACK"


@pytest.fixture(scope="session")
def openstack() -> Iterator[Cloud]:
    """One real cloud for the whole run; skips where it was not asked for, and fails where it was and does not start."""
    if not os.environ.get(ASK) and standing() is None:
        pytest.skip(f"a real OpenStack takes minutes and 4 GB of memory: set {ASK}=1 to have it")
    with OpenStack() as cloud:
        yield cloud
