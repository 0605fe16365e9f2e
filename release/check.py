"""`make release-check`: whether this commit can be released as a version. Nothing is published or tagged.

python -m release.check [--version X.Y.Z] [--out DIR]

Without --version it is that of the tag at HEAD, as it is when the tag was pushed. Every artefact is built and run.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from release import changelog, smoke
from release.build import ROOT, build
from release.process import ReleaseError, run
from release.version import TAG, next_release


def version_of_head() -> str:
    """The version of the tag at HEAD. Raises ReleaseError if there is none, or more than one."""
    tags = [tag for tag in _git("tag", "--points-at", "HEAD").split() if tag.startswith("v")]
    if len(tags) != 1:
        found = ", ".join(tags) or "no tag"
        raise ReleaseError(f"HEAD has {found}, and not one: name the version, make release-check VERSION=X.Y.Z")
    return tags[0].removeprefix("v")


def check_tree() -> str:
    """Nothing is changed, and nothing is there that git does not know."""
    if changed := _git("status", "--porcelain"):
        raise ReleaseError(f"the tree is not clean; commit or remove these:\n{changed}")
    return "the tree is clean"


def check_version(version: str) -> str:
    """It is well-formed, what this checkout works towards, newer than all tags, and if it is one itself, at HEAD."""
    if not TAG.fullmatch(f"v{version}"):
        raise ReleaseError(f"{version!r} is no version: it has the form 1.2.3, or 1.2.3rc1 for a candidate")
    if version.partition("rc")[0] != next_release():
        raise ReleaseError(
            f'the checkout works towards {next_release()}: write __version__ = "{version.partition("rc")[0]}.dev0" in'
            " machine/__init__.py"
        )
    others = [tag for tag in _git("tag", "--list", "v*").split() if TAG.fullmatch(tag) and tag != f"v{version}"]
    newest = max(others, key=order, default="")
    if newest and order(newest) >= order(version):
        raise ReleaseError(f"{version} is not newer than {newest}")
    here = _git("tag", "--points-at", "HEAD").split()
    if f"v{version}" in _git("tag", "--list").split() and f"v{version}" not in here:
        raise ReleaseError(f"v{version} is a tag of another commit: choose a new version; a tag is never moved")
    return f"{version} is newer than {newest or 'nothing: it is the first'}"


def order(version: str) -> tuple[int, int, int, int]:
    """What versions and tags are ordered by: a candidate comes before its release."""
    found = re.fullmatch(r"v?(\d+)\.(\d+)\.(\d+)(?:rc(\d+))?", version)
    if found is None:
        raise ValueError(version)
    return int(found[1]), int(found[2]), int(found[3]), int(found[4]) if found[4] else sys.maxsize


def check_generated() -> str:
    """The generated pages are what the program would write."""
    for script in ("generate-docs", "draw-architecture", "draw-pictures", "draw-recording"):
        run([sys.executable, ROOT / "scripts" / script, "--check"], cwd=ROOT)
    return "the generated pages are current"


def check_changelog(version: str) -> str:
    """It has a section for the version."""
    lines = changelog.section(changelog.FILE.read_text(), version).splitlines()
    return f"the changelog has {len(lines)} lines on {version}"


def check_artefacts(version: str, out: Path) -> str:
    """All are built, and each runs."""
    build(out, version)
    return "built and run: " + ", ".join(smoke.check(out, version))


def main(argv: Sequence[str]) -> int:
    """Check everything that can be checked, and say all that is missing at once."""
    parser = argparse.ArgumentParser(prog="python -m release.check", description="Check whether a release can be made")
    parser.add_argument("--version", default="", help="the version to be; without it, that of the tag at HEAD")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="where the artefacts go (default dist)")
    args = parser.parse_args(argv)
    try:
        version = args.version.removeprefix("v") or version_of_head()
    except ReleaseError as error:
        print(f"- {error}", file=sys.stderr)
        return 1
    checks: list[Callable[[], str]] = [
        check_tree,
        lambda: check_version(version),
        lambda: check_changelog(version),
        check_generated,
    ]
    failed = sum(not _passes(check) for check in checks)
    if not failed:  # minutes, for what would not be released anyway
        failed += not _passes(lambda: check_artefacts(version, args.out))
    print(f"{version} can be released" if not failed else f"{version} cannot be released yet")
    return int(failed > 0)


def _passes(check: Callable[[], str]) -> bool:
    try:
        print(f"+ {check()}", flush=True)
    except ReleaseError as error:
        print(f"- {error}", file=sys.stderr, flush=True)
        return False
    return True


def _git(*words: str) -> str:
    return run(["git", "-C", ROOT, *words]).strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
