"""Programs out of Debian packages of another release, unpacked and not installed: `unpacked("docker-compose")`.

The packages are fetched by apt with lists of its own, from where this host's own sources fetch Debian, and kept under
$MACHINE_TEST_CACHE/clients: a run that finds them there asks nobody. Several test processes may ask at once.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SUITE = "trixie"  # has Compose 2.26, buildx 0.13 and docker 26.1
DEFAULT_MIRROR = ""  # a host whose apt knows no Debian has none
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
RELEASES = frozenset(
    ("bullseye", "bookworm", "trixie", "forky", "sid", "oldoldstable", "oldstable", "stable", "testing", "unstable")
)
LONGEST = 100  # letters of a directory's name; file systems take 255 bytes
SECONDS = 240  # for one call of apt; the lists and three packages are 45 MB


class Unavailable(Exception):
    """The packages are not to be had here; the text says why."""


def require(*packages: str, suite: str = SUITE) -> Path:
    """The root of a tree with these packages in it; skips the test, with the reason, where they are not to be had."""
    try:
        return unpacked(*packages, suite=suite)
    except Unavailable as error:
        pytest.skip(f"needs {', '.join(packages)} of Debian {suite}: {error}")


def unpacked(*packages: str, suite: str = SUITE) -> Path:
    """The root of a tree with these packages in it (usr/bin, usr/libexec, ...), fetched if need be; Unavailable.

    What the packages depend on is not fetched; name it too where it matters.
    """
    names = sorted(packages)
    tree = kept() / "clients" / f"{suite}-{platform.machine()}" / directory_name(names)
    if tree.exists():
        return tree
    for tool in ("apt-get", "dpkg"):
        if shutil.which(tool) is None:
            raise Unavailable(f"{tool} is missing")
    tree.parent.mkdir(parents=True, exist_ok=True)
    with only_one(tree.parent / "lock"):
        if not tree.exists():
            _fetch(names, suite, tree)
    return tree


def directory_name(names: list[str]) -> str:
    """A name for the tree of these packages: theirs, shortened to what a file system takes."""
    name = "+".join(names)
    return name if len(name) <= LONGEST else f"{name[:60]}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def kept() -> Path:
    """Where tests keep things between runs; HOME is not asked, for tests change it."""
    given = os.environ.get("MACHINE_TEST_CACHE")
    return Path(given) if given else Path(pwd.getpwuid(os.getuid()).pw_dir) / ".cache" / "machine-test"


def mirror(sources: Iterable[str]) -> str:
    """The first URI that the texts of apt's source files name for a release of Debian itself; "" for none.

    Both of apt's forms are read, lines (`deb [options] URI SUITE COMPONENTS`) and stanzas (`URIs:`, `Suites:`).
    """
    for text in sources:
        for uri, suites in [*_lines(text), *_stanzas(text)]:
            if not RELEASES.isdisjoint(suites):
                return uri.rstrip("/")
    return DEFAULT_MIRROR


def _lines(text: str) -> Iterator[tuple[str, list[str]]]:
    for found in re.finditer(r"^deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)", text, re.MULTILINE):
        yield found[1], [found[2]]


def _stanzas(text: str) -> Iterator[tuple[str, list[str]]]:
    for stanza in re.split(r"\n\s*\n", re.sub(r"^#.*\n?", "", text, flags=re.MULTILINE)):
        fields = {
            key.lower(): value.split() for key, value in re.findall(r"^([\w-]+):[ \t]*(.*)$", stanza, re.MULTILINE)
        }
        if "deb" in fields.get("types", []) and fields.get("enabled", ["yes"])[0].lower() != "no":
            for uri in fields.get("uris", [])[:1]:
                yield uri, fields.get("suites", [])


def _own_sources() -> list[str]:
    directory = Path("/etc/apt")
    files = [directory / "sources.list", *sorted((directory / "sources.list.d").glob("*"))]
    return [
        file.read_text(errors="replace") for file in files if file.is_file() and file.suffix in (".list", ".sources")
    ]


def _fetch(packages: list[str], suite: str, tree: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=tree.parent) as name:
        work = Path(name)
        environ = _apt(work, suite)
        _run(["apt-get", "-q", "update"], work, environ)
        _run(["apt-get", "-q", "download", *packages], work, environ)
        for package in work.glob("*.deb"):
            _run(["dpkg", "-x", str(package), str(work / "tree")], work, environ)
        (work / "tree").chmod(0o755)
        (work / "tree").rename(tree)


def _apt(work: Path, suite: str) -> dict[str, str]:
    """The environment for an apt that has its lists in `work` and looks at one suite only."""
    signed = f"[signed-by={KEYRING}] " if Path(KEYRING).exists() else ""
    where = mirror(_own_sources())
    if not where:
        raise Unavailable("the package sources of this host name no archive of Debian")
    (work / "sources.list").write_text(f"deb {signed}{where} {suite} main\n")
    for directory in ("lists/partial", "archives/partial"):
        (work / directory).mkdir(parents=True)
    settings = {
        "Dir::Etc::SourceList": work / "sources.list",
        "Dir::Etc::SourceParts": "-",
        "Dir::Etc::PreferencesParts": "-",
        "Dir::State::Lists": work / "lists",
        "Dir::State::Status": "/dev/null",  # nothing is installed, as far as this apt knows
        "Dir::Cache": work,
        "Acquire::Languages": "none",
        "Acquire::Check-Valid-Until": "false",  # a mirror may be a snapshot
        "Acquire::Retries": "2",
        "APT::Sandbox::User": "",  # its user may not enter the cache
    }
    (work / "apt.conf").write_text("".join(f'{key} "{value}";\n' for key, value in settings.items()))
    return {**os.environ, "APT_CONFIG": str(work / "apt.conf"), "LC_ALL": "C"}


def _run(argv: list[str], work: Path, environ: dict[str, str]) -> None:
    try:
        done = subprocess.run(argv, cwd=work, env=environ, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{' '.join(argv)} took more than {SECONDS} s") from None
    if done.returncode != 0:
        raise Unavailable(f"{' '.join(argv)} failed: {done.stderr.strip()[-400:]}")


@contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Be the only process that has this lock file open."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
