"""What a machine of driver digitalocean shall be, and what is known of it: the Driver object of config.json, typed."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from machine.drivers.cloud.config import (
    CloudConfig,
    bool_field,
    list_field,
    number_field,
    optional_mapping_field,
    optional_text_field,
    path_field,
    text_field,
)
from machine.drivers.cloud.flags import DriverFlags
from machine.drivers.digitalocean.options import API, NEW, NO_FIREWALL
from machine.drivers.missing_options import MissingOption
from machine.errors import UsageError

FLAGS = DriverFlags("digitalocean")
LARGEST_VOLUME = 16384  # GB
MOST_VOLUMES = 15  # on one droplet
_TAG = re.compile(r"[A-Za-z0-9_:-]{1,255}")
_URL = (r"https?://[^/\s?#@]+(/[^\s?#]*)?", "a URL such as https://api.digitalocean.com")


@dataclass(repr=False)
class Config(CloudConfig):
    """The keys are docker-machine's where it has them, then ours."""

    flags = FLAGS

    # credentials and where to ask
    access_token: str = text_field("AccessToken", flag="access-token")
    endpoint: str = text_field("Endpoint", API, flag="endpoint", required=True, pattern=_URL)
    api_timeout: int = number_field("ApiTimeout", 30, flag="api-timeout", bounds=(1, 3600))
    retry_seconds: int = number_field("RetrySeconds", 30, flag="retry-seconds", bounds=(0, 3600))
    # the machine
    image: str = text_field("Image", flag="image", required=True)
    region: str = text_field("Region", flag="region", required=True)
    size: str = text_field("Size", flag="size", required=True)
    ssh_user: str = text_field("SSHUser", "root", flag="ssh-user", required=True)
    ssh_port: int = number_field("SSHPort", 22, flag="ssh-port", bounds=(1, 65535))
    ssh_key_fingerprint: str = text_field("SSHKeyFingerprint", flag="ssh-key-fingerprint")
    ssh_key: str = path_field("SSHKey", flag="ssh-key-path")
    backups: bool = bool_field("Backups", flag="backups")
    monitoring: bool = bool_field("Monitoring", flag="monitoring")
    user_data_file: str = path_field("UserDataFile", flag="userdata")
    tags: str = text_field("Tags", flag="tags")
    # disks and network
    volumes: list[str] = list_field("Volumes", flag="volume")
    volume_size: int = number_field("VolumeSize", flag="volume-size", bounds=(0, LARGEST_VOLUME))
    ipv6: bool = bool_field("IPv6", flag="ipv6")
    private_networking: bool = bool_field("PrivateNetworking", flag="private-networking")
    vpc_uuid: str = text_field("VpcUUID", flag="vpc-uuid")
    use_private_ip: bool = bool_field("UsePrivateIP", flag="use-private-address")
    reserved_ip: str = text_field("ReservedIP", flag="reserved-ip")
    firewalls: list[str] = list_field("Firewalls", flag="firewall")
    open_ports: list[str] = list_field("OpenPorts", flag="open-port", convert=DriverFlags.port)
    allow_from: list[str] = list_field("AllowFrom", flag="allow-from", convert=DriverFlags.network)
    # what was looked up
    account: str = text_field("Account")
    peer_cidrs: list[str] = list_field("Neighbours")  # networks that get in where only some do
    volume_ids: list[str] = list_field("VolumeIDs")
    attached_firewalls: dict[str, str] | None = optional_mapping_field(
        "Joined"
    )  # id -> the tag by which it selects, or ""
    # what was made
    tag: str = text_field("Tag")
    droplet_id: int = number_field("DropletID")
    droplet_name: str = text_field("DropletName")
    ssh_key_id: int = number_field("SSHKeyID")
    key_name: str | None = optional_text_field("KeyName")  # "" for a key that was there before
    firewall_name: str = text_field("FirewallName")
    firewall_id: str = text_field("FirewallID")
    own_volume_name: str = text_field("OwnVolumeName")
    own_volume_id: str = text_field("OwnVolumeID")
    reserved_address: str = text_field("ReservedAddress")

    @property
    def existing_key(self) -> bool:
        return bool(self.ssh_key_fingerprint)

    @property
    def create_requested(self) -> bool:
        return bool(self.tag)

    @property
    def looked_up(self) -> bool:
        return self.attached_firewalls is not None

    @property
    def firewalls_to_join(self) -> list[str]:
        """Names or ids of firewalls that exist."""
        return [name for name in self.firewalls if name != NO_FIREWALL]

    def missing_options(self) -> list[MissingOption]:
        if self.access_token:
            return []
        maker = "https://cloud.digitalocean.com/account/api/tokens"
        return [FLAGS.missing_token("access-token", "DIGITALOCEAN_ACCESS_TOKEN", maker)]

    def validate(self) -> None:
        if len(self.volumes) + bool(self.volume_size) > MOST_VOLUMES:
            raise FLAGS.wrong("volume", ", ".join(self.volumes), f"at most {MOST_VOLUMES} volumes, a new one included")
        self.tags = ",".join(split_tags(self.tags))
        own_rules = bool(self.open_ports or self.allow_from)
        FLAGS.check_firewalls("firewall", self.firewalls, NO_FIREWALL, own_rules=own_rules)
        self.reserved_ip = _reserved_ip(self)


def split_tags(tags: str) -> list[str]:
    """The words of --digitalocean-tags. Raises UsageError on one that DigitalOcean does not take."""
    found = [word.strip() for word in tags.split(",") if word.strip()]
    for word in found:
        if not _TAG.fullmatch(word) or word.startswith("machine-id:"):
            raise FLAGS.wrong("tags", word, "words of letters, digits, `:`, `-` and `_`, other than machine-id:")
    return list(dict.fromkeys(found))


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
