"""Option values to the Driver object and to requests: every old flag is there, nonsense is named."""

from __future__ import annotations

import re
from typing import Any

import pytest

from machine.drivers.cloud import firewall
from machine.drivers.cloud.ports import PortRange
from machine.drivers.digitalocean import requests
from machine.drivers.digitalocean.config import Config
from machine.drivers.digitalocean.driver import DigitalOceanDriver
from machine.errors import UsageError
from machine.options import resolve
from tests.drivers import contexts

OLD = {  # docker-machine 0.16's flags, with their variables
    "access-token": "DIGITALOCEAN_ACCESS_TOKEN",
    "ssh-user": "DIGITALOCEAN_SSH_USER",
    "ssh-key-fingerprint": "DIGITALOCEAN_SSH_KEY_FINGERPRINT",
    "ssh-key-path": "DIGITALOCEAN_SSH_KEY_PATH",
    "ssh-port": "DIGITALOCEAN_SSH_PORT",
    "image": "DIGITALOCEAN_IMAGE",
    "region": "DIGITALOCEAN_REGION",
    "size": "DIGITALOCEAN_SIZE",
    "ipv6": "DIGITALOCEAN_IPV6",
    "private-networking": "DIGITALOCEAN_PRIVATE_NETWORKING",
    "backups": "DIGITALOCEAN_BACKUPS",
    "userdata": "DIGITALOCEAN_USERDATA",
    "monitoring": "DIGITALOCEAN_MONITORING",
    "tags": "DIGITALOCEAN_TAGS",
}
KEYS = {  # of docker-machine's Driver object; the caller keeps MachineName, StorePath, Swarm* and the rest
    *("AccessToken", "Image", "Region", "Size", "IPv6", "PrivateNetworking", "Backups", "UserDataFile", "Monitoring"),
    *("Tags", "SSHKey", "SSHKeyFingerprint", "SSHUser", "SSHPort"),
}
WALL = "5f7b1d3c-0000-4000-8000-000000000001"


def configured(**given: Any) -> Config:
    """The config of these flags."""
    values = {f"digitalocean-{name.replace('_', '-')}": value for name, value in given.items()}
    return Config.from_values(
        resolve(DigitalOceanDriver.traits.options, {"digitalocean-access-token": "t", **values}, {})
    )


def full(**given: Any) -> Config:
    """The config of these flags after the steps before the droplet."""
    config = configured(**given)
    config.tag, config.ssh_key_id, config.firewall_name, config.own_volume_name = "machine-id:1", 7, "dev-1", "dev-1"
    return config


def test_every_old_flag_is_there_with_its_variable() -> None:
    now = {option.name.removeprefix("digitalocean-"): option.env for option in DigitalOceanDriver.traits.options}
    assert {name: now.get(name) for name in OLD} == OLD


def test_the_keys_of_old_records() -> None:
    assert set(configured().to_record()) >= KEYS
    assert [option.key for option in DigitalOceanDriver.traits.options if option.secret] == list(
        DigitalOceanDriver.traits.record_keys.secrets
    )


def test_configuring_is_pure_and_needs_a_token() -> None:
    with pytest.raises(UsageError, match="token") as caught:
        DigitalOceanDriver.configure(contexts.forbidding(), resolve(DigitalOceanDriver.traits.options, {}, {}))
    assert "DIGITALOCEAN_ACCESS_TOKEN" in caught.value.resolution


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("image", ""),
        ("region", " "),
        ("size", ""),
        ("ssh-user", ""),
        ("ssh-port", 0),
        ("ssh-port", 70000),
        ("api-timeout", 0),
        ("retry-seconds", -1),
        ("volume-size", -1),
        ("volume-size", 20000),
        ("volume", [str(n) for n in range(16)]),
        ("endpoint", "ftp://example.com"),
        ("endpoint", "https://user:password@example.com"),
        ("tags", "a b"),
        ("tags", "machine-id:7"),
        ("open-port", ["http"]),
        ("open-port", ["80-70"]),
        ("allow-from", ["300.1.1.1"]),
        ("firewall", ["none", "web"]),
        ("reserved-ip", "old"),
        ("reserved-ip", "2001:db8::1"),
    ],
)
def test_nonsense_is_named(flag: str, value: Any) -> None:
    with pytest.raises(UsageError) as caught:
        configured(**{flag: value})
    assert f"--digitalocean-{flag}" in caught.value.brief
    assert caught.value.resolution


def test_what_excludes_each_other() -> None:
    for given in (
        {"firewall": ["web"], "open_port": ["80"]},
        {"firewall": ["web"], "allow_from": ["10.0.0.0/8"]},
        {"reserved_ip": "new", "use_private_address": True},
    ):
        with pytest.raises(UsageError) as caught:
            configured(**given)
        assert caught.value.resolution


def test_a_droplet_is_asked_for_as_the_flags_say() -> None:
    asked = full(ipv6=True, backups=True, monitoring=True, tags="web, blue,web", image="12345", vpc_uuid="v")
    asked.volume_ids, asked.own_volume_id = ["a"], "b"
    asked.attached_firewalls = {"1": "joined", "2": ""}
    body = requests.droplet(asked, "my.host-", "#!/bin/sh\n")
    assert body == {
        "name": "my.host",
        "region": "nyc3",
        "size": "s-1vcpu-1gb",
        "image": 12345,
        "ssh_keys": [7],
        "backups": True,
        "ipv6": True,
        "monitoring": True,
        "tags": ["machine-id:1", "web", "blue", "joined"],
        "volumes": ["a", "b"],
        "vpc_uuid": "v",
        "user_data": "#!/bin/sh\n",
    }


def test_what_was_not_asked_for_is_not_sent() -> None:
    body = requests.droplet(full(), "dev", "")
    assert {"volumes", "vpc_uuid", "user_data"}.isdisjoint(body)
    assert body["image"] == "ubuntu-24-04-x64"


def rules(body: dict[str, Any]) -> dict[tuple[str, str], list[str]]:
    """(protocol, ports) -> addresses that get in."""
    return {(r["protocol"], r["ports"]): r["sources"]["addresses"] for r in body["inbound_rules"]}


def test_the_firewall_opens_what_must_be_open_and_nothing_else() -> None:
    found = rules(requests.firewall(full(ssh_port=2222, open_port=["80", "53/udp", "8000-8100"]), (3376,)))
    assert set(found) == {("tcp", p) for p in ("80", "2222", "2376", "3376", "8000-8100")} | {("udp", "53")}
    assert set(map(tuple, found.values())) == {("0.0.0.0/0", "::/0")}


def test_swarm_modes_ports_have_their_protocols() -> None:
    found = rules(requests.firewall(full(), (2377, 7946, 4789)))
    assert {("tcp", "2377"), ("tcp", "7946"), ("udp", "7946"), ("udp", "4789")} <= set(found)
    assert ("tcp", "4789") not in found


def test_a_narrowed_firewall_lets_in_the_networks_and_the_vpc() -> None:
    config = full(allow_from=["203.0.113.7", "2001:db8::/32"])
    config.peer_cidrs = ["10.100.0.0/20"]
    body = requests.firewall(config, ())
    assert rules(body)["tcp", "22"] == ["203.0.113.7/32", "2001:db8::/32", "10.100.0.0/20"]
    out = {(r["protocol"], r["ports"]): r["destinations"]["addresses"] for r in body["outbound_rules"]}
    assert out == {(protocol, "0"): ["0.0.0.0/0", "::/0"] for protocol in ("tcp", "udp", "icmp")}


def test_from_where_a_port_can_be_reached() -> None:
    walls: list[dict[str, Any]] = [
        {"inbound_rules": [{"protocol": "tcp", "ports": "20-25", "sources": {"addresses": ["10.0.0.0/8"]}}]},
        {"inbound_rules": [{"protocol": "tcp", "ports": "0", "sources": {"tags": ["bastion"]}}]},
        {"inbound_rules": [{"protocol": "udp", "ports": "22", "sources": {"addresses": ["0.0.0.0/0"]}}]},
        {"inbound_rules": None},
    ]
    ssh = PortRange("tcp", 22, 22)
    assert firewall.sources(requests.rules(walls), ssh) == ["10.0.0.0/8", "tags bastion"]
    assert firewall.sources(requests.rules(walls[2:]), ssh) == []


@pytest.mark.parametrize("name", ["a", "Dev.Example-", "7up", "9" * 200])
def test_names_that_digitalocean_takes(name: str) -> None:
    found = requests.own_name(name, "0123456789abcdef")
    assert re.fullmatch(r"[a-z][a-z0-9-]*[a-z0-9]", found)  # the narrowest of its rules: volumes
    assert len(found) <= 64
    assert found.endswith("-0123456789ab")
