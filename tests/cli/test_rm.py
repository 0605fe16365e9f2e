"""`rm`, as typed: it asks, it says what there is and what there is not, and it always comes to an end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.lines import CommandLine, change, names, none


@pytest.mark.parametrize(("answer", "status"), [("", 1), ("n\n", 0), ("whatever\n", 0), ("\n", 0)])
def test_rm_asks_first_and_fails_when_nobody_answers(store: Path, answer: str, status: int) -> None:
    none()
    asked = CommandLine(["rm", "m"], answer)
    assert asked.status == status
    assert ("machine rm -y m" in asked.err) == (not answer)
    assert "(y/n)" in asked.err
    assert "nothing was removed" in asked.err
    assert names() == ["m"]


@pytest.mark.parametrize("line", [["rm", "-y", "m"], ["rm", "m", "-f"], ["rm", "-fy", "m"]])
def test_rm_without_asking(store: Path, line: list[str]) -> None:
    none()
    assert CommandLine(line).status == 0
    assert names() == []
    assert not (store / "machines" / "m").exists()


@pytest.mark.parametrize(("line", "status"), [(["rm", "-y"], 1), (["rm", "-f"], 0)])
def test_rm_removes_what_there_is_and_says_what_there_is_not(store: Path, line: list[str], status: int) -> None:
    none("a")
    none("b")
    removed = CommandLine([*line, "a", "nope", "../b", "b"])
    assert removed.status == status
    level = "Warning" if "-f" in line else "Error"
    assert f'{level}: Docker machine "nope" does not exist' in removed.err
    assert names() == []
    assert not list(store.rglob("*nope*"))
    assert CommandLine(["rm", "-y", "nope", "none"]).status == 4


@pytest.mark.parametrize(
    ("missing", "brief"),
    [
        (["x"], 'Docker machine "x" does not exist'),
        (["x", "y", "z"], 'Docker machine "x" does not exist, nor "y", "z"'),
    ],
)
@pytest.mark.parametrize(("flag", "statuses"), [("-y", (1, 4)), ("-f", (0, 0))])
def test_names_that_no_machine_has_are_one_error(
    store: Path, missing: list[str], brief: str, flag: str, statuses: tuple[int, int]
) -> None:
    none("a")
    removed = CommandLine(["rm", flag, *missing[:1], "a", *missing[1:]])
    assert removed.status == statuses[0]
    expected = f"Error: {brief}\nTry: " if flag == "-y" else f"Warning: {brief}: "
    assert f"{expected}machine ls shows all; machine create makes one\n" in removed.err
    assert removed.err.count("does not exist") == 1
    assert names() == []
    typed = CommandLine(["rm", flag, *missing])
    assert typed.status == statuses[1]
    if flag == "-y":
        assert typed.err.startswith(f"Error: {brief}\n    the store {store} has no machines\nTry: ")
    assert typed.err.count("Error: ") == (flag == "-y")


def test_a_name_that_was_mistyped_is_suggested_among_several(store: Path) -> None:
    none("builder")
    none("worker")
    typed = CommandLine(["rm", "-y", "bilder", "x", "wroker"])
    assert "Try: did you mean builder, worker?\n" in typed.err


def test_the_names_are_told_though_the_only_machine_cannot_be_removed(store: Path) -> None:
    none()
    (store / "machines" / "m" / "config.json").write_text("{")
    removed = CommandLine(["rm", "-y", "m", "x", "y"])
    assert removed.status == 1
    assert 'Docker machine "x" does not exist, nor "y"' in removed.err
    assert "rm -f m" in removed.err


def test_rm_asks_about_those_that_there_are(store: Path) -> None:
    none("a")
    removed = CommandLine(["rm", "a", "nope"], "y\n")
    assert "Remove a? " in removed.err
    assert (removed.status, names()) == (1, [])


def test_a_create_killed_before_its_record_is_removed_without_force(store: Path) -> None:
    (store / "machines" / "m").mkdir(parents=True)
    (store / "machines" / "m" / ".config.json.1.abc.tmp").touch()
    assert CommandLine(["rm", "-y", "m"]).status == 0
    assert names() == []


def test_a_broken_record_needs_force(store: Path) -> None:
    none()
    (store / "machines" / "m" / "config.json").write_text("{")
    assert CommandLine(["rm", "-y", "m"]).status == 1
    assert CommandLine(["rm", "-f", "m"]).status == 0
    assert names() == []


@pytest.mark.parametrize("values", [{"CPU": "many"}, {"Memory": [1]}, {"Publish": 7}])
def test_what_a_driver_cannot_read_is_a_broken_record(store: Path, values: dict[str, object]) -> None:
    none()
    change(store, "qemu", IPAddress="127.84.1.1", **values)
    for line in (["status", "m"], ["rm", "-y", "m"], ["start", "m"]):
        typed = CommandLine(line)
        assert typed.status == 1
        assert "the record of machine m is broken" in typed.err
    listed = CommandLine(["ls"])
    assert listed.status == 0
    assert "bug" not in listed.out
    assert CommandLine(["rm", "-f", "m"]).status == 0
    assert names() == []


def test_a_full_disk_does_not_keep_machines_from_being_removed(store: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    none()
    log = store / "machines" / "m" / "machine.log"
    log.unlink()
    log.symlink_to("/dev/full")
    assert CommandLine(["rm", "-y", "m"]).status == 0
    assert names() == []


def test_rm_that_is_interrupted_says_so_with_force_too(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    none()

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("machine.store.Store.delete", interrupted)
    assert CommandLine(["rm", "-f", "m"]).status == 130
    assert names() == ["m"]


def test_one_that_is_being_made_is_not_called_broken(store: Path) -> None:
    """Between taking the name and writing the record there is nothing to read."""
    from machine.store import Store

    here = Store(str(store))
    here.add("m")
    with here.lock("machine-m", what="create m"):
        typed = none("m")
    assert typed.status == 5
    assert "is making it" in typed.err
    assert "rm -f" not in typed.err
    assert "rm -f m" in none("m").err
