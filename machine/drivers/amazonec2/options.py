"""The flags of driver amazonec2: docker-machine's, those of its forks, ours. Old names, today's defaults."""

from __future__ import annotations

from machine.options import DISK, VALUE, Option

REGION = "us-east-1"
GROUP = "docker-machine"
SIZE = "t3.small"
DISTRIBUTION = "ubuntu-24.04"

OPTIONS = (
    # credentials and where to ask
    Option(
        "amazonec2-access-key",
        env="AWS_ACCESS_KEY_ID",
        secret=True,
        key="AccessKey",
        help="access key; empty: the SDK's own chain (profile, SSO, role, instance metadata)",
    ),
    Option(
        "amazonec2-secret-key",
        env="AWS_SECRET_ACCESS_KEY",
        secret=True,
        key="SecretKey",
        belongs_to="amazonec2-access-key",
        help="secret key of --amazonec2-access-key",
    ),
    Option(
        "amazonec2-session-token",
        env="AWS_SESSION_TOKEN",
        secret=True,
        key="SessionToken",
        belongs_to="amazonec2-access-key",
        help="session token of temporary keys",
    ),
    Option("amazonec2-profile", env="AWS_PROFILE", help="profile of ~/.aws/config and ~/.aws/credentials"),
    Option(
        "amazonec2-region", env="AWS_DEFAULT_REGION", help=f"region; empty: the profile's, or {REGION} if it has none"
    ),
    Option("amazonec2-endpoint", env="AWS_ENDPOINT", help="URL of another cloud that speaks the EC2 API"),
    Option("amazonec2-insecure-transport", "bool", env="AWS_INSECURE_TRANSPORT", help="plain http to the endpoint"),
    Option("amazonec2-retries", "int", default=5, help="how often a throttled or failed call is repeated; -1: never"),
    Option("amazonec2-api-timeout", "int", default=30, help="seconds to wait for one answer of the API"),
    # the machine
    Option("amazonec2-ami", env="AWS_AMI", help="image id; empty: the newest of --amazonec2-distribution"),
    Option(
        "amazonec2-distribution",
        env="AWS_DISTRIBUTION",
        default=DISTRIBUTION,
        help="ubuntu-24.04, ubuntu-22.04, debian-13 or debian-12, for the processor of the instance type",
    ),
    Option(
        "amazonec2-instance-type",
        env="AWS_INSTANCE_TYPE",
        default=SIZE,
        help="size; t4g.small is one with arm64",
        changeable=VALUE,
    ),
    Option("amazonec2-ssh-user", env="AWS_SSH_USER", help="login; empty: ubuntu, or admin on Debian's images"),
    Option("amazonec2-ssh-port", "int", env="AWS_SSH_PORT", default=22, help="port of its sshd"),
    Option("amazonec2-ssh-keypath", env="AWS_SSH_KEYPATH", help="private key of your own to log in with"),
    Option(
        "amazonec2-keypair-name",
        env="AWS_KEYPAIR_NAME",
        help="key pair that EC2 has already; needs --amazonec2-ssh-keypath",
    ),
    Option("amazonec2-userdata", env="AWS_USERDATA", help="file with cloud-init user data (cloud-config or script)"),
    Option("amazonec2-iam-instance-profile", env="AWS_INSTANCE_PROFILE", help="instance profile, by name or ARN"),
    Option("amazonec2-tags", env="AWS_TAGS", help="tags of instance, disk and network interface: key,value,key,value"),
    Option("amazonec2-monitoring", "bool", help="detailed monitoring (costs extra)"),
    # its disk
    Option("amazonec2-device-name", env="AWS_DEVICE_NAME", help="name of the root device; empty: the image's"),
    Option(
        "amazonec2-root-size",
        "int",
        env="AWS_ROOT_SIZE",
        default=16,
        help="size of the root disk in GB",
        changeable=DISK,
    ),
    Option("amazonec2-volume-type", env="AWS_VOLUME_TYPE", default="gp3", help="kind of the root disk"),
    Option(
        "amazonec2-volume-iops",
        "int",
        env="AWS_VOLUME_IOPS",
        help="operations a second of the root disk: io1 and io2 need it, gp3 has 3000 without",
    ),
    Option(
        "amazonec2-volume-throughput",
        "int",
        env="AWS_VOLUME_THROUGHPUT",
        help="MiB a second of a gp3 root disk, which has 125 without",
    ),
    Option("amazonec2-use-ebs-optimized-instance", "bool", help="EBS-optimised (today's types always are)"),
    Option("amazonec2-encrypt-ebs-volume", "bool", env="AWS_ENCRYPT_EBS_VOLUME", help="encrypt the root disk"),
    Option("amazonec2-volume-encrypted", "bool", help="another name of --amazonec2-encrypt-ebs-volume"),
    Option("amazonec2-kms-key", env="AWS_KMS_KEY", help="key (id, ARN or alias) to encrypt the root disk with"),
    Option("amazonec2-volume-kms-key", env="AWS_VOLUME_KMS_KEY", help="another name of --amazonec2-kms-key"),
    # its network
    Option("amazonec2-vpc-id", env="AWS_VPC_ID", help="VPC; empty: the subnet's, or the default one"),
    Option("amazonec2-subnet-id", env="AWS_SUBNET_ID", help="subnet; empty: one of the VPC, the next if it is full"),
    Option("amazonec2-zone", env="AWS_ZONE", help="availability zone (a, or us-east-1a); empty: any with room"),
    Option("amazonec2-private-address-only", "bool", help="no public address; it is reached at its private one"),
    Option("amazonec2-use-private-address", "bool", help="reach it at its private address though it has a public one"),
    Option("amazonec2-private-ip-address", env="AWS_PRIVATE_IP_ADDRESS", help="fixed private address in the subnet"),
    Option("amazonec2-ipv6-address-count", "int", env="AWS_IPV6_ADDRESS_COUNT", help="how many IPv6 addresses it gets"),
    Option(
        "amazonec2-enable-primary-ipv6",
        "bool",
        env="AWS_ENABLE_PRIMARY_IPV6",
        help="its first IPv6 address stays as long as it lives",
    ),
    Option(
        "amazonec2-ipv6-address-only", "bool", env="AWS_IPV6_ADDRESS_ONLY", help="no public IPv4; reached over IPv6"
    ),
    # its firewall
    Option(
        "amazonec2-security-group",
        "list",
        env="AWS_SECURITY_GROUP",
        help=f"security group by name or id, made if there is none of that name; without one: {GROUP}, "
        "or with --amazonec2-allow-from one that machines of the same networks share",
    ),
    Option(
        "amazonec2-security-group-readonly",
        "bool",
        env="AWS_SECURITY_GROUP_READONLY",
        help="neither make groups nor add rules to them",
    ),
    Option("amazonec2-open-port", "list", help="one more port to let in: 80, 53/udp, 8000-8100"),
    Option(
        "amazonec2-allow-from",
        "list",
        env="AWS_ALLOW_FROM",
        help="let in these networks only (CIDR); without one: everybody",
    ),
    # the metadata service of the instance
    Option("amazonec2-http-endpoint", env="AWS_HTTP_ENDPOINT", help="its metadata service: enabled or disabled"),
    Option("amazonec2-http-tokens", env="AWS_HTTP_TOKENS", help="required (the default: IMDSv2 only) or optional"),
    Option("amazonec2-metadata-token", help="another name of --amazonec2-http-tokens"),
    Option(
        "amazonec2-http-protocol-ipv6",
        env="AWS_HTTP_PROTOCOL_IPV6",
        default="disabled",
        help="its metadata service over IPv6: enabled or disabled",
    ),
    Option(
        "amazonec2-metadata-token-response-hop-limit",
        "int",
        default=2,
        help="hop limit of its answers; 2 reaches containers, 1 does not",
    ),
    # spot
    Option("amazonec2-request-spot-instance", "bool", help="a spot instance: cheaper, may be taken away, cannot stop"),
    Option("amazonec2-spot-price", help="highest price an hour in dollars; empty: up to the on-demand price"),
    Option("amazonec2-block-duration-minutes", "int", help="ignored: EC2 ended spot blocks in 2022"),
)
