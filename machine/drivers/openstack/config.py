"""What a machine of driver openstack shall be, and what is known of it: the Driver object of config.json, typed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from machine.drivers.cloud.config import CloudConfig, bool_field, list_field, number_field, path_field, text_field
from machine.drivers.cloud.flags import DriverFlags
from machine.drivers.cloud.ports import group_name
from machine.drivers.missing_options import MissingOption
from machine.drivers.openstack import conoha
from machine.drivers.openstack.options import DEFAULT_GROUP_NAME, PROFILES, RETRIES
from machine.errors import UsageError

FLAGS = DriverFlags("openstack")
KEYS_OF_OTHERS = {"DomainId": "DomainID"}  # docker-machine's forks spell some keys otherwise
CONFIG_KINDS = ("yaml", "yml", "json")
INTERFACES = ("public", "internal", "admin")
SERVICES = ("block-storage", "compute", "identity", "image", "network", "volume", "volumev3")  # that are asked
_URL = re.compile(r"https?://[^\s/?#]+[^\s?#]*")


def _endpoint(flags: DriverFlags, given: str) -> str:
    """SERVICE=URL as it is. Raises UsageError if it is not of that form, or the service is not one that is used."""
    service, _, url = given.partition("=")
    if not _URL.fullmatch(url):
        raise flags.wrong("endpoint", given, "SERVICE=URL, such as compute=https://HOST:8774/v2.1")
    if service not in SERVICES:
        raise flags.wrong("endpoint", given, "the URL of one of " + ", ".join(SERVICES))
    return given


@dataclass(repr=False)
class Config(CloudConfig):
    """The keys are docker-machine's where it has them, then those of its fork, then ours."""

    flags = FLAGS

    # where to ask
    auth_url: str = text_field("AuthUrl", flag="auth-url")
    cloud: str = text_field("Cloud", flag="cloud")  # of a clouds.yaml
    client_config_file: str = path_field("ClientConfigFile", flag="client-config-file")
    profile: str = text_field("Profile", flag="profile")  # openstack or conoha; "" when only the clouds.yaml can tell
    insecure: bool = bool_field("Insecure", flag="insecure")
    ca_cert: str = path_field("CaCert", flag="cacert")
    region: str = text_field("Region", flag="region")
    endpoint_type: str = text_field("EndpointType", flag="endpoint-type")
    endpoints: list[str] = list_field("Endpoints", flag="endpoint", convert=_endpoint)  # SERVICE=URL
    api_timeout: int = number_field("ApiTimeout", 60, flag="api-timeout", bounds=(1, 3600))
    retries: int = number_field("Retries", RETRIES, flag="retries", bounds=(0, 100))
    # credentials
    username: str = text_field("Username", flag="username")
    user_id: str = text_field("UserId", flag="user-id")
    password: str = text_field("Password", flag="password")
    token: str = text_field("Token", flag="token")
    credential_id: str = text_field("ApplicationCredentialId", flag="application-credential-id")
    credential_name: str = text_field("ApplicationCredentialName", flag="application-credential-name")
    credential_secret: str = text_field("ApplicationCredentialSecret", flag="application-credential-secret")
    tenant_name: str = text_field("TenantName", flag="project-name", alias="tenant-name")
    tenant_id: str = text_field("TenantId", flag="project-id", alias="tenant-id")
    domain_name: str = text_field("DomainName", flag="domain-name")
    domain_id: str = text_field("DomainID", flag="domain-id")
    user_domain_name: str = text_field("UserDomainName", flag="user-domain-name")
    user_domain_id: str = text_field("UserDomainId", flag="user-domain-id")
    tenant_domain_name: str = text_field("TenantDomainName", flag="project-domain-name", alias="tenant-domain-name")
    tenant_domain_id: str = text_field("TenantDomainId", flag="project-domain-id", alias="tenant-domain-id")
    # the machine
    availability_zone: str = text_field("AvailabilityZone", flag="availability-zone")
    server_group_name: str = text_field("ServerGroupName", flag="server-group-name", excludes="server-group-id")
    server_group_id: str = text_field("ServerGroupId", flag="server-group-id")
    flavor_name: str = text_field("FlavorName", flag="flavor-name", excludes="flavor-id")
    flavor_id: str = text_field("FlavorId", flag="flavor-id")
    image_name: str = text_field("ImageName", flag="image-name", excludes="image-id")
    image_id: str = text_field("ImageId", flag="image-id")
    ssh_user: str = text_field("SSHUser", flag="ssh-user")
    ssh_port: int = number_field("SSHPort", 22, flag="ssh-port", bounds=(1, 65535))
    key_pair: str = text_field("KeyPairName", flag="keypair-name")
    existing_key: bool = bool_field("ExistingKey", flag="keypair-name")
    ssh_key: str = path_field("PrivateKeyFile", flag="private-key-file")
    admin_password: str = text_field("AdminPass", flag="admin-password")
    user_data_file: str = path_field("UserDataFile", flag="user-data-file")
    config_drive: bool = bool_field("ConfigDrive", flag="config-drive")
    metadata: str = text_field("Metadata", flag="metadata")
    active_timeout: int = number_field("ActiveTimeout", 300, flag="active-timeout", bounds=(1, 86400))
    # its disk
    boot_from_volume: bool = bool_field("BootFromVolume", flag="boot-from-volume")
    volume_size: int = number_field("VolumeSize", flag="volume-size", bounds=(0, 65536))
    volume_type: str = text_field("VolumeType", flag="volume-type")
    volume_name: str = text_field("VolumeName", flag="volume-name")
    volume_id: str = text_field("VolumeId", flag="volume-id")
    volume_device_path: str = text_field("VolumeDevicePath", flag="volume-device-path")
    # its network
    network_name: str = text_field("NetworkName", flag="net-name", excludes="net-id")
    network_id: str = text_field("NetworkId", flag="net-id")
    nova_network: bool = bool_field("ComputeNetwork", flag="nova-network")
    floating_ip_pool: str = text_field("FloatingIpPool", flag="floatingip-pool")
    ip_version: int = number_field("IpVersion", 4, flag="ip-version", one_of=(4, 6))
    security_groups: list[str] = list_field("SecurityGroups", flag="sec-groups")
    open_ports: list[str] = list_field("OpenPorts", flag="open-port", convert=DriverFlags.port)
    allow_from: list[str] = list_field("AllowFrom", flag="allow-from", convert=DriverFlags.network)
    own_group_name: str = text_field("OwnGroup")
    # what was looked up
    account: str = text_field("ProjectId")
    looked_up: bool = bool_field("Surveyed")
    floating_ip_pool_id: str = text_field("FloatingIpPoolId")
    own_volume_size: int = number_field("OwnVolumeSize")  # GB
    volume_zone: str = text_field("VolumeZone")
    # what was made
    create_requested: bool = bool_field("Asked")
    server_id: str = text_field("MachineId")
    security_group_ids: list[str] = list_field("SecurityGroupIds")
    own_volume_name: str = text_field("OwnVolumeName")
    own_volume_id: str = text_field("OwnVolumeId")
    floating_ip: str = text_field("FloatingIp")
    floating_ip_id: str = text_field("FloatingIpId")

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        return super().from_record({KEYS_OF_OTHERS.get(key, key): value for key, value in record.items()})

    @property
    def is_conoha(self) -> bool:
        """Whether the cloud is ConoHa. Records of docker-machine have no profile: their URL tells."""
        return (self.profile or _profile("auto", self.auth_url, self.cloud)) == conoha.NAME

    @property
    def retries_enabled(self) -> bool:
        return self.retries > 0

    @property
    def own_group(self) -> str:
        """The name of the group that machines make and share; records of before there were several have none."""
        return self.own_group_name or DEFAULT_GROUP_NAME

    @property
    def has_own_group(self) -> bool:
        """Whether the machine is in that group."""
        return self.own_group in self.security_groups

    @property
    def wants_floating_ip(self) -> bool:
        """Whether the machine is reached at a floating address, which its `create` makes."""
        return bool(self.floating_ip_pool) and self.create_requested and self.ip_version == 4

    def clouds_file(self) -> str:
        """The clouds.yaml of the directory we are in, where the SDK looks first and later commands may not be; ""."""
        if not self.cloud or self.client_config_file:
            return ""
        files = (f"clouds.{kind}" for kind in CONFIG_KINDS)
        return next((os.path.abspath(file) for file in files if os.path.exists(file)), "")

    def unused_options(self) -> list[str]:
        """The flags that are given and not used, since the clouds.yaml has what they say."""
        login = ("username", "user_id", "password", "token", "credential_", "tenant_", "domain_", "user_domain_")
        given = (
            field.flag
            for name, field in self.record_fields()
            if name.startswith(("auth_url", *login)) and getattr(self, name)
        )
        return [f"--openstack-{flag}" for flag in given] if self.cloud else []

    def detect_profile(self, url: str) -> None:
        """Settle the profile by the URL in the clouds.yaml, if it is still open.

        Raises UsageError as `check_conoha`.
        """
        if not self.profile:
            self.profile = _profile("auto", url)
            check_conoha(self)

    def missing_options(self) -> list[MissingOption]:
        return [*_missing_login(self), *_missing_machine(self)]

    def validate(self) -> None:
        self.auth_url = self.auth_url.strip()
        self.profile = _profile(self.profile, self.auth_url, self.cloud)
        if self.auth_url and not self.cloud and not _URL.fullmatch(self.auth_url):
            raise FLAGS.wrong("auth-url", self.auth_url, "a URL such as https://HOST:5000/v3")
        self.endpoint_type = self.endpoint_type.strip().removesuffix("URL")
        FLAGS.one_of("endpoint-type", self.endpoint_type, ("", *INTERFACES))
        tags(self.metadata)
        _check_volume(self)
        check_conoha(self)
        _check_address(self)
        _check_groups(self)
        more = self.volume_size or self.volume_type or self.volume_name or self.volume_id or self.volume_device_path
        self.boot_from_volume = bool(self.boot_from_volume or more)


def tags(metadata: str) -> dict[str, str]:
    """`key,value,key,value` as a mapping. Raises UsageError on an odd number of words, and on the key that is ours."""
    return FLAGS.tags(metadata, ("machine-id",), flag="metadata", refused=".{256}")


def _profile(wanted: str, url: str, cloud: str = "") -> str:
    """openstack or conoha; "" when only the clouds.yaml can tell."""
    word = FLAGS.one_of("profile", wanted.strip().lower(), PROFILES)
    if word == "auto" and cloud:
        return ""
    if word == "auto":
        return conoha.NAME if conoha.is_host(url) else "openstack"
    return word


def _missing_login(config: Config) -> Iterator[MissingOption]:
    """What is missing to log in: clouds.yaml has it all, else a URL and one of the three ways are needed."""
    if config.cloud:
        return
    if not config.auth_url.strip():
        yield MissingOption(
            "the driver openstack needs to know the cloud",
            "set $OS_AUTH_URL, add --openstack-auth-url, or name a cloud of clouds.yaml: --openstack-cloud",
            credential=True,
        )
    has_user = config.username or config.user_id
    if config.credential_id or config.credential_name:
        if not config.credential_secret:
            yield _missing("application-credential-secret", "an application credential")
        if not config.credential_id and not has_user:
            yield _missing("username", "an application credential named by its name")
        return
    if not config.token and not has_user:
        yield _missing("username", "the driver openstack")
    if not config.token and not config.password:
        yield _missing("password", "the user")
    if not (config.tenant_name or config.tenant_id):
        yield _missing("project-name", "the token" if config.token else "the user")


def _missing(flag: str, who: str) -> MissingOption:
    variable = "OS_" + flag.upper().replace("-", "_")
    return MissingOption(
        f"{who} needs --openstack-{flag}",
        f"set ${variable}, add --openstack-{flag}, or name a cloud of clouds.yaml: --openstack-cloud",
        credential=True,
    )


def _missing_machine(config: Config) -> Iterator[MissingOption]:
    """What is missing to make a server: its size, what it boots from, the private key of a key pair that exists."""
    for flag, given in (
        ("flavor", config.flavor_name or config.flavor_id),
        ("image", config.image_name or config.image_id or config.volume_id),
    ):
        if not given:
            yield MissingOption(
                f"the driver openstack needs to know the {flag}",
                f"add --openstack-{flag}-name; `openstack {flag} list` shows them",
            )
    if config.key_pair and not config.ssh_key:
        yield FLAGS.missing_private_key("keypair-name", "private-key-file")


def _check_volume(config: Config) -> None:
    if config.volume_id and (config.volume_size or config.volume_type or config.volume_name):
        raise UsageError(
            "--openstack-volume-id names a volume that exists: it has its size, type and name already",
            resolution="leave --openstack-volume-size, -type and -name out, or --openstack-volume-id",
        )


def check_conoha(config: Config) -> None:
    """Raises UsageError for what ConoHa has not, or does not take."""
    if not config.is_conoha:
        return
    if config.admin_password and not conoha.is_password(config.admin_password):
        raise UsageError(
            "ConoHa does not take that --openstack-admin-password",
            resolution="give 9 to 70 characters with a small and a capital letter, a digit and a symbol",
        )
    if config.floating_ip_pool:
        raise UsageError(
            "ConoHa has no floating addresses: a server's own address is a public one",
            resolution="leave --openstack-floatingip-pool out",
        )


def _check_address(config: Config) -> None:
    if config.ip_version == 6 and config.floating_ip_pool:
        raise UsageError(
            "floating addresses are of IPv4, and --openstack-ip-version is 6",
            resolution="leave --openstack-floatingip-pool out ($OS_FLOATINGIP_POOL counts too), or the version",
        )


def _check_groups(config: Config) -> None:
    names = config.security_groups or [DEFAULT_GROUP_NAME]
    config.own_group_name = group_name(DEFAULT_GROUP_NAME, config.allow_from)
    if (config.open_ports or config.allow_from) and DEFAULT_GROUP_NAME not in names:
        raise UsageError(
            f"--openstack-open-port and --openstack-allow-from are for the group {DEFAULT_GROUP_NAME}",
            resolution=f"add {DEFAULT_GROUP_NAME} to --openstack-sec-groups, or change the rules of your own groups "
            "instead",
        )
    config.security_groups = [config.own_group if name == DEFAULT_GROUP_NAME else name for name in names]
