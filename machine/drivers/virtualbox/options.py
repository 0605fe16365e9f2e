"""The flags of driver virtualbox: docker-machine's, and ours for the image, the login and the program."""

from __future__ import annotations

from machine.options import DISK, VALUE, Option

DEFAULT_IMAGE = "debian-13"
DEFAULT_DISK = 20000  # MB
DEFAULT_MIRROR = ""  # this host's own package sources
DEFAULT_CIDR = "192.168.59.1/24"  # inside 192.168.56.0/21, which VirtualBox allows by itself since 6.1.28
USER = "machine"
BOOT2DOCKER_USER = "docker"

OPTIONS = (
    Option(
        "virtualbox-memory",
        "int",
        env="VIRTUALBOX_MEMORY_SIZE",
        default=1024,
        help="memory in MB",
        changeable=VALUE,
    ),
    Option(
        "virtualbox-cpu-count",
        "int",
        env="VIRTUALBOX_CPU_COUNT",
        default=1,
        help="virtual CPUs; -1 for all of this host's",
        changeable=VALUE,
    ),
    Option(
        "virtualbox-disk-size",
        "int",
        env="VIRTUALBOX_DISK_SIZE",
        default=DEFAULT_DISK,
        help="size of the disk in MB",
        changeable=DISK,
    ),
    Option(
        "virtualbox-image",
        env="VIRTUALBOX_IMAGE",
        default=DEFAULT_IMAGE,
        help="name (debian-13, debian-12), URL or path of a disk image with a boot loader and cloud-init",
    ),
    Option(
        "virtualbox-image-mirror",
        env="VIRTUALBOX_IMAGE_MIRROR",
        default=DEFAULT_MIRROR,
        help="Debian mirror from which an image is built when none can be downloaded; empty: as this host's apt",
    ),
    Option(
        "virtualbox-boot2docker-url",
        env="VIRTUALBOX_BOOT2DOCKER_URL",
        help="URL or path of a boot2docker ISO to boot instead of the image",
    ),
    Option(
        "virtualbox-import-boot2docker-vm",
        env="VIRTUALBOX_BOOT2DOCKER_IMPORT_VM",
        help="name of an old boot2docker VM whose disk and key are copied; needs --virtualbox-boot2docker-url",
    ),
    Option(
        "virtualbox-host-dns-resolver",
        "bool",
        env="VIRTUALBOX_HOST_DNS_RESOLVER",
        help="resolve the machine's names with this host's resolver",
    ),
    Option("virtualbox-nat-nictype", env="VIRTUALBOX_NAT_NICTYPE", default="82540EM", help="model of the NAT card"),
    Option(
        "virtualbox-hostonly-cidr",
        env="VIRTUALBOX_HOSTONLY_CIDR",
        default=DEFAULT_CIDR,
        help="this host's address and prefix on the host-only network",
    ),
    Option(
        "virtualbox-hostonly-nictype",
        env="VIRTUALBOX_HOSTONLY_NIC_TYPE",
        default="82540EM",
        help="model of the host-only card",
    ),
    Option(
        "virtualbox-hostonly-nicpromisc",
        env="VIRTUALBOX_HOSTONLY_NIC_PROMISC",
        default="deny",
        help="promiscuous mode of the host-only card: deny, allow-vms, allow-all",
    ),
    Option(
        "virtualbox-hostonly-no-dhcp",
        "bool",
        env="VIRTUALBOX_HOSTONLY_NO_DHCP",
        help="leave the DHCP server of the host-only network as it is",
    ),
    Option("virtualbox-ui-type", env="VIRTUALBOX_UI_TYPE", default="headless", help="headless, gui, sdl or separate"),
    Option("virtualbox-no-share", "bool", env="VIRTUALBOX_NO_SHARE", help="do not share --virtualbox-share-folder"),
    Option(
        "virtualbox-share-folder",
        env="VIRTUALBOX_SHARE_FOLDER",
        help="DIRECTORY:NAME to share as it is, credentials too; it appears as /NAME",
    ),
    Option("virtualbox-no-dns-proxy", "bool", env="VIRTUALBOX_NO_DNS_PROXY", help="do not pass DNS on to this host's"),
    Option(
        "virtualbox-no-vtx-check",
        "bool",
        env="VIRTUALBOX_NO_VTX_CHECK",
        help="do not look whether the processor has hardware virtualization",
    ),
    Option("virtualbox-ssh-user", env="VIRTUALBOX_SSH_USER", default=USER, help="login made on the machine, with sudo"),
    Option(
        "virtualbox-boot-timeout", "int", env="VIRTUALBOX_BOOT_TIMEOUT", default=300, help="seconds a boot may take"
    ),
    Option("virtualbox-program", env="VIRTUALBOX_PROGRAM", help="the VBoxManage program; empty: where it usually is"),
    Option(
        "virtualbox-install-path",
        env="VBOX_MSI_INSTALL_PATH",
        help="directory of VBoxManage, where an installer has set it (Windows)",
    ),
)
