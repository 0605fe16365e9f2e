"""The commands that change machines, as typed: docker-machine's statuses and outputs, improved where we say so."""

from __future__ import annotations

import io
import json
import os
import stat
from pathlib import Path

import pytest

from machine.cli import main
from tests.sshd import Sshd


class Typed:
    """One command line, run in this process."""

    def __init__(self, line: list[str], stdin: str = "") -> None:
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.stdin", io.StringIO(stdin))
            self.status = main(line, stdout=out, stderr=err)
        self.out, self.err = out.getvalue(), err.getvalue()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty store."""
    root = tmp_path / "store"
    monkeypatch.setenv("MACHINE_STORAGE_PATH", str(root))
    return root


def none(name: str = "m", *more: str) -> Typed:
    """A machine of driver none."""
    return Typed(["create", "-d", "none", "--url", "tcp://127.0.0.1:2376", *more, name])


def names() -> list[str]:
    return Typed(["ls", "-q"]).out.split()


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
    assert Typed(line).status == 0
    assert names() == ["n"]
    assert Typed(["url", "n"]).out == "tcp://127.0.0.1:1\n"


def test_several_names_make_several_machines(store: Path) -> None:
    assert Typed(["create", "-d", "none", "--url", "tcp://127.0.0.1:1", "a", "b", "c10", "c9"]).status == 0
    assert names() == ["a", "b", "c9", "c10"]


def test_one_failure_does_not_stop_the_others(store: Path) -> None:
    none("b")
    tried = Typed(["create", "-d", "none", "--url", "tcp://127.0.0.1:1", "a", "b", "c"])
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
    typed = Typed(line)
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


@pytest.mark.parametrize(("answer", "status"), [("", 1), ("n\n", 0), ("whatever\n", 0), ("\n", 0)])
def test_rm_asks_first_and_fails_when_nobody_answers(store: Path, answer: str, status: int) -> None:
    none()
    asked = Typed(["rm", "m"], answer)
    assert asked.status == status
    assert ("machine rm -y m" in asked.err) == (not answer)
    assert "(y/n)" in asked.err
    assert "nothing was removed" in asked.err
    assert names() == ["m"]


@pytest.mark.parametrize("line", [["rm", "-y", "m"], ["rm", "m", "-f"], ["rm", "-fy", "m"]])
def test_rm_without_asking(store: Path, line: list[str]) -> None:
    none()
    assert Typed(line).status == 0
    assert names() == []
    assert not (store / "machines" / "m").exists()


@pytest.mark.parametrize(("line", "status"), [(["rm", "-y"], 1), (["rm", "-f"], 0)])
def test_rm_removes_what_there_is_and_says_what_there_is_not(store: Path, line: list[str], status: int) -> None:
    none("a")
    none("b")
    removed = Typed([*line, "a", "nope", "../b", "b"])
    assert removed.status == status
    assert 'Error: Docker machine "nope" does not exist' in removed.err
    assert names() == []
    assert not list(store.rglob("*nope*"))
    assert Typed(["rm", "-y", "nope", "none"]).status == 4


def test_rm_asks_about_those_that_there_are(store: Path) -> None:
    none("a")
    removed = Typed(["rm", "a", "nope"], "y\n")
    assert "Remove a? " in removed.err
    assert (removed.status, names()) == (1, [])


def test_a_create_killed_before_its_record_is_removed_without_force(store: Path) -> None:
    (store / "machines" / "m").mkdir(parents=True)
    (store / "machines" / "m" / ".config.json.1.abc.tmp").touch()
    assert Typed(["rm", "-y", "m"]).status == 0
    assert names() == []


def test_a_broken_record_needs_force(store: Path) -> None:
    none()
    (store / "machines" / "m" / "config.json").write_text("{")
    assert Typed(["rm", "-y", "m"]).status == 1
    assert Typed(["rm", "-f", "m"]).status == 0
    assert names() == []


def test_regenerate_certs_without_an_answer(store: Path) -> None:
    none()
    asked = Typed(["regenerate-certs", "m"])
    assert asked.status == 1
    assert "EOF" in asked.err
    assert Typed(["regenerate-certs", "m"], "n\n").status == 0


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
        typed = Typed([command, "m"])
        assert typed.status == 1
        assert f"the driver generic cannot {command} a machine" in typed.err
        again = Typed(["start", "m"])
        assert (again.status, "m is already running" in again.err) == (0, True)
    finally:
        host.stop()


def test_dry_run_touches_nothing(store: Path) -> None:
    shown = Typed(["create", "--dry-run", "-d", "generic", "--generic-ip-address", "192.0.2.1", "x"])
    assert shown.status == 0
    assert "--generic-ip-address 192.0.2.1" in shown.out
    assert not store.exists()


def test_a_dry_run_is_the_plan_and_the_script_only_if_asked_for(store: Path) -> None:
    """Also as the switch that it was, and a word after it stays a name."""
    where = ["-d", "none", "--url", "tcp://h:1"]
    assert Typed(["create", *where, "--dry-run", "a", "b", "c"]).out.count("\n") < 15
    line = ["create", "-d", "generic", "--generic-ip-address", "192.0.2.1", "x"]
    plan, script = Typed([*line, "--dry-run"]).out, Typed([*line, "--dry-run=script"]).out
    assert script.startswith(plan)
    assert plan.count("\n") < 15
    assert script.count("\n") > 50
    assert Typed([*line, "--dry-run=plan"]).out == Typed([*line, "--dry-run=true"]).out == plan
    assert Typed([*line, "--dry-run=nonsense"]).status == 2
    assert not store.exists()
    assert Typed(["create", *where, "--dry-run=false", "made"]).status == 0
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


def test_a_node_is_entered_under_its_token_and_taken_out_by_rm(store: Path) -> None:
    assert none("m", "--swarm", "--swarm-discovery", "token://t").status == 0
    record = json.loads((store / "machines" / "m" / "config.json").read_text())
    assert record["HostOptions"]["SwarmOptions"]["Discovery"] == "token://t"
    assert Typed(["swarm", "list", "token://t"]).out == "127.0.0.1:2376\n"
    assert Typed(["rm", "-y", "m"]).status == 0
    assert Typed(["swarm", "list", "token://t"]).out == ""


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--swarm"], "--swarm-discovery"),
        (["--swarm-master", "--swarm-discovery", "token://t", "--swarm-strategy", "best"], "spread, binpack or random"),
        (["--swarm-master", "--swarm-discovery", "token://t", "--swarm-opt", "strateggy=x"], "--strategy"),
        (["--swarm-master", "--swarm-discovery", "zk://a", "--swarm-opt", "heartbeat=1s"], "zk://"),
        (["--swarm", "--swarm-discovery", "token://t", "--swarm-join-opt", "heart=1s"], "--swarm-join-opt"),
        (["--swarm-master", "--swarm-discovery", "token://t", "--swarm-host", "tcp://0.0.0.0:x"], "port"),
        (["--swarm-master", "--swarm-discovery", "token://t"], "needs a host to run the manager on"),
        (["--swarm-mode", "worker"], "there is no host to set up"),
        (["--swarm-discovery", "token://t"], "--swarm-discovery has no effect alone"),
        (["--swarm", "--swarm-discovery", "token://token://t"], "followed by another scheme"),
        (["--swarm", "--swarm-discovery", "0123456789abcdef" * 2], "bare token"),
    ],
)
def test_swarm_flags_that_make_no_sense(store: Path, flags: list[str], said: str) -> None:
    for trial in ([], ["--dry-run"]):
        made = none("m", *trial, *flags)
        assert made.status == (3 if "no host" in said else 2)
        assert said in made.err
        assert names() == []


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--swarm-strategy", "binpack"], "--swarm-strategy has no effect without --swarm-master"),
        (["--swarm-opt", "heartbeat=5s"], "--swarm-opt has no effect without --swarm-master"),
        (["--swarm-join-opt", "ttl=9m"], "--swarm-join-opt has no effect without --swarm"),
    ],
)
def test_a_managers_flags_alone_are_let_pass_with_a_word(store: Path, flags: list[str], said: str) -> None:
    made = none("m", *flags)
    assert (made.status, names()) == (0, ["m"])
    assert said in made.err


def test_a_token_that_nobody_here_knows_begins_a_new_swarm(store: Path) -> None:
    token = Typed(["swarm", "create"]).out.strip()
    words = "this store does not know the token"
    for name, url, said in (
        ("a", f"token://{token}", False),
        ("b", "token://mine", True),
        ("c", "token://mine", False),
    ):
        made = none(name, "--swarm", "--swarm-discovery", url)
        assert made.status == 0
        assert (words in made.err) == said, name
        assert url not in made.err
    assert words in none("d", "--dry-run", "--swarm", "--swarm-discovery", "token://other").err
    served = {"MACHINE_DISCOVERY_URL": "https://192.0.2.1/v1"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(*served.popitem())
        made = none("d", "--dry-run", "--swarm", "--swarm-discovery", "token://other")
    assert (made.status, words in made.err) == (0, False)


def test_a_dry_run_tells_of_the_swarm(store: Path) -> None:
    words = ["create", "-d", "generic", "--generic-ip-address", "192.0.2.1", "--dry-run", "--swarm-master", "--swarm"]
    words += ["--swarm-strategy", "binpack", "--swarm-host", "tcp://0.0.0.0:4000", "--swarm-discovery"]
    made = Typed([*words, "token://secret", "m"])
    assert made.status == 0, made.err
    assert "discovery token://***" in made.out
    assert "port 4000, strategy binpack" in made.out
    assert "secret" not in made.out + made.err
    assert "discovery token://d.example/v1/***" in Typed([*words, "token://d.example/v1/secret", "m"]).out
    assert "node (registered from here)" in none("m", "--dry-run", "--swarm", "--swarm-discovery", "token://t").out
    assert "discovery etcd://e/p" in Typed([*words, "etcd://e/p", "m"]).out


@pytest.mark.parametrize(
    ("role", "discovery", "said"),
    [
        ("--swarm-master", "token://t", "manager (systemd units, and python3 if it is missing)"),
        ("--swarm", "token://t", "node (registered from here)"),  # it runs nothing for its swarm
        ("--swarm", "etcd://e/p", "node (systemd units, and python3 if it is missing)"),
        ("--swarm", "nodes://192.0.2.1:2376", "node (the discovery must list its address)"),
    ],
)
def test_a_dry_run_promises_units_only_where_there_are_some(store: Path, role: str, discovery: str, said: str) -> None:
    host = ["create", "-d", "generic", "--generic-ip-address", "192.0.2.1", "--dry-run"]
    assert f"classic swarm: {said}" in Typed([*host, role, "--swarm-discovery", discovery, "m"]).out


def test_the_script_of_a_dry_run_has_the_units_of_the_swarm(store: Path) -> None:
    host = ["create", "-d", "generic", "--generic-ip-address", "192.0.2.1", "--dry-run=script"]
    swarm = ["--swarm", "--swarm-master", "--swarm-discovery", "etcd://e/p"]
    flags = ["--swarm-opt", "discovery-opt=x.token=secret2", "--swarm-join-opt", "ttl=100s"]
    made = Typed([*host, *swarm, *flags, "m"])
    assert made.status == 0, made.err
    assert "machine-swarm.pyz manage " in made.out
    assert "machine-swarm.pyz join --advertise machine-address:2376 --ttl=100s" in made.out
    assert "# start machine-swarm-manager\n" in made.out
    assert "# machine-address stands for" in made.out
    assert "what the last step finds" not in made.out
    assert "secret" not in made.out + made.err
    assert not store.exists()


def test_the_script_of_a_dry_run_has_no_unit_where_none_runs(store: Path) -> None:
    host = ["create", "-d", "generic", "--generic-ip-address", "192.0.2.1", "--dry-run=script"]
    made = Typed([*host, "--swarm", "--swarm-discovery", "token://t", "m"])
    assert made.status == 0, made.err
    assert "machine-swarm" not in made.out
    assert "machine-address" not in made.out


def test_lists_in_variables_are_split_at_commas(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGINE_REGISTRY_MIRROR", "http://a,http://b")
    none("m", "--engine-opt", "x=1,2")
    options = json.loads((store / "machines" / "m" / "config.json").read_text())["HostOptions"]["EngineOptions"]
    assert options["RegistryMirror"] == ["http://a", "http://b"]
    assert options["ArbitraryFlags"] == ["x=1,2"]


def test_an_unknown_driver_in_the_environment_is_named(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MACHINE_DRIVER", "xhyve")
    made = Typed(["create", "x"])
    assert made.status == 2
    assert "unset MACHINE_DRIVER" in made.err


def test_the_driver_comes_from_the_environment(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MACHINE_DRIVER", "none")
    assert Typed(["create", "--url", "tcp://h:1", "x"]).status == 0


def test_progress_as_json(store: Path) -> None:
    made = Typed(["--log-format", "json", "create", "-d", "none", "--url", "tcp://h:1", "x"])
    assert made.status == 0
    lines = [json.loads(line) for line in made.err.splitlines()]
    assert any(line.get("machine") == "x" and line["level"] == "done" for line in lines)


def test_what_happened_is_kept_in_the_machines_log(store: Path) -> None:
    none()
    log = store / "machines" / "m" / "machine.log"
    assert "m points at tcp://127.0.0.1:2376" in log.read_text()
    assert stat.S_IMODE(os.stat(log).st_mode) == 0o600


def change(store: Path, driver: str, name: str = "m", /, **values: object) -> None:
    """Make a machine one of another driver, as if that had made it."""
    config = store / "machines" / name / "config.json"
    record = json.loads(config.read_text())
    record["DriverName"] = driver
    record["Driver"] |= values
    config.write_text(json.dumps(record))


@pytest.mark.parametrize("values", [{"CPU": "many"}, {"Memory": [1]}, {"Publish": 7}])
def test_what_a_driver_cannot_read_is_a_broken_record(store: Path, values: dict[str, object]) -> None:
    none()
    change(store, "qemu", IPAddress="127.84.1.1", **values)
    for line in (["status", "m"], ["rm", "-y", "m"], ["start", "m"]):
        typed = Typed(line)
        assert typed.status == 1
        assert "the record of machine m is broken" in typed.err
    listed = Typed(["ls"])
    assert listed.status == 0
    assert "bug" not in listed.out
    assert Typed(["rm", "-f", "m"]).status == 0
    assert names() == []


def test_a_full_disk_does_not_keep_machines_from_being_removed(store: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    none()
    log = store / "machines" / "m" / "machine.log"
    log.unlink()
    log.symlink_to("/dev/full")
    assert Typed(["rm", "-y", "m"]).status == 0
    assert names() == []


@pytest.mark.parametrize("command", ["provision", "upgrade", "restart"])
def test_a_finished_machine_that_is_off_is_not_to_be_thrown_away(store: Path, command: str) -> None:
    none()
    change(store, "generic", IPAddress="127.0.0.1", SSHPort=1)
    typed = Typed([command, "m"])
    assert typed.status == 1
    assert "switch the host on" in typed.err
    assert "machine rm" not in typed.err


def test_rm_that_is_interrupted_says_so_with_force_too(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    none()

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("machine.store.Store.delete", interrupted)
    assert Typed(["rm", "-f", "m"]).status == 130
    assert names() == ["m"]


def test_the_hint_names_the_store_that_was_named(store: Path, tmp_path: Path) -> None:
    other = str(tmp_path / "other store")
    made = Typed(["-s", other, "create", "-d", "none", "--url", "tcp://h:1", "x"])
    assert f"$(machine -s '{other}' env x)" in made.err
    assert "-s" not in none().err


def test_a_bad_name_among_several_stops_all_of_them(store: Path) -> None:
    typed = Typed(["create", "-d", "none", "--url", "tcp://h:1", "good", "bad_name"])
    assert typed.status == 2
    assert "bad_name" in typed.err
    assert names() == []


@pytest.mark.parametrize("url", ["tcp://h:2376/x y", "tcp://h:2376/a\u00a0b"])
def test_what_could_not_be_read_back_is_not_recorded(store: Path, url: str) -> None:
    typed = Typed(["create", "-d", "none", "--url", url, "m"])
    assert typed.status == 2
    assert "Driver.URL" in typed.err
    assert names() == []


def test_one_that_is_being_made_is_not_called_broken(store: Path) -> None:
    """Between taking the name and writing the record there is nothing to read."""
    from machine.store import Store

    here = Store(str(store))
    here.add("m")
    with here.lock("machine-m", what="create m"):
        typed = none("m")
    assert typed.status == 5
    assert "is making it" in typed.err
    assert "rm -f" not in typed.err
    assert "rm -f m" in none("m").err


def test_create_makes_a_docker_context_and_rm_removes_it(store: Path, home: Path) -> None:
    def contexts() -> list[str]:
        return [json.loads(path.read_text())["Name"] for path in home.rglob("meta.json")]

    none("mine")
    none("plain", "--no-context")
    assert contexts() == ["mine"]
    assert Typed(["rm", "-y", "mine", "plain"]).status == 0
    assert contexts() == []


def test_each_of_several_errors_names_its_machine(store: Path) -> None:
    """Also when the machine's name is a part of some word of the error."""
    for name in ("s", "machine-2"):
        none(name)
        change(store, "generic", name, IPAddress="127.0.0.1", SSHPort=1)
    typed = Typed(["start", "s", "machine-2"])
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
            typed = Typed([verb, "m"])
            assert typed.status == 1
            assert cure in typed.err, (phase, verb)


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
    typed = Typed(["create", "--resume", *flags, "m"])
    assert typed.status == 2
    assert said in typed.err
    assert log.read_text() == before, "nothing was done"


def test_a_resume_takes_what_it_looks_at(store: Path) -> None:
    none()
    assert Typed(["create", "--resume", "-d", "none", "--no-context", "--engine-install-url", "none", "m"]).status == 0
    assert Typed(["url", "m"]).out == "tcp://127.0.0.1:2376\n"


def test_a_host_may_keep_its_name(store: Path) -> None:
    line = ["create", "--dry-run=script", "-d", "generic", "--generic-ip-address", "192.0.2.1", "x"]
    assert "127.0.1.1" in Typed(line).out
    kept = Typed([*line, "--no-hostname"])
    assert kept.status == 0
    assert "/etc/hosts" not in kept.out
    assert "/etc/hostname" not in kept.out
    refused = none("m", "--no-hostname")
    assert refused.status != 0
    assert "--no-hostname has no effect with the driver none" in refused.err


def test_a_dry_run_hides_what_may_be_a_secret(store: Path) -> None:
    line = ["create", "--dry-run=script", "-d", "generic", "--generic-ip-address", "192.0.2.1", "x"]
    secret = ["--engine-env", "DB_PASS=hush-hush", "--engine-opt", "log-opt=splunk-token=hush-hush"]
    shown = Typed([*line, *secret])
    assert "hush-hush" not in shown.out + shown.err
    assert "DB_PASS=*****" in shown.out
