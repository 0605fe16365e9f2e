"""The process that serves a share, beside a machine that is always busy, or never reads."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from machine.lifecycle import share_service
from machine.lifecycle.share_service import Ended, Service, Talk
from machine.share.spec import Share
from machine.store import Record, Store


class Channel:
    """A connection to a machine that sends without a pause and takes a byte at a time, or none."""

    def __init__(self, *, takes: int = 1) -> None:
        self.takes = takes
        self.sent = b""

    def recv(self, count: int) -> bytes:
        return b"x"

    def send(self, data: bytes) -> int:
        if not self.takes:
            raise TimeoutError
        self.sent += data[: self.takes]
        return self.takes


def _talk(channel: Any, monkeypatch: pytest.MonkeyPatch) -> Talk:
    """A conversation whose share is not wanted any more at the third look."""
    monkeypatch.setattr(share_service, "LOOK_EVERY", 0.0)
    looks = iter(range(3))

    def look() -> None:
        if next(looks) == 2:
            raise Ended

    return Talk(channel, look)


def test_a_machine_that_never_pauses_is_looked_at_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its share ends when the store is gone, and what it may see follows what is there."""
    talk = _talk(Channel(), monkeypatch)
    assert talk.receive(1) + talk.receive(1) == b"xx"
    with pytest.raises(Ended):
        talk.receive(1)


def test_a_machine_that_never_reads_is_not_waited_for_when_nobody_wants_the_share(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(Ended):
        _talk(Channel(takes=0), monkeypatch).send(b"data")


def test_all_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    channel = Channel(takes=3)
    looked = threading.Event()
    Talk(channel, looked.set).send(b"0123456789"[:9])  # type: ignore[arg-type]  # as paramiko's, as far as is used
    assert channel.sent == b"012345678"
    assert not looked.is_set()


def _service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: list[Exception], *, mounted: bool) -> Service:
    """A service of which each connection ends with one of these errors, 1,000 seconds after it began."""
    store = Store(str(tmp_path / "store"))
    now = [0.0]

    def serve_once(self: Service, record: Record, share: Share) -> None:
        now[0] += 1000
        self.was_mounted = mounted
        raise answers.pop(0)

    share = Share("/a", True, "/a")
    monkeypatch.setattr(Service, "wanted", lambda self: (Record(store.root, "dev", {}), share))
    monkeypatch.setattr(Service, "serve_once", serve_once)
    monkeypatch.setattr(share_service, "FIRST_PAUSE", 0.0)
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return Service(store, "dev", "0" * 12)


def test_an_error_of_any_kind_is_a_reason_to_connect_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link that breaks after hours is no machine that is off; nor does what a machine sends end the service."""
    answers: list[Exception] = [OSError("broken"), UnicodeEncodeError("utf-8", "x", 0, 1, "odd"), EOFError(), Ended()]
    _service(tmp_path, monkeypatch, answers, mounted=True).run()
    assert not answers


def test_a_machine_that_is_off_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Exception] = [OSError("nobody there"), Ended()]
    _service(tmp_path, monkeypatch, answers, mounted=False).run()
    assert len(answers) == 1
