"""What the store and the archive must know of a driver's object in config.json without loading the driver.

The fast commands read this table (`machine ip`, `url`), so it imports nothing. Each driver's traits name their row.
Keys are docker-machine's where it has them: libmachine/drivers and drivers/NAME in its repository.
"""

from __future__ import annotations


class RecordKeys:
    """The keys of one driver's object that others than the driver ask about."""

    __slots__ = (
        "key_absent_when_ssh_forwarded",
        "key_files",
        "known",
        "local_disk",
        "network",
        "secrets",
        "secrets_belong_together",
        "url",
    )

    def __init__(
        self,
        *,
        known: str = "",
        secrets: tuple[str, ...] = (),
        secrets_belong_together: bool = False,
        network: tuple[str, ...] = (),
        key_files: tuple[str, ...] = (),
        url: str = "",
        key_absent_when_ssh_forwarded: str = "",
        local_disk: bool = False,
    ) -> None:
        self.known = tuple(known.split())  # docker-machine's own keys, in the case in which it writes them
        self.secrets = secrets  # in which docker-machine keeps secrets in clear text
        self.secrets_belong_together = (
            secrets_belong_together  # they belong together: one of another origin makes all of them useless
        )
        self.network = network  # two machines with equal values here reach each other by private addresses
        self.key_files = key_files  # paths of the user's own ssh keys
        self.url = url  # the key of an engine's URL, where the machine is nothing but that; else ""
        self.key_absent_when_ssh_forwarded = (
            key_absent_when_ssh_forwarded  # a record without it has SSHPort as a port of 127.0.0.1
        )
        self.local_disk = local_disk  # the machine is on this computer: its disk, its programs, its images


OPENSTACK_NETWORK = ("AuthUrl", "Cloud", "Region", "TenantName", "TenantId", "NetworkName", "NetworkId")
AZURE_NETWORK = ("SubscriptionID", "Location", "ResourceGroup", "VirtualNetwork")
AMAZON_NETWORK = ("Region", "VpcId", "Endpoint")
DIGITALOCEAN_NETWORK = ("Region", "VpcUUID")

TABLE = {
    "amazonec2": RecordKeys(
        known=(
            "Id AccessKey SecretKey SessionToken Region AMI SSHKeyID ExistingKey KeyName InstanceId InstanceType"
            " PrivateIPAddress SecurityGroupId SecurityGroupIds SecurityGroupName SecurityGroupNames"
            " SecurityGroupReadOnly OpenPorts Tags ReservationId DeviceName RootSize VolumeType IamInstanceProfile"
            " VpcId SubnetId Zone RequestSpotInstance SpotPrice BlockDurationMinutes PrivateIPOnly UsePrivateIP"
            " UseEbsOptimizedInstance Monitoring SSHPrivateKeyPath RetryCount Endpoint DisableSSL UserDataFile"
        ),
        secrets=("AccessKey", "SecretKey", "SessionToken"),
        secrets_belong_together=True,
        network=AMAZON_NETWORK,
        key_files=("SSHPrivateKeyPath",),
    ),
    "azure": RecordKeys(
        known=(
            "ClientID ClientSecret Environment SubscriptionID TenantID ResourceGroup DockerPort Location Size Image"
            " VirtualNetwork SubnetName SubnetPrefix AvailabilitySet StorageType OpenPorts PrivateIPAddr UsePrivateIP"
            " NoPublicIP DNSLabel StaticPublicIP CustomDataFile"
        ),
        secrets=("ClientSecret",),
        network=AZURE_NETWORK,
    ),
    "digitalocean": RecordKeys(
        known=(
            "AccessToken DropletID DropletName Image Region SSHKeyID SSHKeyFingerprint SSHKey Size IPv6 Backups"
            " PrivateNetworking UserDataFile Monitoring Tags"
        ),
        secrets=("AccessToken",),
        network=DIGITALOCEAN_NETWORK,
        key_files=("SSHKey",),
    ),
    "generic": RecordKeys(known="EnginePort SSHKey", key_files=("SSHKey",)),
    "hetzner": RecordKeys(
        known=(
            "AccessToken Image ImageID ImageArch Type Location KeyID IsExistingKey ServerID Volumes Networks"
            " UsePrivateNetwork DisablePublic4 DisablePublic6 PrimaryIPv4 PrimaryIPv6 Firewalls ServerLabels"
            " AdditionalKeys AdditionalKeyIDs WaitOnError WaitOnPolling WaitForRunningTimeout"
        ),
        secrets=("AccessToken",),
        network=("Networks",),
        key_files=("ExistingKeyPath",),
    ),
    "none": RecordKeys(known="URL", url="URL"),
    "openstack": RecordKeys(
        known=(
            "AuthUrl ActiveTimeout Insecure CaCert DomainID DomainName Username Password TenantName TenantId Region"
            " AvailabilityZone EndpointType MachineId FlavorName FlavorId ImageName ImageId KeyPairName NetworkName"
            " NetworkId UserData PrivateKeyFile SecurityGroups FloatingIpPool ComputeNetwork FloatingIpPoolId"
            " IpVersion ConfigDrive ExistingKey ApplicationCredentialSecret"
        ),
        secrets=("Password", "ApplicationCredentialSecret"),
        network=OPENSTACK_NETWORK,
        key_files=("PrivateKeyFile",),
    ),
    "qemu": RecordKeys(local_disk=True),
    "virtualbox": RecordKeys(
        known=(
            "VBoxManager HostInterfaces CPU Memory DiskSize NatNicType Boot2DockerURL Boot2DockerImportVM"
            " HostDNSResolver HostOnlyCIDR HostOnlyNicType HostOnlyPromiscMode UIType HostOnlyNoDHCP NoShare DNSProxy"
            " NoVTXCheck ShareFolder"
        ),
        key_absent_when_ssh_forwarded="UUID",
        local_disk=True,
    ),
}
LOCAL_PLUGINS = ("vmwarefusion", "vmwareworkstation", "hyperv", "parallels", "xhyve", "kvm")  # of docker-machine
BASE, IMAGE = "Base", "Image"  # of local machines: the disk that theirs is based on, and what the user named for it
TEMPLATE_DISK = "TemplateDisk"  # the disk of the template that a local machine started from, between the two
CLONE_OF = "CloneOf"  # of which machine, and which snapshot of it, a local machine was made
SNAPSHOTS = "Snapshots"  # by tag, what hardware the memory in a snapshot of a local machine needs
SAVED_MEMORY = "SavedMemory"  # how the memory of a suspended local machine was saved, and what the machine was like
# Of local machines: what is run and read here.
LOCAL_FILES = ("Program", "InstallPath", BASE, TEMPLATE_DISK, SAVED_MEMORY, SNAPSHOTS, CLONE_OF, "Boot2DockerURL")
LOCAL_FILES_OR_URLS = ("Boot2DockerURL",)  # of these, what may be a URL as well
# Of a driver that is not in TABLE it is not known which of these keys it has, if any.
ANY_NETWORK = tuple(dict.fromkeys((*OPENSTACK_NETWORK, *AZURE_NETWORK, *AMAZON_NETWORK, *DIGITALOCEAN_NETWORK)))
KEY_FILES = tuple(dict.fromkeys(key for row in TABLE.values() for key in row.key_files))


def record_keys_of(driver_name: str) -> RecordKeys:
    """Return the row of a driver, known or not; of a plugin's the keys that many drivers have."""
    if driver_name in TABLE:
        return TABLE[driver_name]
    return RecordKeys(network=ANY_NETWORK, key_files=KEY_FILES, local_disk=driver_name in LOCAL_PLUGINS)
