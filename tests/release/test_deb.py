"""The Debian package, installed by apt in a fresh Debian 13 and used there by somebody who is not root."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from machine.cli.commands import COMMANDS
from release import deb
from release.python_packages import only
from tests.labs.image import LabUnavailable
from tests.labs.nspawn import Lab
from tests.release.conftest import VERSION
from tests.release.debian_root import DebianRoot, debian_root

pytestmark = pytest.mark.lab


def fresh(suite: str, lab: Lab, stack: contextlib.ExitStack) -> DebianRoot:
    """A fresh file system of a suite, or a skip that says why there is none."""
    try:
        return stack.enter_context(debian_root(suite, Path(tempfile.mkdtemp(prefix="debian-", dir=lab.directory))))
    except LabUnavailable as why:
        pytest.skip(str(why))


def install(root: DebianRoot, dist: Path) -> subprocess.CompletedProcess[str]:
    """`apt-get install ./machine_...deb`: all that it depends on is there, and the network is not."""
    package = only(dist, "*.deb")
    (root.place / "root" / package.name).write_bytes(package.read_bytes())
    return root.root("apt-get", "install", "-y", "-q", "--no-install-recommends", f"./{package.name}")


@pytest.fixture(scope="module")
def debian(lab: Lab, dist: Path) -> Iterator[DebianRoot]:
    """Debian 13 with the package."""
    with contextlib.ExitStack() as stack:
        root = fresh("trixie", lab, stack)
        done = install(root, dist)
        assert done.returncode == 0, done.stdout + done.stderr
        yield root


def ran(done: subprocess.CompletedProcess[str]) -> str:
    """Standard output of what went well and warned of nothing."""
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return done.stdout


def test_all_programs_run_for_an_ordinary_user(debian: DebianRoot) -> None:
    assert ran(debian.user("machine", "version")).startswith(f"machine version {VERSION}, build ")
    assert ran(debian.user("docker-machine", "version")).startswith(f"docker-machine version {VERSION}, build ")
    assert ran(debian.user("swarmd", "--version")) == f"swarmd version {VERSION}\n"
    assert VERSION in ran(debian.user("machine-swarm", "--version"))


def test_modules_are_compiled_and_in_nobody_s_way(debian: DebianRoot) -> None:
    assert list((debian.place / "usr/share/machine/machine/cli/__pycache__").glob("main.cpython-3*.pyc"))
    found = debian.user("python3", "-c", "import certs")
    assert "ModuleNotFoundError" in found.stderr
    for name in ("certs", "machine"):
        shadow = debian.place / "home/tester" / name
        shadow.mkdir(exist_ok=True)
        (shadow / "__init__.py").write_text("raise SystemExit('not mine')\n")
    assert ran(debian.user("machine", "ls", "-q")) == "", "the working directory is not looked at"


def test_every_command_has_a_page_that_formats_without_a_warning(debian: DebianRoot) -> None:
    for page in ["machine", "docker-machine", "swarmd", *(f"machine-{command}" for command in COMMANDS)]:
        assert ran(debian.user("man", "-w", page)).endswith(".1.gz\n")
        assert len(ran(debian.user("man", "--warnings=w", "-P", "cat", page))) > 300, page
    assert "machine-create" in ran(debian.user("man", "-P", "cat", "machine"))


def test_the_shells_find_the_completions(debian: DebianRoot) -> None:
    load = ". /usr/share/bash-completion/bash_completion; _comp_load docker-machine && complete -p docker-machine"
    assert "-F _machine docker-machine" in ran(debian.user("bash", "-c", load))
    found = ran(debian.user("zsh", "-f", "-c", "autoload -Uz compinit; compinit -D; print $_comps[machine]"))
    assert found == "_machine\n"
    assert ran(debian.user("fish", "-c", "complete -C 'docker-machine regen'")).startswith("regenerate-certs")


def test_a_machine_is_made_on_a_real_host(debian: DebianRoot, lab: Lab) -> None:
    host = lab.host("package", engine="running")
    key = debian.give(Path(host.key), "key")
    address = ("--generic-ip-address", host.address, "--generic-ssh-user", host.user, "--generic-ssh-key", key)
    made = debian.user("machine", "create", "-d", "generic", *address, "dev")
    assert made.returncode == 0, made.stderr
    assert ran(debian.user("machine", "ls", "--format", "{{.Name}} {{.State}}")) == "dev Running\n"
    assert ran(debian.user("machine", "ssh", "dev", "hostname")) == "dev\n"
    assert debian.user("machine", "rm", "-y", "dev").returncode == 0
    lab.drop(host)


def test_debian_s_pycdlib_writes_the_disc_that_a_virtual_machine_is_set_up_from(debian: DebianRoot) -> None:
    code = (
        "import sys; sys.path.insert(0, '/usr/share/machine'); from machine.drivers.images.seed import iso\n"
        "import pycdlib, io; disc = pycdlib.PyCdlib(); disc.open_fp(io.BytesIO(iso({'user-data': '#cloud-config'})))\n"
        "read = io.BytesIO(); disc.get_file_from_iso_fp(read, joliet_path='/user-data'); print(read.getvalue())"
    )
    assert ran(debian.user("/usr/bin/python3", "-c", code)) == "b'#cloud-config'\n"


def test_the_docker_plugin_starts_the_installed_program(debian: DebianRoot) -> None:
    done = debian.user("machine", "plugin", "install")
    assert done.returncode == 0, done.stderr
    assert VERSION in ran(debian.user(done.stdout.strip(), "docker-cli-plugin-metadata"))


def test_lintian_finds_no_error(debian: DebianRoot, dist: Path) -> None:
    package = debian.give(only(dist, "*.deb"), only(dist, "*.deb").name, 0o644)
    done = debian.user("lintian", "--fail-on", "error", "--no-tag-display-limit", package)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not [line for line in done.stdout.splitlines() if line.startswith("E:")]


def test_removed_it_leaves_nothing(lab: Lab, dist: Path) -> None:
    with contextlib.ExitStack() as stack:
        root = fresh("trixie", lab, stack)
        assert install(root, dist).returncode == 0
        done = root.root("apt-get", "purge", "-y", "-q", deb.NAME)
        assert done.returncode == 0, done.stderr
        assert "not empty" not in done.stdout + done.stderr
        for name in ("bin/machine", "bin/swarmd", "share/machine", "share/doc/machine", "share/man/man1/machine.1.gz"):
            assert not (root.place / "usr" / name).exists(), name


def test_debian_12_refuses_it_by_the_library_that_is_too_old_and_runs_the_single_file(lab: Lab, dist: Path) -> None:
    with contextlib.ExitStack() as stack:
        root = fresh("bookworm", lab, stack)
        refused = install(root, dist)
        assert refused.returncode != 0
        assert "Depends: python3-cryptography (>= 42)" in refused.stdout + refused.stderr
        pyz = root.give(dist / "machine.pyz", "machine.pyz", 0o755)
        assert ran(root.user(pyz, "version")).startswith(f"machine version {VERSION}, build ")
        host = lab.host("zipapp", engine="running")
        key = root.give(Path(host.key), "key")
        address = ("--generic-ip-address", host.address, "--generic-ssh-user", host.user, "--generic-ssh-key", key)
        made = root.user(pyz, "create", "-d", "generic", *address, "dev")
        assert made.returncode == 0, made.stderr
        assert ran(root.user(pyz, "ls", "--format", "{{.Name}} {{.State}}")) == "dev Running\n"
        lab.drop(host)
