"""--json of the commands that read, incomplete machines, docker's current context, several names."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from machine import __version__, docker_context
from machine.build import commit
from tests.cli.typed import StoreWithEngines

URL = "tcp://127.0.0.1:1"


@pytest.mark.parametrize(
    ("command", "facts", "text"),
    [
        ("ip", {"Name": "a", "IP": "127.0.0.1"}, "127.0.0.1"),
        ("url", {"Name": "a", "URL": URL}, URL),
        ("status", {"Name": "a", "State": "Stopped", "Phase": "ready"}, "Stopped"),
    ],
)
def test_an_object_for_one_name_and_a_list_for_several(
    world: StoreWithEngines, command: str, facts: dict[str, str], text: str
) -> None:
    for name in "ab":
        world.none(name, URL)
    assert json.loads(world.type(command, "--json", "a").out) == facts
    assert json.loads(world.type(command, "a", "b", "--json").out) == [facts, {**facts, "Name": "b"}]
    assert world.type(command, "b", "a").out == f"{text}\n{text}\n"


def test_version_of_the_program_and_of_engines(world: StoreWithEngines) -> None:
    assert json.loads(world.type("version", "--json").out) == {"Version": __version__, "Build": commit()}
    world.machine("m", world.engine())
    engine = {"Name": "m", "Version": "20.10.24", "ApiVersion": "1.41"}
    assert json.loads(world.type("version", "--json", "m").out) == engine
    assert world.type("version", "m", "m").out == "20.10.24\n20.10.24\n"


def test_inspect_of_several(world: StoreWithEngines) -> None:
    world.none("a", URL)
    world.none("b", URL)
    assert [found["Name"] for found in json.loads(world.type("inspect", "a", "b").out)] == ["a", "b"]
    assert world.type("inspect", "-f", "{{.Name}}", "b", "a").out == "b\na\n"


def test_active(world: StoreWithEngines) -> None:
    port = world.engine()
    world.machine("m", port)
    here = f"tcp://127.0.0.1:{port}"
    assert json.loads(world.type("active", "--json", DOCKER_HOST=here).out) == {"Name": "m", "URL": here}


def test_ls_has_the_address_and_the_phase(world: StoreWithEngines) -> None:
    world.none("half", URL, "created")
    world.none("whole", URL)
    half, whole = json.loads(world.type("ls", "--json", "-t", "0").out)
    assert (half["IP"], half["Phase"], whole["Phase"]) == ("127.0.0.1", "created", "ready")
    assert "incomplete (as far as: created), machine create --resume half" in half["Error"]
    assert whole["Error"] == ""
    assert world.type("ls", "-t", "0", "--format", "{{.IP}} {{.Phase}}").out == "127.0.0.1 created\n127.0.0.1 ready\n"


def test_env_of_half_a_machine_warns(world: StoreWithEngines) -> None:
    record = world.machine("half", world.engine())
    record.phase = "reachable"
    Path(world.store.directory("half"), "config.json").write_bytes(record.encode())
    typed = world.type("env", "half")
    assert (typed.status, "half is incomplete (as far as: reachable)" in typed.err) == (0, True)
    assert "export DOCKER_HOST" in typed.out


@pytest.mark.parametrize("command", ["env", "config", "url", "ip"])
def test_a_machine_that_another_process_is_creating(world: StoreWithEngines, command: str) -> None:
    world.machine("half", 1)
    with world.store.lock("machine-half", what="create half"):
        said = world.type("env", "half")  # it is ready, whoever holds it
        assert "creating" not in said.err
    _set_back(world, "half", "recorded", IPAddress="")
    said = world.type(command, "half")
    assert "creating" not in said.err
    with world.store.lock("machine-half", what="create half"):
        said = world.type(command, "half")
        assert (said.status, said.out) == (1, "")
        assert f"process {os.getpid()} is still creating half" in said.err
        assert "Try: wait until that command has ended" in said.err
        row = json.loads(world.type("ls", "--json", "-t", "1").out)[0]
        assert row["Error"] == f"process {os.getpid()} is still creating half (as far as: recorded)"
    with world.store.lock("machine-half", what="remove half"):
        assert f"process {os.getpid()} holds it to remove half" in world.type(command, "half").err


def test_an_engine_that_is_silent_while_its_machine_is_created(world: StoreWithEngines) -> None:
    world.machine("half", 1)
    _set_back(world, "half", "reachable")
    with world.store.lock("machine-half", what="resume half"):
        said = world.type("env", "half")
    assert (said.status, said.out) == (1, "")
    assert f"Error: process {os.getpid()} is still creating half\n" in said.err
    assert "machine restart" not in said.err


def test_ls_ends_with_the_command_for_an_incomplete_machine(world: StoreWithEngines) -> None:
    world.machine("half", 1)
    _set_back(world, "half", "created", SSHPort=world.engine())  # something answers there: it runs
    Path(world.store.directory("half"), "ca.pem").unlink()
    row = json.loads(world.type("ls", "--json", "-t", "1").out)[0]
    assert row["Error"] == "half has no ca.pem; incomplete (as far as: created), machine create --resume half"
    root = world.store.root
    row = json.loads(world.type("-s", root, "ls", "--json", "-t", "1").out)[0]
    assert row["Error"].endswith(f", machine -s {root} create --resume half")


def _set_back(world: StoreWithEngines, name: str, phase: str, **driver: object) -> None:
    record = world.store.load(name)
    record.phase = phase
    record.driver_object.update(driver)
    Path(world.store.directory(name), "config.json").write_bytes(record.encode())


def test_an_error_says_its_machine_and_its_code(world: StoreWithEngines) -> None:
    world.none("dev", URL)
    for line, machine, code in (
        (["ip", "nope"], "nope", 4),
        (["env", "dev"], "dev", 1),
        (["create", "-d", "none", "--url", URL, "dev"], "dev", 5),
        (["start", "dev", "nope"], "nope", 4),
        (["ls", "--bogus"], "", 2),
    ):
        error = json.loads(world.type("--log-format", "json", *line).err.splitlines()[-1])
        assert (error["machine"], error["code"], error["status"]) == (machine, code, code), line


def test_the_last_line_of_a_create_has_where_the_machine_is(world: StoreWithEngines) -> None:
    typed = world.type("--log-format", "json", "create", "-d", "none", "--url", "tcp://192.0.2.1:2376", "dev")
    done = next(line for line in map(json.loads, typed.err.splitlines()) if line["level"] == "done")
    assert (done["machine"], done["url"], done["ip"]) == ("dev", "tcp://192.0.2.1:2376", "192.0.2.1")
    assert done["seconds"] >= 0


def test_docker_s_current_context_counts(world: StoreWithEngines) -> None:
    world.machine("dev", world.engine())
    world.machine("other", world.engine())
    assert world.type("active").status == 4
    used = world.type("context", "use", "dev")
    assert (used.status, used.out) == (0, "dev\n")
    assert docker_context.current(world.environ) == "dev"
    assert world.type("active").out == "dev\n"
    assert world.type("ls", "--format", "{{.Name}} {{.Active}}").out == "dev *\nother -\n"
    elsewhere = {"DOCKER_HOST": world.store.load("other").url()}
    assert world.type("active", **elsewhere).out == "other\n"
    assert "DOCKER_HOST is set" in world.type("context", "use", "dev", **elsewhere).err
    world.type("context", "create", "other")
    assert world.type("active", DOCKER_CONTEXT="other").out == "other\n"
    assert world.type("active", DOCKER_CONTEXT="default").status == 4
    assert world.type("context", "use", "dev", "other").status == 2


def test_context_use_keeps_what_else_docker_is_configured_with(world: StoreWithEngines) -> None:
    world.machine("dev", 1)
    config = Path(docker_context.config_dir(world.environ), "config.json")
    config.parent.mkdir(exist_ok=True)
    config.write_text('{"auths": {"r": {}}}')
    config.chmod(0o640)
    assert world.type("context", "use", "dev").status == 0
    assert json.loads(config.read_text()) == {"auths": {"r": {}}, "currentContext": "dev"}
    assert config.stat().st_mode & 0o777 == 0o640
    config.write_text("{no json")
    assert world.type("context", "use", "dev").status == 1
    assert config.read_text() == "{no json"


def test_docker_machine_s_own_words_where_none_is_active(
    world: StoreWithEngines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its wrappers compare the whole of stderr, and the status 1."""
    monkeypatch.setattr("sys.argv", ["/usr/bin/docker-machine"])
    typed = world.type("active")
    assert (typed.status, typed.out, typed.err) == (1, "", "No active host found\n")


def test_the_label_that_every_engine_gets_is_found(world: StoreWithEngines) -> None:
    world.none("a", URL)
    world.machine("b", 1)
    assert world.type("ls", "-q", "--filter", "label=provider=generic").out == "b\n"


def test_env_of_an_import_without_keys_says_how_to_get_them(world: StoreWithEngines, tmp_path: Path) -> None:
    world.machine("dev", 1)
    assert world.type("export", "dev", "-o", str(tmp_path / "f")).status == 0
    elsewhere = {"MACHINE_STORAGE_PATH": str(tmp_path / "other")}
    assert world.type("import", str(tmp_path / "f"), **elsewhere).status == 0
    typed = world.type("env", "dev", **elsewhere)
    assert (typed.status, typed.out) == (1, "")
    assert "machine export --with-keys dev" in typed.err
    assert "machine import --name dev-2 FILE" in typed.err
