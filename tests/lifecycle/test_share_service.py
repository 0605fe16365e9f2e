"""The process that serves a share, beside a machine that is always busy, or never reads."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from machine.lifecycle import share_files, share_service
from machine.lifecycle.share_service import Ended, MountedAnew, Service, Talk
from machine.share import credentials
from machine.share.nesting import Mount
from machine.share.policy import Verdict
from machine.share.spec import Share, to_record
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

    def serve_once(self: Service, record: Record, found: Mount) -> None:
        now[0] += 1000
        self.was_mounted = mounted
        raise answers.pop(0)

    share = Share("/a", True, "/a")
    monkeypatch.setattr(Service, "wanted", lambda self: (Record(store.root, "dev", {}), Mount(share)))
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


def _recorded(tmp_path: Path, *shares: tuple[str, bool]) -> Service:
    """The service of the share `home` of a machine, which has more, each (path below it, whether writable)."""
    store = Store(str(tmp_path / "store"))
    store.add("dev")
    share_files.write_state(store, "dev", "0" * 12, share_files.State.MOUNTED, "")
    Path(share_files.lock(store, "dev", "0" * 12)).touch()
    _record(store, tmp_path, *shares)
    return Service(store, "dev", "0" * 12)


def _record(store: Store, tmp_path: Path, *shares: tuple[str, bool], home: bool = True) -> None:
    record = Record.new(store.root, "dev", "generic", {"IPAddress": "192.0.2.1"})
    root = str(tmp_path / "home")
    found = [Share(root, True, root, "0" * 12)] if home else []
    for number, (path, writable) in enumerate(shares, 1):
        Path(root, path).mkdir(parents=True, exist_ok=True)
        found.append(Share(f"{root}/{path}", writable, f"{root}/{path}", f"{number:012}"))
    record.set_shares(to_record(found))
    store.save(record)


def test_what_is_shared_otherwise_counts_for_the_next_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`machine share` has only the record to write for that: nothing that has it mounted notices more."""
    monkeypatch.setattr(credentials, "homes", lambda root: {str(tmp_path / "home")})
    service = _recorded(tmp_path, ("project", True))
    _, found = service.wanted()
    path = (b"project", b"file")
    assert service.policy(found).verdict(path) is Verdict.FREE
    _record(service.store, tmp_path, ("project", False), (".ssh", False))
    assert service.policy(found).verdict(path) is Verdict.READ_ONLY
    assert service.policy(found).verdict((b".ssh", b"id")) is Verdict.READ_ONLY
    assert service.policy(found) is service.policy(found), "it is not made anew for each request"
    _record(service.store, tmp_path)
    assert service.policy(found).verdict((b".ssh", b"id")) is Verdict.HIDDEN


def test_a_service_ends_when_its_share_is_a_part_of_another_one(tmp_path: Path) -> None:
    service = _recorded(tmp_path, ("project", True))
    inner = Service(service.store, "dev", f"{1:012}")
    Path(share_files.lock(service.store, "dev", inner.tag)).touch()
    with pytest.raises(Ended):
        inner.wanted()
    _record(service.store, tmp_path, ("project", True), home=False)
    assert inner.wanted()[1].share.path == str(tmp_path / "home" / "project")
    with pytest.raises(Ended):
        service.wanted()


def test_a_mount_that_may_change_more_or_less_is_made_anew(tmp_path: Path) -> None:
    service = _recorded(tmp_path, ("project", True))
    _, found = service.wanted()
    record = service.store.load("dev")
    root = str(tmp_path / "home")
    record.set_shares(to_record([Share(root, False, root, "0" * 12)]))
    service.store.save(record)
    with pytest.raises(MountedAnew):
        service.policy(found)
