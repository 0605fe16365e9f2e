"""By which address others reach an engine, and where a manager listens."""

from __future__ import annotations

import pytest

from machine.clusters.classic.addresses import peer_address
from machine.model import Endpoint, SwarmOptions
from tests.clusters.classic.members import AWAY, HOME


@pytest.mark.parametrize(
    ("address", "endpoint", "far", "near"),
    [
        ("", AWAY, "192.0.2.1:2376", "10.0.0.1:2376"),
        ("", HOME, "10.84.0.1:2376", "10.84.0.1:2376"),
        ("", Endpoint("2001:db8::1"), "[2001:db8::1]:2376", "[2001:db8::1]:2376"),
        ("10.9.9.9", AWAY, "10.9.9.9:2376", "10.9.9.9:2376"),
        ("node.example:4000", HOME, "node.example:4000", "node.example:4000"),
        ("2001:db8::2", AWAY, "[2001:db8::2]:2376", "[2001:db8::2]:2376"),
    ],
)
def test_the_address_for_others(address: str, endpoint: Endpoint, far: str, near: str) -> None:
    options = SwarmOptions(address=address)
    assert peer_address(options, endpoint) == far
    assert peer_address(options, endpoint, same_network=True) == near
