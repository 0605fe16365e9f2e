"""What a machine of driver amazonec2 shall be, and what is known of it: the Driver object of config.json, typed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from machine.drivers.amazonec2.images import DISTRIBUTIONS
from machine.drivers.amazonec2.options import GROUP
from machine.drivers.cloud.config import CloudConfig, bool_field, list_field, number_field, path_field, text_field
from machine.drivers.cloud.flags import PRICE, DriverFlags
from machine.drivers.cloud.ports import group_name
from machine.drivers.missing_options import MissingOption
from machine.errors import UsageError

FLAGS = DriverFlags("amazonec2")
SWITCH = ("enabled", "disabled")
_REGION = (r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", "a region such as eu-central-1")


@dataclass(repr=False)
class Config(CloudConfig):
    """The keys are docker-machine's where it has them, then those of its forks, then ours."""

    flags = FLAGS
    default_user: ClassVar[str] = "ubuntu"

    # credentials and where to ask
    access_key: str = text_field("AccessKey", flag="access-key")
    secret_key: str = text_field("SecretKey", flag="secret-key")
    session_token: str = text_field("SessionToken", flag="session-token")
    profile: str = text_field("Profile", flag="profile")
    region: str = text_field("Region", flag="region", pattern=_REGION)
    endpoint: str = text_field("Endpoint", flag="endpoint")
    insecure: bool = bool_field("DisableSSL", flag="insecure-transport")
    retries: int = number_field("RetryCount", 5, flag="retries", bounds=(-1, 100))
    api_timeout: int = number_field("ApiTimeout", 30, flag="api-timeout", bounds=(1, 3600))
    # the machine
    distribution: str = text_field("Distribution", flag="distribution", one_of=tuple(DISTRIBUTIONS))
    ami: str = text_field("AMI", flag="ami")
    instance_type: str = text_field("InstanceType", flag="instance-type")
    ssh_user: str = text_field("SSHUser", flag="ssh-user")
    ssh_port: int = number_field("SSHPort", 22, flag="ssh-port", bounds=(1, 65535))
    key_name: str = text_field("KeyName", flag="keypair-name")
    existing_key: bool = bool_field("ExistingKey", flag="keypair-name")
    ssh_key: str = path_field("SSHPrivateKeyPath", flag="ssh-keypath")
    iam_instance_profile: str = text_field("IamInstanceProfile", flag="iam-instance-profile")
    user_data_file: str = path_field("UserDataFile", flag="userdata")
    tags: str = text_field("Tags", flag="tags")
    monitoring: bool = bool_field("Monitoring", flag="monitoring")
    http_endpoint: str = text_field("HttpEndpoint", "enabled", flag="http-endpoint", one_of=SWITCH)
    http_tokens: str = text_field(
        "HttpTokens", "required", flag="http-tokens", alias="metadata-token", one_of=("required", "optional")
    )
    http_protocol_ipv6: str = text_field("HttpProtocolIpv6", "disabled", flag="http-protocol-ipv6", one_of=SWITCH)
    http_hop_limit: int = number_field(
        "MetadataTokenResponseHopLimit", 2, flag="metadata-token-response-hop-limit", bounds=(1, 64)
    )
    spot: bool = bool_field("RequestSpotInstance", flag="request-spot-instance")
    spot_price: str = text_field("SpotPrice", flag="spot-price", pattern=PRICE)
    block_duration_minutes: int = number_field("BlockDurationMinutes", flag="block-duration-minutes")
    # its disk
    device_name: str = text_field("DeviceName", flag="device-name")
    root_size: int = number_field("RootSize", flag="root-size", bounds=(1, 65536))  # GB
    volume_type: str = text_field("VolumeType", flag="volume-type")
    volume_iops: int = number_field("VolumeIops", flag="volume-iops")
    volume_throughput: int = number_field("VolumeThroughput", flag="volume-throughput")
    ebs_optimized: bool = bool_field("UseEbsOptimizedInstance", flag="use-ebs-optimized-instance")
    encrypt_volume: bool = bool_field("EncryptEbsVolume", flag="encrypt-ebs-volume", alias="volume-encrypted")
    volume_encrypted: bool = bool_field("VolumeEncrypted")  # as another fork records it
    kms_key: str = text_field("VolumeKmsKeyId", flag="kms-key", alias="volume-kms-key")
    # its network
    vpc_id: str = text_field("VpcId", flag="vpc-id")
    subnet_id: str = text_field("SubnetId", flag="subnet-id")
    zone_letter: str = text_field("Zone", flag="zone")  # or the whole name
    private_only: bool = bool_field("PrivateIPOnly", flag="private-address-only")
    use_private_ip: bool = bool_field("UsePrivateIP", flag="use-private-address")
    fixed_private_ip: str = text_field("FixedPrivateIP", flag="private-ip-address")
    ipv6_address_count: int = number_field("Ipv6AddressCount", flag="ipv6-address-count", bounds=(0, 100))
    primary_ipv6: bool = bool_field("EnablePrimaryIpv6", flag="enable-primary-ipv6")
    ipv6_only: bool = bool_field("Ipv6AddressOnly", flag="ipv6-address-only")
    security_group_names: list[str] = list_field("SecurityGroupNames", flag="security-group")
    security_group_name: str = text_field("SecurityGroupName")  # of docker-machine's older records
    security_group_readonly: bool = bool_field("SecurityGroupReadOnly", flag="security-group-readonly")
    open_ports: list[str] = list_field("OpenPorts", flag="open-port", convert=DriverFlags.port)
    allow_from: list[str] = list_field("AllowFrom", flag="allow-from", convert=DriverFlags.network)
    # what was looked up
    account: str = text_field("AccountID")
    architecture: str = text_field("Architecture")
    subnets: list[str] = list_field("Subnets")  # to be tried in turn
    # what was made
    client_token: str = text_field("ClientToken")
    launches: int = number_field("Launches")
    instance_id: str = text_field("InstanceId")
    reservation_id: str = text_field("ReservationId")
    private_ip: str = text_field("PrivateIPAddress")
    key_pair_id: str = text_field("KeyPairId")
    security_group_ids: list[str] = list_field("SecurityGroupIds")

    @property
    def create_requested(self) -> bool:
        return bool(self.client_token)

    @property
    def looked_up(self) -> bool:
        return bool(self.subnets)

    @property
    def zone(self) -> str:
        """The full name of the wanted zone, "" for any: docker-machine keeps the letter alone."""
        return f"{self.region}{self.zone_letter}" if len(self.zone_letter) == 1 else self.zone_letter

    @property
    def groups(self) -> list[str]:
        """The wanted security groups, by name or id."""
        return [name for name in self.security_group_names or [self.security_group_name] if name]

    @property
    def encrypted(self) -> bool:
        """Whether the root disk shall be encrypted."""
        return bool(self.encrypt_volume or self.volume_encrypted or self.kms_key)

    def missing_options(self) -> Iterator[MissingOption]:
        if bool(self.access_key) != bool(self.secret_key):
            missing = "secret-key" if self.access_key else "access-key"
            yield MissingOption(
                f"--amazonec2-{missing} is missing: the two keys belong together",
                "give both, or neither to use the SDK's own chain (--amazonec2-profile, SSO, role)",
                credential=True,
            )
        if self.key_name and not self.ssh_key:
            yield FLAGS.missing_private_key("keypair-name", "ssh-keypath")

    def validate(self) -> None:
        distribution = DISTRIBUTIONS[self.distribution]
        self.ssh_user = self.ssh_user or (self.default_user if self.ami else distribution.user)
        self.security_group_names = self.security_group_names or [group_name(GROUP, self.allow_from)]
        split_tags(self.tags)
        _check_addresses(self)
        _check_disk(self)


def split_tags(tags: str) -> dict[str, str]:
    """`key,value,key,value` as a mapping.

    Raises UsageError on an odd number of words and on keys that EC2 keeps to itself.
    """
    return FLAGS.tags(tags, ("Name", "machine-id"), refused="^(?i:aws:)")


def _check_addresses(config: Config) -> None:
    if config.fixed_private_ip:
        FLAGS.ip("private-ip-address", config.fixed_private_ip)
    if config.ipv6_only and (config.private_only or config.use_private_ip):
        raise UsageError(
            "--amazonec2-ipv6-address-only and a private address exclude each other",
            resolution="give one of --amazonec2-ipv6-address-only, --amazonec2-private-address-only, "
            "--amazonec2-use-private-address",
        )
    if (config.ipv6_only or config.primary_ipv6) and not config.ipv6_address_count:
        raise UsageError(
            "an IPv6 address is wanted, but none is asked for", resolution="add --amazonec2-ipv6-address-count 1"
        )


def _check_disk(config: Config) -> None:
    """Which kinds of volume take iops and throughput; how much of them is EC2's to say (its check before a launch)."""
    for flag, value, kinds in (
        ("volume-iops", config.volume_iops, ("gp3", "io1", "io2")),
        ("volume-throughput", config.volume_throughput, ("gp3",)),
    ):
        if value < 0:
            raise FLAGS.wrong(flag, value, "a number above 0")
        if value and config.volume_type not in kinds:
            raise UsageError(
                f"--amazonec2-{flag} means nothing for a volume of type {config.volume_type}",
                resolution=f"leave it out, or give --amazonec2-volume-type {' or '.join(kinds)}",
            )
    if config.volume_type in ("io1", "io2") and not config.volume_iops:
        raise UsageError(
            f"a volume of type {config.volume_type} needs a number of operations a second",
            resolution="add --amazonec2-volume-iops 3000, say; or take --amazonec2-volume-type gp3",
        )
