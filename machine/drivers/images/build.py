"""Building an image from Debian's packages with mmdebstrap, as root or not. Nothing on this host is mounted."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from machine import files, names
from machine.drivers.images import apt_sources, build_directory, disks, fetch, grub, image_spec, initrd
from machine.errors import CommandFailed, DriverError
from machine.process import Completed

THIS_HOST = "this host's package sources"  # what stands in messages when no mirror was asked for
SECONDS = 1800.0  # for a build over a slow line
NEEDED = 1600 << 20  # bytes, in the store's disk and in the temporary directory
IMAGE_UMASK = 0o022  # directories inside the image are for every user of the machine
SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin"  # not on an ordinary user's PATH in Debian
SUBORDINATE_IDS = "/etc/subuid"  # of every user, subuid(5)
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
BUSYBOX = "/usr/bin/busybox"  # in the image
NONE, SMALL, FULL = "none", "small", "full"  # the initrd that a kernel needs
TOOLS = {
    "mmdebstrap": "mmdebstrap",
    "flock": "util-linux",
    "mke2fs": "e2fsprogs",
    "debugfs": "e2fsprogs",
    "qemu-img": "qemu-utils",
}


@dataclass(frozen=True, slots=True)
class Built:
    """Paths of what a build made; `initrd` "" when the kernel needs none. `root` is the disk as the kernel names it.

    An image with a boot loader of its own has none of the last three.
    """

    disk: str
    kernel: str
    initrd: str
    root: str


def build(
    name: str,
    arch: str,
    mirror: str,
    work: str,
    *,
    run: Callable[..., Completed],
    log: Callable[[str], None],
    driver_name: str = "qemu",
) -> Built:
    """Build image `name` in the empty directory `work`; DriverError names what is missing or what went wrong.

    Should this program be killed meanwhile, mmdebstrap goes on and ends by itself. What it leaves is in `work` and in
    the temporary directory that belongs to it: build_directory.remove removes both.
    """
    if not sys.platform.startswith("linux"):
        raise DriverError(
            "an image can only be built on Linux",
            resolution=f"let it be downloaded, or give one with --{driver_name}-image URL or PATH",
        )
    check(
        work,
        root=os.geteuid() == 0,
        driver_name=driver_name,
        tools={**TOOLS, **(grub.needs(arch) if image_spec.bootable(name) else {})},
    )
    log(f"building {name} from {mirror or THIS_HOST} with mmdebstrap, about a minute")
    image = os.path.join(work, build_directory.IMAGE)
    command = _command(name, arch, mirror, image)
    try:
        run(command, timeout=SECONDS, umask=IMAGE_UMASK)
    except CommandFailed as error:
        raise DriverError(
            f"the image {name} could not be built",
            details=_end(error.details or error.brief),
            resolution=f"check that {mirror or THIS_HOST} can be reached (--{driver_name}-image-mirror names another), "
            f"or give an image with --{driver_name}-image URL or PATH",
        ) from error
    os.chmod(image, 0o600)
    if image_spec.bootable(name):
        grub.install(image, image_spec.OFFSET, image_spec.LABEL, work, run)
        return Built(_finish(image, work, run), "", "", "")
    return _unpack(image, work, run)


def _command(name: str, arch: str, mirror: str, image: str) -> list[str]:
    """Make the empty file `image` and the temporary directory; return the command that builds into them."""
    os.close(disks.private(image))
    os.chmod(image, 0o666)  # noqa: S103 (in a 0700 directory; the user namespace writes it through a descriptor)
    return image_spec.command(
        name,
        arch,
        sources(name, arch, mirror),
        image,
        keyring=KEYRING,
        root=os.geteuid() == 0,
        temporary=build_directory.make_temporary(os.path.dirname(image)),
    )


def sources(name: str, arch: str, mirror: str) -> list[str]:
    """The lines of sources.list to build from: of `mirror`, else of this host's own sources, else none."""
    suite = image_spec.suite_of(name)
    if mirror:
        return image_spec.sources(suite, mirror, security=fetch.exists(image_spec.security_file(suite, mirror)))
    return apt_sources.lines(suite, arch)


def check(work: str, *, root: bool, driver_name: str = "qemu", tools: Mapping[str, str] | None = None) -> None:
    """What a build needs on this host; DriverError names the cure for the first thing that is missing."""
    missing = sorted({package for tool, package in (TOOLS if tools is None else tools).items() if not tool_path(tool)})
    if not os.path.exists(KEYRING):
        missing.append("debian-archive-keyring")
    if not root and not tool_path("newuidmap"):
        missing.append("uidmap")
    if missing:
        raise DriverError(
            "building an image needs programs that are not installed: " + ", ".join(missing),
            resolution=f"sudo apt-get install {' '.join(missing)},"
            f" or give an image with --{driver_name}-image URL or PATH",
        )
    if not root:
        import pwd

        _check_subordinate(pwd.getpwuid(os.geteuid()).pw_name)
    for place, option in ((work, "--storage-path"), (tempfile.gettempdir(), "$TMPDIR")):
        room = shutil.disk_usage(place).free
        if room < NEEDED:
            raise DriverError(
                f"no room to build an image: {place} has {room >> 20} MB free, {NEEDED >> 20} MB are needed",
                resolution=f"make room there, or choose another place with {option}",
            )


def tool_path(tool: str) -> str:
    """Where a program (or a file, by its path) is, also where a user's PATH does not look; "" when nowhere."""
    if os.path.isabs(tool):
        return tool if os.path.exists(tool) else ""
    return shutil.which(tool) or shutil.which(tool, path=SYSTEM_PATH) or ""


def kernel_boot(config: str) -> tuple[str, str]:
    """Return (initrd, root disk) from a kernel's config, by what is built in.

    The initrd is NONE, SMALL (that of initrd.py) or FULL (the image's own). A virtio disk is taken before an NVMe one,
    for qemu can save a machine that has it.
    """
    lines = config.splitlines()
    built_in = {line.removesuffix("=y") for line in lines if line.endswith("=y")}
    if {"CONFIG_EXT4_FS", "CONFIG_VIRTIO_PCI"} <= built_in:
        if "CONFIG_VIRTIO_BLK" in built_in:
            return NONE, initrd.ROOT
        if {"CONFIG_DEVTMPFS", "CONFIG_BLK_DEV_INITRD"} <= built_in and "CONFIG_VIRTIO_BLK=m" in lines:
            return SMALL, initrd.ROOT
    if {"CONFIG_EXT4_FS", "CONFIG_BLK_DEV_NVME"} <= built_in:
        return NONE, "/dev/nvme0n1"
    return FULL, f"LABEL={image_spec.LABEL}"


def _unpack(image: str, work: str, run: Callable[..., Completed]) -> Built:
    """The kernel out of the file system, and the file system into qcow2. debugfs needs no mount."""
    debugfs = tool_path("debugfs")
    listing = run([debugfs, "-R", "ls -p /boot", image], timeout=60).stdout
    versions = re.findall(r"/vmlinu[xz]-([^/\s]+)/", listing)
    if not versions:
        raise DriverError("the image that was built holds no kernel", details=_end(listing))
    version = max(versions, key=names.natural_key)

    def take(path: str) -> str:
        """The file at `path` of the image, in the directory of the build."""
        name = os.path.basename(path)
        run([debugfs, "-R", f"dump {path} {name}", image], cwd=work, timeout=120)
        target = os.path.join(work, name)
        if not os.path.exists(target) or not os.path.getsize(target):
            raise DriverError(f"the image that was built has no {path}")
        return target

    with open(take(f"/boot/config-{version}"), encoding="ascii", errors="replace") as file:
        kind, root = kernel_boot(file.read())
    initial = ""
    if kind == SMALL:
        listing = run([debugfs, "-R", f"ls -p {_module_directory(version)}", image], timeout=60).stdout
        initial = _small_initrd(work, take(BUSYBOX), take(f"{_module_directory(version)}/{_module_name(listing)}"))
    elif kind == FULL:
        initial = take(f"/boot/initrd.img-{version}")
    kernel = take(f"/boot/vmlinuz-{version}")
    return Built(_finish(image, work, run), kernel, initial, root)


def _module_directory(version: str) -> str:
    return f"/usr/lib/modules/{version}/kernel/drivers/block"


def _module_name(listing: str) -> str:
    """The name of the virtio disk driver in a directory as debugfs lists it; it may be compressed."""
    found = re.search(r"/(virtio_blk\.ko(?:\.xz)?)/", listing)
    if not found:
        raise DriverError("the image that was built has no module virtio_blk", details=_end(listing))
    return found[1]


def _small_initrd(work: str, busybox: str, module: str) -> str:
    """Write the initrd of initrd.py into the directory of the build, and return its path."""
    target = os.path.join(work, "initrd.img")
    try:
        content = initrd.build(files.read(busybox), files.read(module), os.path.basename(module))
    except ValueError as error:
        raise DriverError("the initrd of the image could not be made", details=str(error)) from None
    files.write(target, content)
    return target


def _finish(image: str, work: str, run: Callable[..., Completed]) -> str:
    disk = os.path.join(work, "disk.qcow2")
    run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", image, disk], timeout=600)
    os.unlink(image)
    return disk


def _check_subordinate(user: str) -> None:
    """Without root, mmdebstrap needs a range of subordinate user ids (user_namespaces(7), subuid(5))."""
    try:
        with open(SUBORDINATE_IDS, encoding="utf-8", errors="replace") as file:
            owners = {line.partition(":")[0] for line in file}
    except OSError:
        owners = set()
    if not owners & {user, str(os.geteuid())}:
        raise DriverError(
            f"{user} has no subordinate user ids, without which an image can only be built as root",
            resolution=f"sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}",
        )


def _end(text: str, lines: int = 12) -> str:
    return "\n".join(text.strip().splitlines()[-lines:])
