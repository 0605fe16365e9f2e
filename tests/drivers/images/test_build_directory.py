"""A build leaves nothing behind: not when it ends, not when it is interrupted, not when it was killed."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from machine import process
from machine.drivers.images import build, build_directory, image_spec
from machine.drivers.images.cache import Cache
from machine.errors import CommandFailed, DriverError
from machine.process import Completed

Run = Callable[..., Completed]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's directory for temporary files."""
    made = tmp_path / "tmp"
    made.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(made))
    monkeypatch.setattr(build, "check", lambda *_, **__: None)
    monkeypatch.setattr(build_directory, "END_SECONDS", 0.3)
    return made


def cache(tmp_path: Path, run: Run) -> Cache:
    return Cache(str(tmp_path / "store"), run=run, log=lambda _: None)


def builds(tmp_path: Path) -> list[str]:
    images = tmp_path / "store" / "cache" / "images"
    return [entry.name for entry in images.iterdir() if entry.name.startswith(".build-")]


def leaving_files(error: BaseException) -> Run:
    """A program that ends with `error` when it has made something in its directory for temporary files."""

    def run(argv: list[str], **_: Any) -> Completed:
        left = Path(argv[5], "mmdebstrap.abc", "usr")
        left.mkdir(parents=True)
        (left / "file").write_text("x")
        raise error

    return run


@pytest.mark.parametrize("error", [KeyboardInterrupt(), CommandFailed("sh ended with status 1")])
def test_a_build_that_fails_or_is_interrupted_removes_what_it_made(
    tmp_path: Path, place: Path, error: BaseException
) -> None:
    with pytest.raises((KeyboardInterrupt, DriverError)):
        cache(tmp_path, leaving_files(error)).build("debian-13", "amd64", "file:///nowhere")
    assert list(place.iterdir()) == []
    assert builds(tmp_path) == []


def test_mmdebstrap_has_its_temporary_files_in_that_directory(tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.touch()
    words = image_spec.command(
        "debian-13", "amd64", (), str(image), keyring="/k", root=True, temporary=str(tmp_path / "tmp")
    )
    shown = subprocess.run([*words[:6], "printenv", "TMPDIR"], capture_output=True, text=True, check=True, timeout=60)
    assert shown.stdout == f"{tmp_path}/tmp\n"


@pytest.mark.parametrize("again", [True, False])
def test_what_a_killed_build_left_goes_with_the_next_build_or_image_rm(
    tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch, again: bool
) -> None:
    with monkeypatch.context() as killed:
        killed.setattr(build_directory, "remove", lambda *_, **__: False)
        with pytest.raises(KeyboardInterrupt):
            cache(tmp_path, leaving_files(KeyboardInterrupt())).build("debian-13", "amd64", "file:///nowhere")
    assert len(builds(tmp_path)) == len(list(place.iterdir())) == 1
    if again:
        with pytest.raises(KeyboardInterrupt):
            cache(tmp_path, leaving_files(KeyboardInterrupt())).build("debian-13", "amd64", "file:///nowhere")
    else:
        cache(tmp_path, process.run).sweep([])
    assert list(place.iterdir()) == []
    assert builds(tmp_path) == []


def test_while_a_process_of_the_build_runs_its_files_stay(tmp_path: Path, place: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    image = work / build_directory.IMAGE
    image.touch()
    made = build_directory.make_temporary(str(work))
    words = image_spec.command("debian-13", "amd64", (), str(image), keyring="/k", root=True, temporary=made)
    pipe = subprocess.PIPE
    with subprocess.Popen([*words[:6], "sh", "-c", "echo; read _"], stdin=pipe, stdout=pipe) as running:
        assert running.stdout is not None
        running.stdout.readline()
        assert not build_directory.remove(str(work), process.run)
        assert os.path.isdir(made)
        running.kill()
    assert build_directory.remove(str(work), process.run)
    assert list(place.iterdir()) == []
    assert not work.exists()


def test_what_subordinate_users_own_is_removed_in_their_namespace(
    tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make files of other users")
    work = tmp_path / "work"
    work.mkdir()
    left = Path(build_directory.make_temporary(str(work)), "mmdebstrap.abc")
    left.mkdir()
    os.chown(left, 100000, 100000)
    ran: list[list[str]] = []

    def run(argv: list[str], **_: Any) -> Completed:
        ran.append(argv)
        return Completed(0)

    assert build_directory.remove(str(work), run)
    assert ran == [["mmdebstrap", "--unshare-helper", "find", str(left), "-mount", "-mindepth", "1", "-delete"]]


@pytest.mark.parametrize("target", ["elsewhere", "tmp/machine-image-link"])
def test_a_link_to_something_else_is_not_followed(tmp_path: Path, place: Path, target: str) -> None:
    other = tmp_path / "elsewhere"
    other.mkdir()
    (place / "machine-image-link").symlink_to(other)
    work = tmp_path / "work"
    work.mkdir()
    (work / build_directory.LINK).symlink_to(tmp_path / target)
    assert build_directory.remove(str(work), process.run)
    assert other.is_dir()
