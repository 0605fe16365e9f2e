"""A store full of damage: the good machines work, each bad one is one row, and no traceback is ever shown."""

from __future__ import annotations

import io
import json
import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from machine.cli import main
from machine.errors import RecordBroken
from machine.store import Store
from tests.cli.typed import StoreWithEngines
from tests.store.test_fuzz import FILES, SEED, damaged


def run(store: Store, *words: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    status = main(words, environ={"MACHINE_STORAGE_PATH": store.root}, stdout=out, stderr=err)
    assert "Traceback" not in out.getvalue() + err.getvalue()
    assert "bug in" not in out.getvalue() + err.getvalue()
    return status, out.getvalue(), err.getvalue()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    chance = random.Random(SEED)  # noqa: S311 (to be repeated, not to be secret)
    for number in range(FILES):
        directory = tmp_path / "machines" / f"m{number}"
        directory.mkdir(parents=True)
        (directory / "config.json").write_bytes(damaged(chance))
    return Store(str(tmp_path))


def broken(store: Store, name: str) -> bool:
    try:
        store.load(name)
    except RecordBroken:
        return True
    return False


def test_ls_shows_every_machine_and_succeeds(store: Store) -> None:
    status, out, _ = run(store, "ls", "-q")
    assert (status, out.split()) == (0, store.names())
    status, out, _ = run(store, "ls", "--timeout", "0", "--format", "{{.Name}}|{{.State}}|{{.Error}}")
    rows = [line.split("|", 2) for line in out.splitlines()]
    assert status == 0
    assert [row[0] for row in rows] == store.names()
    for name, state, error in rows:
        assert (state == "Error" and bool(error)) == broken(store, name), name
    status, out, _ = run(store, "ls", "--timeout", "0")
    assert status == 0
    assert len(out.splitlines()) == FILES + 1


def test_commands_on_one_machine_work_or_say_why_not(store: Store) -> None:
    for name in store.names()[:150]:
        for words in (("ip", name), ("url", name), ("inspect", name), ("inspect", "-f", "{{.DriverName}}", name)):
            status, out, err = run(store, *words)
            if broken(store, name):
                assert (status, out) == (1, "")
                assert name in err
            elif words == ("inspect", name):
                assert status == 0
                assert json.loads(out)["ConfigVersion"] == 3
            else:
                assert status == 0 or err


def test_rm_force_drops_broken_machines(store: Store) -> None:
    names = [name for name in store.names() if broken(store, name)][:20]
    status, _, _ = run(store, "rm", "-f", *names)
    assert status == 0
    assert not set(names) & set(store.names())
    assert len(store.names()) == FILES - len(names)


def _pipe(path: Path) -> None:
    os.mkfifo(path)


ODD_FILES: dict[str, Callable[[Path], object]] = {
    "a pipe": _pipe,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a directory": Path.mkdir,
    "a link to itself": lambda path: path.symlink_to(path.name),
    "not ASCII": lambda path: path.write_bytes(b"\x1b[2J\xff\xfe\0 not a PEM file\n"),
}


@pytest.mark.parametrize("kind", ODD_FILES)
@pytest.mark.parametrize("file", ["ca.pem", "cert.pem", "key.pem", "known_hosts", "secrets.json"])
def test_an_odd_file_harms_its_machine_only(cli: StoreWithEngines, file: str, kind: str) -> None:
    cli.machine("good", cli.engine())
    cli.machine("odd", cli.engine())
    path = Path(cli.store.directory("odd"), file)
    path.unlink(missing_ok=True)
    ODD_FILES[kind](path)
    began = time.monotonic()
    good, odd = cli.type("ls", "-t", "2", "--format", "{{.Name}} {{.State}} {{.Error}}").out.splitlines()
    assert good == "good Running "
    assert odd.startswith("odd ")
    lines = (("env", "odd"), ("version", "odd"), ("context", "create", "odd"), ("export", "odd", "-o", f"{path}.tgz"),
             ("create", "-d", "none", "--url", "tcp://127.0.0.1:1", "fresh"), ("ip", "odd"))  # fmt: skip
    for line in lines:
        typed = cli.type(*line)
        assert "bug" not in typed.err, line
        assert typed.status == 0 or "Try: " in typed.err, line
        if "fresh" in line:
            assert typed.status == 0, typed.err
    assert time.monotonic() - began < 15


@pytest.mark.parametrize("file", ["", "machines", "certs", "locks", "cache/images"])
def test_a_file_in_the_place_of_a_directory_is_named(tmp_path: Path, file: str) -> None:
    path = tmp_path / "store" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    store = Store(str(tmp_path / "store"))
    images = [("image", "pull", "http://127.0.0.1:1/x.img")] if "cache" in file else []
    lines = [("create", "-d", "none", "--url", "tcp://127.0.0.1:1", "x"), ("ls",), *images]
    said = [err for status, _, err in (run(store, *line) for line in lines) if status]
    assert said
    assert all(f"{path} is no directory: choose another store" in err for err in said), said


def test_a_pipe_in_the_place_of_the_log_is_not_waited_for(cli: StoreWithEngines) -> None:
    cli.machine("dev", cli.engine())
    os.mkfifo(Path(cli.store.directory("dev"), "machine.log"))
    assert cli.type("stop", "dev").status == 0


def test_what_to_do_about_a_broken_record_names_its_file_in_full(cli: StoreWithEngines) -> None:
    cli.machine("odd", 1)
    path = Path(cli.store.directory("odd"), "config.json")
    record = json.loads(path.read_text())
    record["Machine"]["SwarmMode"] = {"Role": "queen"}
    path.write_text(json.dumps(record))
    assert f"Try: repair {path}, or remove that object" in cli.type("swarm-mode", "leave", "odd").err
    record["Driver"] = 5
    path.write_text(json.dumps(record))
    assert f"Try: restore {path} from a backup" in cli.type("ip", "odd").err
