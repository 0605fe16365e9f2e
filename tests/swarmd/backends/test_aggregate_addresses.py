"""Where an aggregate says that the engines of its `dockerclient`s are."""

from __future__ import annotations

import pytest

from machine.swarm.pipeline import not_implemented
from machine.swarmd.backends.aggregate import engine_location
from machine.swarmd.backends.registry import BackendContext


@pytest.mark.parametrize(
    ("spec", "address", "host"),
    [
        ("dockerclient tcp://10.0.0.1", "tcp://10.0.0.1:2375", "10.0.0.1"),
        ("dockerclient --tlsverify tcp://10.0.0.1", "tcp://10.0.0.1:2376", "10.0.0.1"),
        ("dockerclient 10.0.0.1:2375", "tcp://10.0.0.1:2375", "10.0.0.1"),
        ("dockerclient --tlscacert /ca.pem 10.0.0.1", "tcp://10.0.0.1:2376", "10.0.0.1"),
        ("dockerclient :2375", "tcp://localhost:2375", "127.0.0.1"),
        ("dockerclient", "unix:///var/run/docker.sock", ""),
    ],
)
def test_it_is_the_address_that_is_dialled(spec: str, address: str, host: str) -> None:
    context = BackendContext(not_implemented, {"HOME": "/nowhere"}, print)
    assert engine_location(spec, context) == ("", address, host)
