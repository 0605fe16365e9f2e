"""Where packages of another release come from, and that they run."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.clients import packages
from tests.clients.fixtures import DockerClient, trixie

__all__ = ["trixie"]

STANZAS = """Types: deb
# a comment between
URIs: https://elsewhere.example/security/
Suites: bookworm-security
Components: main

Types: deb deb-src
URIs: https://near.example/debian/
Suites: bookworm bookworm-updates
Components: main
"""


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        ([], packages.DEFAULT_MIRROR),
        (["# deb http://off.example/debian bookworm main\n"], packages.DEFAULT_MIRROR),
        (["deb http://near.example/debian/ bookworm main contrib\n"], "http://near.example/debian"),
        (["deb [arch=amd64 signed-by=/k.gpg] http://near.example/debian trixie main\n"], "http://near.example/debian"),
        (["deb http://x.example/security bookworm-security main\n", STANZAS], "https://near.example/debian"),
        ([STANZAS.replace("Types: deb deb-src", "Enabled: no\nTypes: deb")], packages.DEFAULT_MIRROR),
        (["deb http://archive.ubuntu.example/ubuntu jammy main\n"], packages.DEFAULT_MIRROR),
        (["deb-src http://near.example/debian bookworm main\n"], packages.DEFAULT_MIRROR),
    ],
)
def test_the_mirror_is_the_one_that_the_hosts_own_sources_name(texts: list[str], found: str) -> None:
    assert packages.mirror(texts) == found


def test_many_packages_have_a_directory_of_their_own() -> None:
    many = [f"python3-package-{n}" for n in range(50)]
    assert packages.directory_name(["a", "b"]) == "a+b"
    assert len(packages.directory_name(many)) <= packages.LONGEST
    assert packages.directory_name(many) != packages.directory_name(many[1:])


def test_what_is_not_to_be_had_says_why_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MACHINE_TEST_CACHE", str(tmp_path))
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "apt-get").write_text("#!/bin/sh\necho 'no route' >&2\nexit 100\n")
    (tools / "apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    if not shutil.which("dpkg"):
        pytest.skip("needs dpkg")
    with pytest.raises(packages.Unavailable, match="no route"):
        packages.unpacked("docker-compose")
    assert [p.name for p in (tmp_path / "clients").rglob("*") if p.is_file()] == ["lock"]


@pytest.mark.lab
def test_the_client_of_another_release_runs_with_its_plugins(trixie: DockerClient) -> None:
    compose = trixie.run("tcp://127.0.0.1:1", "compose", "version", "--short").stdout.strip()
    assert compose.startswith("2.")
    assert "buildx" in trixie.run("tcp://127.0.0.1:1", "buildx", "version").stdout
    words = subprocess.run([trixie.docker, "--version"], capture_output=True, text=True, check=True).stdout
    assert words.startswith("Docker version 2")
