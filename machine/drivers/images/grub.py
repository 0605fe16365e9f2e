"""A boot loader for a disk that holds one ext4 file system: GRUB for a PC's BIOS, written without mounting anything.

GRUB's first sector loads what lies in the sectors after it (its stored address of that is 1), and `grub-mkimage` makes
that so that it knows its own length; so both are only copied to their places before the partition.
https://www.gnu.org/software/grub/manual/grub/html_node/BIOS-installation.html
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable

from machine import files
from machine.errors import DriverError
from machine.process import Completed

SECTOR = 512
LINUX = 0x83  # the type of the partition
FIRST = "/usr/lib/grub/i386-pc/boot.img"
MODULES = ("biosdisk", "part_msdos", "ext2", "search_label", "linux", "boot")


def needs(arch: str) -> dict[str, str]:
    """The programs that `install` runs, with the packages that have them. Raises DriverError where there is none."""
    if arch != "amd64":
        raise DriverError(
            f"an image that boots by itself cannot be built here for {arch}",
            resolution="give an image by URL or path, or let it be downloaded where the network allows it",
        )
    return {"grub-mkimage": "grub-common", FIRST: "grub-pc-bin"}


def install(image: str, offset: int, label: str, work: str, run: Callable[..., Completed]) -> None:
    """Make the raw `image`, whose file system `label` begins `offset` bytes in, one that boots its own /vmlinuz.

    `work` is a directory for temporary files.
    """
    config, core = os.path.join(work, "grub.cfg"), os.path.join(work, "core.img")
    files.write(config, script(label).encode())
    run(["grub-mkimage", "-O", "i386-pc", "-p", "/boot/grub", "-c", config, "-o", core, *MODULES], timeout=60)
    with open(FIRST, "rb") as file:
        first = file.read(SECTOR)
    with open(core, "rb") as file:
        rest = file.read()
    if len(rest) > offset - SECTOR:
        raise DriverError(f"the boot loader is too long: {len(rest)} bytes")
    with open(image, "r+b") as disk:
        size = os.fstat(disk.fileno()).st_size
        disk.write(master(first, offset, size - offset))
        disk.write(rest)
    os.unlink(config)
    os.unlink(core)


def script(label: str) -> str:
    """What GRUB does: no menu. Debian keeps the two links on the newest kernel."""
    return (
        f"search.fs_label {label} root\n"
        f"linux /vmlinuz root=LABEL={label} ro console=tty0 console=ttyS0 net.ifnames=0\n"
        "initrd /initrd.img\n"
        "boot\n"
    )


def master(first: bytes, start: int, length: int) -> bytes:
    """The first sector: GRUB's code, and one active partition from `start`, `length` bytes long."""
    entry = struct.pack("<B3sB3sII", 0x80, b"\xfe\xff\xff", LINUX, b"\xfe\xff\xff", start // SECTOR, length // SECTOR)
    return first[:440] + b"mach" + b"\0\0" + entry + bytes(48) + b"\x55\xaa"
