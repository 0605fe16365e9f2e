"""`make release-check`: what must not be released is not, each with what to do; what may be is built and run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from machine import __version__
from release import changelog
from release.build import remove_earlier
from release.check import check_version, order
from release.process import ReleaseError
from release.version import next_release
from tests.release.checkout import checkout, git

CHANGELOG = """# Changelog

## Unreleased

* new

## [1.1.0] - 2026-02-30

* wrong

## [1.0.0] - 2026-01-02

* first

### More

* second

## [0.9.0] - 2025-01-02

"""


def test_the_section_of_a_release_is_found() -> None:
    assert changelog.section(CHANGELOG, "1.0.0") == "* first\n\n### More\n\n* second"
    assert changelog.section(CHANGELOG, "1.0.0rc1") == changelog.section(CHANGELOG, "1.0.0")
    assert changelog.section(CHANGELOG, "1.2.0rc1") == "* new"


@pytest.mark.parametrize(("version", "said"), [("1.2.0", "no section"), ("1.1.0", "calendar"), ("0.9.0", "is empty")])
def test_a_section_that_is_missing_or_wrong_is_told(version: str, said: str) -> None:
    with pytest.raises(ReleaseError, match=said):
        changelog.section(CHANGELOG, version)


def test_the_changelog_of_this_checkout_has_notes_for_a_candidate() -> None:
    assert changelog.section(changelog.FILE.read_text(), f"{next_release()}rc1")


def test_versions_are_ordered_by_number_and_candidates_before_their_release() -> None:
    versions = ["0.9.9", "v1.0.0rc1", "1.0.0rc10", "1.0.0", "v1.2.0", "1.10.0"]
    assert sorted([*versions[3:], *versions[:3]], key=order) == versions


def test_only_an_earlier_release_makes_room_for_a_new_one(tmp_path: Path) -> None:
    """`--out` may name any directory, a home too."""
    for name in ("SHA256SUMS", "machine.pyz", "machine_1.0.0_all.deb", "container_hosts-1.0.0.tar.gz", "x.whl"):
        (tmp_path / name).touch()
    (tmp_path / "thesis.odt").touch()
    with pytest.raises(ReleaseError, match=r"thesis\.odt"):
        remove_earlier(tmp_path)
    assert len(list(tmp_path.iterdir())) == 6
    (tmp_path / "thesis.odt").rename(tmp_path.parent / "thesis.odt")
    (tmp_path / "directory.whl").mkdir()
    with pytest.raises(ReleaseError, match="another --out"):
        remove_earlier(tmp_path)
    (tmp_path / "directory.whl").rmdir()
    remove_earlier(tmp_path)
    assert list(tmp_path.iterdir()) == []
    remove_earlier(tmp_path / "none")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A checkout of this tree whose changelog has a section for the next release."""
    place = checkout(tmp_path / "source")
    file = place / "CHANGELOG.md"
    file.write_text(file.read_text().replace("## Unreleased", f"## [{next_release()}] - 2026-01-02", 1))
    git(place, "commit", "-q", "-a", "-m", "release")
    return place


def check(place: Path, *line: str) -> subprocess.CompletedProcess[str]:
    """`make release-check` in a checkout."""
    command = [sys.executable, "-m", "release.check", "--out", str(place.parent / "dist"), *line]
    return subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=900, check=False)


@pytest.mark.slow
def test_what_can_be_released_is_built_and_run(source: Path) -> None:
    git(source, "tag", f"v{next_release()}")
    done = check(source)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"+ {next_release()} is newer than nothing: it is the first\n" in done.stdout
    assert "+ built and run: container_hosts-" in done.stdout
    assert done.stdout.endswith(f"{next_release()} can be released\n")
    assert git(source, "status", "--porcelain") == "", "and it leaves the tree as it was"


@pytest.mark.slow
def test_everything_that_is_missing_is_told_at_once_and_nothing_is_built(source: Path) -> None:
    git(source, "tag", "v99.0.0")
    git(source, "commit", "-q", "--allow-empty", "-m", "later")
    (source / "left-over").touch()
    page = source / "docs/commands.md"
    page.write_text(page.read_text() + "stale\n")
    (source / "CHANGELOG.md").write_text("# Changelog\n")
    done = check(source, "--version", next_release())
    assert done.returncode == 1
    for part in (
        "?? left-over",
        f"{next_release()} is not newer than v99.0.0",
        "no section for",
        "docs/commands.md is out",
    ):
        assert part in done.stderr
    assert done.stdout.endswith(f"{next_release()} cannot be released yet\n")
    assert not (source.parent / "dist").exists()


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("1.0", "'1.0' is no version"),
        ("1.0.0-1", "'1.0.0-1' is no version"),
        ("77.0.0", f'works towards {__version__.partition(".dev")[0]}: write __version__ = "77.0.0.dev0"'),
    ],
)
def test_a_version_that_cannot_be_is_told(version: str, said: str) -> None:
    with pytest.raises(ReleaseError, match=re.escape(said)):
        check_version(version)


@pytest.mark.slow
def test_without_a_version_head_needs_a_tag(source: Path) -> None:
    done = check(source)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "- HEAD has no tag, and not one: name the version, make release-check VERSION=X.Y.Z\n"


@pytest.mark.slow
def test_a_tag_is_never_moved(source: Path) -> None:
    git(source, "tag", f"v{next_release()}")
    git(source, "commit", "-q", "--allow-empty", "-m", "later")
    assert "a tag is never moved" in check(source, "--version", next_release()).stderr
