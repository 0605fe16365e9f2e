"""host.docker.internal on machines of this computer: dockerd is told where that is, unless it was told already."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from machine import provision
from machine.lifecycle.provision import host_gateway
from machine.model import EngineOptions
from machine.provision import Facts, sample_facts
from machine.provision.steps import WriteFile


def planned(facts: Facts, **more: Any) -> dict[str, object]:
    spec = provision.Spec(
        hostname="dev", driver_name="qemu", ca=b"ca\n", server_cert=b"cert\n", server_key=b"key\n",
        host_gateway="10.0.2.2", **more,
    )  # fmt: skip
    put = next(step for step in provision.plan(facts, spec) if getattr(step, "path", "") == "/etc/docker/daemon.json")
    assert isinstance(put, WriteFile)
    found: dict[str, object] = json.loads(put.content)
    return found


def test_it_is_told() -> None:
    assert planned(sample_facts.debian())["host-gateway-ip"] == "10.0.2.2"


@pytest.mark.parametrize("own", [{"host-gateway-ip": "192.0.2.1"}, {"host-gateway-ips": ["192.0.2.1"]}])
def test_the_machines_own_stays(own: dict[str, object]) -> None:
    found = planned(dataclasses.replace(sample_facts.debian(), daemon_json=json.dumps(own)))
    assert {key: value for key, value in found.items() if "gateway" in key} == own


def test_the_users_wins() -> None:
    found = planned(sample_facts.debian(), engine=EngineOptions(flags=("host-gateway-ip=192.0.2.1",)))
    assert "host-gateway-ip" not in found


@pytest.mark.parametrize(
    ("driver", "version", "wanted"),
    [
        *(("qemu", "20.10.24", "10.0.2.2"), ("virtualbox", "26.1.5", "10.0.2.2"), ("qemu", "19.03.15", "")),
        *(("generic", "26.1.5", ""), ("qemu", "", "")),
    ],
)
def test_which_machines(driver: str, version: str, wanted: str) -> None:
    assert host_gateway(driver, Facts(dockerd="/usr/bin/dockerd", version=version)) == wanted


def test_an_engine_that_is_to_be_installed() -> None:
    assert host_gateway("qemu", Facts()) == "10.0.2.2"
