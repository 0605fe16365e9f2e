"""What goes into an image that is built here, and how: the mmdebstrap command line and its hook. Pure.

The result is one ext4 file system on the whole disk, without a boot loader: qemu loads the kernel itself. So nothing
is mounted for writing on this host and no root rights are needed. What only costs time at boot is left out.

An image called -generic is for hypervisors that boot from a disk and for other hardware than qemu's: it has Debian's
whole kernel, an initrd with every disk driver, and its file system leaves OFFSET bytes before it for a boot loader.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from machine.drivers.images import nat, port_reporter_unit

SUITES = {"debian-13": "trixie", "debian-12": "bookworm"}  # name of an image -> release
GENERIC = "-generic"  # ending of the names of images with a boot loader and all drivers
OFFSET = 1 << 20  # bytes before their file system
SIZE = "2000M"  # of the file system as built; sparse, and it grows to the disk's size on the first boot
LABEL = "machine"
DESCRIPTOR = 9  # over which the hook writes the image: its path may not be reachable inside a user namespace

PACKAGES = (
    *("systemd-sysv", "dbus", "udev", "systemd-timesyncd", "iproute2", "netbase", "kmod", "e2fsprogs", "procps"),
    *("openssh-server", "sudo", "cloud-init", "docker.io", "apparmor", "iptables", "ca-certificates", "curl"),
    *("python3-minimal", "rsync", "gnupg", "less", "iputils-ping", "initramfs-tools", "zstd", "busybox-static"),
    "sshfs",  # for directories of this computer (machine.share); with fuse3 and glib 5 MB
)
EXTRA = {"trixie": ("docker-cli",), "bookworm": ()}
PARTITIONED = ("cloud-guest-utils", "fdisk")  # what grows a partition at the first boot

# Timers that start work nobody asked for, devices that are not there, and AppArmor's profiles of programs that are
# not installed (docker loads its own): each costs a second or more under software emulation.
MASKED = (
    *("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer"),
    *("e2scrub_reap.service", "systemd-networkd-wait-online.service", "systemd-pstore.service"),
    *("modprobe@configfs.service", "modprobe@drm.service", "modprobe@fuse.service", "apparmor.service"),
    *(
        "getty@tty1.service",
        "proc-sys-fs-binfmt_misc.automount",
        "systemd-binfmt.service",
        "sshd-keygen.service",
        "cloud-init-hotplugd.socket",
    ),
)

ENABLED = ("systemd-networkd.service", "systemd-timesyncd.timer", port_reporter_unit.UNIT)
# docker.service: provisioning starts and enables it, once, with its certificates; until then the socket does for it.
DISABLED = ("systemd-timesyncd.service", "docker.service")

_CLOUD = """\
datasource_list: [ NoCloud, None ]
cloud_init_modules: [bootcmd, write_files, set_hostname, update_etc_hosts, ca_certs, users_groups, ssh]
cloud_config_modules: [runcmd]
cloud_final_modules: [package_update_upgrade_install, write_files_deferred, scripts_user]
"""
_CLOUD_PARTITIONED = _CLOUD.replace("write_files, set_hostname", "growpart, resizefs, write_files, set_hostname")
UNUSED_MODULES = (
    *("ata_piix", "ata_generic", "serio_raw", "psmouse", "pcspkr", "i2c_piix4", "qemu_fw_cfg"),
    *("sha1_ssse3", "sha256_ssse3", "sha512_ssse3"),
)
# Each module that udev loads costs a tenth of a second or more in software. The disk controller and the hashes are not
# used; systemd asks for vsock, which is not there. (button and evdev stay: the power button comes through them.)
_MODULES = "".join(f"blacklist {module}\n" for module in UNUSED_MODULES) + "alias net-pf-40 off\n"
# dockerd is all that uses this containerd.
_CONTAINERD = """\
version = 2
disabled_plugins = [
  "io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.blockfile", "io.containerd.nri.v1.nri",
  "io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp",
]
"""
# The clock is the host's when the machine starts; the network's time matters after a laptop has slept.
_LATER = "[Unit]\nDescription=Keep the clock right, when the boot is over\n[Timer]\nOnBootSec=3min\n" + (
    "[Install]\nWantedBy=timers.target\n"
)
_SEED_FIRST = "[Unit]\nAfter=systemd-modules-load.service\n"

FILES = (
    *port_reporter_unit.FILES,
    ("/etc/cloud/cloud.cfg.d/90_machine.cfg", "0644", _CLOUD),
    ("/etc/modules-load.d/machine.conf", "0644", "virtio_blk\nisofs\noverlay\n"),
    ("/etc/systemd/system/cloud-init-main.service.d/seed.conf", "0644", _SEED_FIRST),
    ("/etc/systemd/system/cloud-init-local.service.d/seed.conf", "0644", _SEED_FIRST),
    ("/etc/modprobe.d/machine.conf", "0644", _MODULES),
    ("/etc/containerd/config.toml", "0644", _CONTAINERD),
    ("/etc/systemd/system/systemd-timesyncd.timer", "0644", _LATER),
    ("/etc/sysctl.d/50-ping.conf", "0644", "net.ipv4.ping_group_range = 0 2147483647\n"),  # ping without root
    ("/etc/fstab", "0644", f"LABEL={LABEL} / ext4 defaults,x-systemd.growfs 0 0\n"),
    ("/etc/initramfs-tools/conf.d/machine", "0644", "MODULES=list\nCOMPRESS=zstd\n"),
    ("/etc/initramfs-tools/modules", "0644", "virtio_pci\nvirtio_blk\next4\n"),
)
_APT = ('Apt::Install-Recommends "false"', 'Acquire::Languages { "none"; }', "Acquire::Retries 3")
_DPKG = (
    *("path-exclude=/usr/share/man/*", "path-exclude=/usr/share/locale/*", "path-exclude=/usr/share/doc/*"),
    *("path-include=/usr/share/doc/*/copyright", "force-unsafe-io"),
)


def command(
    name: str, arch: str, lines: Sequence[str], image: str, *, keyring: str, root: bool, temporary: str
) -> list[str]:
    """The argument list that writes the file system of image `name` into the existing file `image`.

    `lines` are those of its sources.list; with none, mmdebstrap takes its own default.

    The constant shell text opens that file as descriptor 9, with a lock on it that ends with the last process of the
    build; mmdebstrap's own temporary files are in the directory `temporary`.
    """
    suite = suite_of(name)
    words = ["mmdebstrap", f"--mode={'auto' if root else 'unshare'}", "--variant=minbase", "--format=null"]
    words += [f"--architectures={arch}", f"--keyring={keyring}"]
    kernel = (*PARTITIONED, f"linux-image-{arch}") if bootable(name) else (f"linux-image-cloud-{arch}",)
    words += [f"--include={','.join((*PACKAGES, *EXTRA[suite], *kernel))}"]
    words += [f"--aptopt={option}" for option in _APT]
    words += [f"--dpkgopt={option}" for option in _DPKG]
    words += [f"--essential-hook={early(name)}", f"--customize-hook={late(name)}"]
    words += [suite, "-", *lines]
    text = f'exec {DESCRIPTOR}<>"$1" && flock -n {DESCRIPTOR} && export TMPDIR="$2" && shift 2 && exec "$@"'
    return ["sh", "-c", text, "sh", image, temporary, *words]


def bootable(name: str) -> bool:
    """Whether an image gets a boot loader of its own."""
    return name.endswith(GENERIC)


def files(name: str) -> list[tuple[str, str, str]]:
    """(path, mode, content) of every file that is added to image `name`."""
    if not bootable(name):
        return list(FILES)
    other = {
        "/etc/cloud/cloud.cfg.d/90_machine.cfg": _CLOUD_PARTITIONED,
        "/etc/modprobe.d/machine.conf": "alias net-pf-40 off\n",
        "/etc/initramfs-tools/conf.d/machine": "MODULES=most\nCOMPRESS=zstd\n",
        "/etc/initramfs-tools/modules": "",
    }
    return [(path, mode, other.get(path, content)) for path, mode, content in FILES]


def suite_of(name: str) -> str:
    """The release of Debian that image `name` is of."""
    return SUITES[name.removesuffix(GENERIC)]


def sources(suite: str, mirror: str, *, security: bool) -> list[str]:
    """The lines of sources.list for one mirror: the release, its updates, and `security` from beside it."""
    lines = [f"deb {mirror} {suite} main", f"deb {mirror} {suite}-updates main"]
    return [*lines, *([f"deb {mirror}-security {suite}-security main"] if security else [])]


def security_file(suite: str, mirror: str) -> str:
    """An URL that exists when security updates are beside the mirror, as Debian's own sites have them."""
    return f"{mirror}-security/dists/{suite}-security/InRelease"


def early(name: str) -> str:
    """Before the packages are configured: what they look at then."""
    return _write([entry for entry in files(name) if entry[0].startswith("/etc/initramfs-tools/")])


def late(name: str) -> str:
    """After them: our files, no traces of this host, and the whole tree into the image.

    The tree is looked at through a bind mount, under which /proc, /sys and /dev are not in the way; where nothing
    can be mounted, mmdebstrap has not mounted those either.
    """
    extended = "lazy_itable_init=1" + (f",offset={OFFSET}" if bootable(name) else "")
    return "\n".join(
        [
            "set -e",
            "PATH=$PATH:/usr/sbin:/sbin",
            'r="$1"',
            _write([entry for entry in files(name) if not entry[0].startswith("/etc/initramfs-tools/")]),
            f'chroot "$r" systemctl -q enable {" ".join(ENABLED)}',
            f'chroot "$r" systemctl -q disable {" ".join(DISABLED)}',
            f'chroot "$r" systemctl -q mask {" ".join(MASKED)}',
            'chroot "$r" systemctl -q set-default multi-user.target',
            'rm -f "$r/etc/hostname" "$r/etc/resolv.conf" "$r/var/lib/dbus/machine-id" "$r"/etc/ssh/ssh_host_*',
            f'echo nameserver {nat.DNS} > "$r/etc/resolv.conf"',
            ': > "$r/etc/machine-id"',
            'rm -rf "$r"/var/lib/apt/lists/*_* "$r"/var/cache/apt/*.bin "$r"/var/cache/apt/archives/*.deb',
            'rm -rf "$r"/var/log/*.log "$r"/var/log/apt',
            "b=$(mktemp -d)",
            'mount --bind "$r" "$b" 2>/dev/null || { rmdir "$b"; b=$r; }',
            f'mke2fs -q -F -t ext4 -m 1 -L {LABEL} -E {extended} -d "$b" /proc/self/fd/{DESCRIPTOR} {SIZE}',
            'if [ "$b" != "$r" ]; then umount "$b"; rmdir "$b"; fi',
        ]
    )


def _write(files: list[tuple[str, str, str]]) -> str:
    """Shell text that writes files below $1, each with its mode."""
    lines = []
    for path, mode, content in files:
        directory = path.rpartition("/")[0]
        target = f'"$1{path}"'
        lines.append(f'mkdir -p "$1{directory}"')
        lines.append(f"printf %s {shlex.quote(content)} > {target}")
        lines.append(f"chmod {mode} {target}")
    return "\n".join(lines)
