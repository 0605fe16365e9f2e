"""A first run of every artefact on this computer: it starts, and says the version that it was built for."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from release.build import SUMS
from release.deb import MODULES, NAME, debian_version
from release.process import ReleaseError, run
from release.python_packages import only


def check(dist: Path, version: str) -> list[str]:
    """Run each artefact; return a line for each. Raises ReleaseError for the first that does not do what it should."""
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        run(["sha256sum", "--check", "--strict", "--quiet", SUMS], cwd=dist)
        run([sys.executable, "-m", "twine", "check", "--strict", *dist.glob("*.whl"), *dist.glob("*.tar.gz")])
        _sdist(only(dist, "*.tar.gz"), place / "sdist", version)
        _wheel(only(dist, "*.whl"), place / "venv", version)
        _pyz(only(dist, "machine.pyz"), place / "home", version)
        _deb(only(dist, "*.deb"), place / "deb", version)
    return [path.name for path in sorted(dist.iterdir()) if path.name != SUMS]


def _says(output: str, what: str, version: str) -> None:
    if not output.startswith(f"machine version {version}, build "):
        raise ReleaseError(f"{what} should say `machine version {version}, build ...` and says {output.strip()!r}")


def _sdist(file: Path, place: Path, version: str) -> None:
    place.mkdir()
    run(["tar", "--extract", "--file", file, "--strip-components=1", "--directory", place])
    _says(run([sys.executable, "-m", "machine", "version"], cwd=place), file.name, version)


def _wheel(file: Path, place: Path, version: str) -> None:
    run([sys.executable, "-m", "venv", place])
    run([place / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", file])
    _says(run([place / "bin/machine", "version"], cwd=place), file.name, version)
    plan = ("create", "--dry-run=script", "-d", "generic", "--generic-ip-address", "192.0.2.1", "dev")
    if "dockerd" not in run(
        [place / "bin/machine", *plan], cwd=place, environ=_fresh(place)
    ):  # data files are there, too
        raise ReleaseError(f"{file.name} writes no script that sets up Docker")


def _pyz(file: Path, home: Path, version: str) -> None:
    home.mkdir()
    environ = _fresh(home)
    _says(run([sys.executable, file, "version"], cwd=home, environ=environ), file.name, version)
    command: list[str | Path] = [sys.executable, file, "create", "-d", "none", "--url", "tcp://127.0.0.1:1", "dev"]
    run(command, cwd=home, environ=environ)
    if run([sys.executable, file, "ls", "-q"], cwd=home, environ=environ) != "dev\n":
        raise ReleaseError(f"{file.name} does not list the machine that it made")


def _fresh(home: Path) -> dict[str, str]:
    return {"HOME": str(home), "XDG_CACHE_HOME": "", "MACHINE_STORAGE_PATH": ""}


def _deb(file: Path, place: Path, version: str) -> None:
    expected = f"{NAME} {debian_version(version)} all"
    if (found := run(["dpkg-deb", "--show", "--showformat=${Package} ${Version} ${Architecture}", file])) != expected:
        raise ReleaseError(f"{file.name} should be {expected}, and is {found}")
    run(["dpkg-deb", "--extract", file, place])
    if not os.access(place / "usr/bin/machine", os.X_OK):
        raise ReleaseError(f"{file.name} has no program usr/bin/machine")
    launcher = place / "launcher"
    text = (place / "usr/bin/machine").read_text()
    launcher.write_text(text.replace(f'"/{MODULES}"', repr(str(place / MODULES))))  # as if it were installed there
    _says(run([sys.executable, "-S", "-P", launcher, "version"], cwd=place), file.name, version)
