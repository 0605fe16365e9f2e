"""`docker machine ...` by the real docker client."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from machine import __version__, own_command
from machine.cli.plugin import without_docker_flags
from tests.cli.typed import StoreWithEngines

DOCKER = shutil.which("docker")
needs_docker = pytest.mark.skipif(DOCKER is None, reason="the docker client is not installed")


@pytest.fixture
def plugin(cli: StoreWithEngines) -> Path:
    """The installed plugin's path, in a docker configuration of the test."""
    cli.environ["DOCKER_CONFIG"] = str(cli.directory / "docker")
    typed = cli.type("plugin", "install")
    assert typed.status == 0
    path = Path(typed.out.strip())
    assert path == cli.directory / "docker" / "cli-plugins" / "docker-machine"
    return path


def docker(cli: StoreWithEngines, *words: str) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": os.environ["PATH"], "HOME": str(cli.directory)} | cli.environ
    return subprocess.run([str(DOCKER), *words], capture_output=True, text=True, timeout=60, env=environ, check=False)


def test_the_metadata_call_is_answered(cli: StoreWithEngines, plugin: Path) -> None:
    done = subprocess.run(
        [plugin, "docker-cli-plugin-metadata"], capture_output=True, text=True, timeout=60, check=True
    )
    facts = json.loads(done.stdout)
    assert (facts["SchemaVersion"], facts["Version"]) == ("0.1.0", f"v{__version__}")
    assert facts["Vendor"]


@needs_docker
def test_docker_machine_works(cli: StoreWithEngines, plugin: Path) -> None:
    cli.none("dev", "tcp://127.0.0.1:1")
    done = docker(cli, "machine", "ls", "-q")
    assert (done.returncode, done.stdout, done.stderr) == (0, "dev\n", "")
    assert docker(cli, "machine", "url", "dev").stdout == "tcp://127.0.0.1:1\n"
    failed = docker(cli, "machine", "ip", "nope")
    assert (failed.returncode, failed.stdout) == (4, "")
    assert 'Docker machine "nope" does not exist' in failed.stderr
    assert docker(cli, "--log-level", "error", "machine", "ip", "dev").stdout == "127.0.0.1\n"


@needs_docker
def test_docker_lists_it(cli: StoreWithEngines, plugin: Path) -> None:
    assert "machine*" in docker(cli, "--help").stdout
    assert "Usage:" in docker(cli, "machine").stdout


def test_install_again_and_uninstall(cli: StoreWithEngines, plugin: Path) -> None:
    assert cli.type("plugin", "install").status == 0
    assert cli.type("plugin", "uninstall").out.strip() == str(plugin)
    assert not plugin.exists()
    assert cli.type("plugin", "uninstall").status == 0


def test_a_foreign_plugin_is_left_alone(cli: StoreWithEngines, plugin: Path) -> None:
    plugin.write_text("#!/bin/sh\necho mine\n")
    for verb in ("install", "uninstall"):
        typed = cli.type("plugin", verb)
        assert (typed.status, typed.out) == (1, "")
        assert str(plugin) in typed.err
    assert plugin.read_text() == "#!/bin/sh\necho mine\n"


@pytest.mark.parametrize("line", [["plugin", "fly"], ["plugin", "install", "x"]])
def test_what_is_refused(cli: StoreWithEngines, line: list[str]) -> None:
    assert cli.type(*line).status == 2


def test_the_home_directory_is_the_default_place(cli: StoreWithEngines) -> None:
    assert cli.type("plugin", "install").out.strip() == f"{cli.directory}/.docker/cli-plugins/docker-machine"


def test_dockers_own_words_are_taken_off() -> None:
    assert without_docker_flags(["machine", "ls"]) == ["ls"]
    assert without_docker_flags(["-c", "x", "--tlsverify", "machine", "ssh", "a", "machine"]) == ["ssh", "a", "machine"]
    assert without_docker_flags(["--config=x", "machine"]) == []
    assert without_docker_flags(["ls", "-q"]) == ["ls", "-q"]


def test_the_plugin_starts_the_launcher_that_brought_the_program(
    cli: StoreWithEngines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """machine.pyz and the Debian package have a module path of their own, which `python -m machine` does not know."""
    launcher = cli.directory / "with space" / "machine.pyz"
    launcher.parent.mkdir()
    launcher.write_text("import sys; print(sys.argv[1:])")
    monkeypatch.setattr(sys.modules["__main__"], own_command.ATTRIBUTE, [sys.executable, str(launcher)], raising=False)
    cli.environ["DOCKER_CONFIG"] = str(cli.directory / "docker")
    path = cli.type("plugin", "install").out.strip()
    done = subprocess.run([path, "machine", "ls"], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "['machine', 'ls']\n"
