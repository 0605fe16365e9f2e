"""The commands that only read, as typed: docker-machine's probed cases, improved where the manual says so."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from machine.cli.fast.env import set_values, unset_values
from machine.cli.ls_rows import power_resolution
from machine.cli.report import in_store
from tests.cli.typed import StoreWithEngines

ONE_NAME = ["config", "env", "inspect", "ip", "status", "url"]


@pytest.mark.parametrize("command", [*ONE_NAME, "version"])
def test_a_machine_that_is_not_there(cli: StoreWithEngines, command: str) -> None:
    typed = cli.type(command, "nope")
    assert (typed.status, typed.out) == (4, "")
    assert 'Docker machine "nope" does not exist' in typed.err


@pytest.mark.parametrize("command", ONE_NAME)
def test_without_a_name_and_without_a_default(cli: StoreWithEngines, command: str) -> None:
    cli.none("other", "tcp://192.0.2.1:2375")
    typed = cli.type(command)
    assert (typed.status, typed.out) == (4, "")
    assert "no machine called default" in typed.err
    assert "other" in typed.err


def test_without_a_name_the_machine_called_default_is_meant(cli: StoreWithEngines) -> None:
    cli.machine("default", cli.engine())
    for command in ONE_NAME:
        typed = cli.type(command)
        assert (typed.status, typed.err) == (0, ""), command
        assert typed.out == cli.type(command, "default").out.replace(" default)", ")")


@pytest.mark.parametrize("command", ["config", "env"])
def test_two_names_are_one_too_many(cli: StoreWithEngines, command: str) -> None:
    cli.none("a", "tcp://192.0.2.1:2375")
    cli.none("b", "tcp://192.0.2.1:2375")
    typed = cli.type(command, "a", "b")
    assert (typed.status, typed.out) == (2, "")


@pytest.mark.parametrize("command", ONE_NAME)
def test_a_broken_machine_is_an_error_of_its_own(cli: StoreWithEngines, command: str) -> None:
    cli.broken("bad")
    typed = cli.type(command, "bad")
    assert (typed.status, typed.out) == (1, "")
    assert "bad" in typed.err
    assert "Traceback" not in typed.err


def test_ip_prints_addresses_in_the_order_of_the_names(cli: StoreWithEngines) -> None:
    cli.none("a", "tcp://192.0.2.1:2375")
    cli.none("b", "tcp://[2001:db8::1]:2375")
    assert cli.type("ip", "b", "a").out == "2001:db8::1\n192.0.2.1\n"
    typed = cli.type("ip", "a", "nope")
    assert (typed.status, typed.out) == (4, "")


def test_an_address_that_is_not_known_yet(cli: StoreWithEngines) -> None:
    record = cli.machine("m", 2376)
    record.driver_object["IPAddress"] = ""
    cli.store.save(record)
    for command in ("ip", "url", "env", "config"):
        typed = cli.type(command, "m")
        assert (typed.status, typed.out) == (1, "")
        assert "the address of m is not known" in typed.err


def test_url(cli: StoreWithEngines) -> None:
    cli.machine("m", 2376)
    cli.none("six", "tcp://[2001:db8::1]:2375")
    assert cli.type("url", "m").out == "tcp://127.0.0.1:2376\n"
    assert cli.type("url", "six").out == "tcp://[2001:db8::1]:2375\n"


def test_config_after_a_look_at_the_engine(cli: StoreWithEngines) -> None:
    port = cli.engine()
    cli.machine("m", port)
    home = cli.store.directory("m")
    assert cli.type("config", "m").out.splitlines() == [
        "--tlsverify",
        f'--tlscacert="{home}/ca.pem"',
        f'--tlscert="{home}/cert.pem"',
        f'--tlskey="{home}/key.pem"',
        f"-H=tcp://127.0.0.1:{port}",
    ]
    assert cli.type("config", "--plain", "m").out.splitlines()[1] == f"--tlscacert={home}/ca.pem"


@pytest.mark.parametrize("command", ["config", "env"])
def test_an_engine_that_is_down_or_not_ours(cli: StoreWithEngines, command: str) -> None:
    cli.machine("down", 1)
    typed = cli.type(command, "down")
    assert (typed.status, typed.out) == (1, "")
    assert "Error: down is Stopped\n    nothing listens at tcp://127.0.0.1:1" in typed.err
    record = cli.machine("foreign", cli.engine())
    other = StoreWithEngines(cli.directory / "other", cli.stack)
    Path(record.cert_dir(), "ca.pem").write_bytes(other.files.authority.cert)
    typed = cli.type(command, "foreign")
    assert (typed.status, typed.out) == (1, "")
    assert "Try: machine regenerate-certs foreign" in typed.err


@pytest.mark.parametrize("command", ["config", "env"])
def test_a_certificate_that_is_missing(cli: StoreWithEngines, command: str) -> None:
    record = cli.machine("m", cli.engine())
    Path(record.cert_dir(), "key.pem").unlink()
    typed = cli.type(command, "m")
    assert (typed.status, typed.out) == (1, "")
    assert "the file key.pem of m is missing" in typed.err


@pytest.mark.parametrize("command", ["config", "env"])
def test_swarm_of_a_machine_that_is_no_master(cli: StoreWithEngines, command: str) -> None:
    cli.machine("m", cli.engine())
    typed = cli.type(command, "--swarm", "m")
    assert (typed.status, typed.out) == (2, "")
    assert "m is not the master of a classic swarm" in typed.err


@pytest.mark.parametrize("command", ["config", "env"])
def test_swarm_swaps_the_port(cli: StoreWithEngines, command: str) -> None:
    manager = cli.engine()
    cli.machine("m", cli.engine(), SwarmOptions={"IsSwarm": True, "Master": True, "Host": f"tcp://0.0.0.0:{manager}"})
    typed = cli.type(command, "m", "--swarm")
    assert f"tcp://127.0.0.1:{manager}" in typed.out
    cli.machine("down", cli.engine(), SwarmOptions={"IsSwarm": True, "Master": True, "Host": "tcp://0.0.0.0:1"})
    typed = cli.type(command, "down", "--swarm")
    assert (typed.status, typed.out) == (1, "")
    assert "down is Stopped" in typed.err
    record = cli.store.load("down")
    record.driver_object["SSHPort"] = manager  # the host answers
    cli.store.save(record)
    typed = cli.type(command, "down", "--swarm")
    assert (typed.status, typed.out) == (1, "")
    assert "the swarm's manager on down does not answer at tcp://127.0.0.1:1" in typed.err
    assert "journalctl -u machine-swarm-manager" in typed.err
    assert "its engine is not" not in typed.err


def test_env(cli: StoreWithEngines) -> None:
    port = cli.engine()
    cli.machine("m", port)
    assert cli.type("env", "m").out.splitlines() == [
        'export DOCKER_TLS_VERIFY="1"',
        f'export DOCKER_HOST="tcp://127.0.0.1:{port}"',
        f'export DOCKER_CERT_PATH="{cli.store.directory("m")}"',
        'export DOCKER_MACHINE_NAME="m"',
        "# Bind mounts (-v) show directories of m: machine share m PATH",
        "# Run this command to configure your shell:",
        '# eval "$(machine env m)"',
    ]
    assert cli.type("env", "--shell", "fish", "m").out.startswith('set -gx DOCKER_TLS_VERIFY "1";\n')
    assert cli.type("env", "m", "--shell=powershell").out.startswith('$Env:DOCKER_TLS_VERIFY = "1"\n')


def test_env_says_which_directories_bind_mounts_show(cli: StoreWithEngines) -> None:
    record = cli.machine("m", cli.engine())
    paths = {"/home/me": True, "/b\nrm -rf $(pwned)": False, **{f"/more/{number}": False for number in range(9)}}
    record.set_shares({path: {"Writable": writable, "Target": path} for path, writable in paths.items()})
    cli.store.save(record)
    lines = [line for line in cli.type("env", "m").out.splitlines() if "Bind mounts" in line]
    shown = "/b_rm -rf _(pwned) (ro), /home/me (rw), /more/0 (ro), /more/1 (ro), /more/2 (ro), 6 more"
    assert lines == [f"# Bind mounts (-v) show files of this computer in {shown}, elsewhere those of m"]
    record.set_shares({"/a": None, "/c": {"Writable": "yes"}})
    cli.store.save(record)
    assert "in /a (ro), /c (ro), elsewhere" in cli.type("env", "m").out


def test_env_without_a_shell_is_for_sh(cli: StoreWithEngines) -> None:
    cli.machine("m", cli.engine())
    typed = cli.type("env", "m", SHELL="")
    assert (typed.status, typed.err) == (0, "")
    assert typed.out == cli.type("env", "m").out


def test_env_unset(cli: StoreWithEngines) -> None:
    assert cli.type("env", "-u").out.splitlines() == [
        "unset DOCKER_TLS_VERIFY",
        "unset DOCKER_HOST",
        "unset DOCKER_CERT_PATH",
        "unset DOCKER_MACHINE_NAME",
        "# Run this command to configure your shell:",
        '# eval "$(machine env -u)"',
    ]
    assert "unset NO_PROXY\n" in cli.type("env", "--unset", "--no-proxy").out
    assert "unset no_proxy\n" in cli.type("env", "--unset", "--no-proxy", no_proxy="x").out
    typed = cli.type("env", "-u", "a")
    assert (typed.status, typed.out) == (2, "")


@pytest.mark.parametrize(
    ("environ", "line"),
    [
        ({}, 'export NO_PROXY="127.0.0.1"'),
        ({"NO_PROXY": "a"}, 'export NO_PROXY="a,127.0.0.1"'),
        ({"NO_PROXY": "a", "no_proxy": "b"}, 'export no_proxy="b,127.0.0.1"'),
        ({"no_proxy": "127.0.0.1,b"}, 'export no_proxy="127.0.0.1,b"'),
        ({"no_proxy": "127.0.0.10"}, 'export no_proxy="127.0.0.10,127.0.0.1"'),
    ],
)
def test_env_no_proxy(cli: StoreWithEngines, environ: dict[str, str], line: str) -> None:
    cli.machine("m", cli.engine())
    assert line in cli.type("env", "--no-proxy", "m", **environ).out.splitlines()


def test_env_of_an_engine_without_tls_turns_tls_off(cli: StoreWithEngines) -> None:
    from tests.engine.servers import serving

    port = cli.stack.enter_context(serving(None))
    cli.none("plain", f"tcp://127.0.0.1:{port}")
    assert cli.type("env", "plain").out.splitlines()[:4] == [
        "unset DOCKER_TLS_VERIFY",
        f'export DOCKER_HOST="tcp://127.0.0.1:{port}"',
        "unset DOCKER_CERT_PATH",
        'export DOCKER_MACHINE_NAME="plain"',
    ]
    assert cli.type("config", "plain").out == f"-H=tcp://127.0.0.1:{port}\n"


def test_env_on_windows_also_speaks_to_compose() -> None:
    compose = "COMPOSE_CONVERT_WINDOWS_PATHS"
    assert (compose, "true") in set_values("tcp://192.0.2.1:2376", "C:\\m", "m", windows=True)
    assert (compose, None) in unset_values({}, no_proxy=False, windows=True)
    assert compose not in dict(set_values("tcp://192.0.2.1:2376", "/m", "m", windows=False))
    assert compose not in dict(unset_values({}, no_proxy=True, windows=False))


def test_status_asks_the_platform(cli: StoreWithEngines) -> None:
    cli.machine("m", 1)
    assert cli.type("status", "m").out == "Stopped\n"
    port = cli.engine()
    cli.none("up", f"tcp://127.0.0.1:{port}")
    assert cli.type("status", "up").out == "Running\n"


def test_version_of_an_engine(cli: StoreWithEngines) -> None:
    cli.machine("m", cli.engine())
    assert cli.type("version", "m").out == "20.10.24\n"
    cli.machine("down", 1)
    assert cli.type("version", "down").status == 1


def test_inspect(cli: StoreWithEngines) -> None:
    cli.machine("m", 2376)
    typed = cli.type("inspect", "m")
    assert typed.out.startswith('{\n    "ConfigVersion": 3,\n')
    assert json.loads(typed.out)["Driver"]["IPAddress"] == "127.0.0.1"
    assert json.loads(cli.type("inspect", "--json", "m").out) == json.loads(typed.out)
    assert cli.type("inspect", "--json", "m").out.count("\n") == 1
    assert cli.type("inspect", "--json", "-f", "x", "m").status == 2


@pytest.mark.parametrize(
    ("template", "out"),
    [
        ("{{.DriverName}}", "generic\n"),
        ("{{.No.x}}", "<no value>\n"),
        ("{{.Driver.EnginePort}}", "2376\n"),
        ("{{json .HostOptions.EngineOptions.Labels}}", "[]\n"),
        ("{{range $k, $v := .Machine}}{{if eq $k `Phase`}}{{$v}}{{end}}{{end}}", "ready\n"),
    ],
)
def test_inspect_through_a_template(cli: StoreWithEngines, template: str, out: str) -> None:
    cli.machine("m", 2376)
    for line in (
        ["inspect", "-f", template, "m"],
        ["inspect", "m", "--format", template],
        ["inspect", "m", "-f" + template],
    ):
        typed = cli.type(*line)
        assert (typed.status, typed.out, typed.err) == (0, out, "")


def test_inspect_with_a_bad_template(cli: StoreWithEngines) -> None:
    cli.machine("m", 2376)
    for template in ("{{", "{{nope}}", "{{.Name.x}}"):
        typed = cli.type("inspect", "-f", template, "m")
        assert (typed.status, typed.out) == (2, "")


def test_active(cli: StoreWithEngines) -> None:
    port = cli.engine()
    cli.machine("m", port)
    cli.machine("other", 1)
    assert cli.type("active", DOCKER_HOST=f"tcp://127.0.0.1:{port}").out == "m\n"
    for environ in ({}, {"DOCKER_HOST": "tcp://192.0.2.9:2376"}):
        typed = cli.type("active", **environ)
        assert (typed.status, typed.out) == (4, "")
        assert "No active host found" in typed.err
    typed = cli.type("active", DOCKER_HOST="tcp://127.0.0.1:1")
    assert (typed.status, typed.out) == (1, "")
    assert "other, which is Stopped" in typed.err


def test_active_swarm(cli: StoreWithEngines) -> None:
    manager = cli.engine()
    cli.machine("m", cli.engine(), SwarmOptions={"IsSwarm": True, "Master": True, "Host": f"tcp://0.0.0.0:{manager}"})
    assert cli.type("active", "-t", "5", DOCKER_HOST=f"tcp://127.0.0.1:{manager}").out == "m\n"


def test_what_gitlab_runner_calls(cli: StoreWithEngines) -> None:
    """Its machine_command.go: each call is prefixed, flags may follow the name, trimmed stdout and status are read."""
    prefix = "--bugsnag-api-token=no-report"
    port = cli.engine()
    cli.machine("runner-token-name", port)
    name = "runner-token-name"
    url = cli.type(prefix, "url", name)
    assert (url.status, url.out.strip()) == (0, f"tcp://127.0.0.1:{port}")
    path = cli.type(prefix, "inspect", name, "-f", "{{.HostOptions.AuthOptions.StorePath}}")
    assert (path.status, path.out.strip()) == (0, cli.store.directory(name))
    assert all(Path(path.out.strip(), file).exists() for file in ("ca.pem", "cert.pem", "key.pem"))
    assert cli.type(prefix, "inspect", name).status == 0
    assert cli.type(prefix, "inspect", "gone").status == 4
    assert cli.type(prefix, "config", name).status == 0
    cli.machine("down", 1)
    assert cli.type(prefix, "config", "down").status == 1
    assert cli.type(prefix, "ip", name).out.strip() == "127.0.0.1"
    assert re.fullmatch(r"\w+\n", cli.type(prefix, "status", name).out)


@pytest.mark.parametrize(
    ("phase", "imported", "state", "cure"),
    [
        ("ready", "", "Stopped", "machine start dev"),
        ("ready", "", "Missing", "machine rm dev forgets it"),
        ("recorded", "", "Missing", "machine create --resume dev"),
        ("ready", "2026-01-01T00:00:00Z", "Missing", "where it was made"),
        ("ready", "", "Starting", "machine status dev"),
    ],
)
def test_what_helps_a_machine_that_does_not_run(
    cli: StoreWithEngines, phase: str, imported: str, state: str, cure: str
) -> None:
    record = cli.machine("dev", 1)
    record.phase = phase
    record.raw["Machine"]["Imported"] = imported
    assert cure in power_resolution(record, state)


def test_no_context_is_made_of_a_machine_without_certificates(cli: StoreWithEngines) -> None:
    record = cli.machine("half", 1)
    record.phase = "recorded"
    cli.store.save(record)
    Path(cli.store.directory("half"), "ca.pem").unlink()
    for verb in ("create", "use"):
        typed = cli.type("context", verb, "half")
        assert (typed.status, typed.out) == (1, "")
        assert "machine create --resume half" in typed.err
    assert cli.type("context", "ls").out.count("half") == 0


def test_advice_names_the_store_that_was_named(cli: StoreWithEngines) -> None:
    cli.machine("dev", 1)
    store = f"{cli.directory}/a b"
    typed = cli.type("-s", store, "stop", "dev")
    assert (typed.status, f"Try: machine -s '{store}' ls shows all; machine -s '{store}' create" in typed.err) == (
        4,
        True,
    )
    assert "Try: machine ls shows all" in cli.type("stop", "nope").err
    assert in_store("see docker-machine ls, the machine lsof, machine help", "/s") == (
        "see docker-machine ls, the machine lsof, machine help"
    )


def test_the_help_of_create_begins_with_what_it_does(cli: StoreWithEngines) -> None:
    for line in (["help", "create"], ["create", "-d", "azure", "--help"]):
        shown = cli.type(*line, COLUMNS="80").out
        assert shown.startswith("Usage: machine create [FLAGS] [NAME ...]\n\nCreate machines")
        assert max(map(len, shown.splitlines())) <= 80
        assert "\nbring:" not in shown
    assert "[--json]" in cli.type("help", "ls").out
