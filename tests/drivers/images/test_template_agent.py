"""The program inside a machine that becomes a template: what it removes, what it writes, how it speaks."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from machine.drivers.images import template_agent, template_unit


def test_it_removes_nothing_near_the_root() -> None:
    """A pattern that lost its tuple's comma is a string, and each of its letters a pattern: one of them is "/"."""
    for pattern in template_agent.PERSONAL:
        assert pattern.startswith("/"), pattern
        assert len(Path(pattern).parts) >= 3, pattern
        assert ".." not in Path(pattern).parts, pattern


def test_removal(tmp_path: Path) -> None:
    kept, directory = tmp_path / "kept", tmp_path / "directory"
    kept.mkdir()
    (kept / "file").touch()
    directory.mkdir()
    (directory / "file").touch()
    (tmp_path / "link").symlink_to(kept)
    template_agent.remove([f"{tmp_path}/dir*", f"{tmp_path}/link", f"{tmp_path}/none*"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept"]
    assert (kept / "file").exists(), "what a link leads to stays"


def test_a_name_is_replaced_as_a_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.chown", lambda *_: None)
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1\tlocalhost\n127.0.1.1\ttemplate\ttemplate\n10.0.0.1 template2 my-template\n")
    template_agent.rename(str(hosts), "template", "dev")
    assert hosts.read_text() == "127.0.0.1\tlocalhost\n127.0.1.1\tdev\tdev\n10.0.0.1 template2 my-template\n"
    template_agent.rename(str(tmp_path / "none"), "template", "dev")


def test_a_secret_is_never_readable_by_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.chown", lambda *_: None)
    path = tmp_path / "new" / "key"
    template_agent.write(str(path), "secret", 0o600)
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    template_agent.write(str(path), "another", 0o600)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text() == "another"


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> tuple[template_agent.Port, socket.socket]:
    """The port in the machine, and the host's end of it."""
    host, guest = socket.socketpair()
    guest.setblocking(False)
    monkeypatch.setattr(os, "open", lambda *_: guest.detach())
    made = template_agent.Port()
    monkeypatch.undo()
    return made, host


def test_messages(port: tuple[template_agent.Port, socket.socket]) -> None:
    guest, host = port
    assert guest.line(0.01) is None
    host.sendall(b'{"identity": {"a": 1')
    assert guest.line(0.01) is None
    host.sendall(b'}}\nnot json\n["a list"]\n{"identity": 2}\n')
    assert guest.line(1) == {"identity": {"a": 1}}
    assert guest.line(1) is None
    assert guest.line(1) is None
    assert guest.line(1) == {"identity": 2}
    guest.say({"template": "ready"})
    assert json.loads(host.recv(100)) == {"template": "ready"}


def test_a_host_that_is_not_there(port: tuple[template_agent.Port, socket.socket]) -> None:
    guest, host = port
    host.close()
    assert guest.line(0.05) is None
    guest.say({"template": "ready"})


def test_networkd_knows_a_card_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.chown", lambda *_: None)
    monkeypatch.setattr(template_agent, "run", lambda *_, **__: "")
    file = tmp_path / "10-cloud-init-nat0.network"
    file.write_text("[Match]\nMACAddress=52:54:00:84:00:01\nName=nat0\n\n[Network]\nDHCP=no\n")
    other = tmp_path / "10-cloud-init-lan0.network"
    other.write_text("[Match]\nMACAddress=52:54:00:84:00:02\n")
    before = other.read_text()
    monkeypatch.setattr("glob.glob", lambda pattern: [str(file), str(other)] if pattern.startswith("/etc") else [])
    template_agent.match_by_name("nat0")
    assert "MACAddress" not in file.read_text()
    assert "Name=nat0" in file.read_text()
    assert other.read_text() == before


def test_it_needs_nothing_but_python() -> None:
    said = subprocess.run(
        [sys.executable, "-SE", "-c", template_unit.SCRIPT.replace("__main__", "x")], check=False, timeout=30
    )
    assert said.returncode == 0
    lines = template_unit.SCRIPT.splitlines()
    assert "machine" not in [line.split()[1] for line in lines if line.startswith(("import ", "from "))]
