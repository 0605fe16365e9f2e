"""Driver digitalocean as every cloud's driver: see tests/drivers/cloud_contract.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from tests.drivers.cloud_contract import CloudContract
from tests.drivers.digitalocean.fake_digitalocean import Ocean


class TestDigitalOcean(CloudContract):
    """Against an account that DigitalOcean's own description judges."""

    with_more: ClassVar[dict[str, Any]] = {"digitalocean-reserved-ip": "new", "digitalocean-volume-size": 10}


class WithMore(Ocean):
    """A machine that has a volume of its own and joins a firewall that selects nothing yet."""

    def __init__(self) -> None:
        super().__init__()
        everybody = {"protocol": "tcp", "ports": "0", "sources": {"addresses": ["0.0.0.0/0"]}}
        self.account.make_firewall({"name": "theirs", "inbound_rules": [everybody]})

    def options(self) -> dict[str, Any]:
        return {**super().options(), "digitalocean-volume-size": 10, "digitalocean-firewall": ["theirs"]}


@pytest.mark.slow
class TestDigitalOceanWithMore:
    """The hardest parts of the contract, on more calls."""

    @pytest.fixture
    def cloud(self) -> Iterator[Ocean]:
        account = WithMore()
        yield account
        account.close()

    test_killed = CloudContract.test_kill_9_after_every_call_leaves_nothing
    test_lost = CloudContract.test_every_answer_may_be_lost_once
    test_throttled = CloudContract.test_throttled_and_broken_answers_are_repeated
