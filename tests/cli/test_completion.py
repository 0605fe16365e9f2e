"""The completion scripts in real shells, with the real program behind them."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.typed import StoreWithEngines

SHELLS = ["bash", "zsh", "fish"]


@pytest.fixture
def program(cli: StoreWithEngines) -> Path:
    """A directory with a `machine` to be found on PATH, and two machines in the store."""
    cli.none("dev", "tcp://127.0.0.1:1")
    cli.none("dev2", "tcp://127.0.0.1:1")
    directory = cli.directory / "bin"
    directory.mkdir()
    script = directory / "machine"
    root = Path(__file__).parents[2]
    script.write_text(
        f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(root))} exec {shlex.quote(sys.executable)} -m machine "$@"\n'
    )
    script.chmod(0o755)
    return directory


def complete(cli: StoreWithEngines, program: Path, shell: str, line: str) -> set[str]:
    """What `shell` offers at the end of `line`."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    script = program / f"completion.{shell}"
    if not script.exists():
        script.write_text(cli.type("completion", shell).out)
    words = line.split(" ")
    typed = " ".join(shlex.quote(word) for word in words)
    text = {
        "bash": f"source {script}; COMP_WORDS=({typed}); COMP_CWORD={len(words) - 1}; _machine machine 2>/dev/null\n"
        'printf "%s\\n" "${COMPREPLY[@]}"',
        "zsh": f'compdef() {{ :; }}; compadd() {{ shift; printf "%s\\n" "$@"; }}; _files() {{ :; }}; source {script}\n'
        f"words=({typed}); CURRENT={len(words)}; _machine",
        "fish": f"source {script}; complete -C {shlex.quote(line)}",
    }[shell]
    clean = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    environ = {"PATH": f"{program}:{os.environ['PATH']}"} | cli.environ
    done = subprocess.run(
        [shell, *clean, "-c", text], capture_output=True, text=True, timeout=60, env=environ, check=False
    )
    assert done.stderr == ""
    found = {offered.split("\t")[0] for offered in done.stdout.splitlines()} - {""}
    return {word for word in found if word.startswith(words[-1])}


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("machine st", {"start", "status", "stop"}),
        ("machine --debug st", {"start", "status", "stop"}),
        ("machine ls --fo", {"--format"}),
        ("machine ip d", {"dev", "dev2"}),
        ("machine ip dev dev2", {"dev2"}),
        ("machine create -d g", {"generic"}),
        ("machine create --driver no", {"none"}),
        ("machine create -d generic --generic-ip", {"--generic-ip-address"}),
        ("machine create -d none --generic-ip", set()),
        ("machine create --swarm-ma", {"--swarm-master"}),
        ("machine env --shell ta", set()),
        ("machine env --shell fi", {"fish"}),
        ("machine scp de", {"dev:", "dev2:"}),
        ("machine snapshot r", {"restore", "rm"}),
        ("machine snapshot restore de", {"dev", "dev2"}),
        ("machine create --from de", {"dev", "dev2"}),
        ("machine help upg", {"upgrade"}),
        ("machine plugin un", {"uninstall"}),
        ("machine ls --storage-pa", {"--storage-path"}),
    ],
)
def test_offers(cli: StoreWithEngines, program: Path, shell: str, line: str, offered: set[str]) -> None:
    assert complete(cli, program, shell, line) == offered


@pytest.mark.parametrize("shell", SHELLS)
def test_every_command_is_offered(cli: StoreWithEngines, program: Path, shell: str) -> None:
    from machine.cli.commands import COMMANDS

    assert complete(cli, program, shell, "machine ") >= set(COMMANDS)


def test_another_shell_is_refused(cli: StoreWithEngines) -> None:
    typed = cli.type("completion", "cmd")
    assert (typed.status, typed.out) == (2, "")
    assert "bash, zsh, fish" in typed.err


@pytest.mark.parametrize("shell", SHELLS)
def test_commands_of_swarm_and_backends_of_swarmd(cli: StoreWithEngines, program: Path, shell: str) -> None:
    offered = complete(cli, program, shell, "machine swarm ")
    assert {"create", "list", "join", "manage", "discovery"} <= offered
    assert not [word for word in offered if Path(word).exists()], "no files of the directory"
    assert complete(cli, program, shell, "machine swarm ma") == {"manage"}
    assert "aggregate" in complete(cli, program, shell, "machine swarmd ")
    assert complete(cli, program, shell, "machine drivers ge") == {"generic"}
    assert complete(cli, program, shell, "machine context u") == {"use", "update"}
