"""Fixtures: `trixie`, the docker client of Debian 13 with its plugins Compose v2 and buildx, unpacked for tests."""

from __future__ import annotations

import json
import os
import subprocess
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
        **more: str,
    ) -> subprocess.CompletedProcess[str]:
        """Run `docker WORDS` against the engine at `url`, in `cwd`; `text` is its stdin, `more` variables."""
        stdin = {"stdin": subprocess.DEVNULL} if text is None else {"input": text}
        done = subprocess.run(
            [str(self.docker), *words],
            cwd=cwd, env=self.environ(url, **more), capture_output=True, text=True, timeout=seconds, **stdin,
        )  # fmt: skip
        if check and done.returncode != 0:
            raise AssertionError(f"docker {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done


@pytest.fixture(scope="session")
def trixie(tmp_path_factory: pytest.TempPathFactory) -> DockerClient:
    """The docker client of Debian 13 (26.1) with `docker compose` (2.26) and `docker buildx` (0.13)."""
    tree = packages.require("docker-cli", "docker-compose", "docker-buildx")
    return DockerClient(tree, tmp_path_factory.mktemp("docker-config"))
