"""A real systemd runs what `machine.login_service` writes when a session begins, every odd word in one piece."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from machine import login_service
from machine.login_service import LoginService
from machine.process import Completed
from tests.labs.fixtures import lab
from tests.labs.nspawn import Host, Lab

__all__ = ["lab"]

pytestmark = pytest.mark.lab

ODD = "/store of %h \"a\" 'b' $HOME ${X} \\n ; & %% ä\tend"
PROGRAMS = ("/srv/odd %h dir/print $HOME", '/srv/odd %h "dir"/print $HOME')
RUNTIME = "/run/user/ubuntu"
SCRIPT = r"""#!/bin/sh
{ printf '%s\0' "$PATH" "$@"; } > /tmp/login-arguments.new && mv /tmp/login-arguments.new /tmp/login-arguments
[ "$3" = stop ] || sleep 600 &
"""


@pytest.fixture(scope="module")
def host(lab: Lab) -> Host:
    """A host whose user has had no session yet."""
    return lab.host("login", engine="missing")


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_session_runs_it_and_leaves_what_it_started(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    """The unit and its link are written here, as `autostart` does, and copied; no systemctl is asked."""
    monkeypatch.setattr("machine.own_command.own_command", lambda: [program])
    variables = {"PATH": "/usr/bin:/bin:/my 100%/b"}
    service = LoginService("start", ODD, "dev", ("start", "dev"), stop_arguments=("stop", "dev"), environment=variables)
    environ = {"HOME": str(tmp_path)}
    login_service.install(service, environ, "", _no_manager)
    home = host.run("getent passwd ubuntu").split(":")[5]
    for file in sorted((tmp_path / ".config").rglob("*.service")):
        place = f"{home}/{file.relative_to(tmp_path)}"
        directory = place.rpartition("/")[0]
        if file.is_symlink():
            host.run(f"mkdir -p {directory} && ln -sf {file.readlink()} {place}", user="ubuntu")
        else:
            host.run(f"mkdir -p {directory} && cat > {place}", user="ubuntu", stdin=file.read_text())
    path = shlex.quote(program)
    host.run(f"mkdir -p {shlex.quote(os.path.dirname(program))} && cat > {path} && chmod 755 {path}", stdin=SCRIPT)
    begin_session(host)
    unit = login_service.label("start", ODD, "dev") + ".service"
    arguments = wait_for_arguments(host).split("\0")
    assert arguments[0] == variables["PATH"]
    assert arguments[1:-1] == ["--storage-path", ODD, "start", "dev"]
    show = f"XDG_RUNTIME_DIR={RUNTIME} systemctl --user show -p ActiveState -p SubState --value {unit}"
    assert host.run(show, user="ubuntu").split() == ["active", "exited"]
    assert host.run("pgrep -u ubuntu -fc 'sleep 600'").strip() == "1"
    host.run("systemctl stop session")
    assert wait_for_arguments(host).split("\0")[1:-1] == ["--storage-path", ODD, "stop", "dev"]
    host.run("rm -r /tmp/login-arguments ~ubuntu/.config")
    assert host.run("pgrep -u ubuntu -fc 'sleep 600'", check=False).strip() == "0"


def begin_session(host: Host) -> None:
    """Start the user's own systemd, as a login does where PAM knows it (libpam-systemd is not in the image)."""
    host.run(f"mkdir -p {RUNTIME} && chown ubuntu {RUNTIME} && chmod 700 {RUNTIME}")
    properties = f"-p User=ubuntu -p Delegate=yes -p KillMode=mixed -p Environment=XDG_RUNTIME_DIR={RUNTIME}"
    host.run(f"systemd-run {properties} --unit=session /usr/lib/systemd/systemd --user")


def wait_for_arguments(host: Host) -> str:
    """What the program of the unit was called with; it runs while the session begins."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if found := host.run("cat /tmp/login-arguments", check=False):
            return found
        time.sleep(0.2)
    raise AssertionError(host.run("journalctl --no-pager -u session", check=False))


def _no_manager(argv: Sequence[str], **_: object) -> Completed:
    return Completed(0)
