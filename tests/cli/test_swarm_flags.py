"""The flags of classic swarm in a `create` and in its dry run, as typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.lines import CommandLine, names, none


def test_a_node_is_entered_under_its_token_and_taken_out_by_rm(store: Path) -> None:
    assert none("m", "--swarm", "--swarm-discovery", "token://t").status == 0
    record = json.loads((store / "machines" / "m" / "config.json").read_text())
    assert record["HostOptions"]["SwarmOptions"]["Discovery"] == "token://t"
    assert CommandLine(["swarm", "list", "token://t"]).out == "127.0.0.1:2376\n"
    assert CommandLine(["rm", "-y", "m"]).status == 0
    assert CommandLine(["swarm", "list", "token://t"]).out == ""


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
        (["--swarm-addr", "192.0.2.1"], "--swarm-addr has no effect alone"),
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
    token = CommandLine(["swarm", "create"]).out.strip()
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
    made = CommandLine([*words, "token://secret", "m"])
    assert made.status == 0, made.err
    assert "discovery token://***" in made.out
    assert "port 4000, strategy binpack" in made.out
    assert "secret" not in made.out + made.err
    assert "discovery token://d.example/v1/***" in CommandLine([*words, "token://d.example/v1/secret", "m"]).out
    assert "node (registered from here)" in none("m", "--dry-run", "--swarm", "--swarm-discovery", "token://t").out
    assert "discovery etcd://e/p" in CommandLine([*words, "etcd://e/p", "m"]).out


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
    assert f"classic swarm: {said}" in CommandLine([*host, role, "--swarm-discovery", discovery, "m"]).out


def test_the_script_of_a_dry_run_has_the_units_of_the_swarm(store: Path) -> None:
    host = ["create", "-d", "generic", "--generic-ip-address", "192.0.2.1", "--dry-run=script"]
    swarm = ["--swarm", "--swarm-master", "--swarm-discovery", "etcd://e/p"]
    flags = ["--swarm-opt", "discovery-opt=x.token=secret2", "--swarm-join-opt", "ttl=100s"]
    made = CommandLine([*host, *swarm, *flags, "m"])
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
    made = CommandLine([*host, "--swarm", "--swarm-discovery", "token://t", "m"])
    assert made.status == 0, made.err
    assert "machine-swarm" not in made.out
    assert "machine-address" not in made.out


def test_a_strategy_that_there_is_not_is_refused_for_a_master() -> None:
    line = ["create", "-d", "none", "--url", "tcp://192.0.2.7:2376", "--swarm-master"]
    typed = CommandLine([*line, "--swarm-discovery", "token://a", "--swarm-strategy", "foo", "m"])
    assert typed.status == 2
    assert "there is no strategy 'foo'" in typed.err


def test_a_plan_has_the_options_of_the_engine(store: Path) -> None:
    line = ["create", "--dry-run", "-d", "generic", "--generic-ip-address", "192.0.2.7"]
    typed = CommandLine([*line, "--engine-opt", "foo", "--engine-storage-driver", "zfoo", "--engine-env", "A=b", "m"])
    assert typed.status == 0
    assert "  --engine-opt foo\n" in typed.out
    assert "  --engine-storage-driver zfoo\n" in typed.out
    assert "A=b" not in typed.out, "a value may be a secret"
    assert "--engine-label disk=ssd" in CommandLine([*line, "--engine-label", "foo", "m"]).err


def test_a_record_that_may_not_be_read_is_not_called_broken(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    none("dev")

    def refuse(*_: object) -> object:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("machine.store.store.stat.S_ISREG", refuse)
    typed = CommandLine(["inspect", "dev"])
    assert typed.status == 1
    assert "the record of machine dev cannot be read: Permission denied" in typed.err


def test_a_strategy_by_its_older_name_is_taken(store: Path) -> None:
    line = ["create", "--dry-run", "-d", "generic", "--generic-ip-address", "192.0.2.7", "--swarm-master"]
    typed = CommandLine([*line, "--swarm-discovery", "token://a", "--swarm-strategy", "binpacking", "m"])
    assert typed.status == 0, typed.err
