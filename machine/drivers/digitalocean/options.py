"""The flags of driver digitalocean: docker-machine's under their old names, then ours. Today's defaults."""

from __future__ import annotations

from machine.options import VALUE, Option

API = "https://api.digitalocean.com"
NEW = "new"  # of --digitalocean-reserved-ip
NO_FIREWALL = "none"  # of --digitalocean-firewall

OPTIONS = (
    # credentials and where to ask
    Option(
        "digitalocean-access-token",
        env="DIGITALOCEAN_ACCESS_TOKEN",
        secret=True,
        key="AccessToken",
        help="API token that may read and write (required)",
    ),
    Option("digitalocean-endpoint", env="DIGITALOCEAN_API_URL", default=API, help="URL of the API"),
    Option("digitalocean-api-timeout", "int", default=30, help="seconds to wait for one answer of the API"),
    Option(
        "digitalocean-retry-seconds",
        "int",
        default=30,
        help="how long a throttled or failed call is repeated; 0: never",
    ),
    # the machine
    Option(
        "digitalocean-image",
        env="DIGITALOCEAN_IMAGE",
        default="ubuntu-24-04-x64",
        help="image, by slug; or by id, as snapshots and own images have one",
    ),
    Option("digitalocean-region", env="DIGITALOCEAN_REGION", default="nyc3", help="region, by slug"),
    Option("digitalocean-size", env="DIGITALOCEAN_SIZE", default="s-1vcpu-1gb", help="size, by slug", changeable=VALUE),
    Option("digitalocean-ssh-user", env="DIGITALOCEAN_SSH_USER", default="root", help="login of the image"),
    Option("digitalocean-ssh-port", "int", env="DIGITALOCEAN_SSH_PORT", default=22, help="port of its sshd"),
    Option(
        "digitalocean-ssh-key-fingerprint",
        env="DIGITALOCEAN_SSH_KEY_FINGERPRINT",
        help="key that the account has already, by MD5 fingerprint or id; without one a key is added for the machine",
    ),
    Option(
        "digitalocean-ssh-key-path",
        env="DIGITALOCEAN_SSH_KEY_PATH",
        help="private key of your own to log in with; with a fingerprint and no path: the keys of the ssh-agent",
    ),
    Option("digitalocean-backups", "bool", env="DIGITALOCEAN_BACKUPS", help="weekly backups (cost extra)"),
    Option("digitalocean-monitoring", "bool", env="DIGITALOCEAN_MONITORING", help="DigitalOcean's metrics agent"),
    Option(
        "digitalocean-userdata",
        env="DIGITALOCEAN_USERDATA",
        help="file with cloud-init user data (cloud-config or script)",
    ),
    Option("digitalocean-tags", env="DIGITALOCEAN_TAGS", help="tags of the droplet, with commas between"),
    # disks
    Option(
        "digitalocean-volume",
        "list",
        env="DIGITALOCEAN_VOLUMES",
        help="volume that exists, by name or id, to be attached; it stays when the machine is removed",
    ),
    Option(
        "digitalocean-volume-size",
        "int",
        env="DIGITALOCEAN_VOLUME_SIZE",
        help="GB of a volume made with the machine, attached to it, removed with it",
    ),
    # its network
    Option("digitalocean-ipv6", "bool", env="DIGITALOCEAN_IPV6", help="an IPv6 address too"),
    Option(
        "digitalocean-private-networking",
        "bool",
        env="DIGITALOCEAN_PRIVATE_NETWORKING",
        help="ignored: every droplet has a private address since 2020",
    ),
    Option("digitalocean-vpc-uuid", env="DIGITALOCEAN_VPC_UUID", help="VPC; empty: the region's default one"),
    Option(
        "digitalocean-use-private-address",
        "bool",
        env="DIGITALOCEAN_USE_PRIVATE_ADDRESS",
        help="reach it at its private address, as from inside the VPC",
    ),
    Option(
        "digitalocean-reserved-ip",
        env="DIGITALOCEAN_RESERVED_IP",
        help="reserved address that it shall have; `new`: one made with the machine, removed with it",
    ),
    # its firewall
    Option(
        "digitalocean-firewall",
        "list",
        env="DIGITALOCEAN_FIREWALL",
        help="firewall that exists, by name or id, to be joined; without one: its own is made; `none`: all ports open",
    ),
    Option("digitalocean-open-port", "list", env="DIGITALOCEAN_OPEN_PORT", help="one more port: 80, 53/udp, 8000-8100"),
    Option(
        "digitalocean-allow-from",
        "list",
        env="DIGITALOCEAN_ALLOW_FROM",
        help="let in these networks (CIDR) and its own VPC only; without one: everybody",
    ),
)
