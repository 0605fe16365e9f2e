"""Option values to the Driver object and to requests: every flag of the plugin is there, nonsense is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from machine.drivers.hetzner import requests
from machine.drivers.hetzner.config import Config
from machine.drivers.hetzner.driver import HetznerDriver
from machine.errors import UsageError
from machine.options import resolve
from tests.drivers import contexts

PLUGIN = {  # docker-machine-driver-hetzner 5's flags, with their variables
    "api-token": "HETZNER_API_TOKEN",
    "image": "HETZNER_IMAGE",
    "image-id": "HETZNER_IMAGE_ID",
    "image-arch": "HETZNER_IMAGE_ARCH",
    "server-type": "HETZNER_TYPE",
    "server-location": "HETZNER_LOCATION",
    "existing-key-id": "HETZNER_EXISTING_KEY_ID",
    "existing-key-path": "HETZNER_EXISTING_KEY_PATH",
    "additional-key": "HETZNER_ADDITIONAL_KEYS",
    "user-data": "HETZNER_USER_DATA",
    "user-data-file": "HETZNER_USER_DATA_FILE",
    "user-data-from-file": "HETZNER_USER_DATA_FROM_FILE",
    "volumes": "HETZNER_VOLUMES",
    "networks": "HETZNER_NETWORKS",
    "use-private-network": "HETZNER_USE_PRIVATE_NETWORK",
    "disable-public-ipv4": "HETZNER_DISABLE_PUBLIC_IPV4",
    "disable-public-ipv6": "HETZNER_DISABLE_PUBLIC_IPV6",
    "disable-public-4": "HETZNER_DISABLE_PUBLIC_4",
    "disable-public-6": "HETZNER_DISABLE_PUBLIC_6",
    "disable-public": "HETZNER_DISABLE_PUBLIC",
    "primary-ipv4": "HETZNER_PRIMARY_IPV4",
    "primary-ipv6": "HETZNER_PRIMARY_IPV6",
    "firewalls": "HETZNER_FIREWALLS",
    "server-label": "HETZNER_SERVER_LABELS",
    "key-label": "HETZNER_KEY_LABELS",
    "placement-group": "HETZNER_PLACEMENT_GROUP",
    "auto-spread": "HETZNER_AUTO_SPREAD",
    "ssh-user": "HETZNER_SSH_USER",
    "ssh-port": "HETZNER_SSH_PORT",
    "wait-on-error": "HETZNER_WAIT_ON_ERROR",
    "wait-on-polling": "HETZNER_WAIT_ON_POLLING",
    "wait-for-running-timeout": "HETZNER_WAIT_FOR_RUNNING_TIMEOUT",
}
KEYS = {  # of the plugin's Driver object, that flags set
    *("AccessToken", "Image", "ImageID", "ImageArch", "Type", "Location", "Volumes", "Networks", "UsePrivateNetwork"),
    *("DisablePublic4", "DisablePublic6", "PrimaryIPv4", "PrimaryIPv6", "Firewalls", "ServerLabels", "AdditionalKeys"),
    *("WaitOnError", "WaitOnPolling", "WaitForRunningTimeout", "SSHUser", "SSHPort"),
}


def configured(**given: Any) -> Config:
    """The config of these flags."""
    values = {f"hetzner-{name.replace('_', '-')}": value for name, value in given.items()}
    return Config.from_values(resolve(HetznerDriver.traits.options, {"hetzner-api-token": "t", **values}, {}))


def asked(**given: Any) -> dict[str, Any]:
    """The server that is asked for with these flags, after the steps before it."""
    config = configured(**given)
    config.machine_label, config.found_image, config.firewall_ids = "1f", 7, ["9"] * (not config.firewalls)
    return requests.server(config, "dev.", "", [3, 4, 3])


def test_every_flag_of_the_plugin_is_there_with_its_variable() -> None:
    now = {option.name.removeprefix("hetzner-"): option.env for option in HetznerDriver.traits.options}
    assert {name: now.get(name) for name in PLUGIN} == PLUGIN


def test_the_keys_of_the_plugins_records() -> None:
    assert set(configured().to_record()) >= KEYS
    assert [option.key for option in HetznerDriver.traits.options if option.secret] == list(
        HetznerDriver.traits.record_keys.secrets
    )


def test_configuring_is_pure_and_needs_a_token() -> None:
    with pytest.raises(UsageError, match="token") as caught:
        HetznerDriver.configure(contexts.forbidding(), resolve(HetznerDriver.traits.options, {}, {}))
    assert "HETZNER_API_TOKEN" in caught.value.resolution


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("server-type", ""),
        ("ssh-user", ""),
        ("ssh-port", 0),
        ("image-arch", "sparc"),
        ("image-id", -1),
        ("api-timeout", 0),
        ("retry-seconds", -1),
        ("wait-on-error", -1),
        ("endpoint", "ftp://example.com"),
        ("endpoint", "https://user:password@example.com"),
        ("server-label", ["no equals sign"]),
        ("server-label", ["machine-id=7"]),
        ("server-label", ["a=" + "b" * 64]),
        ("key-label", ["=b"]),
        ("additional-key", ["ssh-ed25519"]),
        ("additional-key", ["ssh-ed25519 no-base64"]),
        ("open-port", ["http"]),
        ("allow-from", ["300.1.1.1"]),
        ("firewalls", ["none", "web"]),
    ],
)
def test_nonsense_is_named(flag: str, value: Any) -> None:
    with pytest.raises(UsageError) as caught:
        configured(**{flag: value})
    assert f"--hetzner-{flag}" in caught.value.brief
    assert caught.value.resolution


@pytest.mark.parametrize(
    "given",
    [
        {"image": "debian-12", "image_id": 7},
        {"image_arch": "arm", "image_id": 7},
        {"placement_group": "a", "auto_spread": True},
        {"user_data": "#!/bin/sh", "user_data_file": "/x"},
        {"disable_public_ipv4": True, "primary_ipv4": "a"},
        {"disable_public_6": True, "primary_ipv6": "a"},
        {"disable_public": True, "primary_ipv4": "a", "networks": ["n"]},
        {"disable_public_ipv4": True, "disable_public_6": True},
        {"disable_public": True},
        {"use_private_network": True},
        {"firewalls": ["web"], "open_port": ["80"]},
        {"firewalls": ["web"], "allow_from": ["10.0.0.0/8"]},
    ],
)
def test_what_excludes_each_other(given: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        configured(**given)
    assert "--hetzner-" in caught.value.brief
    assert caught.value.resolution


def test_a_server_is_asked_for_as_the_flags_say() -> None:
    assert asked() == {
        "name": "dev",
        "labels": {"machine-id": "1f"},
        "server_type": "cx23",
        "image": 7,
        "ssh_keys": [3, 4],
        "firewalls": [{"firewall": 9}],
    }
    body = asked(server_label=["tier=web", "a.b/c="], server_location="nbg1", firewalls=["none"])
    assert body["labels"] == {"tier": "web", "a.b/c": "", "machine-id": "1f"}
    assert body["location"] == "nbg1"
    inside = asked(disable_public=True, networks=["n"])
    assert inside["public_net"] == {"enable_ipv4": False, "enable_ipv6": False}
    assert asked(disable_public_4=True)["public_net"] == {"enable_ipv4": False, "enable_ipv6": True}


def test_the_firewall_lets_in_what_is_needed() -> None:
    rules = requests.firewall_rules(configured(open_port=["53/udp", "8000-8100"]), [2377, 7946])
    ports = {(rule["protocol"], rule.get("port")) for rule in rules}
    assert ports == {
        *(("tcp", port) for port in ("22", "2376", "2377", "7946", "8000-8100")),
        *(("udp", port) for port in ("53", "7946")),
        ("icmp", None),
    }
    assert {tuple(rule["source_ips"]) for rule in rules} == {("0.0.0.0/0", "::/0")}
    (some,) = {tuple(one["source_ips"]) for one in requests.firewall_rules(configured(allow_from=["192.0.2.7"]), [])}
    assert some == ("192.0.2.7/32",)


def test_the_plugins_old_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    old = configured(user_data="data.yml", user_data_from_file=True, existing_key_id="0")
    assert (old.user_data_file, old.user_data_text) == (str(tmp_path / "data.yml"), "")
    assert (old.project_key, old.existing_key) == ("", False)
    assert configured().image == "ubuntu-24.04"
    assert configured(image_id=42).image == ""


def test_a_record_of_the_plugin_is_read_as_it_is() -> None:
    """As Go's encoder writes the plugin's struct: lists and maps that are empty are null."""
    record = json.loads(
        '{"IPAddress":"203.0.113.9","MachineName":"old","SSHUser":"root","SSHPort":22,"SSHKeyPath":"","StorePath":"/s",'
        '"SwarmMaster":false,"SwarmHost":"","SwarmDiscovery":"","AccessToken":"t","Image":"ubuntu-20.04","ImageID":0,'
        '"ImageArch":"","Type":"cx11","Location":"","KeyID":23,"IsExistingKey":false,"ServerID":42,"Volumes":null,'
        '"Networks":[],"UsePrivateNetwork":false,"DisablePublic4":false,"DisablePublic6":false,"PrimaryIPv4":"",'
        '"PrimaryIPv6":"","Firewalls":null,"ServerLabels":{},"AdditionalKeys":null,"AdditionalKeyIDs":[7],'
        '"WaitOnError":0,"WaitOnPolling":1,"WaitForRunningTimeout":0}'
    )
    config = Config.from_record(record)
    assert (config.server_id, config.key_id, config.existing_key, config.additional_key_ids) == (42, 23, False, ["7"])
    assert (config.server_type, config.create_requested) == ("cx11", False)
    assert config.to_record() == record
