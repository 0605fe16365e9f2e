"""`machine autostart` and `socket --at-login`, over a home without a session of systemd."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.cli.typed import StoreWithEngines

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="systemd's directories"),
    pytest.mark.skipif(shutil.which("systemctl") is None, reason="needs systemctl (systemd)"),
]


def units(cli: StoreWithEngines) -> list[str]:
    """What is in the user's directory of units, links included."""
    top = Path(cli.environ["HOME"], ".config", "systemd", "user")
    return sorted(str(path.relative_to(top)) for path in top.rglob("*.service"))


def as_driver(cli: StoreWithEngines, driver_name: str) -> None:
    """Have the machine dev be of another driver, by its record."""
    record = cli.store.load("dev")
    record.raw["DriverName"] = driver_name
    cli.store.save(record)


@pytest.fixture(autouse=True)
def no_session(cli: StoreWithEngines, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a bus nor a runtime directory leads to a session of whoever runs the tests."""
    for name in ("DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/nonexistent")
    cli.none("dev", "tcp://127.0.0.1:1")
    cli.none("other", "tcp://127.0.0.1:1")


def test_on_list_and_off(cli: StoreWithEngines) -> None:
    as_driver(cli, "hetzner")
    typed = cli.type("autostart", "dev", "on")
    assert typed.status == 0, typed.err
    assert "dev is started at login from now on" in typed.err
    assert "Warning: it counts from the next login on, for `systemctl --user daemon-reload` failed" in typed.err
    assert [name.startswith(("machine-start-", "default.target.wants/")) for name in units(cli)] == [True, True]
    assert cli.type("autostart").out.split() == ["NAME", "AUTOSTART", "dev", "on", "other", "off"]
    (row,) = json.loads(cli.type("autostart", "--json", "dev").out)
    assert (row["Name"], row["Autostart"]) == ("dev", True)
    unit = Path(row["File"]).read_text()
    assert f"--storage-path {cli.store.root} start dev" in unit
    assert "ExecStop" not in unit
    assert cli.type("autostart", "dev", "off").status == 0
    assert units(cli) == []
    assert "was not started at login" in cli.type("autostart", "dev", "off").err


def test_a_machine_of_this_computer_is_stopped_at_logout(cli: StoreWithEngines) -> None:
    as_driver(cli, "qemu")
    assert cli.type("autostart", "dev", "on").status == 0
    unit = Path(json.loads(cli.type("autostart", "--json", "dev").out)[0]["File"]).read_text()
    assert f"--storage-path {cli.store.root} stop dev" in unit.partition("ExecStop=")[2]


def test_a_user_without_a_name(cli: StoreWithEngines, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError

    monkeypatch.setattr("getpass.getuser", nobody)
    typed = cli.type("socket", "--at-login", "on", "dev")
    assert typed.status == 0, typed.err
    assert "loginctl enable-linger $(id -u)" in typed.err


def test_rm_takes_all_of_it_away(cli: StoreWithEngines) -> None:
    as_driver(cli, "hetzner")
    assert cli.type("autostart", "dev", "on").status == 0
    as_driver(cli, "none")
    typed = cli.type("socket", "--at-login", "on", "dev")
    assert typed.status == 0, typed.err
    assert typed.out.startswith("unix:///")
    assert len(units(cli)) == 4
    assert cli.type("rm", "-y", "dev").status == 0
    assert units(cli) == []
    assert not [name for name in os.listdir(Path(cli.store.root, "locks")) if name.startswith("socket")]


def test_at_login_off(cli: StoreWithEngines) -> None:
    assert "was not served at login" in cli.type("socket", "--at-login", "off", "dev").err
    assert cli.type("socket", "--at-login", "on", "dev").status == 0
    assert cli.type("socket", "--at-login", "off", "dev").err == ""
    assert units(cli) == []


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (["autostart", "nope", "on"], 4),
        (["autostart", "dev", "on"], 1),  # nothing starts a machine of the driver none
        (["autostart", "nope"], 4),
        (["autostart", "dev", "maybe"], 2),
        (["autostart", "dev", "on", "--json"], 2),
        (["socket", "--stop", "--background", "dev"], 2),
        (["socket", "--at-login", "on", "--stop", "dev"], 2),
        (["socket", "nope"], 4),
    ],
)
def test_what_makes_no_sense_is_refused(cli: StoreWithEngines, line: list[str], status: int) -> None:
    assert cli.type(*line).status == status
    assert units(cli) == []
