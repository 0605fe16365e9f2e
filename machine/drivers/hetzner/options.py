"""The flags of driver hetzner: those of the plugin docker-machine-driver-hetzner under their names, then ours."""

from __future__ import annotations

from machine.options import VALUE, Option

API = "https://api.hetzner.cloud/v1"
IMAGE = "ubuntu-24.04"
SERVER_TYPE = "cx23"
NO_FIREWALL = "none"  # of --hetzner-firewalls

OPTIONS = (
    # credentials and where to ask
    Option(
        "hetzner-api-token",
        env="HETZNER_API_TOKEN",
        secret=True,
        key="AccessToken",
        help="token of the project, that may read and write (required)",
    ),
    Option("hetzner-endpoint", env="HETZNER_ENDPOINT", default=API, help="URL of the API"),
    Option("hetzner-api-timeout", "int", default=30, help="seconds to wait for one answer of the API"),
    Option(
        "hetzner-retry-seconds", "int", default=30, help="how long a throttled or failed call is repeated; 0: never"
    ),
    # the machine
    Option("hetzner-image", env="HETZNER_IMAGE", help=f"image, by name or id; empty: {IMAGE}"),
    Option("hetzner-image-id", "int", env="HETZNER_IMAGE_ID", help="image or snapshot, by id, instead of by name"),
    Option(
        "hetzner-image-arch",
        env="HETZNER_IMAGE_ARCH",
        help="x86 or arm: which of the images of that name; empty: the server type's",
    ),
    Option(
        "hetzner-server-type",
        env="HETZNER_TYPE",
        default=SERVER_TYPE,
        help="type of the server, by name in any case",
        changeable=VALUE,
    ),
    Option("hetzner-server-location", env="HETZNER_LOCATION", help="location, such as fsn1; empty: Hetzner chooses"),
    Option("hetzner-ssh-user", env="HETZNER_SSH_USER", default="root", help="login of the image"),
    Option("hetzner-ssh-port", "int", env="HETZNER_SSH_PORT", default=22, help="port of its sshd"),
    Option("hetzner-server-label", "list", env="HETZNER_SERVER_LABELS", help="label of the server: KEY=VALUE"),
    Option(
        "hetzner-placement-group", env="HETZNER_PLACEMENT_GROUP", help="placement group, by name or id, made if new"
    ),
    Option("hetzner-auto-spread", "bool", env="HETZNER_AUTO_SPREAD", help="one placement group for all such machines"),
    # who gets in
    Option(
        "hetzner-existing-key-id",
        env="HETZNER_EXISTING_KEY_ID",
        help="ssh key that the project has already, by id or name; without one a key is added for the machine",
    ),
    Option(
        "hetzner-existing-key-path",
        env="HETZNER_EXISTING_KEY_PATH",
        help="private key of your own to log in with; with a key of the project and no path: the keys of the ssh-agent",
    ),
    Option(
        "hetzner-additional-key",
        "list",
        env="HETZNER_ADDITIONAL_KEYS",
        help="one more public key to let in, as a line of authorized_keys",
    ),
    Option("hetzner-key-label", "list", env="HETZNER_KEY_LABELS", help="label of the keys that are added: KEY=VALUE"),
    # what cloud-init is told
    Option("hetzner-user-data", env="HETZNER_USER_DATA", help="cloud-init user data, as text"),
    Option("hetzner-user-data-file", env="HETZNER_USER_DATA_FILE", help="file with cloud-init user data"),
    Option(
        "hetzner-user-data-from-file",
        "bool",
        env="HETZNER_USER_DATA_FROM_FILE",
        help="outdated: the text of --hetzner-user-data is the name of a file",
    ),
    # disks
    Option(
        "hetzner-volumes",
        "list",
        env="HETZNER_VOLUMES",
        help="volume that exists, by name or id, to be attached; it stays when the machine is removed",
    ),
    # its network
    Option("hetzner-networks", "list", env="HETZNER_NETWORKS", help="network that exists, by name or id, to be in"),
    Option(
        "hetzner-use-private-network",
        "bool",
        env="HETZNER_USE_PRIVATE_NETWORK",
        help="reach it at its address in the first of its networks",
    ),
    Option("hetzner-disable-public-ipv4", "bool", env="HETZNER_DISABLE_PUBLIC_IPV4", help="no public IPv4 address"),
    Option("hetzner-disable-public-4", "bool", env="HETZNER_DISABLE_PUBLIC_4", help="outdated: the same"),
    Option("hetzner-disable-public-ipv6", "bool", env="HETZNER_DISABLE_PUBLIC_IPV6", help="no public IPv6 addresses"),
    Option("hetzner-disable-public-6", "bool", env="HETZNER_DISABLE_PUBLIC_6", help="outdated: the same"),
    Option(
        "hetzner-disable-public",
        "bool",
        env="HETZNER_DISABLE_PUBLIC",
        help="no public address: the two above and --hetzner-use-private-network",
    ),
    Option(
        "hetzner-primary-ipv4",
        env="HETZNER_PRIMARY_IPV4",
        help="primary IPv4 address that exists, by address, name or id",
    ),
    Option(
        "hetzner-primary-ipv6",
        env="HETZNER_PRIMARY_IPV6",
        help="primary IPv6 network that exists, by address, name or id",
    ),
    # its firewall
    Option(
        "hetzner-firewalls",
        "list",
        env="HETZNER_FIREWALLS",
        help="firewall that exists, by name, id or label KEY=VALUE; without one: its own is made; `none`: no firewall",
    ),
    Option("hetzner-open-port", "list", env="HETZNER_OPEN_PORT", help="one more port: 80, 53/udp, 8000-8100"),
    Option(
        "hetzner-allow-from",
        "list",
        env="HETZNER_ALLOW_FROM",
        help="let in these networks (CIDR) only; without one: everybody",
    ),
    # how long it is waited for
    Option(
        "hetzner-wait-on-error",
        "int",
        env="HETZNER_WAIT_ON_ERROR",
        help="seconds in which a server that could not be made is asked for again before that is an error",
    ),
    Option(
        "hetzner-wait-on-polling",
        "int",
        env="HETZNER_WAIT_ON_POLLING",
        default=1,
        help="least seconds between two questions for the state of a server that starts or stops",
    ),
    Option(
        "hetzner-wait-for-running-timeout",
        "int",
        env="HETZNER_WAIT_FOR_RUNNING_TIMEOUT",
        help="seconds until a server has to run; 0: 300",
    ),
)
