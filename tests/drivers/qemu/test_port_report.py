"""What a machine says of its ports: what is believed of it, and what the next forwarder knows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from machine.drivers.qemu import port_report
from machine.drivers.qemu.port_report import read, remembered

ADDRESS = "127.84.0.78"


def report(*ports: tuple[str, int]) -> str:
    return json.dumps({"open": ports})


def wanted(line: str, fixed: set[tuple[str, int]], address: str = "") -> set[tuple[str, int]] | None:
    """The ports that a line from the machine says are open, without those that are forwarded anyway; None: nonsense."""
    found = read(line, address)
    return None if found is None else found.ports - fixed


def test_reports() -> None:
    assert wanted(report(("tcp", 80), ("tcp", 22)), {("tcp", 22)}) == {("tcp", 80)}
    assert wanted(report(("udp", 53)), set()) == {("udp", 53)}
    assert wanted(report(("sctp", 80), ("tcp", 0), ("tcp", 70000)), set()) == set()


@pytest.mark.parametrize(
    "line", ["", "x", "[]", "{}", '{"open": 3}', '{"open": [["tcp"]]}', '{"open": [["tcp", "x"]]}']
)
def test_a_report_that_makes_no_sense_changes_nothing(line: str) -> None:
    assert wanted(line, set()) is None


def test_what_is_published_at_the_machines_own_address_is_open_too() -> None:
    line = json.dumps(
        {"open": [], "bound": [["tcp", ADDRESS, 8080], ["tcp", "127.84.0.9", 81], ["tcp", "127.0.0.1", 9]]}
    )
    assert wanted(line, set(), ADDRESS) == {("tcp", 8080)}


@pytest.mark.parametrize(
    "more", [{"bound": 3}, {"bound": [["tcp"]]}, {"six": [[1, 2, 3]]}, {"bound": [["tcp", [], "x"]]}]
)
def test_more_nonsense(more: dict[str, object]) -> None:
    assert wanted(json.dumps({"open": [], **more}), set(), "x") in (None, set())
    assert wanted("[" * 100_000, set()) is None


def test_a_machine_cannot_have_all_files_of_qemu() -> None:
    found = wanted(report(*(("tcp", number) for number in range(1, 60_000))), set())
    assert found is not None
    assert len(found) == port_report.MOST_PORTS


def test_the_next_forwarder_begins_with_what_was_said_last(tmp_path: Path) -> None:
    path = tmp_path / "report"
    first, second = (report(("tcp", number)) + "\n" for number in (80, 81))
    assert list(remembered([first, second, "nonsense\n", "\n"], str(path))) == [first, second, "nonsense\n", "\n"]
    assert path.read_text() == second
    assert path.stat().st_mode & 0o777 == 0o600
    lines = remembered([first], str(path))
    assert next(lines) == second, "before the machine has said anything"
    assert next(lines) == first
    assert list(lines) == []
    assert path.read_text() == first


def test_the_file_is_written_when_something_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "report"
    line = report(("tcp", 80)) + "\n"
    assert list(remembered([line], str(path))) == [line]
    before = path.stat().st_ino
    assert list(remembered([line, line], str(path))) == [line] * 3
    assert path.stat().st_ino == before


@pytest.mark.parametrize("content", [b"", b"\xff\x00", b"[" * 100_000, b"x" * (port_report.GREATEST_LINE + 1)])
def test_a_damaged_file_is_no_report(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "report"
    path.write_bytes(content)
    line = report(("tcp", 80)) + "\n"
    *before, last = remembered([line], str(path))
    assert last == line
    assert [wanted(one, set()) for one in before] in ([], [None])
    assert path.read_text() == line


def test_a_full_disk_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    line = report(("tcp", 80)) + "\n"
    assert list(remembered([line], str(tmp_path / "report"))) == [line]


def test_a_snapshot_has_the_report_of_its_moment(tmp_path: Path) -> None:
    now, then = tmp_path / "now", tmp_path / "then"
    now.write_text(report(("tcp", 80)))
    port_report.copy(str(now), str(then))
    now.write_text(report(("tcp", 81)))
    port_report.copy(str(then), str(now))
    assert now.read_text() == report(("tcp", 80))
    then.unlink()
    port_report.copy(str(then), str(now))
    assert not now.exists(), "of an older snapshot nothing is known"
