"""What a machine of driver hetzner shall be, and what is known of it: the Driver object of config.json, typed."""

from __future__ import annotations

from dataclasses import dataclass

from machine.drivers.cloud import config as kit
from machine.drivers.cloud.flags import DriverFlags, absolute
from machine.drivers.hetzner.options import API, IMAGE, NO_FIREWALL, SERVER_TYPE
from machine.drivers.missing_options import MissingOption
from machine.errors import UsageError

FLAGS = DriverFlags("hetzner")
OWN_LABEL = "machine-id"  # of everything that is made for one machine
_URL = (r"https?://[^/\s?#@]+(/[^\s?#]*)?", f"a URL such as {API}")
_WORD = r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
_LABEL = (rf"([a-z0-9.-]{{1,253}}/)?{_WORD}=({_WORD})?", f"KEY=VALUE, with another key than {OWN_LABEL}")
_OURS = (OWN_LABEL,)
_ANY_ID = (0, 2**53)
_SECONDS = (0, 86400)


@dataclass(repr=False)
class Config(kit.CloudConfig):
    """The keys are the plugin's where it has them, then ours."""

    flags = FLAGS

    # credentials and where to ask
    access_token: str = kit.text_field("AccessToken", flag="api-token")
    endpoint: str = kit.text_field("Endpoint", API, flag="endpoint", required=True, pattern=_URL)
    api_timeout: int = kit.number_field("ApiTimeout", 30, flag="api-timeout", bounds=(1, 3600))
    retry_seconds: int = kit.number_field("RetrySeconds", 30, flag="retry-seconds", bounds=(0, 3600))
    # the machine
    image: str = kit.text_field("Image", flag="image", excludes="image-id")
    image_id: int = kit.number_field("ImageID", flag="image-id", bounds=_ANY_ID)
    image_arch: str = kit.text_field("ImageArch", flag="image-arch", excludes="image-id", one_of=("", "x86", "arm"))
    server_type: str = kit.text_field("Type", SERVER_TYPE, flag="server-type", required=True)
    location: str = kit.text_field("Location", flag="server-location")
    ssh_user: str = kit.text_field("SSHUser", "root", flag="ssh-user", required=True)
    ssh_port: int = kit.number_field("SSHPort", 22, flag="ssh-port", bounds=(1, 65535))
    server_labels: dict[str, str] = kit.mapping_field("ServerLabels", flag="server-label", pattern=_LABEL, own=_OURS)
    placement_group: str = kit.text_field("PlacementGroup", flag="placement-group", excludes="auto-spread")
    auto_spread: bool = kit.bool_field("AutoSpread", flag="auto-spread")
    # who gets in, and what cloud-init is told
    project_key: str = kit.text_field("ExistingKey", flag="existing-key-id")
    ssh_key: str = kit.path_field("ExistingKeyPath", flag="existing-key-path")
    additional_keys: list[str] = kit.list_field("AdditionalKeys", flag="additional-key", convert=DriverFlags.public_key)
    key_labels: dict[str, str] = kit.mapping_field("KeyLabels", flag="key-label", pattern=_LABEL, own=_OURS)
    user_data_text: str = kit.text_field("UserData", flag="user-data", excludes="user-data-file")
    user_data_file: str = kit.path_field("UserDataFile", flag="user-data-file")
    user_data_is_path: bool = kit.bool_field("UserDataFromFile", flag="user-data-from-file")
    # disks and network
    volumes: list[str] = kit.list_field("Volumes", flag="volumes")
    networks: list[str] = kit.list_field("Networks", flag="networks")
    use_private_network: bool = kit.bool_field("UsePrivateNetwork", flag="use-private-network", alias="disable-public")
    no_ipv4: bool = kit.bool_field("DisablePublic4", flag="disable-public-ipv4", alias="disable-public-4")
    no_ipv6: bool = kit.bool_field("DisablePublic6", flag="disable-public-ipv6", alias="disable-public-6")
    no_public: bool = kit.bool_field("DisablePublic", flag="disable-public")
    primary_ipv4: str = kit.text_field("PrimaryIPv4", flag="primary-ipv4")
    primary_ipv6: str = kit.text_field("PrimaryIPv6", flag="primary-ipv6")
    firewalls: list[str] = kit.list_field("Firewalls", flag="firewalls")
    open_ports: list[str] = kit.list_field("OpenPorts", flag="open-port", convert=DriverFlags.port)
    allow_from: list[str] = kit.list_field("AllowFrom", flag="allow-from", convert=DriverFlags.network)
    # how long it is waited for
    wait_on_error: int = kit.number_field("WaitOnError", flag="wait-on-error", bounds=_SECONDS)
    wait_on_polling: int = kit.number_field("WaitOnPolling", 1, flag="wait-on-polling", bounds=_SECONDS)
    running_timeout: int = kit.number_field("WaitForRunningTimeout", flag="wait-for-running-timeout", bounds=_SECONDS)
    # what was looked up
    account: str = kit.text_field("Account")
    found_image: int = kit.number_field("FoundImageID")
    volume_ids: list[str] = kit.list_field("VolumeIDs")
    network_ids: list[str] = kit.list_field("NetworkIDs")
    firewall_ids: list[str] = kit.list_field("FirewallIDs")
    primary_ipv4_id: int = kit.number_field("PrimaryIPv4ID")
    primary_ipv6_id: int = kit.number_field("PrimaryIPv6ID")
    # what was made
    machine_label: str = kit.text_field("MachineLabel")  # the value of OWN_LABEL
    key_id: int = kit.number_field("KeyID")
    existing_key: bool = kit.bool_field("IsExistingKey")  # the project had it before
    additional_key_ids: list[str] = kit.list_field("AdditionalKeyIDs")  # the plugin's; ours have the label
    firewall_id: int = kit.number_field("FirewallID")
    placement_group_id: int = kit.number_field("PlacementGroupID")
    server_id: int = kit.number_field("ServerID")

    @property
    def create_requested(self) -> bool:
        return bool(self.machine_label)

    @property
    def looked_up(self) -> bool:
        return bool(self.found_image)

    def missing_options(self) -> list[MissingOption]:
        missing = FLAGS.missing_token("api-token", "HETZNER_API_TOKEN", "https://console.hetzner.cloud")
        return [] if self.access_token else [missing]

    def validate(self) -> None:
        self.image = self.image or ("" if self.image_id else IMAGE)
        self.project_key = "" if self.project_key == "0" else self.project_key
        self.existing_key = bool(self.project_key)
        if self.user_data_is_path:  # the plugin's old way
            self.user_data_file, self.user_data_text = absolute(self.user_data_text), ""
        self.no_ipv4, self.no_ipv6 = self.no_ipv4 or self.no_public, self.no_ipv6 or self.no_public
        for family, off, address in (("4", self.no_ipv4, self.primary_ipv4), ("6", self.no_ipv6, self.primary_ipv6)):
            if off and address:
                wanted = f"one of the two: that, or --hetzner-disable-public-ipv{family}"
                raise FLAGS.wrong(f"primary-ipv{family}", address, wanted)
        if self.no_ipv4 and self.no_ipv6 and not self.use_private_network:
            words = "--hetzner-disable-public-ipv4 and --hetzner-disable-public-ipv6 leave no address to reach it at"
            raise UsageError(words, resolution="add --hetzner-use-private-network, or leave one of the two out")
        if self.use_private_network and not self.networks:
            words = "--hetzner-use-private-network needs a network"
            raise UsageError(words, resolution="name one with --hetzner-networks")
        own_rules = bool(self.open_ports or self.allow_from)
        FLAGS.check_firewalls("firewalls", self.firewalls, NO_FIREWALL, own_rules=own_rules)
