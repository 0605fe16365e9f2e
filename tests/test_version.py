"""One truth about the version and the name of what is installed."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from machine import __version__
from machine.build import DISTRIBUTION, FILE, commit

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def git(*words: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def test_the_changelog_s_newest_heading_is_what_the_checkout_works_towards_or_says_that_it_is_not_released() -> None:
    heading = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert heading is not None
    assert ".dev" in __version__, "a checkout is a development version; a build takes its version from the tag"
    if heading[1].strip("[]") != "Unreleased":
        assert heading[1].strip("[]") == __version__.removesuffix(".dev0")


def test_a_release_s_tag_is_what_the_checkout_worked_towards() -> None:
    tags = git("tag", "--points-at", "HEAD").split()
    released = __version__.removesuffix(".dev0")
    assert [tag for tag in tags if re.match(r"v?\d", tag) and not re.fullmatch(rf"v{released}(rc\d+)?", tag)] == []


def test_the_name_of_the_distribution_is_the_same_everywhere() -> None:
    assert PROJECT["name"] == DISTRIBUTION != "machine"
    assert "version" in PROJECT["dynamic"]
    named = re.findall(r"([\w-]+)\[[\w,]+\]", str(PROJECT["optional-dependencies"]))
    assert {name for name in named if name in ("machine", DISTRIBUTION)} == {DISTRIBUTION}
    texts = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("machine/**/*.py"), *ROOT.glob("scripts/*")]
    for path in filter(Path.is_file, texts):
        found = re.findall(r"(?:pip install(?: -\S+)*|pipx (?:install|inject)) machine\b(?!-)", path.read_text())
        assert found == [], path


def test_the_commit_is_that_of_the_checkout() -> None:
    if not git("rev-parse", "HEAD"):
        pytest.skip("not in a git checkout")
    assert git("rev-parse", "HEAD").startswith(commit())


def test_the_commit_of_a_package_and_of_every_kind_of_checkout(tmp_path: Path) -> None:
    package, git_dir = tmp_path / "machine", tmp_path / ".git"
    package.mkdir()
    git_dir.mkdir()
    assert commit(str(package)) == "unknown"
    (git_dir / "HEAD").write_text(COMMIT + "\n")
    assert commit(str(package)) == "unknown", "a checkout of something else"
    (tmp_path / "pyproject.toml").touch()
    assert commit(str(package)) == "01234567"
    (git_dir / "HEAD").write_text("ref: refs/heads/a/b\n")
    assert commit(str(package)) == "unknown"
    (git_dir / "packed-refs").write_text(f"# pack-refs\n{COMMIT[::-1]} refs/heads/a\n{COMMIT} refs/heads/a/b\n")
    assert commit(str(package)) == "01234567"
    (package / FILE).write_text("fedcba9876543210\n")
    assert commit(str(package)) == "fedcba98"
    (package / FILE).write_text("\x1b[31mnonsense\n")
    assert commit(str(package)) == "unknown"


def test_a_foreign_package_called_certs_is_told(tmp_path: Path) -> None:
    foreign = tmp_path / "path" / "certs"
    foreign.mkdir(parents=True)
    (foreign / "__init__.py").write_text("def where():\n    return 'elsewhere'\n")
    words = ["create", "-d", "none", "--url", "tcp://127.0.0.1:1", "dev"]
    code = f"import sys; sys.path[:0] = [{str(foreign.parent)!r}, {str(ROOT)!r}]; from machine.cli import main; "
    done = subprocess.run(
        [sys.executable, "-c", code + f"sys.exit(main({words!r}))"],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
    )
    assert done.returncode == 1
    assert "another package's module `certs`" in done.stderr
    assert str(foreign) in done.stderr
    assert "Try: " in done.stderr
    assert "bug" not in done.stderr
    assert "Traceback" not in done.stderr
