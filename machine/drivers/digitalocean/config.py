"""What a machine of driver digitalocean shall be, and what is known of it: the Driver object of config.json, typed."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from machine.drivers.cloud.config import (
    CloudConfig,
    number,
    optional_mapping,
    optional_text,
    path,
    switch,
    text,
    words,
)
from machine.drivers.cloud.flags import Flags
from machine.drivers.digitalocean.options import API, NEW, NO_FIREWALL
from machine.drivers.gaps import MissingOption
from machine.errors import UsageError

FLAGS = Flags("digitalocean")
LARGEST_VOLUME = 16384  # GB
MOST_VOLUMES = 15  # on one droplet
_TAG = re.compile(r"[A-Za-z0-9_:-]{1,255}")
_URL = r"https?://[^/\s?#@]+(/[^\s?#]*)?"


@dataclass(repr=False)
class Config(CloudConfig):
    """The keys are docker-machine's where it has them, then ours."""

    flags = FLAGS

    # credentials and where to ask
    access_token: str = text("AccessToken", flag="access-token")
    endpoint: str = text(
        "Endpoint",
        API,
        flag="endpoint",
        required=True,
        pattern=_URL,
        wanted="a URL such as https://api.digitalocean.com",
    )
    api_timeout: int = number("ApiTimeout", 30, flag="api-timeout", span=(1, 3600))
    retry_seconds: int = number("RetrySeconds", 30, flag="retry-seconds", span=(0, 3600))
    # the machine
    image: str = text("Image", flag="image", required=True)
    region: str = text("Region", flag="region", required=True)
    size: str = text("Size", flag="size", required=True)
    ssh_user: str = text("SSHUser", "root", flag="ssh-user", required=True)
    ssh_port: int = number("SSHPort", 22, flag="ssh-port", span=(1, 65535))
    ssh_key_fingerprint: str = text("SSHKeyFingerprint", flag="ssh-key-fingerprint")
    ssh_key: str = path("SSHKey", flag="ssh-key-path")
    backups: bool = switch("Backups", flag="backups")
    monitoring: bool = switch("Monitoring", flag="monitoring")
    user_data_file: str = path("UserDataFile", flag="userdata")
    tags: str = text("Tags", flag="tags")
    # disks and network
    volumes: list[str] = words("Volumes", flag="volume")
    volume_size: int = number("VolumeSize", flag="volume-size", span=(0, LARGEST_VOLUME))
    ipv6: bool = switch("IPv6", flag="ipv6")
    private_networking: bool = switch("PrivateNetworking", flag="private-networking")
    vpc_uuid: str = text("VpcUUID", flag="vpc-uuid")
    use_private_ip: bool = switch("UsePrivateIP", flag="use-private-address")
    reserved_ip: str = text("ReservedIP", flag="reserved-ip")
    firewalls: list[str] = words("Firewalls", flag="firewall")
    open_ports: list[str] = words("OpenPorts", flag="open-port", each=Flags.port)
    allow_from: list[str] = words("AllowFrom", flag="allow-from", each=Flags.network)
    # what was looked up
    account: str = text("Account")
    peer_cidrs: list[str] = words("Neighbours")  # networks that get in where only some do
    volume_ids: list[str] = words("VolumeIDs")
    attached_firewalls: dict[str, str] | None = optional_mapping("Joined")  # id -> the tag by which it selects, or ""
    # what was made
    tag: str = text("Tag")
    droplet_id: int = number("DropletID")
    droplet_name: str = text("DropletName")
    ssh_key_id: int = number("SSHKeyID")
    key_name: str | None = optional_text("KeyName")  # "" for a key that was there before
    firewall_name: str = text("FirewallName")
    firewall_id: str = text("FirewallID")
    own_volume_name: str = text("OwnVolumeName")
    own_volume_id: str = text("OwnVolumeID")
    reserved_address: str = text("ReservedAddress")

    @property
    def existing_key(self) -> bool:
        return bool(self.ssh_key_fingerprint)

    @property
    def asked(self) -> bool:
        return bool(self.tag)

    @property
    def looked_up(self) -> bool:
        return self.attached_firewalls is not None

    @property
    def repeats(self) -> bool:
        return self.retry_seconds > 0

    @property
    def firewalls_to_join(self) -> list[str]:
        """Names or ids of firewalls that exist."""
        return [name for name in self.firewalls if name != NO_FIREWALL]

    def missing_options(self) -> list[MissingOption]:
        if self.access_token:
            return []
        return [
            MissingOption(
                "the driver digitalocean needs an API token",
                "set $DIGITALOCEAN_ACCESS_TOKEN, or add --digitalocean-access-token; "
                "https://cloud.digitalocean.com/account/api/tokens makes one",
                credential=True,
            )
        ]

    def validate(self) -> None:
        if len(self.volumes) + bool(self.volume_size) > MOST_VOLUMES:
            raise FLAGS.wrong("volume", ", ".join(self.volumes), f"at most {MOST_VOLUMES} volumes, a new one included")
        self.tags = ",".join(split_tags(self.tags))
        _check_firewalls(self)
        self.reserved_ip = _reserved_ip(self)


def split_tags(tags: str) -> list[str]:
    """The words of --digitalocean-tags; UsageError on one that DigitalOcean does not take."""
    found = [word.strip() for word in tags.split(",") if word.strip()]
    for word in found:
        if not _TAG.fullmatch(word) or word.startswith("machine-id:"):
            raise FLAGS.wrong("tags", word, "words of letters, digits, `:`, `-` and `_`, other than machine-id:")
    return list(dict.fromkeys(found))


def _check_firewalls(config: Config) -> None:
    names = config.firewalls
    if names and (config.open_ports or config.allow_from):
        raise UsageError(
            "--digitalocean-open-port and --digitalocean-allow-from are for a firewall of the machine's own",
            resolution="leave --digitalocean-firewall out, or change the rules of that firewall instead",
        )
    if NO_FIREWALL in names and len(names) > 1:
        raise FLAGS.wrong("firewall", ", ".join(names), f"names, or {NO_FIREWALL!r} alone")


def _reserved_ip(config: Config) -> str:
    wanted = config.reserved_ip
    if wanted and config.use_private_ip:
        raise UsageError(
            "a reserved address and --digitalocean-use-private-address exclude each other",
            resolution="give one of the two",
        )
    if wanted in ("", NEW):
        return wanted
    try:
        return str(ipaddress.IPv4Address(wanted.strip()))
    except ValueError:
        raise FLAGS.wrong("reserved-ip", wanted, f"an IPv4 address that the account has reserved, or {NEW!r}") from None
