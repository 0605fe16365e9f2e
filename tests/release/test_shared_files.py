"""The completion scripts as the shells load them from a package's files."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from release import shared_files


@pytest.fixture(scope="module")
def share(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory share/ of a package."""
    place = tmp_path_factory.mktemp("share")
    shared_files.write(place, "1.2.3")
    return place


def need(shell: str) -> None:
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")


def test_bash_completes_out_of_the_file(share: Path) -> None:
    need("bash")
    script = (
        f". {share}/{shared_files.BASH}/docker-machine; COMP_WORDS=(docker-machine regen); COMP_CWORD=1\n"
        'complete -p docker-machine >/dev/null && _machine docker-machine && echo "${COMPREPLY[*]}"'
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("regenerate-certs\n", "")


def test_zsh_finds_the_file_for_both_programs_and_loads_it(share: Path, tmp_path: Path) -> None:
    need("zsh")
    script = (
        f"fpath=({share}/{shared_files.ZSH} $fpath); autoload -Uz compinit; compinit -u -D\n"
        "print -- $_comps[machine] $_comps[docker-machine]\n"
        "compadd() { print -- ${@[2,-1]} }; _files() { :; }\n"
        "words=(machine regen); CURRENT=2; _machine; whence -w _machine"
    )
    command = ["zsh", "-f", "-c", script]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    )
    first, found, kind = done.stdout.splitlines()
    assert first == "_machine _machine"
    assert "regenerate-certs" in found.split()
    assert kind == "_machine: function"
    assert done.stderr == ""


def test_fish_completes_out_of_the_file(share: Path, tmp_path: Path) -> None:
    need("fish")
    script = f"source {share}/{shared_files.FISH}/machine.fish; complete -C 'docker-machine regen'"
    environ = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(["fish", "-N", "-c", script], capture_output=True, text=True, timeout=60, env=environ)
    assert done.stdout.split("\t")[0].strip() == "regenerate-certs"
    assert done.stderr == ""
