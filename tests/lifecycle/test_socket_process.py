"""Ending the process of a socket that another command starts again at the same moment."""

from __future__ import annotations

import fcntl
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from machine import background_control, socket_path
from machine.lifecycle import socket_process
from machine.session import Session


def test_the_socket_at_which_the_next_process_is_about_to_listen_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = {"XDG_RUNTIME_DIR": str(tmp_path)}
    session = cast(Session, SimpleNamespace(store=SimpleNamespace(root=str(tmp_path)), environ=environ))
    path = socket_path.socket_path(str(tmp_path), "dev", environ)
    socket_path.make_directory(path)
    lock = Path(socket_process.lock_path(str(tmp_path), "dev"))
    lock.parent.mkdir(exist_ok=True)
    monkeypatch.setattr(background_control, "end", lambda *_: True)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path)
        with lock.open("w") as next_one:
            fcntl.flock(next_one, fcntl.LOCK_EX)
            assert socket_process.stop(session, "dev")
            assert Path(path).exists()
        assert socket_process.stop(session, "dev")
    assert not Path(path).exists(), "it was left over"
