"""What a machine of driver digitalocean shall be: option values, checked, as the Driver object of config.json.

The keys are docker-machine's where it has them, then ours.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from machine.drivers.cloud.flags import Flags, absolute
from machine.drivers.digitalocean.options import NEW, NO_FIREWALL
from machine.drivers.gaps import Gap, check_complete
from machine.errors import UsageError
from machine.options import Values

FLAGS = Flags("digitalocean")

PLAIN = {  # option (without its prefix) -> key, where the value is kept as it is
    "access-token": "AccessToken",
    "endpoint": "Endpoint",
    "api-timeout": "ApiTimeout",
    "retry-seconds": "RetrySeconds",
    "image": "Image",
    "region": "Region",
    "size": "Size",
    "ssh-user": "SSHUser",
    "ssh-port": "SSHPort",
    "ssh-key-fingerprint": "SSHKeyFingerprint",
    "backups": "Backups",
    "monitoring": "Monitoring",
    "volume": "Volumes",
    "volume-size": "VolumeSize",
    "ipv6": "IPv6",
    "private-networking": "PrivateNetworking",
    "vpc-uuid": "VpcUUID",
    "use-private-address": "UsePrivateIP",
}
NEEDED = ("image", "region", "size", "ssh-user", "endpoint")
LARGEST_VOLUME = 16384  # GB
MOST_VOLUMES = 15  # on one droplet
_TAG = re.compile(r"[A-Za-z0-9_:-]{1,255}")
_URL = re.compile(r"https?://[^/\s?#@]+(/[^\s?#]*)?")


def from_values(values: Values) -> dict[str, Any]:
    """The Driver object that option values ask for; UsageError names the flag that makes no sense."""

    def value(flag: str) -> Any:
        return values[f"digitalocean-{flag}"]

    if not value("access-token"):
        token = Gap(
            "the driver digitalocean needs an API token",
            "set $DIGITALOCEAN_ACCESS_TOKEN, or add --digitalocean-access-token; "
            "https://cloud.digitalocean.com/account/api/tokens makes one",
            credential=True,
        )
        check_complete("digitalocean", [token])
    data: dict[str, Any] = {key: value(flag) for flag, key in PLAIN.items()}
    for flag in NEEDED:
        if not value(flag).strip():
            raise FLAGS.wrong(flag, value(flag), "a value, or leave the flag out")
    for flag, least, most in (
        ("ssh-port", 1, 65535),
        ("api-timeout", 1, 3600),
        ("retry-seconds", 0, 3600),
        ("volume-size", 0, LARGEST_VOLUME),
    ):
        if not least <= value(flag) <= most:
            raise FLAGS.wrong(flag, value(flag), f"a number from {least} to {most}")
    if not _URL.fullmatch(data["Endpoint"]):
        raise FLAGS.wrong("endpoint", data["Endpoint"], "an URL such as https://api.digitalocean.com")
    if len(data["Volumes"]) + bool(data["VolumeSize"]) > MOST_VOLUMES:
        raise FLAGS.wrong("volume", ", ".join(data["Volumes"]), f"at most {MOST_VOLUMES} volumes, a new one included")
    data["Tags"] = ",".join(tags(value("tags")))
    data["SSHKey"] = absolute(value("ssh-key-path"))
    data["UserDataFile"] = absolute(value("userdata"))
    data["OpenPorts"] = [FLAGS.port(text) for text in value("open-port")]
    data["AllowFrom"] = [FLAGS.network(text) for text in value("allow-from")]
    data["Firewalls"] = _firewalls(value("firewall"), data)
    data["ReservedIP"] = _reserved(value("reserved-ip"), data)
    return data


def tags(text: str) -> list[str]:
    """The words of --digitalocean-tags; UsageError on one that DigitalOcean does not take."""
    found = [word.strip() for word in text.split(",") if word.strip()]
    for word in found:
        if not _TAG.fullmatch(word) or word.startswith("machine-id:"):
            raise FLAGS.wrong("tags", word, "words of letters, digits, `:`, `-` and `_`, other than machine-id:")
    return list(dict.fromkeys(found))


def _firewalls(wanted: list[str], data: Mapping[str, Any]) -> list[str]:
    found = [name.strip() for name in wanted if name.strip()]
    if found and (data["OpenPorts"] or data["AllowFrom"]):
        raise UsageError(
            "--digitalocean-open-port and --digitalocean-allow-from are for a firewall of the machine's own",
            resolution="leave --digitalocean-firewall out, or change the rules of that firewall instead",
        )
    if NO_FIREWALL in found and len(found) > 1:
        raise FLAGS.wrong("firewall", ", ".join(found), f"names, or {NO_FIREWALL!r} alone")
    return found


def _reserved(text: str, data: Mapping[str, Any]) -> str:
    if not text:
        return ""
    if data["UsePrivateIP"]:
        raise UsageError(
            "a reserved address and --digitalocean-use-private-address exclude each other",
            resolution="give one of the two",
        )
    if text == NEW:
        return text
    try:
        return str(ipaddress.IPv4Address(text.strip()))
    except ValueError:
        raise FLAGS.wrong("reserved-ip", text, f"an IPv4 address that the account has reserved, or {NEW!r}") from None
