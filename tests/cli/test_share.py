"""`machine share`, and what `create` shares without being asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from machine.drivers import registry
from machine.lifecycle import clone
from tests.cli.typed import StoreWithEngines

GENERIC = ("-d", "generic", "--generic-ip-address", "192.0.2.1")
CLUSTER = ("-d", "qemu", "--swarm-mode", "manager")


def shared(cli: StoreWithEngines, *line: str, **environ: str) -> list[str]:
    """What a machine that is made like this would have of this computer."""
    done = cli.type("create", "--dry-run", *line, "dev", **environ)
    assert done.status == 0, done.err
    mark = "shared with it: "
    return [text.strip().removeprefix(mark) for text in done.out.splitlines() if mark in text]


def test_a_machine_of_this_computer_gets_the_home_directory(cli: StoreWithEngines) -> None:
    home = f"{cli.directory} (read-write)"
    assert shared(cli, "-d", "qemu") == [home]
    assert shared(cli, "-d", "qemu", "--share", "none") == []
    assert shared(cli, "-d", "qemu", MACHINE_SHARE="none") == []
    assert shared(cli, "-d", "qemu", HOME="/root") == []
    assert shared(cli, *GENERIC) == []
    assert registry.find("virtualbox").traits.shares_home


def test_a_member_of_a_cluster_gets_nothing_unasked(cli: StoreWithEngines) -> None:
    assert shared(cli, *CLUSTER) == []
    assert shared(cli, *CLUSTER, "--share", str(cli.directory)) == [f"{cli.directory} (read-write)"]
    assert shared(cli, *CLUSTER, MACHINE_SHARE=str(cli.directory)) == [], "a variable does not ask for this machine"
    url = ("-d", "none", "--url", "tcp://127.0.0.1:1")
    assert shared(cli, *url, MACHINE_SHARE=str(cli.directory)) == [], "there is nothing to share with"


def test_a_share_can_be_in_another_one(cli: StoreWithEngines, tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    words = ("--share", f"{tmp_path}/a", "--share", f"{tmp_path}/a/b:ro")
    assert shared(cli, *GENERIC, *words) == [f"{tmp_path}/a (read-write)", f"{tmp_path}/a/b (read-only)"]
    record = cli.machine("dev", 1)
    paths = (f"{tmp_path}/a", f"{tmp_path}/a/b")
    record.set_shares({path: {"Writable": True, "Target": path} for path in paths})
    cli.store.save(record)
    assert cli.type("share").out.splitlines()[2].split() == ["dev", paths[1], "rw", "off", "(in", f"{paths[0]})"]
    assert [row["In"] for row in json.loads(cli.type("share", "--json").out)] == ["", paths[0]]
    done = cli.type("share", "--stop", "dev", paths[1])
    assert f"dev has {paths[1]} only as a part of {paths[0]} (read-write)" in done.err
    assert list(cli.store.load("dev").shares()) == [paths[0]]


def test_a_link_out_of_a_share_is_shared_by_where_it_leads(cli: StoreWithEngines, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "disk").mkdir()
    (tmp_path / "a" / "data").symlink_to(tmp_path / "disk")
    record = cli.machine("dev", 1)
    record.set_shares({str(tmp_path / "a"): {"Writable": True, "Target": str(tmp_path / "a")}})
    cli.store.save(record)
    done = cli.type("share", "dev", f"{tmp_path}/a/data:rw")
    assert done.status != 0
    assert f"machine share dev {tmp_path}/disk:rw" in done.err
    assert list(cli.store.load("dev").shares()) == [str(tmp_path / "a")]
    words = ("--share", f"{tmp_path}/a", "--share", f"{tmp_path}/a/data")
    assert cli.type("create", "--dry-run", *GENERIC, *words, "new").status != 0


def test_any_machine_gets_what_it_is_given(cli: StoreWithEngines, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    words = ("--share", f"{tmp_path}/a:ro", "--share", f"{tmp_path}/b")
    assert shared(cli, *GENERIC, *words) == [f"{tmp_path}/a (read-only)", f"{tmp_path}/b (read-write)"]
    assert shared(cli, "-d", "qemu", MACHINE_SHARE=f"{tmp_path}/a:ro") == [f"{tmp_path}/a (read-only)"]
    assert shared(cli, "-d", "qemu", *words[:2], MACHINE_SHARE="none") == [f"{tmp_path}/a (read-only)"]


@pytest.mark.parametrize(
    ("line", "brief"),
    [
        (("-d", "qemu", "--share", "/"), "the whole file system cannot be shared"),
        (("-d", "qemu", "--share", "{}/missing"), "there is no directory"),
        (("-d", "qemu", "--share", "{}/store"), "is part of the store"),
        (("-d", "none", "--url", "tcp://127.0.0.1:1", "--share", "{}"), "--share has no effect with the driver none"),
        (("-d", "qemu", "--share", "none", "--share", "{}"), "exclude each other"),
    ],
)
def test_what_cannot_be_shared(cli: StoreWithEngines, line: tuple[str, ...], brief: str) -> None:
    Path(cli.store.root).mkdir(exist_ok=True)
    done = cli.type("create", *(word.format(cli.directory) for word in line), "dev")
    assert done.status != 0
    assert brief in done.err
    assert not cli.store.exists("dev")


def test_the_shares_are_listed(cli: StoreWithEngines) -> None:
    record = cli.machine("dev", 1)
    record.set_shares({"/data": {"Writable": False, "Target": "/data"}})
    cli.store.save(record)
    cli.machine("web", 1)
    assert cli.type("share").out.splitlines() == ["MACHINE   PATH    MODE   STATE", "dev       /data   ro     off"]
    (found,) = json.loads(cli.type("share", "--json").out)
    assert found == {"Machine": "dev", "Path": "/data", "Writable": False, "State": "off", "Reason": "", "In": ""}
    assert json.loads(cli.type("share", "--json", "web").out) == []


def test_stop_takes_a_share_out_of_the_record(cli: StoreWithEngines) -> None:
    record = cli.machine("dev", 1)
    record.set_shares({path: {"Writable": True, "Target": path} for path in ("/a", "/b", "/c")})
    cli.store.save(record)
    assert cli.type("share", "--stop", "dev", "/b").status == 0
    assert list(cli.store.load("dev").shares()) == ["/a", "/c"]
    assert "/a/x is no share of dev" in cli.type("share", "--stop", "dev", "/a/x").err, "it is still shared, with /a"
    assert cli.type("share", "--stop", "dev").status == 0
    assert "Shares" not in cli.store.load("dev").raw["Machine"]
    assert cli.type("share", "--stop", "dev").status == 0, "absent is success"


def test_a_machine_is_needed(cli: StoreWithEngines) -> None:
    assert "--stop needs the name of a machine" in cli.type("share", "--stop").err
    assert cli.type("share", "nobody", "/tmp").status != 0


def test_a_clone_gets_what_its_source_has(
    cli: StoreWithEngines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that was not trusted with files is not given the home directory by being cloned."""
    for step in ("check_source", "take_over"):  # what is copied of the disk is tested elsewhere
        monkeypatch.setattr(clone, step, lambda *_: None)
    record = cli.machine("source", 1)
    line = ("-d", "qemu", "--from", "source")
    assert shared(cli, *line) == []
    assert shared(cli, *line, MACHINE_SHARE=str(tmp_path)) == []
    assert shared(cli, *line, "--share", str(tmp_path)) == [f"{tmp_path} (read-write)"]
    record.set_shares({str(tmp_path): {"Writable": False, "Target": str(tmp_path)}})
    cli.store.save(record)
    assert shared(cli, *line) == [f"{tmp_path} (read-only)"]
    assert shared(cli, *line, "--share", "none") == []
