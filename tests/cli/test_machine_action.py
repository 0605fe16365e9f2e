"""The commands that change machines, as typed: docker-machine's statuses and outputs, improved where we say so."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from tests.cli.lines import CommandLine, change, names, none
from tests.sshd import Sshd


@pytest.mark.parametrize(
    "line",
    [
        ["create", "n", "-d", "none", "--url", "tcp://127.0.0.1:1"],
        ["create", "-d", "none", "--url", "tcp://127.0.0.1:1", "n"],
        ["create", "-d", "none", "n", "--url", "tcp://127.0.0.1:1"],
        ["create", "-driver", "none", "-url=tcp://127.0.0.1:1", "n"],
        ["--bugsnag-api-token=no-report", "create", "--driver", "none", "--url=tcp://127.0.0.1:1", "n"],
    ],
)
def test_flags_may_stand_anywhere(store: Path, line: list[str]) -> None:
    assert CommandLine(line).status == 0
    assert names() == ["n"]
    assert CommandLine(["url", "n"]).out == "tcp://127.0.0.1:1\n"


def test_several_names_make_several_machines(store: Path) -> None:
    assert CommandLine(["create", "-d", "none", "--url", "tcp://127.0.0.1:1", "a", "b", "c10", "c9"]).status == 0
    assert names() == ["a", "b", "c9", "c10"]


def test_one_failure_does_not_stop_the_others(store: Path) -> None:
    none("b")
    tried = CommandLine(["create", "-d", "none", "--url", "tcp://127.0.0.1:1", "a", "b", "c"])
    assert tried.status == 1
    assert 'machine "b" already exists' in tried.err
    assert names() == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("line", "status", "said"),
    [
        (["create"], 2, "needs a name"),
        (["create", "-d", "none", "--url", "tcp://h:1", "bad_name"], 2, "bad-name"),
        (["create", "-d", "none", "x"], 2, "--url"),
        (["create", "-d", "nosuch", "x"], 2, "known drivers: amazonec2, "),
        (["create", "-d", "none", "--url", "tcp://h:1", "--swarm-discovery", "abc", "x"], 2, "token://"),
        (["create", "-d", "none", "--url", "tcp://h:1", "--bogus", "x"], 2, "--bogus"),
        (["create", "-d", "none", "--url", "tcp://h:1", "--engine-label", "abc", "x"], 2, "KEY=VALUE"),
        (
            ["create", "-d", "generic", "--generic-ip-address", "127.0.0.1", "--generic-ssh-port", "1", "x"],
            3,
            "no sshd",
        ),
        (["create", "-d", "none", "--url", "tcp://h:1", "--engine-opt", "tlsverify=false", "x"], 2, "protected"),
        (["rm"], 2, "needs the name"),
        (["rm", "-y", "nope"], 4, "nope"),
        (["rm", "-f", "nope"], 0, "nope"),
        (["start", "nope"], 4, "nope"),
        (["stop"], 4, "no machine name"),
        (["provision", "nope"], 4, "nope"),
        (["upgrade", "nope"], 4, "nope"),
        (["create", "--resume", "nope"], 4, "nope"),
    ],
)
def test_what_cannot_be_done_is_said_and_leaves_nothing(store: Path, line: list[str], status: int, said: str) -> None:
    typed = CommandLine(line)
    assert typed.status == status
    assert said in typed.err
    assert typed.out == ""
    assert "Traceback" not in typed.err
    assert names() == []


def test_a_name_is_given_once(store: Path) -> None:
    none()
    again = none()
    assert again.status == 5
    assert "machine rm m" in again.err


def test_regenerate_certs_without_an_answer(store: Path) -> None:
    none()
    asked = CommandLine(["regenerate-certs", "m"])
    assert asked.status == 1
    assert "EOF" in asked.err
    assert CommandLine(["regenerate-certs", "m"], "n\n").status == 0


@pytest.mark.parametrize("command", ["stop", "kill"])
def test_what_a_driver_cannot_do(store: Path, tmp_path: Path, command: str) -> None:
    host = Sshd(tmp_path / "host")
    try:
        none("m")
        config = store / "machines" / "m" / "config.json"
        record = json.loads(config.read_text())
        record["DriverName"] = "generic"
        record["Driver"] |= {"IPAddress": host.address, "SSHPort": host.port}
        config.write_text(json.dumps(record))
        typed = CommandLine([command, "m"])
        assert typed.status == 1
        assert f"the driver generic cannot {command} a machine" in typed.err
        again = CommandLine(["start", "m"])
        assert (again.status, "m is already running" in again.err) == (0, True)
    finally:
        host.stop()


def test_a_dry_run_of_a_name_given_twice_is_one_plan(store: Path) -> None:
    line = ["create", "--dry-run", "-d", "none", "--url", "tcp://127.0.0.1:1"]
    assert CommandLine([*line, "a", "a"]).out == CommandLine([*line, "a"]).out


@pytest.mark.parametrize("more", [["m", "--dry-run"], ["m", "--resume"]])
def test_a_script_that_no_machine_can_fetch_is_refused_by_create_and_resume(store: Path, more: list[str]) -> None:
    none()
    typed = CommandLine(["create", "--engine-install-url", "ftp://x.example/get", *more])
    assert typed.status == 2
    assert "--engine-install-url cannot be 'ftp://x.example/get'" in typed.err


@pytest.mark.parametrize(
    ("variable", "value", "flag"),
    [
        ("GENERIC_SSH_PORT", "99999", "--generic-ssh-port"),
        ("GENERIC_SSH_KEY", "/nonexist", "--generic-ssh-key"),
        ("MACHINE_DOCKER_INSTALL_URL", "/nonexist", "--engine-install-url"),
    ],
)
def test_a_value_from_the_environment_is_blamed_on_its_variable(
    store: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, flag: str
) -> None:
    line = ["create", "-d", "generic", "--generic-ip-address", "127.0.0.1", "m"]
    monkeypatch.setenv(variable, value)
    told = CommandLine(line).err
    assert f"${variable}" in told
    assert flag not in told.partition("Try:")[0]
    assert f"${variable}" not in CommandLine([*line, flag, value]).err


def test_dry_run_touches_nothing(store: Path) -> None:
    shown = CommandLine(["create", "--dry-run", "-d", "generic", "--generic-ip-address", "192.0.2.1", "x"])
    assert shown.status == 0
    assert "--generic-ip-address 192.0.2.1" in shown.out
    assert not store.exists()


def test_a_dry_run_is_the_plan_and_the_script_only_if_asked_for(store: Path) -> None:
    """Also as the switch that it was, and a word after it stays a name."""
    where = ["-d", "none", "--url", "tcp://h:1"]
    assert CommandLine(["create", *where, "--dry-run", "a", "b", "c"]).out.count("\n") < 15
    line = ["create", "-d", "generic", "--generic-ip-address", "192.0.2.1", "x"]
    plan, script = CommandLine([*line, "--dry-run"]).out, CommandLine([*line, "--dry-run=script"]).out
    assert script.startswith(plan)
    assert plan.count("\n") < 15
    assert script.count("\n") > 50
    assert CommandLine([*line, "--dry-run=plan"]).out == CommandLine([*line, "--dry-run=true"]).out == plan
    assert CommandLine([*line, "--dry-run=nonsense"]).status == 2
    assert not store.exists()
    assert CommandLine(["create", *where, "--dry-run=false", "made"]).status == 0
    assert names() == ["made"]


def test_the_record_is_docker_machines(store: Path) -> None:
    none(
        "m",
        "--engine-label",
        "a=b",
        "--engine-opt",
        "mtu=1400",
        "--tls-san",
        "db.example",
        "--swarm-strategy",
        "binpack",
    )
    config = store / "machines" / "m" / "config.json"
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    record = json.loads(config.read_text())
    assert record["ConfigVersion"] == 3
    assert record["DriverName"] == "none"
    assert record["Driver"]["URL"] == "tcp://127.0.0.1:2376"
    assert record["HostOptions"]["EngineOptions"]["Labels"] == ["a=b"]
    assert record["HostOptions"]["EngineOptions"]["ArbitraryFlags"] == ["mtu=1400"]
    assert record["HostOptions"]["AuthOptions"]["ServerCertSANs"] == ["db.example"]
    assert record["HostOptions"]["SwarmOptions"]["Strategy"] == "binpack"
    assert "null" not in config.read_text()


def test_lists_in_variables_are_split_at_commas(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGINE_REGISTRY_MIRROR", "http://a,http://b")
    none("m", "--engine-opt", "x=1,2")
    options = json.loads((store / "machines" / "m" / "config.json").read_text())["HostOptions"]["EngineOptions"]
    assert options["RegistryMirror"] == ["http://a", "http://b"]
    assert options["ArbitraryFlags"] == ["x=1,2"]


def test_an_unknown_driver_in_the_environment_is_named(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MACHINE_DRIVER", "xhyve")
    made = CommandLine(["create", "x"])
    assert made.status == 2
    assert "unset MACHINE_DRIVER" in made.err


def test_the_driver_comes_from_the_environment(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MACHINE_DRIVER", "none")
    assert CommandLine(["create", "--url", "tcp://h:1", "x"]).status == 0


def test_progress_as_json(store: Path) -> None:
    made = CommandLine(["--log-format", "json", "create", "-d", "none", "--url", "tcp://h:1", "x"])
    assert made.status == 0
    lines = [json.loads(line) for line in made.err.splitlines()]
    assert any(line.get("machine") == "x" and line["level"] == "done" for line in lines)


def test_what_happened_is_kept_in_the_machines_log(store: Path) -> None:
    none()
    log = store / "machines" / "m" / "machine.log"
    assert "m points at tcp://127.0.0.1:2376" in log.read_text()
    assert stat.S_IMODE(os.stat(log).st_mode) == 0o600


@pytest.mark.parametrize("command", ["provision", "upgrade", "restart"])
def test_a_finished_machine_that_is_off_is_not_to_be_thrown_away(store: Path, command: str) -> None:
    none()
    change(store, "generic", IPAddress="127.0.0.1", SSHPort=1)
    typed = CommandLine([command, "m"])
    assert typed.status == 1
    assert "switch the host on" in typed.err
    assert "machine rm" not in typed.err


def test_the_hint_names_the_store_that_was_named(store: Path, tmp_path: Path) -> None:
    other = str(tmp_path / "other store")
    made = CommandLine(["-s", other, "create", "-d", "none", "--url", "tcp://h:1", "--no-use", "x"])
    assert f"$(machine -s '{other}' env x)" in made.err
    assert "-s" not in none("m", "--no-use").err


def test_a_bad_name_among_several_stops_all_of_them(store: Path) -> None:
    typed = CommandLine(["create", "-d", "none", "--url", "tcp://h:1", "good", "bad_name"])
    assert typed.status == 2
    assert "bad_name" in typed.err
    assert names() == []


@pytest.mark.parametrize("url", ["tcp://h:2376/x y", "tcp://h:2376/a\u00a0b"])
def test_what_could_not_be_read_back_is_not_recorded(store: Path, url: str) -> None:
    typed = CommandLine(["create", "-d", "none", "--url", url, "m"])
    assert typed.status == 2
    assert "Driver.URL" in typed.err
    assert names() == []


def test_create_makes_a_docker_context_and_rm_removes_it(store: Path, home: Path) -> None:
    def contexts() -> list[str]:
        return [json.loads(path.read_text())["Name"] for path in home.rglob("meta.json")]

    none("mine")
    none("plain", "--no-context")
    assert contexts() == ["mine"]
    assert CommandLine(["rm", "-y", "mine", "plain"]).status == 0
    assert contexts() == []


def test_each_of_several_errors_names_its_machine(store: Path) -> None:
    """Also when the machine's name is a part of some word of the error."""
    for name in ("s", "machine-2"):
        none(name)
        change(store, "generic", name, IPAddress="127.0.0.1", SSHPort=1)
    typed = CommandLine(["start", "s", "machine-2"])
    assert typed.status == 1
    assert "Error: s: the driver generic cannot start a machine" in typed.err
    assert "Error: machine-2: the driver generic cannot start a machine" in typed.err


def test_one_that_is_half_made_is_not_called_lost(store: Path) -> None:
    none()
    change(store, "qemu")
    config = store / "machines" / "m" / "config.json"
    for phase, cure in (("recorded", "create --resume m"), ("ready", "machine create makes it again")):
        record = json.loads(config.read_text())
        record["Machine"]["Phase"] = phase
        config.write_text(json.dumps(record))
        for verb in ("start", "stop", "restart"):
            typed = CommandLine([verb, "m"])
            assert typed.status == 1
            assert cure in typed.err, (phase, verb)


@pytest.mark.parametrize(
    ("incomplete", "advice"),
    [
        ([], "Try: machine create --resume NAME; no machine of this store is incomplete"),
        (["b"], "Try: machine create --resume b"),
        (["a", "b"], "Try: machine create --resume NAME; incomplete are a, b"),
    ],
)
def test_a_resume_without_a_name_tells_which_machine_may_be_meant(
    store: Path, incomplete: list[str], advice: str
) -> None:
    none("a", "b", "c")
    (store / "machines" / "broken").mkdir()
    for name in incomplete:
        config = store / "machines" / name / "config.json"
        record = json.loads(config.read_text())
        record["Machine"]["Phase"] = "created"
        config.write_text(json.dumps(record))
    typed = CommandLine(["create", "--resume"])
    assert typed.status == 2
    assert typed.err.splitlines()[-1] == advice


def test_create_and_resume_end_with_how_docker_is_pointed_at_the_machine(store: Path) -> None:
    line = 'To point docker at it: eval "$(machine env m)"'
    assert none("m", "--no-use").err.splitlines()[-1] == line
    assert CommandLine(["create", "--resume", "m"]).err.splitlines()[-1] == line
    config = store / "machines" / "m" / "config.json"
    record = json.loads(config.read_text())
    record["HostOptions"]["SwarmOptions"]["Master"] = True
    config.write_text(json.dumps(record))
    resumed = CommandLine(["create", "--resume", "m"]).err.splitlines()
    assert resumed[-2:] == [line, 'or at its whole classic swarm: eval "$(machine env --swarm m)"']


def test_create_of_a_node_ends_with_how_docker_is_pointed_at_the_master_of_its_swarm(store: Path) -> None:
    none("m", "n", "other")
    for name, master, discovery in [
        ("m", True, "nodes://a:1"),
        ("n", False, "nodes://a:1"),
        ("other", False, "nodes://b:1"),
    ]:
        config = store / "machines" / name / "config.json"
        record = json.loads(config.read_text())
        record["HostOptions"]["SwarmOptions"] |= {"IsSwarm": True, "Master": master, "Discovery": discovery}
        config.write_text(json.dumps(record))
    resumed = CommandLine(["create", "--resume", "n"]).err.splitlines()
    assert resumed[-1] == 'or at its whole classic swarm: eval "$(machine env --swarm m)"'
    alone = CommandLine(["create", "--resume", "other"]).err.splitlines()
    assert alone[-1] == 'To point docker at it: eval "$(machine env other)"'


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["-d", "none", "--url", "tcp://h:2", "--engine-label", "a=b"], "pass over --engine-label --url"),
        (["--swarm-host", "tcp://0.0.0.0:3376"], "pass over --swarm-host"),
        (["--swarm-strategy", "spread", "--swarm-image", ""], "pass over --swarm-image --swarm-strategy"),
        (["-d", "generic"], "pass over --driver"),
        (["--dry-run"], "--resume and --dry-run exclude each other"),
        (["--if-missing"], "--resume and --if-missing exclude each other"),
    ],
)
def test_a_resume_refuses_what_it_would_pass_over(store: Path, flags: list[str], said: str) -> None:
    none()
    log = store / "machines" / "m" / "machine.log"
    before = log.read_text()
    typed = CommandLine(["create", "--resume", *flags, "m"])
    assert typed.status == 2
    assert said in typed.err
    assert log.read_text() == before, "nothing was done"


def test_a_resume_takes_what_it_looks_at(store: Path) -> None:
    none()
    assert (
        CommandLine(["create", "--resume", "-d", "none", "--no-context", "--engine-install-url", "none", "m"]).status
        == 0
    )
    assert CommandLine(["url", "m"]).out == "tcp://127.0.0.1:2376\n"


def test_a_host_may_keep_its_name(store: Path) -> None:
    line = ["create", "--dry-run=script", "-d", "generic", "--generic-ip-address", "192.0.2.1", "x"]
    assert "127.0.1.1" in CommandLine(line).out
    kept = CommandLine([*line, "--no-hostname"])
    assert kept.status == 0
    assert "/etc/hosts" not in kept.out
    assert "/etc/hostname" not in kept.out
    refused = none("m", "--no-hostname")
    assert refused.status != 0
    assert "--no-hostname has no effect with the driver none" in refused.err


def test_a_dry_run_hides_what_may_be_a_secret(store: Path) -> None:
    line = ["create", "--dry-run=script", "-d", "generic", "--generic-ip-address", "192.0.2.1", "x"]
    secret = ["--engine-env", "DB_PASS=hush-hush", "--engine-opt", "log-opt=splunk-token=hush-hush"]
    shown = CommandLine([*line, *secret])
    assert "hush-hush" not in shown.out + shown.err
    assert "DB_PASS=*****" in shown.out
