"""Driver azure as every cloud's driver: see tests/drivers/cloud_contract.py."""

from __future__ import annotations

from tests.drivers.cloud_contract import CloudContract


class TestAzure(CloudContract):
    """Against the fake ARM."""
