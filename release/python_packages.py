"""The wheel and the sdist, by the standard front end (`python -m build`): the wheel is built out of the sdist."""

from __future__ import annotations

import gzip
import io
import sys
import tarfile
from pathlib import Path

from release.process import ReleaseError, run

ROOT = Path(__file__).resolve().parent.parent


def build(out: Path, epoch: int, version: str) -> tuple[Path, Path]:
    """Build both into `out`; return (sdist, wheel). `version` "" is that of the tags."""
    environ = {"SOURCE_DATE_EPOCH": str(epoch)}
    if version:
        environ["SETUPTOOLS_SCM_PRETEND_VERSION_FOR_CONTAINER_HOSTS"] = version
    run([sys.executable, "-m", "build", "--outdir", out, ROOT], environ=environ)
    sdist, wheel = only(out, "*.tar.gz"), only(out, "*.whl")
    make_reproducible(sdist, epoch)
    return sdist, wheel


def only(place: Path, pattern: str) -> Path:
    """The one file of that name. Raises ReleaseError if there is none, or more than one."""
    found = list(place.glob(pattern))
    if len(found) != 1:
        raise ReleaseError(f"{place} has {len(found)} files {pattern}, not one: remove the directory and try again")
    return found[0]


def make_reproducible(sdist: Path, epoch: int) -> None:
    """Write an archive anew with one time, one owner and sorted names, so that the same sources give the same bytes."""
    plain = io.BytesIO()
    with tarfile.open(sdist) as source, tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as target:
        for member in sorted(source.getmembers(), key=lambda member: member.name):
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.mtime = epoch
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            member.pax_headers = {}
            target.addfile(member, source.extractfile(member) if member.isfile() else None)
    with open(sdist, "wb") as file, gzip.GzipFile("", "wb", fileobj=file, mtime=epoch) as packed:
        packed.write(plain.getvalue())
