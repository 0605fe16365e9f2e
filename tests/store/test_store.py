"""The store: names, the life of a record, what is refused, what is left behind."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from machine.errors import MachineExists, MachineNotFound, NameInvalid, RecordBroken, StoreError
from machine.store import Record, Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "home" / "store"))


def put(store: Store, name: str) -> Record:
    store.add(name)
    record = Record.new(store.root, name, "generic", {"IPAddress": "192.0.2.1"})
    store.save(record)
    return record


def mode(path: str) -> int:
    return stat.S_IMODE(os.lstat(path).st_mode)


def test_a_store_that_is_not_there_is_empty_and_stays_unmade(store: Store) -> None:
    assert store.names() == []
    assert not store.exists("dev")
    assert not os.path.exists(store.root)


def test_a_record_comes_back_and_everything_is_private(store: Store) -> None:
    before = os.umask(0)
    try:
        record = put(store, "dev")
    finally:
        os.umask(before)
    assert store.load("dev").raw == record.raw
    assert mode(store.root) == mode(store.directory("dev")) == mode(os.path.dirname(store.directory("dev"))) == 0o700
    assert mode(store.directory("dev") + "/config.json") == 0o600
    assert os.listdir(store.directory("dev")) == ["config.json"]


def test_a_mode_that_was_opened_up_is_closed_by_the_next_save(store: Store) -> None:
    record = put(store, "dev")
    os.chmod(store.directory("dev") + "/config.json", 0o644)
    store.save(record)
    assert mode(store.directory("dev") + "/config.json") == 0o600


def test_names_are_in_natural_order_and_hidden_things_are_none(store: Store) -> None:
    for name in ("m10", "m2", "B", "a", "m1"):
        store.add(name)
    machines = Path(store.root, "machines")
    (machines / ".hidden").mkdir()
    (machines / "file").write_text("")
    (machines / "esc\x1b[31m").mkdir()
    (machines / os.fsdecode(b"\xff\xfe")).mkdir()
    assert store.names() == ["a", "B", "m1", "m2", "m10"]


def test_add_is_exclusive_and_names_are_checked(store: Store) -> None:
    store.add("dev")
    with pytest.raises(MachineExists) as caught:
        store.add("dev")
    assert "machine rm dev" in caught.value.resolution
    for bad in ("", "..", "a/b", "bad_name", ".dot", "a\nb"):
        with pytest.raises(NameInvalid):
            store.add(bad)


@pytest.mark.parametrize("name", ["", ".", "..", "../store", "a/../dev", "/etc", ".dev", "a\0b", "..\\dev"])
def test_no_name_leads_out_of_the_store(store: Store, name: str) -> None:
    put(store, "dev")
    assert not store.exists(name)
    for act in (store.load, store.delete):
        with pytest.raises(MachineNotFound):
            act(name)
    assert store.exists("dev")


def test_an_unknown_machine_is_named_with_the_nearest_one(store: Store) -> None:
    put(store, "staging")
    with pytest.raises(MachineNotFound, match="stagign") as caught:
        store.load("stagign")
    assert caught.value.resolution == "did you mean staging?"


def test_a_directory_without_a_record_is_broken_with_advice(store: Store) -> None:
    store.add("dev")
    with pytest.raises(RecordBroken) as caught:
        store.load("dev")
    assert "no config.json" in caught.value.details
    assert "machine rm -f dev" in caught.value.resolution
    store.delete("dev")
    assert store.names() == []


def test_a_config_that_is_no_readable_file_is_broken(store: Store) -> None:
    def huge(path: str) -> None:
        Path(path).touch()
        os.truncate(path, 2**30)

    for name, make in {
        "directory": os.mkdir,
        "nowhere": lambda path: os.symlink("/nonexistent/config.json", path),
        "circle": lambda path: os.symlink(path, path),
        "pipe": os.mkfifo,
        "endless": lambda path: os.symlink("/dev/zero", path),
        "huge": huge,
    }.items():
        store.add(name)
        make(os.path.join(store.directory(name), "config.json"))
        with pytest.raises(RecordBroken, match=name):
            store.load(name)
    assert len(store.names()) == 6


AS_NOBODY = """
import os, sys
from machine.errors import MachineError
from machine.store import Record, Store
# loaded while they can still be read
import difflib, errno, shutil, machine.nearest
import machine.files, machine.secrets, machine.store.options_codec, machine.store.remove
if os.geteuid() == 0:
    os.setgid(65534), os.setuid(65534)
store = Store(sys.argv[1])
try:
    print(eval(sys.argv[2], {"store": store, "Record": Record}))
except MachineError as error:
    print(type(error).__name__, error.brief, error.details, error.resolution)
"""


def as_nobody(store: Store, what: str) -> str:
    """`what` done by a user who is not root, to whom modes mean something: `nobody`, or whoever runs this."""
    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, store.root, what], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def nobodys(store: Store, tmp_path: Path) -> Store:
    """A store that belongs to that user."""
    put(store, "dev")
    if os.geteuid() == 0:
        for place in [*tmp_path.parents, tmp_path]:
            if str(place).startswith("/tmp/"):
                place.chmod(place.stat().st_mode | 0o011)
        give_away(tmp_path)
    return store


def give_away(top: Path) -> None:
    """Make a tree the user's."""
    if os.geteuid() == 0:
        for path, directories, files in os.walk(top):
            for entry in (path, *(os.path.join(path, name) for name in directories + files)):
                os.chown(entry, 65534, 65534)


def test_an_unreadable_record_is_broken_and_says_how_to_get_it_back(nobodys: Store) -> None:
    os.chmod(nobodys.directory("dev") + "/config.json", 0)
    said = as_nobody(nobodys, "store.load('dev')")
    assert said.startswith("RecordBroken")
    assert "Permission denied" in said
    assert "chmod u+r" in said
    assert as_nobody(nobodys, "store.names()") == "['dev']"


def test_a_store_that_may_not_be_listed_is_an_error_of_the_store(nobodys: Store) -> None:
    os.chmod(os.path.join(nobodys.root, "machines"), 0)
    assert as_nobody(nobodys, "store.names()").startswith("StoreError the store cannot be used")
    assert as_nobody(nobodys, "store.add('x')").startswith("StoreError")


def test_a_save_that_is_not_allowed_leaves_the_old_record(nobodys: Store) -> None:
    os.chmod(nobodys.directory("dev"), 0o500)
    said = as_nobody(nobodys, "store.save(Record.new(store.root, 'dev', 'generic', {'IPAddress': '192.0.2.99'}))")
    assert said.startswith("StoreError")
    assert nobodys.load("dev").address() == "192.0.2.1"


def test_a_place_that_may_not_be_written_is_found_before_the_removal(nobodys: Store) -> None:
    machines = os.path.join(nobodys.root, "machines")
    assert as_nobody(nobodys, "store.check_removable('dev')") == "None"
    os.chmod(machines, 0o500)
    said = as_nobody(nobodys, "store.check_removable('dev')")
    os.chmod(machines, 0o700)
    assert said.startswith("StoreError")
    assert f"chmod u+wx {machines}" in said
    assert nobodys.names() == ["dev"]


def test_read_only_files_and_directories_are_removed(nobodys: Store) -> None:
    deep = Path(nobodys.directory("dev"), "vm", "deep")
    deep.mkdir(parents=True)
    (deep / "disk").write_text("x")
    (deep / "disk").chmod(0o400)
    give_away(deep.parent)
    deep.chmod(0o500)
    deep.parent.chmod(0)
    Path(nobodys.directory("dev")).chmod(0o500)
    assert as_nobody(nobodys, "store.delete('dev')") == "None"
    assert os.listdir(os.path.join(nobodys.root, "machines")) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to own what the user may not remove")
def test_what_cannot_be_removed_is_named_and_the_machine_is_gone_from_the_list(nobodys: Store) -> None:
    stuck = Path(nobodys.directory("dev"), "roots")
    stuck.mkdir()
    (stuck / "file").write_text("x")
    stuck.chmod(0o755)
    said = as_nobody(nobodys, "store.delete('dev')")
    assert said.startswith("StoreError")
    assert "cannot be removed" in said
    assert nobodys.names() == []
    nobodys.add("other")  # by root, who may: sweeps what was left
    assert os.listdir(os.path.join(nobodys.root, "machines")) == ["other"]


def test_delete_does_not_follow_links(store: Store, tmp_path: Path) -> None:
    put(store, "dev")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    outside.chmod(0o555)
    os.symlink(outside, store.directory("dev") + "/link")
    store.delete("dev")
    assert (outside / "precious").read_text() == "x"
    assert stat.S_IMODE(outside.stat().st_mode) == 0o555
    os.symlink(outside, store.directory("linked"))
    with pytest.raises(StoreError, match="left alone") as caught:
        store.delete("linked")
    assert str(outside) in caught.value.details
    assert (outside / "precious").exists()


def test_delete_of_nothing_is_not_found(store: Store) -> None:
    with pytest.raises(MachineNotFound):
        store.delete("dev")


def test_a_removed_machine_is_not_brought_back_by_a_late_save(store: Store) -> None:
    record = put(store, "dev")
    store.delete("dev")
    with pytest.raises(MachineNotFound):
        store.save(record)
    assert store.names() == []


def test_leftovers_of_killed_deletes_are_no_machines_and_get_swept(store: Store) -> None:
    put(store, "dev")
    grave = Path(store.root, "machines", ".old.removed-00112233")
    (grave / "deep").mkdir(parents=True)
    (grave / "deep" / "disk").write_text("x")
    assert store.names() == ["dev"]
    store.delete("dev")
    assert not grave.exists()


def test_locks_of_two_names_are_two(store: Store) -> None:
    with (
        store.lock("machine-a", seconds=0, what="test"),
        store.lock("machine-b", seconds=0, what="test"),
        pytest.raises(StoreError),
        store.lock("machine-a", seconds=0, what="test"),
    ):
        pass
