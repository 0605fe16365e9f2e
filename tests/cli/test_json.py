"""--json of the commands that read, incomplete machines, docker's current context, several names."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from machine import __version__, docker_config
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
    cli: StoreWithEngines, command: str, facts: dict[str, str], text: str
) -> None:
    for name in "ab":
        cli.none(name, URL)
    assert json.loads(cli.type(command, "--json", "a").out) == facts
    assert json.loads(cli.type(command, "a", "b", "--json").out) == [facts, {**facts, "Name": "b"}]
    assert cli.type(command, "b", "a").out == f"{text}\n{text}\n"


def test_version_of_the_program_and_of_engines(cli: StoreWithEngines) -> None:
    assert json.loads(cli.type("version", "--json").out) == {"Version": __version__, "Build": commit()}
    cli.machine("m", cli.engine())
    engine = {"Name": "m", "Version": "20.10.24", "ApiVersion": "1.41"}
    assert json.loads(cli.type("version", "--json", "m").out) == engine
    assert cli.type("version", "m", "m").out == "20.10.24\n20.10.24\n"


def test_inspect_of_several(cli: StoreWithEngines) -> None:
    cli.none("a", URL)
    cli.none("b", URL)
    assert [found["Name"] for found in json.loads(cli.type("inspect", "a", "b").out)] == ["a", "b"]
    assert cli.type("inspect", "-f", "{{.Name}}", "b", "a").out == "b\na\n"


def test_active(cli: StoreWithEngines) -> None:
    port = cli.engine()
    cli.machine("m", port)
    here = f"tcp://127.0.0.1:{port}"
    assert json.loads(cli.type("active", "--json", DOCKER_HOST=here).out) == {"Name": "m", "URL": here}


def test_ls_has_the_address_and_the_phase(cli: StoreWithEngines) -> None:
    cli.none("half", URL, "created")
    cli.none("whole", URL)
    half, whole = json.loads(cli.type("ls", "--json", "-t", "0").out)
    assert (half["IP"], half["Phase"], whole["Phase"]) == ("127.0.0.1", "created", "ready")
    assert "incomplete: create got as far as 'created', machine create --resume half" in half["Error"]
    assert whole["Error"] == ""
    assert cli.type("ls", "-t", "0", "--format", "{{.IP}} {{.Phase}}").out == "127.0.0.1 created\n127.0.0.1 ready\n"


def test_env_of_half_a_machine_warns(cli: StoreWithEngines) -> None:
    record = cli.machine("half", cli.engine())
    record.phase = "reachable"
    Path(cli.store.directory("half"), "config.json").write_bytes(record.encode())
    typed = cli.type("env", "half")
    assert (typed.status, "half is incomplete (create got as far as 'reachable')" in typed.err) == (0, True)
    assert "export DOCKER_HOST" in typed.out


@pytest.mark.parametrize("command", ["env", "config", "url", "ip", "ssh"])
def test_a_machine_that_another_process_is_creating(cli: StoreWithEngines, command: str) -> None:
    cli.machine("half", 1)
    with cli.store.lock("machine-half", what="create half"):
        said = cli.type("env", "half")  # it is ready, whoever holds it
        assert "creating" not in said.err
    _set_back(cli, "half", "recorded", IPAddress="")
    said = cli.type(command, "half")
    assert "creating" not in said.err
    with cli.store.lock("machine-half", what="create half"):
        said = cli.type(command, "half")
        assert (said.status, said.out) == (1, "")
        assert f"process {os.getpid()} is still creating half" in said.err
        assert "Try: wait until that command has ended" in said.err
        row = json.loads(cli.type("ls", "--json", "-t", "1").out)[0]
        assert row["Error"] == f"process {os.getpid()} is still creating half (it got as far as 'recorded')"
    with cli.store.lock("machine-half", what="remove half"):
        assert f"process {os.getpid()} holds it to remove half" in cli.type(command, "half").err


def test_an_engine_that_is_silent_while_its_machine_is_created(cli: StoreWithEngines) -> None:
    cli.machine("half", 1)
    _set_back(cli, "half", "reachable")
    with cli.store.lock("machine-half", what="resume half"):
        said = cli.type("env", "half")
    assert (said.status, said.out) == (1, "")
    assert f"Error: process {os.getpid()} is still creating half\n" in said.err
    assert "machine restart" not in said.err


def test_ls_ends_with_the_command_for_an_incomplete_machine(cli: StoreWithEngines) -> None:
    cli.machine("half", 1)
    _set_back(cli, "half", "created", SSHPort=cli.engine())  # something answers there: it runs
    Path(cli.store.directory("half"), "ca.pem").unlink()
    row = json.loads(cli.type("ls", "--json", "-t", "1").out)[0]
    assert row["Error"] == ("incomplete: create got as far as 'created', machine create --resume half")
    root = cli.store.root
    row = json.loads(cli.type("-s", root, "ls", "--json", "-t", "1").out)[0]
    assert row["Error"].endswith(f", machine -s {root} create --resume half")


def _set_back(cli: StoreWithEngines, name: str, phase: str, **driver: object) -> None:
    record = cli.store.load(name)
    record.phase = phase
    record.driver_object.update(driver)
    Path(cli.store.directory(name), "config.json").write_bytes(record.encode())


def test_an_error_says_its_machine_and_its_code(cli: StoreWithEngines) -> None:
    cli.none("dev", URL)
    for line, machine, code in (
        (["ip", "nope"], "nope", 4),
        (["env", "dev"], "dev", 1),
        (["create", "-d", "none", "--url", URL, "dev"], "dev", 5),
        (["start", "dev", "nope"], "nope", 4),
        (["ls", "--bogus"], "", 2),
    ):
        error = json.loads(cli.type("--log-format", "json", *line).err.splitlines()[-1])
        assert (error["machine"], error["code"], error["status"]) == (machine, code, code), line


def test_the_last_line_of_a_create_has_where_the_machine_is(cli: StoreWithEngines) -> None:
    typed = cli.type("--log-format", "json", "create", "-d", "none", "--url", "tcp://192.0.2.1:2376", "dev")
    done = next(line for line in map(json.loads, typed.err.splitlines()) if line["level"] == "done")
    assert (done["machine"], done["url"], done["ip"]) == ("dev", "tcp://192.0.2.1:2376", "192.0.2.1")
    assert done["seconds"] >= 0


def test_docker_s_current_context_counts(cli: StoreWithEngines) -> None:
    cli.machine("dev", cli.engine())
    cli.machine("other", cli.engine())
    assert cli.type("active").status == 4
    used = cli.type("context", "use", "dev")
    assert (used.status, used.out) == (0, "dev\n")
    assert docker_config.current_context(cli.environ) == "dev"
    assert cli.type("active").out == "dev\n"
    assert cli.type("ls", "--format", "{{.Name}} {{.Active}}").out == "dev *\nother -\n"
    elsewhere = {"DOCKER_HOST": cli.store.load("other").url()}
    assert cli.type("active", **elsewhere).out == "other\n"
    assert "DOCKER_HOST is set" in cli.type("context", "use", "dev", **elsewhere).err
    cli.type("context", "create", "other")
    assert cli.type("active", DOCKER_CONTEXT="other").out == "other\n"
    assert cli.type("active", DOCKER_CONTEXT="default").status == 4
    assert cli.type("context", "use", "dev", "other").status == 2


def test_context_use_keeps_what_else_docker_is_configured_with(cli: StoreWithEngines) -> None:
    cli.machine("dev", 1)
    config = Path(docker_config.directory(cli.environ), "config.json")
    config.parent.mkdir(exist_ok=True)
    config.write_text('{"auths": {"r": {}}}')
    config.chmod(0o640)
    assert cli.type("context", "use", "dev").status == 0
    assert json.loads(config.read_text()) == {"auths": {"r": {}}, "currentContext": "dev"}
    assert config.stat().st_mode & 0o777 == 0o640
    config.write_text("{no json")
    assert cli.type("context", "use", "dev").status == 1
    assert config.read_text() == "{no json"


def test_docker_machine_s_own_words_where_none_is_active(
    cli: StoreWithEngines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its wrappers compare the whole of stderr, and the status 1."""
    monkeypatch.setattr("sys.argv", ["/usr/bin/docker-machine"])
    typed = cli.type("active")
    assert (typed.status, typed.out, typed.err) == (1, "", "No active host found\n")


def test_the_label_that_every_engine_gets_is_found(cli: StoreWithEngines) -> None:
    cli.none("a", URL)
    cli.machine("b", 1)
    assert cli.type("ls", "-q", "--filter", "label=provider=generic").out == "b\n"


def test_env_of_an_import_without_keys_says_how_to_get_them(cli: StoreWithEngines, tmp_path: Path) -> None:
    cli.machine("dev", 1)
    assert cli.type("export", "dev", "-o", str(tmp_path / "f")).status == 0
    elsewhere = {"MACHINE_STORAGE_PATH": str(tmp_path / "other")}
    assert cli.type("import", str(tmp_path / "f"), **elsewhere).status == 0
    typed = cli.type("env", "dev", **elsewhere)
    assert (typed.status, typed.out) == (1, "")
    assert "machine export --with-keys dev" in typed.err
    assert "machine import --name dev-2 FILE" in typed.err
