"""`machine use`, and the machine that `create` makes docker's current one; the real docker client agrees."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from machine import docker_config
from tests.cli.typed import StoreWithEngines

URL = "tcp://127.0.0.1:1"


def create(cli: StoreWithEngines, *words: str, **environ: str) -> str:
    """Create machines of the driver none, and return what is said on stderr."""
    typed = cli.type("create", "-d", "none", "--url", URL, *words, **environ)
    assert typed.status == 0, typed.err
    return typed.err


def current(cli: StoreWithEngines) -> str:
    """The current context; the docker client, where there is one, says the same."""
    found = docker_config.current_context(cli.environ)
    if shutil.which("docker"):
        environ = cli.environ | {"PATH": os.environ["PATH"]}
        shown = subprocess.run(["docker", "context", "show"], env=environ, capture_output=True, text=True, timeout=60)
        assert shown.stdout.strip() == (found or "default")
    return found


def test_the_first_machine_becomes_the_current_one_and_rm_takes_that_back(cli: StoreWithEngines) -> None:
    assert "docker's current context is now dev; to go back: machine use --unset" in create(cli, "dev")
    assert current(cli) == "dev"
    assert "current context is now" not in create(cli, "other")
    assert current(cli) == "dev"
    assert "is the default one again" in cli.type("rm", "-y", "dev").err
    assert current(cli) == ""
    assert "is the default one again" not in cli.type("rm", "-y", "other").err


def test_of_several_machines_one_becomes_the_current_one_and_it_is_said_once(cli: StoreWithEngines) -> None:
    create(cli, "before")
    for flags in (["--use"], []):
        said = create(cli, *flags, *(f"{name}{len(flags)}" for name in ("a", "b", "c")))
        assert said.count("docker's current context is now") == len(flags)
        assert current(cli) in ("a1", "b1", "c1")


@pytest.mark.parametrize(
    ("flags", "environ"),
    [
        (["--no-use"], {}),
        (["--no-context"], {}),
        ([], {"DOCKER_HOST": "tcp://h:1"}),
        ([], {"DOCKER_CONTEXT": "default"}),
    ],
)
def test_where_create_leaves_the_current_context_alone(
    cli: StoreWithEngines, flags: list[str], environ: dict[str, str]
) -> None:
    assert "To point docker at it: eval" in create(cli, "dev", *flags, **environ)
    assert current(cli) == ""


def test_scripts_for_docker_machine_find_docker_where_it_was(
    cli: StoreWithEngines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["/usr/bin/docker-machine"])
    create(cli, "dev")
    assert current(cli) == ""
    create(cli, "wanted", "--use")
    assert current(cli) == "wanted"


def test_use_of_a_machine_that_there_is_takes_the_flag(cli: StoreWithEngines) -> None:
    create(cli, "dev", "--no-context")
    create(cli, "dev", "--if-missing")
    assert current(cli) == ""
    create(cli, "dev", "--if-missing", "--use")
    assert current(cli) == "dev"
    cli.type("use", "--unset")
    assert cli.type("create", "--resume", "dev").status == 0
    assert current(cli) == ""
    assert cli.type("create", "--resume", "--use", "dev").status == 0
    assert current(cli) == "dev"


@pytest.mark.parametrize("other", ["--no-use", "--no-context"])
def test_use_and_what_excludes_it(cli: StoreWithEngines, other: str) -> None:
    typed = cli.type("create", "-d", "none", "--url", URL, "--use", other, "dev")
    assert typed.status == 2
    assert f"--use and {other} exclude each other" in typed.err


def test_a_damaged_configuration_of_docker_costs_a_warning_and_no_machine(cli: StoreWithEngines) -> None:
    config = Path(docker_config.directory(cli.environ), "config.json")
    config.parent.mkdir()
    config.write_text("{not json")
    assert "docker's current context stays as it is" in create(cli, "dev")
    assert config.read_text() == "{not json"
    typed = cli.type("use", "dev")
    assert (typed.status, typed.out) == (1, "")
    assert "mend that file" in typed.err
    assert cli.type("rm", "-y", "dev").status == 0
    assert config.read_text() == "{not json"


def test_use_and_back(cli: StoreWithEngines) -> None:
    create(cli, "dev", "default")
    typed = cli.type("use", "default", "--json")
    assert json.loads(typed.out) == {"Name": "default", "Context": "machine-default", "URL": URL}
    assert current(cli) == "machine-default"
    assert cli.type("use", "dev").out == "dev\n"
    assert cli.type("use").out == "machine-default\n"
    warned = cli.type("use", "dev", DOCKER_HOST="tcp://h:1", DOCKER_CONTEXT="x").err
    assert "$DOCKER_HOST is set and goes before" in warned
    assert "$DOCKER_CONTEXT is set and goes before" in warned
    assert cli.type("use", "--unset").out == "default\n"
    assert current(cli) == ""
    assert json.loads(cli.type("use", "-u", "--json").out) == {"Name": "", "Context": "default", "URL": ""}
    assert cli.type("use", "-u", "dev").status == 2


def test_docker_s_word_for_going_back_is_answered_with_ours(cli: StoreWithEngines) -> None:
    create(cli, "dev")
    typed = cli.type("use", "default")
    assert typed.status == 4
    assert "machine use --unset goes back to docker's default context" in typed.err
    assert current(cli) == "dev"


def test_a_context_of_somebody_else_is_not_used(cli: StoreWithEngines) -> None:
    meta = Path(docker_config.meta_path(cli.environ, "dev"))
    meta.parent.mkdir(parents=True)
    meta.write_text(json.dumps({"Name": "dev", "Metadata": {}, "Endpoints": {"docker": {"Host": "tcp://theirs:1"}}}))
    assert "no docker context was made" in create(cli, "dev")
    assert current(cli) == ""
    assert cli.type("use", "dev").status == 1
    assert "theirs" in meta.read_text()


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({}, "neither $DOCKER_HOST nor a docker context is set"),
        ({"DOCKER_CONTEXT": "default"}, "$DOCKER_CONTEXT, default, leads to no machine"),
        ({"DOCKER_CONTEXT": "nope"}, "$DOCKER_CONTEXT, nope, leads to no machine"),
        ({"DOCKER_HOST": "tcp://h:1"}, "$DOCKER_HOST, tcp://h:1, belongs to no machine"),
    ],
)
def test_active_says_what_docker_is_pointed_at(cli: StoreWithEngines, environ: dict[str, str], said: str) -> None:
    typed = cli.type("active", **environ)
    assert typed.status == 4
    assert said in typed.err
