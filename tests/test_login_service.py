"""What runs at login: systemd's own reading of the units, plistlib's of the agents, and what is on disk."""

from __future__ import annotations

import os
import plistlib
import shutil
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from machine import login_service
from machine.errors import CommandFailed, MachineError, StoreError
from machine.login_service import LoginService
from machine.process import Completed

ODD = "/store of %h \"a\" 'b' $HOME ${X} \\n ; & %% ä\tend"
PATHS = {"PATH": '/bin:/my "own" 100%/b', "DOCKER_CONFIG": "/c $x"}
needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze (systemd)")


def service(root: str = "/store", **more: object) -> LoginService:
    return LoginService("start", root, "dev", ("start", "dev"), environment=PATHS, **more)  # type: ignore[arg-type]


def test_the_command_finds_programs_and_secrets_as_now_and_no_secret_is_in_its_file() -> None:
    now = {"PATH": "/opt/bin", "MACHINE_SECRETS": "keyring", "HETZNER_API_TOKEN": "hidden", "XDG_CONFIG_HOME": ""}
    assert login_service.service_environment(now) == {"PATH": "/opt/bin", "MACHINE_SECRETS": "keyring"}


class Manager:
    """Stands for systemctl and launchctl: notes what it is told, and fails if it is to."""

    def __init__(self, complaint: str = "") -> None:
        self.told: list[list[str]] = []
        self.complaint = complaint

    def __call__(self, argv: Sequence[str], **_: object) -> Completed:
        self.told.append(list(argv))
        if self.complaint:
            raise CommandFailed("it failed", details=self.complaint)
        return Completed(0)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path)}


@needs_systemd
@pytest.mark.parametrize("stays", [False, True])
@pytest.mark.parametrize("root", ["/store", ODD])
def test_systemd_understands_the_unit(tmp_path: Path, root: str, stays: bool) -> None:
    unit = tmp_path / "machine-x.service"
    unit.write_text(login_service.unit_text(service(root, stays=stays, stop_arguments=("stop", "dev"))))
    done = subprocess.run(
        ["systemd-analyze", "--user", "--man=no", "--generators=no", "verify", str(unit)],
        capture_output=True,
        text=True,
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
        timeout=120,
    )
    said = [line for line in done.stderr.splitlines() if unit.name in line]
    assert said == []
    assert done.returncode == 0, done.stderr


def test_a_word_of_a_command_line_is_one_word_again() -> None:
    """systemd.syntax: in double quotes C escapes count, %% is %, and in arguments $$ is $."""
    line = next(text for text in login_service.unit_text(service(ODD)).split("\n") if text.startswith("ExecStart="))
    assert (
        line.partition("--storage-path ")[2]
        == '"/store of %%h \\"a\\" \'b\' $$HOME $${X} \\\\n ; & %%%% ä\\x09end" start dev'
    )
    assert 'Environment="PATH=/bin:/my \\"own\\" 100%%/b"' in login_service.unit_text(service())
    assert 'Environment="DOCKER_CONFIG=/c $x"' in login_service.unit_text(service())


@pytest.mark.parametrize("root", ["/a\nExecStart=/bin/evil", "/a\r\n[Install]"])
def test_a_path_cannot_begin_another_line(root: str) -> None:
    text = login_service.unit_text(service(root))
    assert len(text.split("\n")) == len(login_service.unit_text(service()).split("\n"))
    assert "\r" not in text


def test_bytes_that_are_no_text_are_refused_before_anything_is_written() -> None:
    with pytest.raises(StoreError, match="is not text"):
        login_service.unit_text(service("/a\udcff"))


@pytest.mark.parametrize("stays", [False, True])
def test_a_launchd_agent_has_every_word_as_it_is(stays: bool) -> None:
    found = plistlib.loads(login_service.agent(service(ODD, stays=stays), "/log <&>"))
    assert found["ProgramArguments"][-4:] == ["--storage-path", ODD, "start", "dev"]
    assert found["EnvironmentVariables"] == PATHS
    assert (found["RunAtLoad"], found["AbandonProcessGroup"], found["StandardErrorPath"]) == (True, True, "/log <&>")
    assert ("KeepAlive" in found) is stays


@pytest.mark.skipif(sys.platform != "linux", reason="systemd's directories")
@pytest.mark.skipif(shutil.which("systemctl") is None, reason="needs systemctl (systemd)")
def test_the_unit_is_enabled_without_systemctl_and_removed_again(environ: dict[str, str], tmp_path: Path) -> None:
    manager = Manager()
    assert login_service.install(service(), environ, "", manager) == []
    assert login_service.install(service(), environ, "", manager) == []
    assert login_service.installed("start", "/store", "dev", environ)
    assert not login_service.installed("start", "/other", "dev", environ)
    unit = Path(login_service.service_path("start", "/store", "dev", environ))
    link = unit.parent / "default.target.wants" / unit.name
    assert link.resolve() == unit
    assert unit.parent == tmp_path / ".config" / "systemd" / "user"
    assert stat.S_IMODE(unit.stat().st_mode) == 0o644
    assert manager.told == [["systemctl", "--user", "daemon-reload"]] * 2
    assert login_service.remove("start", "/store", "dev", environ, manager)
    assert not login_service.remove("start", "/store", "dev", environ, manager)
    assert [path for path in tmp_path.rglob("*") if not path.is_dir()] == []


@pytest.mark.skipif(sys.platform != "linux", reason="systemd's directories")
@pytest.mark.skipif(shutil.which("systemctl") is None, reason="needs systemctl (systemd)")
def test_what_systemctl_complains_of_is_advice(environ: dict[str, str]) -> None:
    manager = Manager("Failed to connect to bus:\nNo medium found")
    (warning,) = login_service.install(service(), environ, "", manager)
    assert "counts from the next login on" in warning
    assert "Failed to connect to bus: No medium found" in warning
    assert login_service.installed("start", "/store", "dev", environ)
    assert login_service.remove("start", "/store", "dev", environ, manager)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux without systemd")
def test_without_systemd_the_command_is_shown(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MachineError, match="there is no systemd") as caught:
        login_service.install(service(), environ, "")
    assert "--storage-path /store start dev" in caught.value.resolution


@pytest.mark.skipif(sys.platform == "darwin", reason="launchd knows no lingering")
def test_the_hint_about_lingering_goes_once_it_is_on(tmp_path: Path) -> None:
    assert "loginctl enable-linger ada" in login_service.linger_hint("ada", str(tmp_path))
    (tmp_path / "ada").touch()
    assert login_service.linger_hint("ada", str(tmp_path)) == ""
