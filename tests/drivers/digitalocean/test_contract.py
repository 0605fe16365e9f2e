"""Driver digitalocean as every cloud's driver: see tests/drivers/cloud.py."""

from __future__ import annotations

from tests.drivers.cloud import CloudContract


class TestDigitalOcean(CloudContract):
    """Against an account that DigitalOcean's own description judges."""
