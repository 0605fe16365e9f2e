"""What a machine of driver azure shall be: option values, checked, as the Driver object of config.json.

The keys are docker-machine's where it has them, then those of its forks, then ours.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from machine.drivers.azure.options import LOGINS
from machine.drivers.cloud.flags import Flags, absolute
from machine.drivers.gaps import MissingOption, check_complete
from machine.errors import UsageError
from machine.options import Values

FLAGS = Flags("azure")

PLAIN = {  # option (without its prefix) -> key, where the value is kept as it is
    "subscription-id": "SubscriptionID",
    "tenant-id": "TenantID",
    "client-id": "ClientID",
    "client-secret": "ClientSecret",
    "client-certificate-password": "ClientCertificatePassword",
    "environment": "Environment",
    "endpoint": "Endpoint",
    "authority-host": "AuthorityHost",
    "audience": "Audience",
    "retries": "RetryCount",
    "api-timeout": "ApiTimeout",
    "polling-interval": "PollingInterval",
    "resource-group": "ResourceGroup",
    "size": "Size",
    "image": "Image",
    "plan": "Plan",
    "ssh-user": "SSHUser",
    "docker-port": "DockerPort",
    "tags": "Tags",
    "identity": "Identities",
    "spot": "Spot",
    "spot-max-price": "SpotMaxPrice",
    "availability-zone": "AvailabilityZone",
    "availability-set": "AvailabilitySet",
    "fault-domain-count": "FaultCount",
    "update-domain-count": "UpdateCount",
    "disk-size": "DiskSize",
    "storage-type": "StorageType",
    "vnet": "VirtualNetwork",
    "subnet": "SubnetName",
    "subnet-prefix": "SubnetPrefix",
    "private-ip-address": "PrivateIPAddr",
    "use-private-ip": "UsePrivateIP",
    "no-public-ip": "NoPublicIP",
    "dns": "DNSLabel",
    "accelerated-networking": "AcceleratedNetworking",
    "nsg": "NSG",
    "open-port": "OpenPorts",
}
CLOUDS = {  # environment -> (ARM, where logins happen)
    "azurepubliccloud": ("https://management.azure.com", "https://login.microsoftonline.com"),
    "azurechinacloud": ("https://management.chinacloudapi.cn", "https://login.chinacloudapi.cn"),
    "azureusgovernmentcloud": ("https://management.usgovcloudapi.net", "https://login.microsoftonline.us"),
}
AUDIENCES = {  # where it differs from ARM's address
    "azureusgovernmentcloud": "https://management.core.usgovcloudapi.net",
}
NO_LOGINS = {"root", "admin", "administrator", "user", "guest", "test", "owner", "console", "sys", "backup"}
OWN_TAGS = ("machine-id", "machine-name", "made-by")
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_GROUP = re.compile(r"[\w.()-]{1,89}[\w()-]")
_LABEL = re.compile(r"[a-z][a-z0-9-]{1,61}[a-z0-9]")
_IDENTITY = re.compile(r"(?i)system|/subscriptions/.+/userAssignedIdentities/.+")
SPANS = {  # flag -> the least and the most
    "docker-port": (1, 65535),
    "disk-size": (1, 4095),
    "retries": (0, 100),
    "api-timeout": (1, 3600),
    "polling-interval": (0, 600),
    "fault-domain-count": (1, 3),
    "update-domain-count": (1, 20),
}


def from_values(values: Values) -> dict[str, Any]:
    """The Driver object that option values ask for; UsageError names the flag that makes no sense."""

    def value(flag: str) -> Any:
        return values[f"azure-{flag}"]

    data: dict[str, Any] = {key: value(flag) for flag, key in PLAIN.items()}
    check_complete("azure", _gaps(data, values))
    _check_login(data, values)
    FLAGS.check_spans(values, SPANS)
    data["Location"] = value("location").replace(" ", "").lower()  # "West US" and westus are the same
    data["SSHPort"] = 22
    data["Login"] = value("login")
    data["ClientCertificate"] = absolute(value("client-certificate"))
    data["CaCert"] = absolute(value("ca-cert"))
    data["CustomDataFile"] = absolute(value("custom-data"))
    data["ManagedDisks"] = data["StaticPublicIP"] = data["EnablePublicIPStandardSKU"] = True
    for text in data["OpenPorts"]:
        FLAGS.port(text)
    data["AllowFrom"] = [FLAGS.network(text) for text in value("allow-from")]
    tags(data["Tags"])
    _check_machine(data)
    _check_network(data)
    return data


def tags(text: str) -> dict[str, str]:
    """`key,value,key,value` as a mapping; UsageError on an odd number of words and on keys that cannot be."""
    found = FLAGS.pairs("tags", text)
    for key in found:
        if not key or key in OWN_TAGS or len(key) > 512 or any(c in "<>%&\\?/" for c in key):
            raise UsageError(
                f"--azure-tags cannot set {key!r}", resolution=f"choose another key; {', '.join(OWN_TAGS)} are set"
            )
    return found


def endpoint(data: Mapping[str, Any]) -> str:
    """ARM's address."""
    return str(data.get("Endpoint") or cloud(data)[0]).rstrip("/")


def authority(data: Mapping[str, Any]) -> str:
    """Where logins happen."""
    return str(data.get("AuthorityHost") or cloud(data)[1]).rstrip("/")


def scope(data: Mapping[str, Any]) -> str:
    """What tokens are asked for."""
    word = str(data.get("Environment") or "AzurePublicCloud").lower()
    audience = data.get("Audience") or (None if data.get("Endpoint") else AUDIENCES.get(word)) or endpoint(data)
    return str(audience).rstrip("/") + "/.default"


def cloud(data: Mapping[str, Any]) -> tuple[str, str]:
    """(ARM, logins) of the record's environment."""
    return CLOUDS[str(data.get("Environment") or "AzurePublicCloud").lower()]


def network_place(data: Mapping[str, Any]) -> tuple[str, str, bool]:
    """(resource group, network, whether it must exist): GROUP:NAME names one that is not ours."""
    group, colon, name = str(data["VirtualNetwork"]).partition(":")
    return (group, name, True) if colon else (str(data["ResourceGroup"]), group, False)


def availability_set(data: Mapping[str, Any]) -> str:
    """The set's name, "" where there is none: neither zones nor spot machines go together with one."""
    wanted = str(data.get("AvailabilitySet") or "")
    return "" if wanted == "none" or data.get("AvailabilityZone") or data.get("Spot") else wanted


def _gaps(data: Mapping[str, Any], values: Values) -> list[MissingOption]:
    """What is missing to log in."""
    certificate, login = values["azure-client-certificate"], values["azure-login"]
    gaps = []
    if not data["SubscriptionID"]:
        gaps.append(
            MissingOption(
                "the driver azure needs to know which subscription pays",
                "add --azure-subscription-id ID, or set AZURE_SUBSCRIPTION_ID (az account list shows them)",
                credential=True,
            )
        )
    if (data["ClientSecret"] or certificate) and not data["ClientID"]:
        gaps.append(
            MissingOption(
                "a service principal has an id and a secret, and only the secret is given",
                "add --azure-client-id ID, or set AZURE_CLIENT_ID",
                credential=True,
            )
        )
    for word, given, flag in (
        ("secret", data["ClientSecret"], "client-secret"),
        ("certificate", certificate, "client-certificate"),
    ):
        if login == word and not given:
            gaps.append(
                MissingOption(f"--azure-login {word} needs --azure-{flag}", f"add --azure-{flag}", credential=True)
            )
    return gaps


def _check_login(data: Mapping[str, Any], values: Values) -> None:
    if str(data["Environment"]).lower() not in CLOUDS:
        raise FLAGS.wrong(
            "environment", data["Environment"], "AzurePublicCloud, AzureChinaCloud or AzureUSGovernmentCloud"
        )
    login = values["azure-login"]
    for flag in ("subscription-cert", "publish-settings-file"):
        if values[f"azure-{flag}"] and not (data["ClientID"] or login != "auto"):
            raise UsageError(
                f"--azure-{flag} (${'AZURE_' + flag.replace('-', '_').upper()}) is of no use any more: Azure has ended "
                "its classic deployment model and the management certificates with it",
                details="a service principal has taken their place",
                resolution="az ad sp create-for-rbac --role Contributor --scopes /subscriptions/ID prints its appId, "
                "password and tenant: give them as --azure-client-id, --azure-client-secret and --azure-tenant-id",
            )
    if not _GUID.fullmatch(data["SubscriptionID"]):
        raise FLAGS.wrong(
            "subscription-id", data["SubscriptionID"], "an id such as 00000000-0000-0000-0000-000000000000"
        )
    if login not in LOGINS:
        raise FLAGS.wrong("login", login, "one of " + ", ".join(LOGINS))
    for flag in ("endpoint", "authority-host"):
        address = values[f"azure-{flag}"]
        if address and not address.startswith("https://"):
            raise FLAGS.wrong(flag, address, "a URL that begins with https:// (tokens are sent nowhere else)")


def _check_machine(data: Mapping[str, Any]) -> None:
    if not _GROUP.fullmatch(data["ResourceGroup"]):
        raise FLAGS.wrong("resource-group", data["ResourceGroup"], "at most 90 letters, digits and .()_-")
    image = str(data["Image"])
    if image and not image.startswith("/") and len(image.split(":")) != 4:
        raise FLAGS.wrong("image", image, "publisher:offer:sku:version, or the id of an image (/subscriptions/...)")
    if data["Plan"] and len(data["Plan"].split(":")) != 3:
        raise FLAGS.wrong("plan", data["Plan"], "publisher:product:plan")
    if data["SSHUser"].lower() in NO_LOGINS or not re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", data["SSHUser"]):
        raise FLAGS.wrong(
            "ssh-user", data["SSHUser"], "a login that Azure allows (root, admin and the like it does not)"
        )
    for identity in data["Identities"]:
        if not _IDENTITY.fullmatch(identity):
            raise FLAGS.wrong("identity", identity, "the id of a user-assigned identity (az identity list), or system")
    if data["SpotMaxPrice"] and not data["Spot"]:
        raise UsageError("--azure-spot-max-price goes together with --azure-spot", resolution="add --azure-spot")
    if data["SpotMaxPrice"] and not re.fullmatch(r"\d*\.?\d+", data["SpotMaxPrice"]):
        raise FLAGS.wrong("spot-max-price", data["SpotMaxPrice"], "dollars an hour, such as 0.05")


def _check_network(data: Mapping[str, Any]) -> None:
    subnet = FLAGS.network(data["SubnetPrefix"], "subnet-prefix")
    if data["PrivateIPAddr"]:
        try:
            inside = ipaddress.ip_address(data["PrivateIPAddr"]) in ipaddress.ip_network(subnet)
        except ValueError:
            raise FLAGS.wrong("private-ip-address", data["PrivateIPAddr"], "an address of the subnet") from None
        if not inside and not network_place(data)[2]:
            raise FLAGS.wrong(
                "private-ip-address", data["PrivateIPAddr"], f"an address in {subnet} (--azure-subnet-prefix)"
            )
    if data["DNSLabel"] and not _LABEL.fullmatch(data["DNSLabel"]):
        raise FLAGS.wrong("dns", data["DNSLabel"], "3 to 63 small letters, digits and dashes")
    if data["DNSLabel"] and data["NoPublicIP"]:
        raise UsageError(
            "--azure-dns names a public address, and --azure-no-public-ip wants none", resolution="leave one out"
        )
