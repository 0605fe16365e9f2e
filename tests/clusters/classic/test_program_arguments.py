"""The arguments of the manager and of the agent."""

from __future__ import annotations

import pytest

from machine.clusters.classic.addresses import manager_address
from machine.clusters.classic.discovery_route import DiscoveryRoute, resolve_route
from machine.clusters.classic.program_arguments import discovery_options, manager_arguments
from machine.model import Endpoint, SwarmOptions
from machine.store import Record
from tests.clusters.classic.members import AWAY


def test_the_managers_words() -> None:
    options = SwarmOptions(True, True, True, "token://T", strategy="binpack", flags=("heartbeat=5s", "api-enable-cors"))
    typed = manager_arguments(options, AWAY, resolve_route("token://T", {}))
    assert " ".join(typed) == (
        "manage --tlsverify --tlscacert /etc/docker/ca.pem --tlscert /etc/docker/server.pem"
        " --tlskey /etc/docker/server-key.pem -H tcp://0.0.0.0:3376 --strategy binpack --advertise 192.0.2.1:3376"
        " --registry /var/lib/machine-swarm/registry.db --cluster-opt swarm.key=/var/lib/machine-swarm/swarm.key"
        " --heartbeat=5s --api-enable-cors"
    )
    assert "--registry" not in manager_arguments(options, AWAY, resolve_route("etcd://e", {}))


@pytest.mark.parametrize(
    ("host", "at"),
    [
        ("tcp://0.0.0.0:3376", "tcp://0.0.0.0:3376"),
        ("tcp://0.0.0.0", "tcp://0.0.0.0:3376"),
        (":4000", "tcp://0.0.0.0:4000"),
        ("10.0.0.1:4000", "tcp://10.0.0.1:4000"),
        ("tcp://[::]:4000", "tcp://[::]:4000"),
    ],
)
def test_where_the_manager_listens_is_where_it_is_looked_for(host: str, at: str) -> None:
    options = SwarmOptions(True, True, True, "token://T", host=host)
    typed = manager_arguments(options, AWAY, DiscoveryRoute("token://T", token="T"))
    assert [typed[number + 1] for number, word in enumerate(typed) if word == "-H"] == [at]
    assert typed[typed.index("--advertise") + 1] == f"192.0.2.1:{at.rpartition(':')[2]}"
    assert Record.new("/s", "m", "generic", {}, swarm=options).manager_port() == manager_address(options).port


def test_a_master_that_has_an_ipv6_address_listens_there_too() -> None:
    typed = manager_arguments(SwarmOptions(True, True), Endpoint("2001:db8::1"), DiscoveryRoute("token://T", token="T"))
    assert [typed[number + 1] for number, word in enumerate(typed) if word == "-H"] == [
        "tcp://0.0.0.0:3376",
        "tcp://[::]:3376",
    ]


def test_an_agents_discovery_options_on_this_computer() -> None:
    flags = ("ttl=3s", "discovery-opt=kv.cacertfile=/etc/docker/ca.pem", "discovery-opt=kv.path=a=b")
    found = discovery_options(flags, {"/etc/docker/ca.pem": "/store/ca.pem"})
    assert found == {"kv.cacertfile": "/store/ca.pem", "kv.path": "a=b"}
