"""Fixtures: `trixie`, the docker client of Debian 13 with Compose v2 and buildx; `compose1`, docker-compose 1.29."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.clients import packages

PLUGINS = "usr/libexec/docker/cli-plugins"


class DockerClient:
    """A docker client and its plugins. `client.run(url, "compose", "up", "-d", cwd=...)`; `config` is its directory."""

    def __init__(self, tree: Path, config: Path) -> None:
        self.docker = tree / "usr/bin/docker"
        self.config = config
        config.mkdir(parents=True, exist_ok=True)
        (config / "config.json").write_text(json.dumps({"cliPluginsExtraDirs": [str(tree / PLUGINS)]}))

    def environ(self, url: str, **more: str) -> dict[str, str]:
        """The environment in which it speaks to the engine at `url`; `more` adds variables."""
        return {**os.environ, "DOCKER_HOST": url, "DOCKER_CONFIG": str(self.config), **more}

    def run(
        self,
        url: str,
        *words: str,
        cwd: Path | None = None,
        check: bool = True,
        text: str | None = None,
        seconds: int = 120,
        variables: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run `docker WORDS` against the engine at `url`, in `cwd`; `text` is its stdin."""
        stdin = {"stdin": subprocess.DEVNULL} if text is None else {"input": text}
        done = subprocess.run(
            [str(self.docker), *words],
            cwd=cwd, env={**self.environ(url), **(variables or {})}, capture_output=True, text=True, timeout=seconds,
            **stdin,
        )  # fmt: skip
        if check and done.returncode != 0:
            raise AssertionError(f"docker {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done


@pytest.fixture(scope="session")
def trixie(tmp_path_factory: pytest.TempPathFactory) -> DockerClient:
    """The docker client of Debian 13 (26.1) with `docker compose` (2.26) and `docker buildx` (0.13)."""
    tree = packages.require("docker-cli", "docker-compose", "docker-buildx")
    return DockerClient(tree, tmp_path_factory.mktemp("docker-config"))


COMPOSE_1 = (  # docker-compose of Debian 12 (1.29.2) and what it imports
    "docker-compose", "python3-docker", "python3-dockerpty", "python3-docopt", "python3-texttable",
    "python3-jsonschema", "python3-websocket", "python3-dotenv", "python3-distro", "python3-yaml",
    "python3-requests", "python3-urllib3", "python3-six", "python3-attr", "python3-pyrsistent", "python3-idna",
    "python3-chardet", "python3-certifi", "python3-packaging",
)  # fmt: skip
SYSTEM_PYTHON = "/usr/bin/python3"


class Compose1:
    """`docker-compose` 1.29. `compose.run(url, "up", "-d", cwd=...)`."""

    def __init__(self, tree: Path) -> None:
        self.tree = tree

    def run(self, url: str, *words: str, cwd: Path, **more: str) -> str:
        """Run `docker-compose WORDS` against the engine at `url`, in `cwd`, with the variables `more`; what it says."""
        path = {"PYTHONPATH": str(self.tree / "usr/lib/python3/dist-packages"), "DOCKER_HOST": url}
        done = subprocess.run(
            [SYSTEM_PYTHON, str(self.tree / "usr/bin/docker-compose"), *words],
            cwd=cwd, env={**os.environ, **path, **more}, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, f"docker-compose {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr


@pytest.fixture(scope="session")
def compose1() -> Compose1:
    """The Compose of Python, 1.29, out of Debian 12; it runs with a system's Python 3.11."""
    found = subprocess.run([SYSTEM_PYTHON, "--version"], capture_output=True, text=True, check=False).stdout
    if not found.startswith("Python 3.11."):
        pytest.skip(f"needs {SYSTEM_PYTHON} to be 3.11, for which its compiled parts are made")
    return Compose1(packages.require(*COMPOSE_1, suite="bookworm"))
