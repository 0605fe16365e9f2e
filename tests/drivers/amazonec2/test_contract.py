"""Driver amazonec2 as every cloud's driver: see tests/drivers/cloud_contract.py."""

from __future__ import annotations

from tests.drivers.cloud_contract import CloudContract


class TestAmazon(CloudContract):
    """Against moto_server."""
