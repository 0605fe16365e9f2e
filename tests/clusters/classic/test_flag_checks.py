"""Flags of classic swarm that could not work are refused before anything is made."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from machine.clusters.classic import flag_checks
from machine.errors import UsageError
from machine.model import SwarmOptions


@pytest.mark.parametrize(
    "flags",
    [
        {"discovery": ""},
        {"discovery": "", "use_containers": True},
        {"discovery": "token://[::1/T"},
        {"discovery": "token://two words"},
        {"discovery": "token://"},
        {"discovery": "zk://a/b", "master": False},
        {"host": "unix:///run/swarm.sock"},
        {"host": "tcp://0.0.0.0:99999"},
        {"address": "10.0.0.1:99999"},
        {"address": "two words"},
        {"flags": ("help",)},
        {"flags": ("nonsense=1",)},
        {"flags": ("replication",)},
        {"join_flags": ("ttl=5s",)},
        {"join_flags": ("heartbeat=soon",)},
        {"join_flags": ("delay=long",)},
    ],
)
def test_what_could_not_work_is_refused_before_anything_is_made(flags: dict[str, Any]) -> None:
    given: dict[str, Any] = {"is_swarm": True, "master": True, "is_node": True, "discovery": "token://T", **flags}
    with pytest.raises(UsageError):
        flag_checks.check(SwarmOptions(**given))
    flag_checks.check(
        SwarmOptions(True, True, True, "etcd://10.0.0.9/x", flags=("replication",), join_flags=("ttl=9m",))
    )


@pytest.mark.parametrize(
    ("port", "values", "said"),
    [
        (2376, {}, "port 2376 is the engine's"),
        (22, {}, "port 22 is sshd's"),
        (4000, {"generic-engine-port": 4000}, "port 4000 is the engine's"),
        (2376, {"generic-engine-port": 4000, "generic-open-port": ["1"]}, ""),
        (5000, {"azure-docker-port": 5000}, "port 5000 is the engine's"),
        (2222, {"generic-ssh-port": 2222}, "port 2222 is sshd's"),
        (22, {"generic-ssh-port": 2222}, ""),
        (3376, {}, ""),
        (3376, {"generic-engine-port": 3376}, "port 3376 is the engine's"),
    ],
)
def test_the_manager_does_not_take_the_hosts_own_ports(port: int, values: dict[str, Any], said: str) -> None:
    options = SwarmOptions(True, True, True, "token://T", host=f"tcp://0.0.0.0:{port}")
    flag_checks.check_manager_port(replace(options, master=False), values, provisions=True)
    if not said:
        flag_checks.check_manager_port(options, values, provisions=True)
        return
    with pytest.raises(UsageError, match=said) as caught:
        flag_checks.check_manager_port(options, values, provisions=True)
    assert f"try {3377 if port == 3376 else 3376}" in caught.value.resolution
