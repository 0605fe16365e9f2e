"""Every exit status of the documented table, as typed; and the phrases of docker-machine that scripts look for."""

from __future__ import annotations

import inspect
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from machine import errors
from machine.cli import main
from machine.errors import EXIT_CODES, Interrupted, MachineError, MachineExists, PreflightFailed
from machine.lifecycle.create import RECORDED
from tests.cli.typed import CommandResult, StoreWithEngines

NONE = ("create", "-d", "none", "--url", "tcp://127.0.0.1:1")


def test_the_table_has_every_status_that_an_error_can_have() -> None:
    classes = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, MachineError)]
    assert {kind.exit_code for kind in classes} | {0, errors.PIPE_CLOSED} == set(EXIT_CODES)


def test_the_tree_in_the_docstring_tells_the_statuses_that_the_classes_have() -> None:
    told = dict(re.findall(r"^ +(\w+) +(\d+)", errors.__doc__ or "", re.M))
    classes = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, MachineError)]
    assert told == {kind.__name__: str(kind.exit_code) for kind in classes}


def test_the_manual_has_the_table() -> None:
    page = (Path(__file__).parents[2] / "docs" / "commands.md").read_text()
    assert all(f"| {code} | {meaning} |" in page for code, meaning in EXIT_CODES.items())


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (["ls"], 0),
        (["statsu"], 2),
        (["ls", "--bogus"], 2),
        (["ls", "--filter", "x"], 2),
        (["ls", "--format", "{{.Nope}}"], 2),
        (["create"], 2),
        (["create", "-d", "none", "x"], 2),
        (["create", "-d", "generic", "x"], 2),
        (["create", "-d", "nosuch", "x"], 2),
        (["create", "--dry-run=all", "x"], 2),
        ([*NONE, "--tls-san", "a b", "x"], 2),
        (["create", "-d", "none", "--url", "tcp://h:1", "a_b"], 2),
        (["create", "-d", "digitalocean", "x"], 3),
        (["create", "-d", "azure", "x"], 3),
        (["create", "-d", "openstack", "x"], 3),
        (["create", "-d", "generic", "--generic-ip-address", "127.0.0.1", "--generic-ssh-port", "1", "x"], 3),
        (["ip", "nope"], 4),
        (["rm", "-y", "nope"], 4),
        (["start", "nope"], 4),
        (["ssh", "nope"], 4),
        (["export", "nope"], 4),
        (["context", "rm", "nope"], 4),
        ([*NONE, "dev"], 5),
        (["env", "dev"], 1),
    ],
)
def test_a_status_of_the_table(cli: StoreWithEngines, line: list[str], status: int) -> None:
    cli.none("dev", "tcp://127.0.0.1:1")
    typed = cli.type(*line)
    assert typed.status == status, typed.err
    assert status == 0 or "Error: " in typed.err


def test_interrupted_is_130(cli: StoreWithEngines, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("machine.store.Store.names", interrupt)
    assert cli.type("ls").status == Interrupted.exit_code == 130


@pytest.mark.parametrize(
    ("line", "phrase"),
    [
        (["ip", "X"], 'Docker machine "X" does not exist'),
        (["env", "X"], 'Docker machine "X" does not exist'),
        (["rm", "-y", "X"], 'Docker machine "X" does not exist'),
        (["stop", "X"], 'Docker machine "X" does not exist'),
        (["scp", "X:/a", "b"], 'Docker machine "X" does not exist'),
        ([*NONE, "dev"], 'Docker machine "dev" already exists'),
        ([*NONE, "half"], 'Docker machine "half" already exists'),
        ([*NONE, "broken"], 'Docker machine "broken" already exists'),
        (["env", "-u", "dev"], "Expected no machine name when the -u flag is present"),
    ],
)
def test_phrases_that_scripts_look_for_are_in_the_first_line(
    cli: StoreWithEngines, line: list[str], phrase: str
) -> None:
    cli.none("dev", "tcp://127.0.0.1:1")
    cli.none("half", "tcp://127.0.0.1:1", "created")
    cli.broken("broken")
    assert phrase in cli.type(*line).err.splitlines()[0]


def test_an_import_of_a_name_that_is_taken(cli: StoreWithEngines, tmp_path: Path) -> None:
    cli.none("dev", "tcp://127.0.0.1:1")
    assert cli.type("export", "dev", "-o", str(tmp_path / "f")).status == 0
    typed = cli.type("import", str(tmp_path / "f"))
    assert (typed.status, 'Docker machine "dev" already exists' in typed.err) == (5, True)


def test_create_if_missing_leaves_a_ready_machine_alone(cli: StoreWithEngines) -> None:
    assert cli.type(*NONE, "--if-missing", "dev").status == 0
    before = Path(cli.store.directory("dev"), "config.json").read_bytes()
    again = cli.type(*NONE, "--if-missing", "dev", "other")
    assert (again.status, "dev exists already" in again.err) == (0, True)
    assert Path(cli.store.directory("dev"), "config.json").read_bytes() == before
    assert cli.store.names() == ["dev", "other"]


def test_create_if_missing_of_half_a_machine_or_another_driver_s_is_refused(cli: StoreWithEngines) -> None:
    cli.none("half", "tcp://127.0.0.1:1", "created")
    typed = cli.type(*NONE, "--if-missing", "half")
    assert (typed.status, "create --resume half" in typed.err) == (5, True)
    cli.machine("host", 1)
    typed = cli.type(*NONE, "--if-missing", "host")
    assert (typed.status, "with the driver generic" in typed.err) == (5, True)


def test_create_if_missing_waits_for_whoever_makes_it_now(cli: StoreWithEngines) -> None:
    cli.none("dev", "tcp://127.0.0.1:1", "created")
    ends: list[int] = []
    with cli.store.lock("machine-dev", what="create dev"):
        waiting = threading.Thread(target=lambda: ends.append(cli.type(*NONE, "--if-missing", "dev").status))
        waiting.start()
        waiting.join(0.3)
        assert ends == []
        record = cli.store.load("dev")
        record.phase = "ready"
        cli.store.save(record)
    waiting.join(20)
    assert ends == [0]


@contextmanager
def create_that_meets_the_lock(
    cli: StoreWithEngines, monkeypatch: pytest.MonkeyPatch, *flags: str
) -> Iterator[tuple[threading.Thread, list[CommandResult]]]:
    """A `create` of dev that passed its plan, and finds in its preflight that another command has taken the lock."""
    in_preflight, go = threading.Event(), threading.Event()

    def check(*_: object) -> None:
        in_preflight.set()
        assert go.wait(20)

    monkeypatch.setattr("machine.lifecycle.create.check", check)
    ends: list[CommandResult] = []
    thread = threading.Thread(target=lambda: ends.append(cli.type(*NONE, *flags, "dev")))
    thread.start()
    assert in_preflight.wait(20)
    with cli.store.lock("machine-dev", what="create dev"):
        go.set()
        yield thread, ends
    thread.join(20)


def test_create_if_missing_waits_for_whoever_took_the_lock_during_its_preflight(
    cli: StoreWithEngines, monkeypatch: pytest.MonkeyPatch
) -> None:
    with create_that_meets_the_lock(cli, monkeypatch, "--if-missing") as (thread, ends):
        thread.join(2)  # longer than a plain create waits for the lock
        assert ends == []
        cli.none("dev", "tcp://127.0.0.1:1")
    assert [typed.status for typed in ends] == [0]
    assert "dev exists already" in ends[0].err


def test_create_if_missing_makes_what_the_other_command_did_not(
    cli: StoreWithEngines, monkeypatch: pytest.MonkeyPatch
) -> None:
    with create_that_meets_the_lock(cli, monkeypatch, "--if-missing") as (thread, ends):
        thread.join(2)  # the other command ends without a record, as when its checks fail
    assert [typed.status for typed in ends] == [0]
    assert cli.store.load("dev").reached("ready")


@pytest.mark.parametrize("recorded", [False, True])
def test_create_of_a_name_whose_lock_was_taken_during_its_preflight_has_the_status_of_a_taken_name(
    cli: StoreWithEngines, monkeypatch: pytest.MonkeyPatch, recorded: bool
) -> None:
    with create_that_meets_the_lock(cli, monkeypatch) as (thread, ends):
        if recorded:
            cli.none("dev", "tcp://127.0.0.1:1", "created")
        thread.join(20)
    assert [typed.status for typed in ends] == [MachineExists.exit_code]
    assert f'"dev" already exists: process {os.getpid()} is making it' in ends[0].err


def test_one_host_is_one_machine_however_many_names(cli: StoreWithEngines) -> None:
    typed = cli.type("create", "-d", "generic", "--generic-ip-address", "127.0.0.1", "a", "b")
    assert (typed.status, cli.store.names()) == (2, [])
    assert "one host is one machine" in typed.err


def test_of_many_creates_of_one_host_at_once_one_is_recorded(
    cli: StoreWithEngines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("machine.drivers.generic.driver.GenericDriver.check", lambda self: None)
    monkeypatch.setattr("machine.lifecycle.ssh_keys.check", lambda driver: None)
    monkeypatch.setattr("machine.lifecycle.create.CREATE", (RECORDED,))
    line = ("create", "-d", "generic", "--generic-ip-address", "192.0.2.1", "--generic-ssh-user", "root")
    ends: list[int] = []
    names = [f"m{number}" for number in range(6)]
    threads = [threading.Thread(target=lambda name=name: ends.append(cli.type(*line, name).status)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ends) == [0] + [PreflightFailed.exit_code] * 5
    assert len(cli.store.names()) == 1


def test_main_gives_the_status_to_the_shell() -> None:
    assert main(["--no-such-flag"]) == 2


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        ("192.0.2.1", "tcp://192.0.2.1:2376"),
        ("h.example:2375", "tcp://h.example:2375"),
        ("[2001:db8::1]", "tcp://[2001:db8::1]:2376"),
        ("tcp://192.0.2.1:1", "tcp://192.0.2.1:1"),
        ("a b:x", ""),
        ("ftp://h:1", ""),
    ],
)
def test_a_bare_address_is_a_url_for_the_driver_none(cli: StoreWithEngines, typed: str, url: str) -> None:
    made = cli.type("create", "-d", "none", "--url", typed, "m")
    assert made.status == (0 if url else 2)
    assert cli.type("url", "m").out.strip() == url


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        (("ls", "-t", "nan"), "machine ls --help"),
        (("ls", "--filter", "name=("), "machine ls --help"),
        (("ls", "--log-format", "xml"), "--log-format=json"),
        (("inspect", "-f", "{{index . 5}}", "dev"), "{{json .}}"),
        (("inspect", "-f", '{{printf "%1000000000d" 5}}', "dev"), "{{json .}}"),
    ],
)
def test_a_line_that_makes_no_sense_is_told_where_to_read(
    cli: StoreWithEngines, line: tuple[str, ...], advice: str
) -> None:
    cli.none("dev", "tcp://127.0.0.1:1")
    typed = cli.type(*line)
    assert typed.status == 2
    assert advice in typed.err.partition("Try: ")[2]


def test_a_password_in_an_engines_url_is_refused_and_not_shown(cli: StoreWithEngines) -> None:
    typed = cli.type("create", "-d", "none", "--url", "tcp://me:s3cr3t@127.0.0.1:2376", "dev")
    assert typed.status == 2
    assert "s3cr3t" not in typed.out + typed.err
    assert cli.store.names() == []
    cli.none("old", "tcp://me:s3cr3t@127.0.0.1:1")
    for line in (("env", "old"), ("version", "old"), ("ls", "-t", "1"), ("status", "old")):
        typed = cli.type(*line)
        assert "s3cr3t" not in typed.out + typed.err, line
