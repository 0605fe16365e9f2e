"""The flags of driver qemu."""

from __future__ import annotations

from machine.options import DISK, VALUE, Option

DEFAULT_IMAGE = "debian-13"
DEFAULT_CPUS = 2
DEFAULT_MEMORY = 1024  # MB
DEFAULT_DISK = 20000  # MB
DEFAULT_BOOT_TIMEOUT = 300  # seconds
DEFAULT_ACCEL = "auto"
DEFAULT_WARM = "on"
DEFAULT_LOCALHOST = "auto"
DEFAULT_HOST_ACCESS = "auto"
DEFAULT_MIRROR = ""  # this host's own package sources
USER = "machine"

OPTIONS = (
    Option(
        "qemu-image",
        env="QEMU_IMAGE",
        default=DEFAULT_IMAGE,
        help="name (debian-13, debian-12), URL or path of the disk image",
    ),
    Option(
        "qemu-cpu-count",
        "int",
        env="QEMU_CPU_COUNT",
        default=DEFAULT_CPUS,
        help="virtual CPUs; -1 for all of this host's",
        changeable=VALUE,
    ),
    Option("qemu-memory", "int", env="QEMU_MEMORY", default=DEFAULT_MEMORY, help="memory in MB", changeable=VALUE),
    Option(
        "qemu-disk-size",
        "int",
        env="QEMU_DISK_SIZE",
        default=DEFAULT_DISK,
        help="size of the disk in MB, filled as used",
        changeable=DISK,
    ),
    Option(
        "qemu-boot-timeout",
        "int",
        env="QEMU_BOOT_TIMEOUT",
        default=DEFAULT_BOOT_TIMEOUT,
        help="seconds a boot may take",
    ),
    Option(
        "qemu-publish",
        "list",
        env="QEMU_PUBLISH",
        help="HOST:GUEST port (PORT: both), kept open at the machine's address; repeat",
        changeable=VALUE,
    ),
    Option("qemu-ssh-user", env="QEMU_SSH_USER", default=USER, help="login made on the machine, with sudo rights"),
    Option(
        "qemu-accel", env="QEMU_ACCEL", default=DEFAULT_ACCEL, help="kvm, hvf, tcg (software), or auto: what works here"
    ),
    Option(
        "qemu-image-mirror",
        env="QEMU_IMAGE_MIRROR",
        default=DEFAULT_MIRROR,
        help="Debian mirror from which an image is built when none can be downloaded; empty: as this host's apt",
    ),
    Option(
        "qemu-warm",
        env="QEMU_WARM",
        default=DEFAULT_WARM,
        help="on: start from a template of its kind, made with the first one; off: boot",
    ),
    Option(
        "qemu-localhost",
        env="QEMU_LOCALHOST",
        default=DEFAULT_LOCALHOST,
        help="on: what containers publish is on localhost too; off: not; auto: unless the machine is in a cluster",
    ),
    Option(
        "qemu-host-access",
        env="QEMU_HOST_ACCESS",
        default=DEFAULT_HOST_ACCESS,
        help="on: the machine reaches what listens on this computer's loopback (host.docker.internal); off: not;"
        " auto: unless it is in a cluster",
    ),
    Option("qemu-program", env="QEMU_PROGRAM", help="the qemu binary; empty: qemu-system-* for this host's processor"),
)
