"""What a machine of driver azure shall be, and what is known of it: the Driver object of config.json, typed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from machine.drivers.azure.options import ENVIRONMENT, LOGINS
from machine.drivers.cloud.config import CloudConfig, bool_field, list_field, number_field, path_field, text_field
from machine.drivers.cloud.firewall import reaches
from machine.drivers.cloud.flags import PRICE, DriverFlags
from machine.drivers.missing_options import MissingOption
from machine.errors import UsageError
from machine.options import Values

FLAGS = DriverFlags("azure")
CLOUDS = {  # environment -> (ARM, where logins happen)
    "azurepubliccloud": ("https://management.azure.com", "https://login.microsoftonline.com"),
    "azurechinacloud": ("https://management.chinacloudapi.cn", "https://login.chinacloudapi.cn"),
    "azureusgovernmentcloud": ("https://management.usgovcloudapi.net", "https://login.microsoftonline.us"),
}
AUDIENCES = {  # where it differs from ARM's address
    "azureusgovernmentcloud": "https://management.core.usgovcloudapi.net",
}
RESERVED_LOGINS = ("root", "admin", "administrator", "user", "guest", "test", "owner", "console", "sys", "backup")
OWN_TAGS = ("machine-id", "machine-name", "made-by")
FIXED_RECORD_VALUES = {"ManagedDisks": True, "StaticPublicIP": True, "EnablePublicIPStandardSKU": True, "SSHPort": 22}
# patterns of `text_field`: a regular expression, and words for what fits it
HTTPS = ("https://.*", "a URL that begins with https:// (tokens are sent nowhere else)")
UUID = (r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", "an id such as 00000000-0000-0000-0000-000000000000")
ENVIRONMENTS = (f"(?i){'|'.join(CLOUDS)}", "AzurePublicCloud, AzureChinaCloud or AzureUSGovernmentCloud")
GROUP_NAME = (r"[\w.()-]{1,89}[\w()-]", "at most 90 letters, digits and .()_-")
IMAGE = ("/.*|[^:]*(:[^:]*){3}", "publisher:offer:sku:version, or the id of an image (/subscriptions/...)")
PLAN = ("[^:]*(:[^:]*){2}", "publisher:product:plan")
LOGIN = (
    f"(?!({'|'.join(RESERVED_LOGINS)})$)[a-z_][a-z0-9_-]{{0,31}}",
    "a login that Azure allows (root, admin and the like it does not)",
)
DNS_LABEL = ("[a-z][a-z0-9-]{1,61}[a-z0-9]", "3 to 63 small letters, digits and dashes")
_IDENTITY = re.compile(r"(?i)system|/subscriptions/.+/userAssignedIdentities/.+")


def _identity(flags: DriverFlags, text: str) -> str:
    if not _IDENTITY.fullmatch(text):
        raise flags.wrong("identity", text, "the id of a user-assigned identity (az identity list), or system")
    return text


@dataclass(repr=False)
class Config(CloudConfig):
    """The keys are docker-machine's where it has them, then those of its forks, then ours."""

    flags = FLAGS

    # credentials and where to ask
    subscription_id: str = text_field("SubscriptionID", flag="subscription-id", pattern=UUID)
    account: str = text_field("SubscriptionID")  # as all clouds call it
    tenant_id: str = text_field("TenantID", flag="tenant-id")
    client_id: str = text_field("ClientID", flag="client-id")
    client_secret: str = text_field("ClientSecret", flag="client-secret")
    client_certificate: str = path_field("ClientCertificate", flag="client-certificate")
    client_certificate_password: str = text_field("ClientCertificatePassword", flag="client-certificate-password")
    login: str = text_field("Login", "auto", flag="login", one_of=LOGINS)
    environment: str = text_field("Environment", ENVIRONMENT, flag="environment", required=True, pattern=ENVIRONMENTS)
    # the next three: "" for the environment's
    endpoint: str = text_field("Endpoint", flag="endpoint", pattern=HTTPS)
    authority_host: str = text_field("AuthorityHost", flag="authority-host", pattern=HTTPS)
    audience: str = text_field("Audience", flag="audience")
    ca_cert: str = path_field("CaCert", flag="ca-cert")
    retries: int = number_field("RetryCount", 5, flag="retries", bounds=(0, 100))
    api_timeout: int = number_field("ApiTimeout", 60, flag="api-timeout", bounds=(1, 3600))
    polling_interval: int = number_field("PollingInterval", 2, flag="polling-interval", bounds=(0, 600))
    # the machine
    location: str = text_field("Location", flag="location")
    resource_group: str = text_field("ResourceGroup", flag="resource-group", required=True, pattern=GROUP_NAME)
    size: str = text_field("Size", flag="size")
    image: str = text_field("Image", flag="image", pattern=IMAGE)
    plan: str = text_field("Plan", flag="plan", pattern=PLAN)
    ssh_user: str = text_field("SSHUser", "docker-user", flag="ssh-user", required=True, pattern=LOGIN)
    ssh_port: int = number_field("SSHPort", 22)
    engine_port: int = number_field("DockerPort", 2376, flag="docker-port", bounds=(1, 65535))
    user_data_file: str = path_field("CustomDataFile", flag="custom-data")
    tags: str = text_field("Tags", flag="tags")
    identities: list[str] = list_field("Identities", flag="identity", convert=_identity)
    spot: bool = bool_field("Spot", flag="spot")
    spot_max_price: str = text_field("SpotMaxPrice", flag="spot-max-price", pattern=PRICE)
    availability_zone: str = text_field("AvailabilityZone", flag="availability-zone")
    availability_set: str = text_field("AvailabilitySet", flag="availability-set")
    fault_domains: int = number_field("FaultCount", 2, flag="fault-domain-count", bounds=(1, 3))
    update_domains: int = number_field("UpdateCount", 5, flag="update-domain-count", bounds=(1, 20))
    disk_size: int = number_field("DiskSize", 30, flag="disk-size", bounds=(1, 4095))  # GB
    storage_type: str = text_field("StorageType", flag="storage-type")
    # its network
    vnet: str = text_field("VirtualNetwork", flag="vnet")  # NAME, or RESOURCE_GROUP:NAME for one that is not ours
    subnet: str = text_field("SubnetName", flag="subnet")
    subnet_prefix: str = text_field("SubnetPrefix", flag="subnet-prefix")
    fixed_private_ip: str = text_field("PrivateIPAddr", flag="private-ip-address")
    use_private_ip: bool = bool_field("UsePrivateIP", flag="use-private-ip")
    no_public_ip: bool = bool_field("NoPublicIP", flag="no-public-ip")
    dns_label: str = text_field("DNSLabel", flag="dns", pattern=DNS_LABEL)
    accelerated_networking: bool = bool_field("AcceleratedNetworking", flag="accelerated-networking")
    nsg: str = text_field("NSG", flag="nsg")
    open_ports: list[str] = list_field("OpenPorts", flag="open-port", convert=DriverFlags.port)
    allow_from: list[str] = list_field("AllowFrom", flag="allow-from", convert=DriverFlags.network)
    # what was looked up
    looked_up: bool = bool_field("Surveyed")  # the key of earlier versions, kept for the records that have it
    authentication_record: str = text_field("AuthenticationRecord")  # of who logged in by device code: no secret
    # what was made
    resource_name: str = text_field("ResourceName")
    availability_set_id: str = text_field("AvailabilitySetID")
    made_subnet: bool = bool_field("MadeSubnet")  # in a network that is not ours
    subnet_id: str = text_field("SubnetID")
    nsg_id: str = text_field("NSGID")
    public_ip_id: str = text_field("PublicIPID")
    nic_id: str = text_field("NICID")
    private_ip: str = text_field("PrivateIPAddress")
    create_requested: bool = bool_field("Asked")  # for the machine
    vm_id: str = text_field("VMID")
    disk_name: str = text_field("DiskName")
    removed: bool = bool_field("Removed")

    @property
    def arm_url(self) -> str:
        """The address of the Resource Manager (ARM)."""
        return (self.endpoint or CLOUDS[self.environment.lower()][0]).rstrip("/")

    @property
    def authority(self) -> str:
        """The address where logins happen."""
        return (self.authority_host or CLOUDS[self.environment.lower()][1]).rstrip("/")

    @property
    def token_scope(self) -> str:
        """What tokens are asked for."""
        audience = self.audience
        if not audience and not self.endpoint:
            audience = AUDIENCES.get(self.environment.lower(), "")
        return f"{(audience or self.arm_url).rstrip('/')}/.default"

    @property
    def network_must_exist(self) -> bool:
        """Whether the network is not ours to make."""
        return ":" in self.vnet

    @property
    def network_path(self) -> tuple[str, str]:
        """The resource group and the name of the network."""
        group, colon, name = self.vnet.partition(":")
        return (group, name) if colon else (self.resource_group, self.vnet)

    @property
    def availability_set_name(self) -> str:
        """The availability set's name, "" for none: neither zones nor spot machines go together with one."""
        no_set = self.availability_set == "none" or self.availability_zone or self.spot
        return "" if no_set else self.availability_set

    @property
    def tags_by_key(self) -> dict[str, str]:
        """The user's tags. Raises UsageError on an odd number of words and on keys that cannot be."""
        return FLAGS.tags(self.tags, OWN_TAGS, refused=r"^$|[<>%&\\?/]|.{513}")

    @classmethod
    def from_values(cls, values: Values) -> Self:
        for flag in ("subscription-cert", "publish-settings-file"):
            if values[f"azure-{flag}"] and values["azure-login"] == "auto" and not values["azure-client-id"]:
                raise UsageError(
                    f"--azure-{flag} (${'AZURE_' + flag.replace('-', '_').upper()}) is of no use any more: Azure has "
                    "ended its classic deployment model and the management certificates with it",
                    details="a service principal has taken their place",
                    resolution="az ad sp create-for-rbac --role Contributor --scopes /subscriptions/ID prints its "
                    "appId, password and tenant: give them as --azure-client-id, --azure-client-secret and "
                    "--azure-tenant-id",
                )
        config = super().from_values(values)
        config.record |= FIXED_RECORD_VALUES
        return config

    def missing_options(self) -> list[MissingOption]:
        missing = []
        if not self.subscription_id:
            way = "add --azure-subscription-id ID, or set AZURE_SUBSCRIPTION_ID (az account list shows them)"
            missing.append(("the driver azure needs to know which subscription pays", way))
        if (self.client_secret or self.client_certificate) and not self.client_id:
            brief = "a service principal has an id and a secret, and only the secret is given"
            missing.append((brief, "add --azure-client-id ID, or set AZURE_CLIENT_ID"))
        for word, credential in (("secret", self.client_secret), ("certificate", self.client_certificate)):
            if self.login == word and not credential:
                missing.append((f"--azure-login {word} needs --azure-client-{word}", f"add --azure-client-{word}"))
        return [MissingOption(brief, way, credential=True) for brief, way in missing]

    def validate(self) -> None:
        self.location = self.location.replace(" ", "").lower()  # "West US" and westus are the same
        _ = self.tags_by_key
        if self.spot_max_price and not self.spot:
            raise UsageError("--azure-spot-max-price goes together with --azure-spot", resolution="add --azure-spot")
        if self.dns_label and self.no_public_ip:
            raise UsageError(
                "--azure-dns names a public address, and --azure-no-public-ip wants none", resolution="leave one out"
            )
        subnet = FLAGS.network(self.subnet_prefix, "subnet-prefix")
        if self.fixed_private_ip:
            address = FLAGS.ip("private-ip-address", self.fixed_private_ip)
            if not (self.network_must_exist or reaches(address, [subnet])):
                raise FLAGS.wrong("private-ip-address", address, f"an address in {subnet} (--azure-subnet-prefix)")
