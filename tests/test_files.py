"""A file of the store is the old one or the new one, never half of one, and private from its first moment."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from machine import files
from machine.errors import StoreError
from tests.platforms import proc

WRITER = """
import sys
from machine import files
number = 0
print("go", flush=True)
while True:
    number += 1
    files.write(sys.argv[1], (b"%08d" % number) * 20000)
"""

FULL = """
import resource, signal, sys
from machine import files
from machine.errors import StoreError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    files.write(sys.argv[1], b"n" * 5000)
except StoreError as error:
    print(error.brief, "|", error.resolution)
"""


@pytest.mark.parametrize("mode", [0o600, 0o644])
@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_the_mode_does_not_depend_on_the_umask(tmp_path: Path, mode: int, umask: int) -> None:
    path = tmp_path / "deep" / "er" / "file"
    before = os.umask(umask)
    try:
        files.write(str(path), b"content", mode)
    finally:
        os.umask(before)
    assert path.read_bytes() == b"content"
    assert path.stat().st_mode & 0o777 == mode
    assert (tmp_path / "deep").stat().st_mode & 0o077 == 0


def test_kill_9_at_any_moment_leaves_a_whole_file(tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    path = here / "file"
    for turn in range(8):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.01 + 0.007 * turn)
        process.send_signal(signal.SIGKILL)
        process.wait()
        content = files.read(str(path))
        assert len(content) in (0, 160000)
        assert content == content[:8] * (len(content) // 8)
        for name in os.listdir(here):
            assert name == "file" or files.leftover(name)
            assert (here / name).stat().st_mode & 0o077 == 0


def test_a_full_disk_leaves_the_old_file_and_says_what_to_do(tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    path = here / "file"
    path.write_bytes(b"old")
    done = subprocess.run([sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, check=True)
    assert "cannot write" in done.stdout
    assert "make room" in done.stdout
    assert path.read_bytes() == b"old"
    assert os.listdir(here) == ["file"]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 1000


def test_a_missing_file_reads_as_empty_and_a_directory_does_not(tmp_path: Path) -> None:
    assert files.read(str(tmp_path / "nothing")) == b""
    with pytest.raises(StoreError, match="cannot read"):
        files.read(str(tmp_path))


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _sparse(path: Path) -> None:
    with open(path, "wb") as file:
        file.truncate(3 << 30)


@pytest.mark.parametrize("make", [_pipe, _device, _sparse, Path.mkdir, lambda path: path.symlink_to(path.name)])
def test_what_is_no_plain_file_is_refused_at_once(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "file")
    began = time.monotonic()
    with pytest.raises(StoreError, match=f"cannot read {tmp_path}/file: ") as caught:
        files.read(str(tmp_path / "file"))
    assert caught.value.resolution
    assert time.monotonic() - began < 15  # a pipe and a device have no end


def test_a_plain_file_is_read_through_a_link_and_up_to_its_limit(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "link").symlink_to("file")
    assert files.read_plain(str(tmp_path / "link"), 5) == b"12345"
    with pytest.raises(OSError, match="more than 4 bytes"):
        files.read_plain(str(tmp_path / "file"), 4)


@proc
def test_a_file_without_a_size_of_its_own_is_read() -> None:
    assert files.read("/proc/self/stat").startswith(b"%d " % os.getpid())


def test_a_link_in_everybodys_directory_is_anybodys(public: Path) -> None:
    (public / "file").touch()
    (public / "shared").mkdir()
    (public / "shared" / "link").symlink_to("../file")
    (public / "shared" / "here").symlink_to("..")
    for path in ("link", "here/file"):
        assert not files.anybody_changes(str(public / "shared" / path))
        assert files.only_ours(str(public / "shared" / path))
    (public / "shared").chmod(0o777)
    for path in ("link", "here/file"):
        assert files.anybody_changes(str(public / "shared" / path))
        assert not files.only_ours(str(public / "shared" / path))


@pytest.mark.parametrize("closed", ["", "outer"])
def test_what_others_do_not_come_to_is_not_anybodys(closed: str, public: Path) -> None:
    (public / "outer" / "inner").mkdir(parents=True)
    (public / "outer" / "inner" / "file").touch()
    for mode, path in ((0o666, "outer/inner/file"), (0o777, "outer/inner")):
        (public / path).chmod(mode)
        assert files.anybody_changes(str(public / "outer/inner/file"))
        (public / closed).chmod(0o700)
        assert not files.anybody_changes(str(public / "outer/inner/file"))
        (public / closed).chmod(0o755)
        (public / path).chmod(0o755)


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root, to make another user's file")
def test_another_users_file_in_a_directory_for_all_may_be_anybodys(public: Path) -> None:
    (public / "file").touch()
    public.chmod(0o1777)
    assert not files.anybody_changes(str(public / "file"))
    os.chown(public / "file", 65534, 65534)
    assert files.anybody_changes(str(public / "file"))
    public.chmod(0o755)
    assert not files.anybody_changes(str(public / "file"))
