"""The flags of driver openstack: docker-machine's, those of its fork, ours. Old names, today's defaults."""

from __future__ import annotations

from machine.options import DISK, VALUE, Option

DEFAULT_GROUP_NAME = "docker-machine"
PROFILES = ("auto", "openstack", "conoha")
RETRIES = 5

OPTIONS = (
    # credentials and where to ask
    Option(
        "openstack-auth-url",
        env="OS_AUTH_URL",
        help="URL of Keystone, such as https://HOST:5000/v3; or --openstack-cloud",
    ),
    Option("openstack-cloud", env="OS_CLOUD", help="cloud of a clouds.yaml, with all that is needed to log in there"),
    Option(
        "openstack-client-config-file",
        env="OS_CLIENT_CONFIG_FILE",
        help="the clouds.yaml; empty: the SDK looks here, in ~/.config/openstack and in /etc/openstack",
    ),
    Option(
        "openstack-profile",
        env="OPENSTACK_PROFILE",
        default="auto",
        help="what the cloud is: openstack, conoha, or auto: by the host in --openstack-auth-url",
    ),
    Option("openstack-insecure", "bool", env="OS_INSECURE", help="do not check the API's certificate"),
    Option("openstack-cacert", env="OS_CACERT", help="file with the CA of the API's certificate"),
    Option("openstack-username", env="OS_USERNAME", key="Username", help="user"),
    Option("openstack-user-id", env="OS_USER_ID", help="user by id; needs no domain"),
    Option(
        "openstack-password",
        env="OS_PASSWORD",
        secret=True,
        key="Password",
        belongs_to="openstack-username",
        help="password of the user",
    ),
    Option(
        "openstack-token",
        env="OS_TOKEN",
        secret=True,
        key="Token",
        help="token instead of a user; it expires within hours",
    ),
    Option(
        "openstack-application-credential-id",
        env="OS_APPLICATION_CREDENTIAL_ID",
        key="ApplicationCredentialId",
        help="application credential, by id; it brings its project along",
    ),
    Option(
        "openstack-application-credential-name",
        env="OS_APPLICATION_CREDENTIAL_NAME",
        help="application credential of the user, by name",
    ),
    Option(
        "openstack-application-credential-secret",
        env="OS_APPLICATION_CREDENTIAL_SECRET",
        secret=True,
        key="ApplicationCredentialSecret",
        belongs_to="openstack-application-credential-id",
        help="its secret",
    ),
    Option("openstack-project-name", env="OS_PROJECT_NAME", help="project"),
    Option("openstack-project-id", env="OS_PROJECT_ID", help="project by id; needs no domain"),
    Option("openstack-tenant-name", env="OS_TENANT_NAME", help="project, under its old name"),
    Option("openstack-tenant-id", env="OS_TENANT_ID", help="project by id, under its old name"),
    Option("openstack-domain-name", env="OS_DOMAIN_NAME", help="domain of user and project; empty: the default one"),
    Option("openstack-domain-id", env="OS_DOMAIN_ID", help="domain of user and project, by id"),
    Option("openstack-user-domain-name", env="OS_USER_DOMAIN_NAME", help="domain of the user, if it is another one"),
    Option("openstack-user-domain-id", env="OS_USER_DOMAIN_ID", help="domain of the user, by id"),
    Option("openstack-project-domain-name", env="OS_PROJECT_DOMAIN_NAME", help="domain of the project, if another one"),
    Option("openstack-project-domain-id", env="OS_PROJECT_DOMAIN_ID", help="domain of the project, by id"),
    Option(
        "openstack-tenant-domain-name", env="OS_TENANT_DOMAIN_NAME", help="domain of the project, under its old name"
    ),
    Option(
        "openstack-tenant-domain-id", env="OS_TENANT_DOMAIN_ID", help="domain of the project by id, under its old name"
    ),
    Option("openstack-region", env="OS_REGION_NAME", help="region; empty: the first one that the cloud names"),
    Option(
        "openstack-endpoint-type",
        env="OS_ENDPOINT_TYPE",
        help="which of the cloud's URLs to use: public, internal or admin (publicURL, ... will do); empty: public",
    ),
    Option(
        "openstack-endpoint",
        "list",
        env="OPENSTACK_ENDPOINTS",
        help="URL of a service instead of the one that the cloud names: compute=https://HOST:8774/v2.1",
    ),
    Option("openstack-api-timeout", "int", default=60, help="seconds to wait for one answer of the API"),
    Option(
        "openstack-retries", "int", default=RETRIES, help="how often a throttled or failed call is repeated; 0: never"
    ),
    # the machine
    Option("openstack-flavor-name", env="OS_FLAVOR_NAME", help="flavor, by name or id (required)", changeable=VALUE),
    Option("openstack-flavor-id", env="OS_FLAVOR_ID", help="flavor, by id", changeable=VALUE),
    Option("openstack-image-name", env="OS_IMAGE_NAME", help="image, by name or id; of several the newest (required)"),
    Option("openstack-image-id", env="OS_IMAGE_ID", help="image, by id"),
    Option("openstack-availability-zone", env="OS_AVAILABILITY_ZONE", help="availability zone; empty: any"),
    Option("openstack-server-group-name", env="OS_SERVER_GROUP_NAME", help="server group that it joins"),
    Option("openstack-server-group-id", env="OS_SERVER_GROUP_ID", help="server group that it joins, by id"),
    Option("openstack-ssh-user", env="OS_SSH_USER", help="login; empty: what the image says or is known for, or root"),
    Option("openstack-ssh-port", "int", env="OS_SSH_PORT", default=22, help="port of its sshd"),
    Option(
        "openstack-keypair-name",
        env="OS_KEYPAIR_NAME",
        help="key pair that the cloud has already; needs --openstack-private-key-file",
    ),
    Option("openstack-private-key-file", env="OS_PRIVATE_KEY_FILE", help="private key of your own to log in with"),
    Option(
        "openstack-admin-password",
        env="OPENSTACK_ADMIN_PASSWORD",
        secret=True,
        key="AdminPass",
        help="password of root on its console; empty: the cloud's choice",
    ),
    Option("openstack-user-data-file", env="OS_USER_DATA_FILE", help="file with cloud-init user data"),
    Option("openstack-config-drive", "bool", env="OS_CONFIG_DRIVE", help="hand the user data over on a disk"),
    Option("openstack-metadata", env="OS_METADATA", help="metadata of the server: key,value,key,value"),
    Option(
        "openstack-active-timeout",
        "int",
        env="OS_ACTIVE_TIMEOUT",
        default=300,
        help="seconds to wait for it to be active, and again for its sshd",
    ),
    # its disk
    Option("openstack-boot-from-volume", "bool", help="root disk on a volume, made with it, removed with it"),
    Option(
        "openstack-volume-size",
        "int",
        help="GB of the root volume; 0: what the image needs, 20 at least",
        changeable=DISK,
    ),
    Option("openstack-volume-type", help="type of that volume"),
    Option("openstack-volume-name", help="name of that volume"),
    Option("openstack-volume-id", help="volume that exists, to boot from; it stays when the machine is removed"),
    Option("openstack-volume-device-path", help="device name of the volume in the machine, such as vda"),
    # its network
    Option("openstack-net-name", env="OS_NETWORK_NAME", help="network, by name or id; empty: the only one there is"),
    Option("openstack-net-id", env="OS_NETWORK_ID", help="network, by id"),
    Option("openstack-nova-network", "bool", env="OS_NOVA_NETWORK", help="ignored: OpenStack has only Neutron today"),
    Option(
        "openstack-floatingip-pool",
        env="OS_FLOATINGIP_POOL",
        help="external network, by name or id, of which it gets a floating address, made and removed with it",
    ),
    Option("openstack-ip-version", "int", env="OS_IP_VERSION", default=4, help="reach it over IPv4 or IPv6: 4 or 6"),
    # its firewall
    Option(
        "openstack-sec-groups",
        env="OS_SECURITY_GROUPS",
        help="security groups by name or id, with commas between, left as they are; "
        f"empty: {DEFAULT_GROUP_NAME}, made and shared",
    ),
    Option(
        "openstack-open-port", "list", help=f"one more port that {DEFAULT_GROUP_NAME} lets in: 80, 53/udp, 8000-8100"
    ),
    Option(
        "openstack-allow-from",
        "list",
        env="OPENSTACK_ALLOW_FROM",
        help=f"{DEFAULT_GROUP_NAME} lets in these networks only (CIDR), and its own machines; without one: everybody",
    ),
)
