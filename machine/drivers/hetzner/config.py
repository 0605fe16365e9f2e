"""What a machine of driver hetzner shall be, and what is known of it: the Driver object of config.json, typed."""

from __future__ import annotations

from dataclasses import dataclass

from machine.drivers.cloud.config import (
    CloudConfig,
    bool_field,
    list_field,
    mapping_field,
    number_field,
    path_field,
    text_field,
)
from machine.drivers.cloud.flags import DriverFlags, absolute
from machine.drivers.hetzner.options import API, IMAGE, NO_FIREWALL, SERVER_TYPE
from machine.drivers.missing_options import MissingOption
from machine.errors import UsageError

FLAGS = DriverFlags("hetzner")
OWN_LABEL = "machine-id"  # of everything that is made for one machine
_URL = (r"https?://[^/\s?#@]+(/[^\s?#]*)?", f"a URL such as {API}")
_WORD = r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
_LABEL = (
    rf"([a-z0-9.-]{{1,253}}/)?{_WORD}=({_WORD})?",
    f"KEY=VALUE as Hetzner's labels are, another key than {OWN_LABEL}",
)
_ANY_ID = (0, 2**53)
_SECONDS = (0, 86400)


@dataclass(repr=False)
class Config(CloudConfig):
    """The keys are the plugin's where it has them, then ours."""

    flags = FLAGS

    # credentials and where to ask
    access_token: str = text_field("AccessToken", flag="api-token")
    endpoint: str = text_field("Endpoint", API, flag="endpoint", required=True, pattern=_URL)
    api_timeout: int = number_field("ApiTimeout", 30, flag="api-timeout", bounds=(1, 3600))
    retry_seconds: int = number_field("RetrySeconds", 30, flag="retry-seconds", bounds=(0, 3600))
    # the machine
    image: str = text_field("Image", flag="image", excludes="image-id")
    image_id: int = number_field("ImageID", flag="image-id", bounds=_ANY_ID)
    image_arch: str = text_field("ImageArch", flag="image-arch", excludes="image-id", one_of=("", "x86", "arm"))
    server_type: str = text_field("Type", SERVER_TYPE, flag="server-type", required=True)
    location: str = text_field("Location", flag="server-location")
    ssh_user: str = text_field("SSHUser", "root", flag="ssh-user", required=True)
    ssh_port: int = number_field("SSHPort", 22, flag="ssh-port", bounds=(1, 65535))
    server_labels: dict[str, str] = mapping_field(
        "ServerLabels", flag="server-label", pattern=_LABEL, reserved=(OWN_LABEL,)
    )
    placement_group: str = text_field("PlacementGroup", flag="placement-group", excludes="auto-spread")
    auto_spread: bool = bool_field("AutoSpread", flag="auto-spread")
    # who gets in, and what cloud-init is told
    project_key: str = text_field("ExistingKey", flag="existing-key-id")
    ssh_key: str = path_field("ExistingKeyPath", flag="existing-key-path")
    additional_keys: list[str] = list_field("AdditionalKeys", flag="additional-key")
    key_labels: dict[str, str] = mapping_field("KeyLabels", flag="key-label", pattern=_LABEL, reserved=(OWN_LABEL,))
    user_data_text: str = text_field("UserData", flag="user-data", excludes="user-data-file")
    user_data_file: str = path_field("UserDataFile", flag="user-data-file")
    user_data_is_path: bool = bool_field("UserDataFromFile", flag="user-data-from-file")
    # disks and network
    volumes: list[str] = list_field("Volumes", flag="volumes")
    networks: list[str] = list_field("Networks", flag="networks")
    use_private_network: bool = bool_field("UsePrivateNetwork", flag="use-private-network", alias="disable-public")
    no_ipv4: bool = bool_field("DisablePublic4", flag="disable-public-ipv4", alias="disable-public-4")
    no_ipv6: bool = bool_field("DisablePublic6", flag="disable-public-ipv6", alias="disable-public-6")
    no_public: bool = bool_field("DisablePublic", flag="disable-public")
    primary_ipv4: str = text_field("PrimaryIPv4", flag="primary-ipv4")
    primary_ipv6: str = text_field("PrimaryIPv6", flag="primary-ipv6")
    firewalls: list[str] = list_field("Firewalls", flag="firewalls")
    open_ports: list[str] = list_field("OpenPorts", flag="open-port", convert=DriverFlags.port)
    allow_from: list[str] = list_field("AllowFrom", flag="allow-from", convert=DriverFlags.network)
    # how long it is waited for
    wait_on_error: int = number_field("WaitOnError", flag="wait-on-error", bounds=_SECONDS)
    wait_on_polling: int = number_field("WaitOnPolling", 1, flag="wait-on-polling", bounds=_SECONDS)
    running_timeout: int = number_field("WaitForRunningTimeout", flag="wait-for-running-timeout", bounds=_SECONDS)
    # what was looked up
    account: str = text_field("Account")
    found_image: int = number_field("FoundImageID")
    volume_ids: list[str] = list_field("VolumeIDs")
    network_ids: list[str] = list_field("NetworkIDs")
    firewall_ids: list[str] = list_field("FirewallIDs")
    primary_ipv4_id: int = number_field("PrimaryIPv4ID")
    primary_ipv6_id: int = number_field("PrimaryIPv6ID")
    # what was made
    machine_label: str = text_field("MachineLabel")  # the value of OWN_LABEL
    key_id: int = number_field("KeyID")
    existing_key: bool = bool_field("IsExistingKey")  # the project had it before
    additional_key_ids: list[str] = list_field("AdditionalKeyIDs")  # the plugin's; ours have the label
    firewall_id: int = number_field("FirewallID")
    placement_group_id: int = number_field("PlacementGroupID")
    server_id: int = number_field("ServerID")

    @property
    def create_requested(self) -> bool:
        return bool(self.machine_label)

    @property
    def looked_up(self) -> bool:
        return bool(self.found_image)

    @property
    def retries_enabled(self) -> bool:
        return self.retry_seconds > 0

    @property
    def firewalls_to_join(self) -> list[str]:
        """Names, ids or labels of firewalls that exist."""
        return [name for name in self.firewalls if name != NO_FIREWALL]

    def missing_options(self) -> list[MissingOption]:
        if self.access_token:
            return []
        return [
            MissingOption(
                "the driver hetzner needs an API token",
                "set $HETZNER_API_TOKEN, or add --hetzner-api-token; https://console.hetzner.cloud makes one "
                "(the project, Security, API tokens, Read & Write)",
                credential=True,
            )
        ]

    def validate(self) -> None:
        self.image = self.image or ("" if self.image_id else IMAGE)
        self.project_key = "" if self.project_key == "0" else self.project_key
        self.existing_key = bool(self.project_key)
        if self.user_data_is_path:  # the plugin's old way
            self.user_data_file, self.user_data_text = absolute(self.user_data_text), ""
        self.no_ipv4, self.no_ipv6 = self.no_ipv4 or self.no_public, self.no_ipv6 or self.no_public
        for family, off, address in (("4", self.no_ipv4, self.primary_ipv4), ("6", self.no_ipv6, self.primary_ipv6)):
            if off and address:
                raise UsageError(
                    f"--hetzner-primary-ipv{family} and --hetzner-disable-public-ipv{family} exclude each other",
                    resolution="give one of the two",
                )
        if self.no_ipv4 and self.no_ipv6 and not self.use_private_network:
            raise UsageError(
                "--hetzner-disable-public-ipv4 and --hetzner-disable-public-ipv6 leave no address to reach it at",
                resolution="add --hetzner-use-private-network and a --hetzner-networks, or leave one of the two out",
            )
        if self.use_private_network and not self.networks:
            raise UsageError(
                "--hetzner-use-private-network needs a network", resolution="name it with --hetzner-networks NAME"
            )
        _check_firewalls(self)


def _check_firewalls(config: Config) -> None:
    names = config.firewalls
    if names and (config.open_ports or config.allow_from):
        raise UsageError(
            "--hetzner-open-port and --hetzner-allow-from are for a firewall of the machine's own",
            resolution="leave --hetzner-firewalls out, or change the rules of that firewall instead",
        )
    if NO_FIREWALL in names and len(names) > 1:
        raise FLAGS.wrong("firewalls", ", ".join(names), f"names, or {NO_FIREWALL!r} alone")
