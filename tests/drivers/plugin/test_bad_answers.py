"""A plugin whose program works and whose answers do not: an error that says so, and nothing of it on record."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from machine.drivers import registry
from machine.drivers.plugin import gob, program, session
from machine.drivers.plugin.document import NOTES
from machine.drivers.plugin.driver import PluginDriver, driver_class
from machine.errors import DriverError
from machine.model import State
from machine.options import resolve
from tests.drivers import contexts
from tests.drivers.plugin import fake_plugin

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def ended() -> Iterator[None]:
    yield
    session.close_all()


def made(tmp_path: Path, **answers: Any) -> PluginDriver:
    """A machine of such a plugin, created."""
    cls = driver_class("liar", fake_plugin.install(tmp_path / "bin", answers))
    driver = cls.configure(contexts.real(tmp_path, saved=[]), resolve(cls.traits.options, {}))
    driver.create()
    return driver


@pytest.mark.parametrize(
    "answers",
    [
        {"GetIP": (gob.INT, 5)},
        {"GetIP": (gob.STRING, "10.0.0.5\n    ProxyCommand touch /tmp/x")},
        {"GetIP": (gob.STRING, "-oProxyCommand=x")},
        {"GetIP": (gob.STRING, "\x1b[2J10.0.0.5")},
        {"GetSSHHostname": (gob.Slice(gob.INT), [1])},
        {"GetSSHPort": (gob.STRING, "abc")},
        {"GetSSHPort": (gob.INT, -1)},
        {"GetSSHPort": (gob.INT, 70000)},
        {"GetSSHUsername": (gob.STRING, "root\nHost *")},
        {"GetSSHUsername": (gob.STRING, "-l")},
    ],
    ids=str,
)
def test_where_a_machine_is_cannot_be_nonsense(answers: dict[str, Any], tmp_path: Path) -> None:
    driver = made(tmp_path, **answers)
    with pytest.raises(DriverError, match="what cannot be one"):
        driver.endpoint()


@pytest.mark.parametrize("state", [(gob.FLOAT, 1.0), (gob.BOOL, True), (gob.Slice(gob.INT), [1]), (gob.INT, 99)])
def test_a_state_that_is_none(state: Any, tmp_path: Path) -> None:
    assert made(tmp_path, GetState=state).state() is State.ERROR


@pytest.mark.parametrize("path", [(gob.INT, 5), (gob.BYTES, b"/x"), (gob.STRING, "/x\n  ProxyCommand y")], ids=str)
def test_a_key_path_that_is_none(path: Any, tmp_path: Path) -> None:
    with pytest.raises(DriverError, match="GetSSHKeyPath"):
        made(tmp_path, GetSSHKeyPath=path)


@pytest.mark.parametrize("text", ['{"A":' * 90 + "1" + "}" * 90, "[" * 200_000, "5", "\xff", ""], ids=len)
def test_json_that_is_none(text: str, tmp_path: Path) -> None:
    with pytest.raises(DriverError, match="no JSON object"):
        made(tmp_path, GetConfigRaw=(gob.BYTES, text.encode("latin-1")))


def test_the_notes_of_a_machine_are_not_the_plugins_to_write(tmp_path: Path) -> None:
    raw = b'{"MachinePlugin": "x", "--liar-token": "y", "IPAddress": "10.0.0.5"}'
    driver = made(tmp_path, GetConfigRaw=(gob.BYTES, raw))
    assert driver.dump()[NOTES]["Create"] == "done"
    assert driver.state() is State.RUNNING
    assert driver.dump()["IPAddress"] == "10.0.0.5"
    assert "--liar-token" not in driver.dump()


@pytest.mark.parametrize(
    "flags",
    [
        (gob.INT, 5),
        (gob.Slice(gob.INT), [5]),
        (
            gob.Slice(gob.INTERFACE),
            [gob.Named("*mcnflag.StringFlag", {"Name": "a-b", "Value": [5]}, fake_plugin.ODD_FLAG)],
        ),
    ],
    ids=["a number", "numbers", "a default of another kind"],
)
def test_flags_that_are_none(flags: Any, tmp_path: Path) -> None:
    cls = driver_class("liar", fake_plugin.install(tmp_path / "bin", {"GetCreateFlags": flags}))
    assert [option.default for option in cls.traits.options] in ([], [None])


def test_a_plugin_is_not_taken_from_the_directory_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "bin"
    fake_plugin.install(place, {})
    monkeypatch.chdir(place)
    for entries in ("", ".", f"{os.pathsep}.", "../bin"):
        monkeypatch.setenv("PATH", entries)
        assert program.find("liar") == ""
        assert "liar" not in program.names()
    monkeypatch.setenv("PATH", str(place))
    assert program.names() == ["liar"]
    assert issubclass(registry.find("liar"), PluginDriver)


@pytest.mark.parametrize("shared", ["docker-machine-driver-liar", "."])
def test_a_plugin_that_everybody_can_change_is_not_started(shared: str, public: Path) -> None:
    path = fake_plugin.install(public / "bin", {})
    (public / "bin" / shared).chmod(0o777)
    with pytest.raises(DriverError, match="every user of this host can change it") as caught:
        program.Program(path, "liar", os.environ, print)
    assert "chmod o-w" in caught.value.resolution


@pytest.mark.parametrize("place", ["127.example.invalid:80", "127.0.0.1.example.invalid:80", "10.0.0.1:80", ":80"])
def test_a_plugin_listens_on_this_computer(place: str, tmp_path: Path) -> None:
    path = tmp_path / "docker-machine-driver-far"
    path.write_text(f"#!/bin/sh\necho {place}\nexec sleep 20\n")
    path.chmod(0o755)
    with pytest.raises(DriverError, match="does not say where it listens"):
        program.Program(str(path), "far", os.environ, print)
