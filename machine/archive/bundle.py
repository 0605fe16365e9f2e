"""The file's bytes, to and from a dict of names and contents. Pure; trusts nothing that it reads."""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Mapping

from machine import paths
from machine.errors import StoreError

FOLDER = "machine"
MANIFEST = "manifest.json"
NAMES = (
    MANIFEST,
    paths.CONFIG,
    paths.CA,
    paths.KNOWN_HOSTS,
    paths.CERT,
    paths.KEY,
    paths.SERVER_CERT,
    paths.SERVER_KEY,
    paths.SSH_KEY,
    paths.OLD_SSH_KEY,
    paths.SWARM_KEY,
)
LARGEST = 4 * 2**20  # bytes, unpacked; a real one has about 10 KB


def pack(contents: Mapping[str, bytes]) -> bytes:
    """The archive of `contents` (names out of NAMES); the same contents give the same bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in NAMES:
            if name in contents:
                member = tarfile.TarInfo(f"{FOLDER}/{name}")
                member.size, member.mode = len(contents[name]), 0o600
                tar.addfile(member, io.BytesIO(contents[name]))
    return gzip.compress(buffer.getvalue(), mtime=0)


def unpack(data: bytes, source: str) -> dict[str, bytes]:
    """The contents by name. Raises StoreError, naming `source`, for whatever `pack` would not have made.

    Nothing is unpacked to the disk. Links, directories, paths, unknown and repeated names are refused, and so is
    everything that unpacks to more than LARGEST.
    """
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as gzip_file:
            plain = gzip_file.read(LARGEST + 1)
    except (OSError, EOFError, zlib.error):
        raise _bad_file_error(source, "it is not a gzip file, or is cut short") from None
    if len(plain) > LARGEST:
        raise _bad_file_error(source, f"it unpacks to more than {LARGEST // 2**20} MiB")
    try:
        with tarfile.open(fileobj=io.BytesIO(plain), mode="r:") as tar:
            found = _members(tar, source)
    except (tarfile.TarError, ValueError, OverflowError, EOFError):
        raise _bad_file_error(source, "it holds no tar archive, or half of one") from None
    missing = [name for name in (MANIFEST, paths.CONFIG) if name not in found]
    if missing:
        raise _bad_file_error(source, f"it holds no {missing[0]}")
    return found


def _members(tar: tarfile.TarFile, source: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for member in tar:
        folder, _, name = member.name.partition("/")
        if folder != FOLDER or name not in NAMES:
            raise _bad_file_error(source, f"it holds {member.name[:80]!r}, which no export has")
        if not member.isreg() or member.issparse():
            raise _bad_file_error(source, f"{member.name} in it is not a plain file")
        if name in found:
            raise _bad_file_error(source, f"{member.name} is in it twice")
        content = tar.extractfile(member)
        found[name] = content.read() if content is not None else b""
        if len(found[name]) != member.size:
            raise _bad_file_error(source, f"{member.name} in it is cut short")
    return found


def _bad_file_error(source: str, reason: str) -> StoreError:
    return StoreError(
        f"{source} is not a file that `machine export` wrote",
        details=reason,
        resolution="ask for a new one: machine export --with-keys NAME",
    )
