"""Driver azure as every cloud's driver: see tests/drivers/cloud.py."""

from __future__ import annotations

from tests.drivers.cloud import CloudContract


class TestAzure(CloudContract):
    """Against the fake ARM."""
