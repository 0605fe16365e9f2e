"""`rm -f` of a machine whose record is damaged: its processes are ended, and what its text still shows is said."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from machine.console import Console
from machine.drivers.qemu import paths
from machine.lifecycle import abandoned
from machine.lifecycle.remove import remove
from machine.session import Session
from machine.store import Record, Store


@contextlib.contextmanager
def qemu_in(directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that was started as the qemu of the machine in `directory`, and its pid file."""
    words = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()", "-pidfile"]
    words.append(str(directory / paths.PID))
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        (directory / paths.PID).write_text(f"{process.pid}\n")
        yield process


@pytest.mark.parametrize("damage", ["{", '{"DriverName": "qemu", "MachineId": "abc", ', ""])
def test_the_process_of_a_machine_whose_record_is_damaged_is_ended_and_named(tmp_path: Path, damage: str) -> None:
    store = Store(str(tmp_path))
    store.add("dev")
    directory = Path(store.directory("dev"))
    with qemu_in(directory) as qemu:
        (directory / "config.json").write_text(damage)
        said = io.StringIO()
        remove(Session(store, Console(said), environ={"HOME": store.root}), "dev", force=True)
        assert qemu.wait(60) == -9
    assert f"ended its qemu (process {qemu.pid}) of dev" in said.getvalue()
    assert "platform" not in said.getvalue()
    assert store.names() == []


def test_the_process_of_a_machine_whose_settings_its_driver_cannot_read_is_ended(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    store.add("dev")
    store.save(Record.new(store.root, "dev", "qemu", {"CPU": "many"}))
    directory = Path(store.directory("dev"))
    with qemu_in(directory) as qemu:
        remove(Session(store, Console(io.StringIO()), environ={"HOME": store.root}), "dev", force=True)
        assert qemu.wait(60) == -9


def test_the_ids_that_the_text_of_a_cloud_machine_still_shows_are_said(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    store.add("dev")
    text = '{"DriverName": "amazonec2", "Driver": {"InstanceId": "i-0abc", "SecretKey": "hush", "VpcId": "", "Region":'
    Path(store.directory("dev"), "config.json").write_text(f'{text} "eu-west-1"')
    said = io.StringIO()
    remove(Session(store, Console(said), environ={"HOME": store.root}), "dev", force=True)
    assert "config.json of the driver amazonec2 shows InstanceId i-0abc, Region eu-west-1\n" in said.getvalue()
    assert "hush" not in said.getvalue()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('"DropletID": 123, "IPAddress": "192.0.2.1"', "DropletID 123, IPAddress 192.0.2.1"),
        ('"DriverName": "qemu", "IPAddress": "127.84.1.1"', ""),
        ('"DriverName": "none", "IPAddress": "192.0.2.1"', ""),
        ('"DriverName": "virtualbox", "UUID": "1-2"', "UUID 1-2"),
        ('"DriverName": "exoscale", "Id": "7"', "Id 7"),
        ('"MachineId": "\x1b[2J"', "MachineId \\x1b[2J"),
        ('"AccessKey": "AKIA", "Password": "x"', ""),
    ],
)
def test_ids(text: str, shown: str) -> None:
    assert abandoned.ids(text) == shown
