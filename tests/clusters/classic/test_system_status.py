"""What SystemStatus of a manager's /info says of an engine."""

from __future__ import annotations

from machine.clusters.classic.system_status import node_error


def test_what_a_manager_says_of_a_node() -> None:
    status = [
        ["Role", "primary"],
        ["Nodes", "3"],
        [" a", "192.0.2.1:2376"],
        ["  └ Status", "Healthy"],
        [" 192.0.2.2:2376", "192.0.2.2:2376"],
        ["  └ Status", "Pending"],
        ["  └ Error", "connection refused"],
        [" c", "192.0.2.3:2376"],
        ["  └ Status", "Unhealthy"],
    ]
    assert node_error(status, "192.0.2.1:2376") == ""
    assert node_error(status, "192.0.2.2:2376") == "connection refused"
    assert node_error(status, "192.0.2.3:2376") == "Unhealthy"
    assert node_error(status, "192.0.2.4:2376") == "it is not in its list"
    assert node_error([], "192.0.2.4:2376") == "it is not in its list"
