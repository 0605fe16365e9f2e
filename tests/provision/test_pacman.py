"""What is run of pacman, on a stand-in that writes down how it was called: Arch supports no partial upgrade."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from machine.provision import packages

PACMAN = """#!/bin/sh
echo "$@" >>"$CALLS"
case $1 in
-S) exit "$INSTALL_STATUS" ;;
esac
"""


def calls(tmp_path: Path, script: str, install_status: int = 0) -> list[str]:
    """Run the script and return the command lines of pacman. It must not fail."""
    program = tmp_path / "pacman"
    program.write_text(PACMAN)
    program.chmod(0o755)
    log = tmp_path / "calls"
    environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "CALLS": str(log), "INSTALL_STATUS": str(install_status)}
    subprocess.run(["sh", "-euc", script], env=environ, check=True, timeout=20)
    return log.read_text().splitlines()


def test_a_package_is_installed_by_the_list_as_it_is(tmp_path: Path) -> None:
    assert calls(tmp_path, packages.install("pacman", ["docker"])) == ["-S --noconfirm --needed docker"]


def test_where_the_list_is_too_old_everything_is_upgraded_with_the_package(tmp_path: Path) -> None:
    assert calls(tmp_path, packages.install("pacman", ["docker"]), install_status=1) == [
        "-S --noconfirm --needed docker",
        "-Syu --noconfirm --needed docker",
    ]


@pytest.mark.parametrize("command", [packages.MANAGERS["pacman"].upgrade, packages.MANAGERS["pacman"].install])
def test_the_list_is_never_refreshed_without_an_upgrade(command: str) -> None:
    assert "-Sy " not in command
