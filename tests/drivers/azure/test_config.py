"""DriverFlags and their checks; the ports of a firewall. All of it is pure."""

from __future__ import annotations

from typing import Any

import pytest

from machine.drivers.azure import firewall, options, requests
from machine.drivers.azure.config import Config
from machine.drivers.azure.driver import AzureDriver
from machine.drivers.azure.resources import MACHINE
from machine.drivers.cloud import firewall as kit
from machine.drivers.cloud import ports
from machine.errors import UsageError
from machine.options import resolve
from tests.drivers import contexts
from tests.drivers.azure.arm import SUBSCRIPTION

OLD = {  # docker-machine 0.16: flag -> its variable
    "environment": "AZURE_ENVIRONMENT",
    "subscription-id": "AZURE_SUBSCRIPTION_ID",
    "resource-group": "AZURE_RESOURCE_GROUP",
    "ssh-user": "AZURE_SSH_USER",
    "docker-port": "AZURE_DOCKER_PORT",
    "location": "AZURE_LOCATION",
    "size": "AZURE_SIZE",
    "image": "AZURE_IMAGE",
    "vnet": "AZURE_VNET",
    "subnet": "AZURE_SUBNET",
    "subnet-prefix": "AZURE_SUBNET_PREFIX",
    "availability-set": "AZURE_AVAILABILITY_SET",
    "custom-data": "AZURE_CUSTOM_DATA_FILE",
    "private-ip-address": "",
    "storage-type": "AZURE_STORAGE_TYPE",
    "use-private-ip": "",
    "no-public-ip": "",
    "static-public-ip": "",
    "dns": "AZURE_DNS_LABEL",
    "open-port": "",
    "client-id": "AZURE_CLIENT_ID",
    "client-secret": "AZURE_CLIENT_SECRET",
    # its fork's
    "tenant-id": "AZURE_TENANT_ID",
    "nsg": "AZURE_NSG",
    "plan": "",
    "managed-disks": "AZURE_MANAGED_DISKS",
    "fault-domain-count": "AZURE_FAULT_DOMAIN_COUNT",
    "update-domain-count": "AZURE_UPDATE_DOMAIN_COUNT",
    "disk-size": "AZURE_DISK_SIZE",
    "tags": "AZURE_TAGS",
    "availability-zone": "AZURE_AVAILABILITY_ZONE",
    "enable-public-ip-standard-sku": "AZURE_STANDARD_PUBLIC_IP_SKU",
    "accelerated-networking": "AZURE_ACCELERATED_NETWORKING",
}


def data(**given: Any) -> Config:
    """The config of these flags (with _ for -)."""
    named = {f"azure-{key.replace('_', '-')}": value for key, value in given.items()}
    return Config.from_values(resolve(options.OPTIONS, {"azure-subscription-id": SUBSCRIPTION, **named}, {}))


@pytest.mark.parametrize("flag", sorted(OLD))
def test_every_old_flag_is_there_under_its_variable(flag: str) -> None:
    found = {option.name: option for option in options.OPTIONS}[f"azure-{flag}"]
    assert OLD[flag] in ("", found.env)


def test_the_defaults_are_docker_machines_where_those_still_work() -> None:
    found = data()
    assert (found.resource_group, found.location, found.ssh_user) == ("docker-machine", "westus", "docker-user")
    assert (found.vnet, found.subnet) == ("docker-machine-vnet", "docker-machine")
    assert (found.subnet_prefix, found.availability_set) == ("192.168.0.0/16", "docker-machine")
    assert found.engine_port == 2376
    assert data(location="West US 2").location == "westus2"


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"subscription_id": ""}, "azure-subscription-id"),
        ({"subscription_id": "mine"}, "azure-subscription-id"),
        ({"environment": "AzureGermanCloud"}, "azure-environment"),
        ({"client_secret": "s"}, "AZURE_CLIENT_ID"),
        ({"login": "password"}, "azure-login"),
        ({"login": "secret", "client_id": "c"}, "azure-client-secret"),
        ({"login": "certificate", "client_id": "c"}, "azure-client-certificate"),
        ({"endpoint": "http://127.0.0.1"}, "azure-endpoint"),
        ({"image": "ubuntu"}, "azure-image"),
        ({"plan": "a:b"}, "azure-plan"),
        ({"ssh_user": "root"}, "azure-ssh-user"),
        ({"identity": ["me"]}, "azure-identity"),
        ({"spot_max_price": "0.1"}, "azure-spot"),
        ({"spot": True, "spot_max_price": "cheap"}, "azure-spot-max-price"),
        ({"disk_size": 0}, "azure-disk-size"),
        ({"docker_port": 70000}, "azure-docker-port"),
        ({"subnet_prefix": "here"}, "azure-subnet-prefix"),
        ({"private_ip_address": "10.0.0.1"}, "azure-private-ip-address"),
        ({"dns": "My.Name"}, "azure-dns"),
        ({"dns": "mine", "no_public_ip": True}, "azure-dns"),
        ({"open_port": ["80/icmp"]}, "azure-open-port"),
        ({"open_port": ["80-"]}, "azure-open-port"),
        ({"allow_from": ["somewhere"]}, "azure-allow-from"),
        ({"tags": "a,b,c"}, "azure-tags"),
        ({"tags": "machine-id,1"}, "azure-tags"),
        ({"resource_group": "a/b"}, "azure-resource-group"),
    ],
)
def test_nonsense_names_its_flag(given: dict[str, Any], named: str) -> None:
    with pytest.raises(UsageError) as caught:
        data(**given)
    assert named in caught.value.brief + caught.value.resolution
    assert caught.value.resolution


@pytest.mark.parametrize("flag", ["subscription_cert", "publish_settings_file"])
def test_a_management_certificate_gets_the_way_to_a_service_principal(flag: str) -> None:
    with pytest.raises(UsageError) as caught:
        data(**{flag: "mycert.pem"})
    assert "az ad sp create-for-rbac" in caught.value.resolution
    assert data(**{flag: "mycert.pem"}, client_id="c", client_secret="s"), "left over beside a service principal"


def test_two_machines_of_one_name_share_no_name() -> None:
    one = AzureDriver.configure(
        contexts.forbidding(), resolve(options.OPTIONS, {"azure-subscription-id": SUBSCRIPTION}, {})
    ).dump()
    assert requests.names(Config.from_record(one), "pure")[MACHINE] == "pure-0123456789ab"
    found = requests.names(Config(), "dev")  # of docker-machine's record
    assert list(found.values()) == ["dev", "dev-nic", "dev-ip", "dev-firewall", "dev-os"]
    assert [kind.arm_type for kind in found] == [
        "microsoft.compute/virtualmachines",
        "microsoft.network/networkinterfaces",
        "microsoft.network/publicipaddresses",
        "microsoft.network/networksecuritygroups",
        "microsoft.compute/disks",
    ]


def test_the_clouds() -> None:
    assert data().arm_url == "https://management.azure.com"
    government = data(environment="AzureUSGovernmentCloud")
    assert government.token_scope == "https://management.core.usgovcloudapi.net/.default"
    assert data(environment="azurechinacloud").authority == "https://login.chinacloudapi.cn"
    assert data(endpoint="https://arm.local/").token_scope == "https://arm.local/.default"


def test_zones_and_spot_machines_are_in_no_set() -> None:
    assert data().availability_set_name == "docker-machine"
    assert data(availability_zone="1").availability_set_name == ""
    assert data(spot=True).availability_set_name == ""
    assert data(availability_set="none").availability_set_name == ""


def test_rules() -> None:
    wanted = ports.needed_port_ranges(22, 2376, (3376, 7946), ["80", "8000-8100/udp"])
    found = firewall.security_rules(wanted, ["203.0.113.0/24", "2001:db8::/32", "198.51.100.7/32"])
    inner = [rule["properties"] for rule in found]
    assert len({p["priority"] for p in inner}) == len({rule["name"] for rule in found}) == len(inner) == 3 * 7
    assert {(p["protocol"], p["destinationPortRange"]) for p in inner} == {
        ("Tcp", "22"), ("Tcp", "80"), ("Tcp", "2376"), ("Tcp", "3376"), ("Tcp", "7946"), ("Udp", "7946"),
        ("Udp", "8000-8100"),
    }  # fmt: skip
    assert [p["sourceAddressPrefix"] for p in inner[:3]] == ["203.0.113.0/24", "2001:db8::/32", "198.51.100.7/32"]


SSH, HTTPS, FTP = (ports.PortRange("tcp", port, port) for port in (22, 443, 21))


def security_rule(priority: int, port: str = "22", source: str = "203.0.113.0/24", **more: Any) -> dict[str, Any]:
    """A securityRule that lets a tcp port in."""
    inner = {"priority": priority, "direction": "Inbound", "access": "Allow", "protocol": "TCP"}
    return {"properties": {**inner, "destinationPortRange": port, "sourceAddressPrefix": source, **more}}


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        ([], []),
        ([security_rule(100)], ["203.0.113.0/24"]),
        ([security_rule(100, "443")], []),
        ([security_rule(100, "20-443")], ["203.0.113.0/24"]),
        ([security_rule(100, "*", protocol="*")], ["203.0.113.0/24"]),
        ([security_rule(100, "nonsense")], []),
        ([security_rule(100, protocol="Udp")], []),
        ([security_rule(100, direction="Outbound")], []),
        ([security_rule(100, source="*"), security_rule(101, source="Internet")], ["0.0.0.0/0"]),
        ([security_rule(100, "", destinationPortRanges=["80", "22"])], ["203.0.113.0/24"]),
        ([security_rule(100, source="", sourceAddressPrefixes=["10.0.0.0/8", "::/0"])], ["10.0.0.0/8", "::/0"]),
        ([security_rule(101), security_rule(100, source="*", access="Deny")], []),
        ([security_rule(99), security_rule(100, source="*", access="Deny")], ["203.0.113.0/24"]),
        ([security_rule(101), security_rule(100, source="10.0.0.0/8", access="Deny")], ["203.0.113.0/24"]),
        ([security_rule(101), security_rule(100, "443", source="*", access="Deny")], ["203.0.113.0/24"]),
    ],
)
def test_what_a_security_group_lets_in(present: list[dict[str, Any]], expected: list[str]) -> None:
    assert kit.sources(firewall.allowed(present, SSH), SSH) == expected


def test_our_own_rules_are_read_back() -> None:
    found = firewall.security_rules([SSH, HTTPS], [])
    assert kit.sources(firewall.allowed(found, HTTPS), HTTPS) == ["0.0.0.0/0"]
    assert firewall.allowed(found, FTP) == []
