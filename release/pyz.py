"""machine.pyz: the program and all that it needs but the clouds' SDKs, as one file that python3 runs.

    machine.pyz
        __main__.py               release/pyz_main.py
        release/pyz_unpack.py     called on the first start
        payload.zip               common/, linux-x86_64/, linux-aarch64/

The libraries are those of release/pyz-requirements.txt, by version and digest. `python -m release.pyz` writes that
file anew from the newest versions.
"""

from __future__ import annotations

import hashlib
import io
import re
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

from release.process import ReleaseError, run
from release.pyz_main import PYTHONS
from release.pyz_unpack import PAYLOAD

HERE = Path(__file__).resolve().parent
LOCK = HERE / "pyz-requirements.txt"
ARCHITECTURES = ("x86_64", "aarch64")
TAGS = ("manylinux_2_34", "manylinux_2_28", "manylinux_2_17", "manylinux2014")  # the newest first: GLIBC of pyz_main
REQUIREMENTS = ("cryptography>=42", "h11>=0.14", "paramiko>=3.4", "pycdlib>=1.12", "rich>=13")
LEFT_OUT = ("invoke", "pycparser")  # for `Match exec` of ssh_config, and to compile with cffi
_HEAD = """\
# The libraries in machine.pyz, by version and digest. Written by `python -m release.pyz`; read what changes.
"""


def build(out: Path, wheel: Path, epoch: int) -> Path:
    """Build machine.pyz out of the wheel into `out`; return its path."""
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        download(place, ["--no-deps", "--require-hashes", "--requirement", str(LOCK)])
        payload = packed(sorted([*_members(wheel, "common"), *_libraries(place)]), epoch, zipfile.ZIP_DEFLATED)
    digest = hashlib.sha256(payload).hexdigest()
    main = (HERE / "pyz_main.py").read_text().replace("@DIGEST@", digest)
    own = [(f"release/{name}", (HERE / name).read_bytes()) for name in ("__init__.py", "pyz_unpack.py")]
    files = [("__main__.py", main.encode()), *own]
    target = out / "machine.pyz"
    target.write_bytes(b"#!/usr/bin/env python3\n" + packed([*files, (PAYLOAD, payload)], epoch, zipfile.ZIP_STORED))
    target.chmod(0o755)
    return target


def packed(files: list[tuple[str, bytes]], epoch: int, compression: int) -> bytes:
    """A zip of files in this order, whose bytes depend on nothing else."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, data in files:
            entry = zipfile.ZipInfo(name, time.gmtime(max(epoch, 315532800))[:6])  # a zip begins in 1980
            entry.compress_type = compression
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    return out.getvalue()


def _libraries(place: Path) -> Iterator[tuple[str, bytes]]:
    """(name in the payload, content) of every file of the downloaded wheels, once each."""
    seen: dict[str, bytes] = {}
    for wheel in sorted(place.glob("*.whl")):
        for name, data in _members(wheel, _part(wheel.name)):
            if seen.setdefault(name, data) != data and not _describes_a_wheel(name):
                raise ReleaseError(f"two wheels have a file {name}, with different contents")
    yield from seen.items()


def _part(wheel: str) -> str:
    """The part of the payload that a wheel goes to."""
    if wheel.endswith("-any.whl"):
        return "common"
    return next(f"linux-{arch}" for arch in ARCHITECTURES if wheel.endswith(f"_{arch}.whl"))


def _members(wheel: Path, part: str) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if not name.endswith("/") and ".data/" not in name and not name.endswith((".dist-info/RECORD", ".pyi")):
                yield f"{part}/{name}", archive.read(name)


def _describes_a_wheel(name: str) -> bool:
    return name.endswith(".dist-info/WHEEL")  # cffi has a wheel for each Python


def download(place: Path, what: list[str]) -> None:
    """Download wheels for every architecture and Python. Raises ReleaseError if pip cannot."""
    for arch in ARCHITECTURES:
        platforms = [word for tag in TAGS for word in ("--platform", f"{tag}_{arch}")]
        for major, minor in PYTHONS:
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
            target = ["--only-binary=:all:", "--implementation", "cp", "--python-version", f"{major}.{minor}"]
            run([*pip, *target, *platforms, "--dest", place, *what])


def lock() -> str:
    """The text of the file with the newest versions."""
    with tempfile.TemporaryDirectory() as directory:
        download(Path(directory), list(REQUIREMENTS))
        digests: dict[str, list[str]] = {}
        for wheel in sorted(Path(directory).glob("*.whl")):
            name, version = wheel.name.split("-")[:2]
            digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
            digests.setdefault(f"{re.sub('_', '-', name)}=={version}", []).append(digest)
    kept = {name: found for name, found in digests.items() if name.split("==")[0] not in LEFT_OUT}
    return _HEAD + "".join(
        f"{name} \\\n" + " \\\n".join(f"    --hash=sha256:{digest}" for digest in sorted(found)) + "\n"
        for name, found in sorted(kept.items())
    )


if __name__ == "__main__":
    LOCK.write_text(lock())
    print(f"written: {LOCK}")
