"""The wheel and the sdist as a user gets them: installed in a fresh environment, and run."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from machine.build import FILE
from release.python_packages import make_reproducible, only
from tests.release.conftest import VERSION

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def installed(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel and what it depends on."""
    place = tmp_path_factory.mktemp("installed") / "venv"
    subprocess.run([sys.executable, "-m", "venv", place], check=True, timeout=120)
    pip = [str(place / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "-q"]
    done = subprocess.run([*pip, only(dist, "*.whl")], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return place


def run(program: Path, *line: str) -> str:
    """Standard output of an installed program, from a directory that is no checkout."""
    home = os.environ["HOME"]
    environ = {"PATH": f"{program.parent}:/usr/bin:/bin", "HOME": home}
    done = subprocess.run([program, *line], cwd=home, env=environ, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_programs_of_the_wheel_tell_the_tag_s_version(installed: Path, dist: Path) -> None:
    source = dist.parent / "checkout"
    head = subprocess.run(["git", "-C", source, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout
    assert run(installed / "bin/machine", "version") == f"machine version {VERSION}, build {head[:8]}\n"
    assert run(installed / "bin/docker-machine", "version").startswith(f"docker-machine version {VERSION},")
    assert run(installed / "bin/swarmd", "--version") == f"swarmd version {VERSION}\n"
    assert VERSION in run(installed / "bin/machine-swarm", "--version")


def test_the_wheel_makes_a_machine(installed: Path) -> None:
    machine = installed / "bin/machine"
    run(machine, "create", "-d", "none", "--url", "tcp://127.0.0.1:1", "dev")
    assert run(machine, "ls", "-q") == "dev\n"
    assert json.loads(run(machine, "inspect", "dev"))["Machine"]["Version"] == VERSION
    assert (Path(os.environ["HOME"]) / ".docker/machine/certs/ca.pem").is_file(), "certificates are made: cryptography"


def test_the_wheel_brings_the_manual_and_completions(installed: Path) -> None:
    share = installed / "share"
    assert (share / "man/man1/machine-create.1").is_file()
    assert f"machine {VERSION}" in (share / "man/man1/machine.1").read_text()
    for name in ("bash-completion/completions/machine", "zsh/site-functions/_machine"):
        assert "regenerate-certs" in (share / name).read_text()
    assert (share / "fish/vendor_completions.d/machine.fish").is_file()


def test_the_wheel_has_the_program_and_nothing_else(dist: Path) -> None:
    with zipfile.ZipFile(only(dist, "*.whl")) as wheel:
        tops = {name.split("/")[0] for name in wheel.namelist()}
        metadata = Parser().parsestr(wheel.read(f"container_hosts-{VERSION}.dist-info/METADATA").decode())
    assert tops == {"machine", "certs", f"container_hosts-{VERSION}.data", f"container_hosts-{VERSION}.dist-info"}
    assert metadata["Version"] == VERSION
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"


def test_the_sdist_is_the_whole_source_with_version_and_commit(dist: Path, tmp_path: Path) -> None:
    with tarfile.open(only(dist, "*.tar.gz")) as archive:
        archive.extractall(tmp_path, filter="data")
    source = tmp_path / f"container_hosts-{VERSION}"
    for name in ("tests/release/test_python_packages.py", "docs/commands.md", "Makefile", "release/man.py", "LICENSE"):
        assert (source / name).is_file(), name
    assert f'__version__ = "{VERSION}"' in (source / "machine/__init__.py").read_text()
    assert len((source / "machine" / FILE).read_text().strip()) == 8
    done = subprocess.run([sys.executable, "-m", "machine", "version"], cwd=source, capture_output=True, text=True)
    assert done.stdout.startswith(f"machine version {VERSION}, build "), "it runs where it was unpacked, without git"


def test_a_wheel_built_from_the_sdist_without_git_is_the_same(dist: Path, tmp_path: Path) -> None:
    with tarfile.open(only(dist, "*.tar.gz")) as archive:
        archive.extractall(tmp_path, filter="data")
    source = tmp_path / f"container_hosts-{VERSION}"
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path / "again"), str(source)]
    environ = {**os.environ, "GIT_DIR": str(tmp_path / "none")}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert digests(only(tmp_path / "again", "*.whl")) == digests(only(dist, "*.whl"))


def digests(wheel: Path) -> dict[str, str]:
    """File -> digest, of a wheel's files."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()}


def test_an_archive_that_is_made_reproducible_does_not_say_who_made_it_when(tmp_path: Path) -> None:
    made = []
    for number in (1, 2):
        place = tmp_path / str(number)
        (place / "a").mkdir(parents=True)
        for name in ("x", "y") if number == 1 else ("y", "x"):
            (place / "a" / name).write_text(name)
        os.utime(place / "a/x", (number, number))
        (place / "a/y").chmod(0o600 if number == 1 else 0o664)
        with tarfile.open(place / "a.tar.gz", "w:gz") as archive:
            archive.add(place / "a", "a")
        make_reproducible(place / "a.tar.gz", 1_000_000_000)
        made.append((place / "a.tar.gz").read_bytes())
    assert made[0] == made[1]


def test_the_digests_beside_the_artefacts_are_theirs(dist: Path) -> None:
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=dist, check=True)
    listed = {line.split()[1] for line in (dist / "SHA256SUMS").read_text().splitlines()}
    assert listed == {path.name for path in dist.iterdir()} - {"SHA256SUMS"}
