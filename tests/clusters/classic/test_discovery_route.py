"""By whom the nodes of a discovery are registered, and which URL is recorded."""

from __future__ import annotations

from dataclasses import replace

import pytest

from machine.clusters.classic.discovery_route import DiscoveryRoute, resolve_discovery, resolve_route
from machine.errors import UsageError
from machine.model import SwarmOptions


@pytest.mark.parametrize(
    ("discovery", "environ", "way"),
    [
        ("token://T", {}, DiscoveryRoute("token://T", token="T")),
        (
            "token://T",
            {"MACHINE_DISCOVERY_URL": "https://d.example/v1/"},
            DiscoveryRoute("token://d.example/v1/T", nodes_register_themselves=True),
        ),
        ("token://T", {"MACHINE_DISCOVERY_URL": "http://127.0.0.1:8080/v1"}, DiscoveryRoute("token://T", token="T")),
        ("token://d.example:99/v1/T", {}, DiscoveryRoute("token://d.example:99/v1/T", nodes_register_themselves=True)),
        ("token://localhost:8080/v1/T", {}, DiscoveryRoute("token://T", token="T")),
        ("token://[::1]:8080/v1/T", {}, DiscoveryRoute("token://T", token="T")),
        ("etcd://10.0.0.9/prod", {}, DiscoveryRoute("etcd://10.0.0.9/prod", nodes_register_themselves=True)),
        ("consul://10.0.0.9", {}, DiscoveryRoute("consul://10.0.0.9", nodes_register_themselves=True)),
        ("nodes://10.0.0.[1:9]:2376", {}, DiscoveryRoute("nodes://10.0.0.[1:9]:2376")),
        ("file:///etc/nodes", {}, DiscoveryRoute("file:///etc/nodes")),
    ],
)
def test_ways_of_becoming_known(discovery: str, environ: dict[str, str], way: DiscoveryRoute) -> None:
    assert resolve_route(discovery, environ) == way


@pytest.mark.parametrize(
    ("service", "discovery"),
    [
        ("", "token://T"),
        ("https://d.example/v1/", "token://d.example/v1/T"),
        ("d.example:99/v1", "token://d.example:99/v1/T"),
        ("http://127.0.0.1:8080/v1", "token://127.0.0.1:8080/v1/T"),
        ("https://localhost/v1", "token://T"),
    ],
)
def test_what_is_recorded_does_not_depend_on_a_variable_later(service: str, discovery: str) -> None:
    options = SwarmOptions(True, discovery="token://T")
    environ = {"MACHINE_DISCOVERY_URL": service} if service else {}
    recorded = resolve_discovery(options, environ)
    assert recorded.discovery == discovery
    assert resolve_route(recorded.discovery, {}) == resolve_route("token://T", environ)
    fixed = replace(options, discovery="nodes://a:1")
    assert resolve_discovery(fixed, environ) == fixed


@pytest.mark.parametrize("service", ["http://10.0.0.5:8080/v1", "http://[::", "ftp://x"])
def test_a_variable_that_names_no_service_is_refused(service: str) -> None:
    with pytest.raises(UsageError, match="MACHINE_DISCOVERY_URL"):
        resolve_discovery(SwarmOptions(True, discovery="token://T"), {"MACHINE_DISCOVERY_URL": service})
