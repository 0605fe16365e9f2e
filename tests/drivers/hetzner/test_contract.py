"""Driver hetzner as every cloud's driver: see tests/drivers/cloud_contract.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from tests.drivers.cloud_contract import CloudContract
from tests.drivers.hetzner.fake_hetzner import Hetzner


class TestHetzner(CloudContract):
    """Against a project whose answers are as recorded ones."""

    with_more: ClassVar[dict[str, Any]] = {"hetzner-auto-spread": True}


class WithMore(Hetzner):
    """A machine in a network, in a group of its own and behind somebody's firewall, with one more key."""

    def __init__(self) -> None:
        super().__init__()
        self.project.make_network("inside")
        everybody = {"direction": "in", "protocol": "tcp", "port": "1-65535", "source_ips": ["0.0.0.0/0"]}
        self.project.make_firewall({"name": "theirs", "labels": {"for": "docker"}, "rules": [everybody]})

    def options(self) -> dict[str, Any]:
        return {
            **super().options(),
            "hetzner-networks": ["inside"],
            "hetzner-use-private-network": True,
            "hetzner-firewalls": ["for=docker"],
            "hetzner-placement-group": "apart",
            "hetzner-additional-key": [
                "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJ5ZSBieWUgYnllIGJ5ZSBieWUgYnllIGJ5ZSBi a"
            ],
        }


@pytest.mark.slow
class TestHetznerWithMore:
    """The hardest parts of the contract, on more calls."""

    @pytest.fixture
    def cloud(self) -> Iterator[Hetzner]:
        project = WithMore()
        yield project
        project.close()

    test_killed = CloudContract.test_kill_9_after_every_call_leaves_nothing
    test_lost = CloudContract.test_every_answer_may_be_lost_once
    test_throttled = CloudContract.test_throttled_and_broken_answers_are_repeated
