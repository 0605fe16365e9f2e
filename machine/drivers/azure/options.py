"""The flags of driver azure: docker-machine's, those of its forks, ours. Old names, today's defaults."""

from __future__ import annotations

from machine.options import DISK, VALUE, Option

ENVIRONMENT = "AzurePublicCloud"
DEFAULT_GROUP_NAME = "docker-machine"
LOCATION = "westus"
SIZE = "Standard_B2s"
LOGINS = ("auto", "secret", "certificate", "managed-identity", "workload-identity", "cli", "device-code")

OPTIONS = (
    # credentials and where to ask
    Option("azure-subscription-id", env="AZURE_SUBSCRIPTION_ID", help="subscription that pays (required)"),
    Option("azure-tenant-id", env="AZURE_TENANT_ID", help="directory of the service principal; empty: ARM is asked"),
    Option(
        "azure-client-id",
        env="AZURE_CLIENT_ID",
        key="ClientID",
        help="service principal, or user-assigned managed identity",
    ),
    Option(
        "azure-client-secret",
        env="AZURE_CLIENT_SECRET",
        secret=True,
        key="ClientSecret",
        belongs_to="azure-client-id",
        help="secret of the service principal",
    ),
    Option(
        "azure-client-certificate",
        env="AZURE_CLIENT_CERTIFICATE_PATH",
        help="file (PEM or PKCS12) with the service principal's certificate and key, instead of a secret",
    ),
    Option(
        "azure-client-certificate-password",
        env="AZURE_CLIENT_CERTIFICATE_PASSWORD",
        secret=True,
        key="ClientCertificatePassword",
        belongs_to="azure-client-id",
        help="password of that file",
    ),
    Option(
        "azure-login",
        env="AZURE_LOGIN",
        default="auto",
        help="how to log in: auto (service principal if given, else environment, workload identity, managed "
        "identity, `az login`), secret, certificate, managed-identity, workload-identity, cli, device-code",
    ),
    Option(
        "azure-environment",
        env="AZURE_ENVIRONMENT",
        default=ENVIRONMENT,
        help="AzurePublicCloud, AzureChinaCloud or AzureUSGovernmentCloud",
    ),
    Option("azure-endpoint", env="AZURE_ENDPOINT", help="URL of another Resource Manager (Azure Stack, a test)"),
    Option(
        "azure-authority-host", env="AZURE_AUTHORITY_HOST", help="URL where logins happen; empty: the environment's"
    ),
    Option("azure-audience", env="AZURE_AUDIENCE", help="audience of the tokens; empty: the environment's"),
    Option("azure-ca-cert", env="AZURE_CA_CERT", help="file with the CA certificates that these URLs are checked by"),
    Option("azure-retries", "int", default=5, help="how often a throttled or failed call is repeated; 0: never"),
    Option("azure-api-timeout", "int", default=60, help="seconds to wait for one answer of the API"),
    Option(
        "azure-polling-interval",
        "int",
        default=2,
        help="least seconds between questions about what is being made",
    ),
    Option(
        "azure-subscription-cert",
        env="AZURE_SUBSCRIPTION_CERT",
        help="not supported: Azure has ended management certificates; the error says what to do",
    ),
    Option(
        "azure-publish-settings-file",
        env="AZURE_PUBLISH_SETTINGS_FILE",
        help="not supported, see --azure-subscription-cert",
    ),
    # the machine
    Option("azure-location", env="AZURE_LOCATION", default=LOCATION, help="region"),
    Option(
        "azure-resource-group",
        env="AZURE_RESOURCE_GROUP",
        default=DEFAULT_GROUP_NAME,
        help="resource group, made if absent",
    ),
    Option(
        "azure-size",
        env="AZURE_SIZE",
        default=SIZE,
        help="VM size; Standard_B2pls_v2 is one with arm64",
        changeable=VALUE,
    ),
    Option(
        "azure-image",
        env="AZURE_IMAGE",
        help="publisher:offer:sku:version, or the id of an image; empty: Ubuntu 24.04 for the size's processor",
    ),
    Option("azure-plan", env="AZURE_PLAN", help="purchase plan publisher:product:plan; empty: the image's own"),
    Option("azure-ssh-user", env="AZURE_SSH_USER", default="docker-user", help="login on the machine"),
    Option("azure-docker-port", "int", env="AZURE_DOCKER_PORT", default=2376, help="port of the engine"),
    Option("azure-custom-data", env="AZURE_CUSTOM_DATA_FILE", help="file with cloud-init user data"),
    Option("azure-tags", env="AZURE_TAGS", help="tags of everything made for the machine: key,value,key,value"),
    Option("azure-identity", "list", help="id of a user-assigned identity that the machine gets; or `system`"),
    Option("azure-spot", "bool", env="AZURE_SPOT", help="a spot machine: cheaper, and Azure may stop it"),
    Option("azure-spot-max-price", help="highest price an hour in dollars; empty: up to the ordinary price"),
    Option("azure-availability-zone", env="AZURE_AVAILABILITY_ZONE", help="zone (1, 2, 3) instead of a set"),
    Option(
        "azure-availability-set",
        env="AZURE_AVAILABILITY_SET",
        default="docker-machine",
        help="availability set that machines share; `none` for no set",
    ),
    Option(
        "azure-fault-domain-count",
        "int",
        env="AZURE_FAULT_DOMAIN_COUNT",
        default=3,
        help="fault domains of a new set; at most what the region has",
    ),
    Option(
        "azure-update-domain-count", "int", env="AZURE_UPDATE_DOMAIN_COUNT", default=5, help="update domains of a set"
    ),
    # its disk
    Option("azure-disk-size", "int", env="AZURE_DISK_SIZE", default=30, help="size of the disk in GB", changeable=DISK),
    Option("azure-storage-type", env="AZURE_STORAGE_TYPE", default="Standard_LRS", help="kind of the managed disk"),
    Option("azure-managed-disks", "bool", env="AZURE_MANAGED_DISKS", help="always so: Azure has no others any more"),
    # its network
    Option(
        "azure-vnet", env="AZURE_VNET", default="docker-machine-vnet", help="network; GROUP:NAME for an existing one"
    ),
    Option("azure-subnet", env="AZURE_SUBNET", default="docker-machine", help="subnet of it"),
    Option("azure-subnet-prefix", env="AZURE_SUBNET_PREFIX", default="192.168.0.0/16", help="CIDR of a new subnet"),
    Option("azure-private-ip-address", env="AZURE_PRIVATE_IP_ADDRESS", help="fixed private address in the subnet"),
    Option("azure-use-private-ip", "bool", help="reach it at its private address though it has a public one"),
    Option("azure-no-public-ip", "bool", help="no public address; it is reached at its private one"),
    Option("azure-static-public-ip", "bool", help="always so: Azure's Standard addresses never change"),
    Option("azure-enable-public-ip-standard-sku", "bool", env="AZURE_STANDARD_PUBLIC_IP_SKU", help="always so"),
    Option("azure-dns", env="AZURE_DNS_LABEL", help="DNS label of its public address: LABEL.REGION.cloudapp.azure.com"),
    Option(
        "azure-accelerated-networking", "bool", env="AZURE_ACCELERATED_NETWORKING", help="accelerated network interface"
    ),
    # its firewall
    Option("azure-nsg", env="AZURE_NSG", help="existing network security group, by name or id; it is not changed"),
    Option("azure-open-port", "list", help="one more port to let in: 80, 53/udp, 8000-8100"),
    Option("azure-allow-from", "list", env="AZURE_ALLOW_FROM", help="let in these networks only (CIDR)"),
)
