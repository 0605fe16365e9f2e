"""What a machine of driver amazonec2 shall be, and what is known of it: the Driver object of config.json, typed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from machine.drivers.amazonec2.images import DISTRIBUTIONS
from machine.drivers.amazonec2.options import GROUP
from machine.drivers.cloud.config import CloudConfig, number, path, switch, text, words
from machine.drivers.cloud.flags import Flags
from machine.drivers.cloud.ports import group_name
from machine.drivers.gaps import MissingOption
from machine.errors import UsageError

FLAGS = Flags("amazonec2")
SWITCH = ("enabled", "disabled")
_REGION = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"


@dataclass(repr=False)
class Config(CloudConfig):
    """The keys are docker-machine's where it has them, then those of its forks, then ours."""

    flags = FLAGS
    default_user: ClassVar[str] = "ubuntu"

    # credentials and where to ask
    access_key: str = text("AccessKey", flag="access-key")
    secret_key: str = text("SecretKey", flag="secret-key")
    session_token: str = text("SessionToken", flag="session-token")
    profile: str = text("Profile", flag="profile")
    region: str = text("Region", flag="region", pattern=_REGION, wanted="a region such as eu-central-1")
    endpoint: str = text("Endpoint", flag="endpoint")
    insecure: bool = switch("DisableSSL", flag="insecure-transport")
    retries: int = number("RetryCount", 5, flag="retries", span=(-1, 100))
    api_timeout: int = number("ApiTimeout", 30, flag="api-timeout", span=(1, 3600))
    # the machine
    distribution: str = text("Distribution", flag="distribution", one_of=tuple(DISTRIBUTIONS))
    ami: str = text("AMI", flag="ami")
    instance_type: str = text("InstanceType", flag="instance-type")
    ssh_user: str = text("SSHUser", flag="ssh-user")
    ssh_port: int = number("SSHPort", 22, flag="ssh-port", span=(1, 65535))
    key_name: str = text("KeyName", flag="keypair-name")
    existing_key: bool = switch("ExistingKey", flag="keypair-name")
    ssh_key: str = path("SSHPrivateKeyPath", flag="ssh-keypath")
    iam_instance_profile: str = text("IamInstanceProfile", flag="iam-instance-profile")
    user_data_file: str = path("UserDataFile", flag="userdata")
    tags: str = text("Tags", flag="tags")
    monitoring: bool = switch("Monitoring", flag="monitoring")
    http_endpoint: str = text("HttpEndpoint", "enabled", flag="http-endpoint", one_of=SWITCH)
    http_tokens: str = text(
        "HttpTokens", "required", flag="http-tokens", alias="metadata-token", one_of=("required", "optional")
    )
    http_protocol_ipv6: str = text("HttpProtocolIpv6", "disabled", flag="http-protocol-ipv6", one_of=SWITCH)
    http_hop_limit: int = number(
        "MetadataTokenResponseHopLimit", 2, flag="metadata-token-response-hop-limit", span=(1, 64)
    )
    spot: bool = switch("RequestSpotInstance", flag="request-spot-instance")
    spot_price: str = text("SpotPrice", flag="spot-price", pattern=r"\d*\.?\d+", wanted="dollars an hour, such as 0.05")
    block_duration_minutes: int = number("BlockDurationMinutes", flag="block-duration-minutes")
    # its disk
    device_name: str = text("DeviceName", flag="device-name")
    root_size: int = number("RootSize", flag="root-size", span=(1, 65536))  # GB
    volume_type: str = text("VolumeType", flag="volume-type")
    volume_iops: int = number("VolumeIops", flag="volume-iops")
    volume_throughput: int = number("VolumeThroughput", flag="volume-throughput")
    ebs_optimized: bool = switch("UseEbsOptimizedInstance", flag="use-ebs-optimized-instance")
    encrypt_volume: bool = switch("EncryptEbsVolume", flag="encrypt-ebs-volume", alias="volume-encrypted")
    volume_encrypted: bool = switch("VolumeEncrypted")  # as another fork records it
    kms_key: str = text("VolumeKmsKeyId", flag="kms-key", alias="volume-kms-key")
    # its network
    vpc_id: str = text("VpcId", flag="vpc-id")
    subnet_id: str = text("SubnetId", flag="subnet-id")
    zone_letter: str = text("Zone", flag="zone")  # or the whole name
    private_only: bool = switch("PrivateIPOnly", flag="private-address-only")
    use_private_ip: bool = switch("UsePrivateIP", flag="use-private-address")
    fixed_private_ip: str = text("FixedPrivateIP", flag="private-ip-address")
    ipv6_address_count: int = number("Ipv6AddressCount", flag="ipv6-address-count", span=(0, 100))
    primary_ipv6: bool = switch("EnablePrimaryIpv6", flag="enable-primary-ipv6")
    ipv6_only: bool = switch("Ipv6AddressOnly", flag="ipv6-address-only")
    security_group_names: list[str] = words("SecurityGroupNames", flag="security-group")
    security_group_name: str = text("SecurityGroupName")  # of docker-machine's older records
    security_group_readonly: bool = switch("SecurityGroupReadOnly", flag="security-group-readonly")
    open_ports: list[str] = words("OpenPorts", flag="open-port", each=Flags.port)
    allow_from: list[str] = words("AllowFrom", flag="allow-from", each=Flags.network)
    # what was looked up
    account: str = text("AccountID")
    architecture: str = text("Architecture")
    subnets: list[str] = words("Subnets")  # to be tried in turn
    # what was made
    client_token: str = text("ClientToken")
    launches: int = number("Launches")
    instance_id: str = text("InstanceId")
    reservation_id: str = text("ReservationId")
    private_ip: str = text("PrivateIPAddress")
    key_pair_id: str = text("KeyPairId")
    security_group_ids: list[str] = words("SecurityGroupIds")

    @property
    def asked(self) -> bool:
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
    """`key,value,key,value` as a mapping; UsageError on an odd number of words and on keys that EC2 keeps to itself."""
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
