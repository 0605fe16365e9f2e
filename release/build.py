"""`make release`: every artefact of a release into dist/, and SHA256SUMS beside them.

python -m release.build [--version X.Y.Z] [--out DIR] [KIND...]

Without --version it is that of git's tags: vX.Y.Z at HEAD, or else a development version. The same commit gives the
same bytes: the times in the archives are the commit's ($SOURCE_DATE_EPOCH, where it is set).
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from release import deb, python_packages, pyz
from release.process import ReleaseError, run

ROOT = Path(__file__).resolve().parent.parent
SUMS = "SHA256SUMS"
ARTEFACT = re.compile(r"SHA256SUMS|machine\.pyz|.+\.(whl|tar\.gz|deb)")
KINDS = ("pyz", "deb")  # beside sdist and wheel, which the others are made of


def epoch() -> int:
    """The time that the archives say, in seconds since 1970: that of the commit."""
    if set_time := os.environ.get("SOURCE_DATE_EPOCH", ""):
        return int(set_time)
    return int(run(["git", "-C", ROOT, "log", "-1", "--format=%ct"]))


def build(out: Path, version: str, kinds: Sequence[str] = KINDS) -> list[Path]:
    """Build the kinds into `out`, of which an earlier release is removed first; return what was built."""
    remove_earlier(out)
    out.mkdir(parents=True, exist_ok=True)
    when = epoch()
    sdist, wheel = python_packages.build(out, when, version)
    made = [sdist, wheel]
    if "pyz" in kinds:
        made.append(pyz.build(out, wheel, when))
    if "deb" in kinds:
        made.append(deb.build(out, wheel, when))
    write_sums(out)
    return [*made, out / SUMS]


def remove_earlier(out: Path) -> None:
    """Remove the artefacts in a directory. Raises ReleaseError, and removes nothing, if it has anything else."""
    if not out.is_dir():
        return
    files = sorted(out.iterdir())
    others = [file.name for file in files if not ARTEFACT.fullmatch(file.name) or not file.is_file()]
    if others:
        raise ReleaseError(f"{out} has more in it than a release ({', '.join(others[:3])}): name another --out")
    for file in files:
        file.unlink()


def write_sums(out: Path) -> None:
    """Write the digests of all files of a directory, as `sha256sum --check` reads them."""
    files = sorted(path for path in out.iterdir() if path.name != SUMS)
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (out / SUMS).write_text("".join(lines))


def main(argv: Sequence[str]) -> int:
    """Build, and say what was built."""
    parser = argparse.ArgumentParser(prog="python -m release.build", description="Build the artefacts of a release")
    parser.add_argument("--version", default="", help="the version; without it, that of git's tags")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="where to (default dist)")
    text = "what beside sdist and wheel (default all)"
    parser.add_argument("kinds", nargs="*", metavar="|".join(KINDS), choices=[*KINDS, []], help=text)
    args = parser.parse_args(argv)
    try:
        made = build(args.out, args.version, args.kinds or KINDS)
    except ReleaseError as error:
        print(f"the release cannot be built: {error}", file=sys.stderr)
        return 1
    for path in made:
        print(f"{path.stat().st_size:>12,}  {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
