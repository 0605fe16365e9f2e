"""The initrd of an image whose kernel has no virtio disk driver built in: a shell, that module, and a script.

Debian's kernel for clouds has only NVMe built in, and qemu cannot save a machine with an NVMe disk. An initrd of
initramfs-tools would do, and costs a boot some seconds under software emulation; this one costs a tenth of one.

The format is the kernel's Documentation/driver-api/early-userspace/buffer-format.rst: a cpio archive, "newc".
"""

from __future__ import annotations

import lzma
import stat
from collections.abc import Iterator, Mapping

ROOT = "/dev/vda"  # the first virtio disk; the seed is the second
INIT = f"""\
#!/bin/busybox sh
/bin/busybox mount -t devtmpfs devtmpfs /dev
/bin/busybox insmod /virtio_blk.ko || exec /bin/busybox sh
until [ -b {ROOT} ]; do /bin/busybox usleep 20000; done
/bin/busybox mount -t ext4 {ROOT} /root || exec /bin/busybox sh
/bin/busybox mount --move /dev /root/dev
exec /bin/busybox switch_root /root /sbin/init
"""
_TRAILER = "TRAILER!!!"


def build(busybox: bytes, module: bytes, module_name: str) -> bytes:
    """Return the archive. `module` is virtio_blk.ko as the image has it, compressed when `module_name` ends in .xz.

    Raises ValueError if it cannot be unpacked.
    """
    if module_name.endswith(".xz"):
        try:
            module = lzma.decompress(module)
        except lzma.LZMAError as error:
            raise ValueError(f"{module_name}: {error}") from None
    files = {"bin/busybox": busybox, "virtio_blk.ko": module, "init": INIT.encode()}
    return b"".join(_archive(("bin", "dev", "root"), files))


def _archive(directories: tuple[str, ...], files: Mapping[str, bytes]) -> Iterator[bytes]:
    for name in directories:
        yield _entry(name, stat.S_IFDIR | 0o755, b"")
    for name, content in files.items():
        yield _entry(name, stat.S_IFREG | 0o755, content)
    yield _entry(_TRAILER, 0, b"")


def _entry(name: str, mode: int, content: bytes) -> bytes:
    """One member: the header in hexadecimal, the name with a zero byte, the content; each padded to four bytes."""
    fields = (0, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
    head = b"070701" + b"".join(f"{field:08X}".encode() for field in fields) + name.encode() + b"\0"
    return _padded(head) + _padded(content)


def _padded(part: bytes) -> bytes:
    return part + b"\0" * (-len(part) % 4)
