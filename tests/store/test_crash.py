"""Two writers at once, kill -9 at any moment, a full disk: the record is the old one or the new one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from machine.errors import StoreError
from machine.store import Record, Store

SAVER = """
import sys
from machine.store import Record, Store
store, mark = Store(sys.argv[1]), sys.argv[2]
print("go", flush=True)
number = 0
while True:
    number += 1
    driver = {"IPAddress": "192.0.2.1", "Mark": mark, "Pad": [mark] * 3000, "End": mark}
    store.save(Record.new(store.root, "dev", "generic", driver))
"""

TAKER = """
import sys
from machine.errors import MachineExists
from machine.store import Store
print("go", flush=True)
sys.stdin.readline()
try:
    Store(sys.argv[1]).add("dev")
    print("taken")
except MachineExists as error:
    print(type(error).__name__)
"""

DELETER = """
import sys
from machine.store import Store, remove
store = Store(sys.argv[1])
print("go", flush=True)
sys.stdin.readline()
store.delete("dev")
"""

FULL = """
import resource, signal, sys
from machine.errors import StoreError
from machine.store import Record, Store
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
store = Store(sys.argv[1])
record = store.load("dev")
record.driver_object["Pad"] = "x" * 5000
try:
    store.save(record)
except StoreError as error:
    print(error.brief, "|", error.resolution)
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(str(tmp_path))
    store.add("dev")
    store.save(Record.new(store.root, "dev", "generic", {"IPAddress": "192.0.2.1", "Mark": "0", "End": "0"}))
    return store


def start(program: str, *arguments: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"go\n"
    return process


def kill(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def whole(record: Record) -> bool:
    mark = record.driver_object["Mark"]
    return bool(record.driver_object["End"] == mark and set(record.driver_object.get("Pad", [mark])) == {mark})


def test_one_of_many_takers_gets_the_name(tmp_path: Path) -> None:
    takers = [start(TAKER, str(tmp_path)) for _ in range(6)]
    for taker in takers:
        assert taker.stdin is not None
        taker.stdin.write(b"\n")
        taker.stdin.flush()
    said = sorted(taker.communicate(timeout=30)[0].decode().strip() for taker in takers)
    assert said == ["MachineExists"] * 5 + ["taken"]


def test_readers_see_whole_records_while_two_processes_save(store: Store) -> None:
    savers = [start(SAVER, store.root, mark) for mark in "ab"]
    try:
        seen: set[str] = set()
        deadline = time.monotonic() + 20
        while not {"a", "b"} <= seen and time.monotonic() < deadline:
            for _ in range(20):
                record = store.load("dev")
                assert whole(record)
                seen.add(record.driver_object["Mark"])
    finally:
        for saver in savers:
            kill(saver)
    assert {"a", "b"} <= seen


def test_kill_9_during_a_save_leaves_a_whole_record(store: Store) -> None:
    for turn in range(12):
        saver = start(SAVER, store.root, str(turn))
        time.sleep(0.001 * turn * turn)
        kill(saver)
        assert whole(store.load("dev"))
    store.save(store.load("dev"))
    assert store.names() == ["dev"]


def test_kill_9_during_a_delete_leaves_all_of_the_machine_or_none(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    for turn in range(12):
        store.add("dev")
        store.save(Record.new(store.root, "dev", "generic", {"IPAddress": "192.0.2.1"}))
        for number in range(600):
            Path(store.directory("dev"), f"file{number}").touch()
        deleter = start(DELETER, store.root)
        assert deleter.stdin is not None
        deleter.stdin.write(b"\n")
        deleter.stdin.flush()
        time.sleep(0.0007 * turn)
        kill(deleter)
        if store.exists("dev"):
            assert store.load("dev").address() == "192.0.2.1"
            assert len(os.listdir(store.directory("dev"))) == 601
            store.delete("dev")
        assert store.names() == []
    store.add("last")
    assert os.listdir(tmp_path / "machines") == ["last"]


def test_a_full_disk_leaves_the_old_record_and_says_what_to_do(store: Store) -> None:
    before = Path(store.directory("dev"), "config.json").read_bytes()
    done = subprocess.run([sys.executable, "-c", FULL, store.root], capture_output=True, text=True, check=True)
    assert "config.json" in done.stdout
    assert "make room" in done.stdout
    assert Path(store.directory("dev"), "config.json").read_bytes() == before
    assert os.listdir(store.directory("dev")) == ["config.json"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount a file system of 64 KB")
def test_a_really_full_file_system_leaves_the_old_record(tmp_path: Path) -> None:
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(place)], check=False)
    if mounted.returncode != 0:
        pytest.skip("this system does not let us mount a tmpfs")
    try:
        store = Store(str(place))
        store.add("dev")
        store.save(Record.new(store.root, "dev", "generic", {"IPAddress": "192.0.2.1"}))
        with pytest.raises(OSError, match="No space"):
            (place / "filler").write_bytes(b"x" * 65536)
        record = store.load("dev")
        record.driver_object["IPAddress"] = "192.0.2.2"
        with pytest.raises(StoreError, match="no space"):
            store.save(record)
        assert store.load("dev").address() == "192.0.2.1"
        assert os.listdir(store.directory("dev")) == ["config.json"]
        (place / "filler").unlink()
        store.save(record)
        assert store.load("dev").address() == "192.0.2.2"
    finally:
        subprocess.run(["umount", str(place)], check=True)
