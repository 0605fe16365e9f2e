"""Clients out of PyPI and npm in trees of their own: `python_tree("aiodocker==0.27.0")`, `node_tree("dockerode")`.

A tree is filled by pip or npm once and kept under $MACHINE_TEST_CACHE/clients: a run that finds it asks nobody. The
tests' own environment gets none of what these clients depend on.
"""

from __future__ import annotations

import hashlib
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.packages import Unavailable, kept, only_one

SECONDS = 400  # for one call of pip or npm; the largest archive has 50 MB


def python_tree(*requirements: str) -> Path:
    """A directory for PYTHONPATH with these distributions of PyPI and what they need; skips the test without them."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}-{platform.machine()}"
    return _tree(version, requirements, lambda place: _pip("install", "--target", str(place), *requirements))


def node_tree(*packages: str) -> Path:
    """A directory with `node_modules` that has these packages of npm; skips the test without them."""

    def fill(place: Path) -> None:
        for tool in ("node", "npm"):
            if shutil.which(tool) is None:
                raise Unavailable(f"there is no {tool}")
        place.mkdir()
        # what is compiled at installation is for what no test here uses (ssh)
        words = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--omit=optional", "--prefix"]
        _run([*words, str(place), *packages])

    return _tree("npm", packages, fill)


def collection_tree(wheel: str, *collections: str) -> Path:
    """A directory for ANSIBLE_COLLECTIONS_PATH with some `namespace.name` out of the distribution `ansible` of PyPI."""

    def fill(place: Path) -> None:
        with tempfile.TemporaryDirectory(dir=place.parent) as work:
            _pip("download", "--no-deps", "--dest", work, wheel)
            (archive,) = Path(work).glob("*.whl")
            wanted = tuple(f"ansible_collections/{name.replace('.', '/')}/" for name in collections)
            with zipfile.ZipFile(archive) as found:
                found.extractall(place, [name for name in found.namelist() if name.startswith(wanted)])

    return _tree("collections", (wheel, *collections), fill)


def _tree(kind: str, names: tuple[str, ...], fill: Callable[[Path], None]) -> Path:
    key = hashlib.sha256(" ".join(names).encode()).hexdigest()[:16]
    first = "".join(letter if letter.isalnum() or letter in ".-" else "-" for letter in names[0])
    tree = kept() / "clients" / kind / f"{first}-{key}"
    tree.parent.mkdir(parents=True, exist_ok=True)
    with only_one(tree.parent / f"{first}.lock"):
        if not tree.exists():
            try:
                with tempfile.TemporaryDirectory(prefix=".fill-", dir=tree.parent) as work:
                    fill(Path(work) / "tree")
                    (Path(work) / "tree").rename(tree)
            except Unavailable as error:
                pytest.skip(f"needs {' '.join(names)}: {error}")
    return tree


def _pip(*words: str) -> None:
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False).returncode != 0:
        raise Unavailable("there is no pip")
    command, *rest = words
    _run([sys.executable, "-m", "pip", command, "--quiet", "--disable-pip-version-check", *rest])


def _run(argv: list[str]) -> None:
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{argv[0]} took more than {SECONDS} s") from None
    if done.returncode != 0:
        raise Unavailable(done.stderr.strip()[-300:])
