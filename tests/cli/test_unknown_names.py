"""Names that no machine has are told all at once, before anything is asked, done or looked at."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.lines import CommandLine, change, names, none
from tests.cli.typed import StoreWithEngines

COMMANDS = (
    *("start", "stop", "restart", "kill", "upgrade", "provision", "regenerate-certs", "regenerate-certs -f"),
    *("inspect", "ip", "url", "status", "ls", "ls -q", "version", "context create", "create --resume"),
    *("swarm-mode promote", "swarm-mode demote", "swarm-mode leave"),
)


@pytest.mark.parametrize("command", COMMANDS)
def test_all_unknown_machines_are_named_before_anything_else(store: Path, command: str) -> None:
    none("b1")
    typed = CommandLine([*command.split(), "x", "b1", "y", "x"])
    assert typed.status == 4
    assert typed.err.startswith('Error: Docker machine "x" does not exist, nor "y"\n')
    assert typed.err.count("Error: ") == 1
    assert typed.out == ""
    assert "(y/n)" not in typed.err


def test_both_machines_of_a_copy_are_named(store: Path) -> None:
    none("b1")
    typed = CommandLine(["scp", "x:/a", "y:/b"])
    assert (typed.status, typed.err.splitlines()[0]) == (4, 'Error: Docker machine "x" does not exist, nor "y"')


def test_the_machine_of_a_mount_is_looked_for_before_the_directory(store: Path, tmp_path: Path) -> None:
    typed = CommandLine(["mount", "x:/a", str(tmp_path / "nowhere")])
    assert typed.status == 4
    assert 'Docker machine "x" does not exist' in typed.err
    assert "mkdir" not in typed.err


@pytest.mark.parametrize("line", [["rm", "-y"], ["rm", "-f"], ["stop"], ["ip"]])
def test_a_machine_that_was_named_too_is_not_suggested(store: Path, line: list[str]) -> None:
    none("other")
    assert "did you mean" not in CommandLine([*line, "other", "nother"]).err
    none("other2")
    assert "did you mean other2?" in CommandLine([*line, "other", "other3"]).err


def test_a_context_may_be_removed_when_its_machine_is_gone(store: Path) -> None:
    assert "there is no docker context" in CommandLine(["context", "rm", "gone"]).err


def test_contexts_that_there_are_not_are_one_error_and_the_others_are_removed(cli: StoreWithEngines) -> None:
    cli.none("b1", "tcp://127.0.0.1:1")
    made = cli.type("context", "create", "b1").out
    removed = cli.type("context", "rm", "x", "b1", "y")
    assert removed.out == made
    assert removed.status == 4
    assert removed.err.count("Error: ") == 1
    assert "made for x, y\n" in removed.err


def test_versions_of_engines_that_answer_are_printed_before_the_errors_of_others(cli: StoreWithEngines) -> None:
    cli.machine("head", cli.engine())
    cli.machine("worker", 1)
    typed = cli.type("version", "worker", "head")
    assert (typed.status, typed.out) == (1, "20.10.24\n")
    assert typed.err.startswith("Error: ")
    assert "worker" in typed.err
    shown = cli.type("version", "--json", "worker", "head")
    assert [engine["Name"] for engine in json.loads(shown.out)] == ["head"]
    assert json.loads(cli.type("version", "--json", "worker", "worker").out) == []
    assert cli.type("version", "worker").out == ""


@pytest.mark.parametrize("line", [["stop"], ["start"], ["status"], ["rm", "-y"]])
def test_a_driver_that_is_not_installed_is_named_with_its_plugin(store: Path, line: list[str]) -> None:
    none("n1")
    change(store, "foo", "n1")
    typed = CommandLine([*line, "n1"])
    assert typed.status == 1
    assert "Error: the driver foo of machine n1 is not installed\n" in typed.err
    assert "docker-machine-driver-foo" in typed.err
    assert "machine rm -f n1 forgets the machine" in typed.err
    assert " -d" not in typed.err
    assert names() == ["n1"]
    assert CommandLine(["rm", "-f", "n1"]).status == 0
    assert names() == []
