"""The server with the client that machines use: a real sshfs, whose conversation goes over pipes."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from machine.share import policy, stream
from machine.share.server import Server
from machine.share.tree import Tree


def _usable() -> bool:
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR))
    except OSError:
        return False
    return shutil.which("sshfs") is not None


pytestmark = pytest.mark.skipif(not _usable(), reason="needs sshfs and a /dev/fuse that may be opened")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "root"
    (made / ".ssh").mkdir(parents=True)
    (made / ".ssh" / "key").write_text("secret")
    (made / "file").write_text("content")
    (made / "many").mkdir()
    for number in range(500):
        (made / "many" / str(number)).touch()
    return made


@pytest.fixture
def mounted(root: Path, tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "mounted"
    place.mkdir()
    known = policy.build(str(root), [str(root / ".ssh")], [])
    before = os.umask(0)
    tree = Tree(str(root), lambda: known)
    pipe = subprocess.PIPE
    with subprocess.Popen(["sshfs", "-f", "-o", "passive", "machine:/", str(place)], stdin=pipe, stdout=pipe) as client:
        assert client.stdin
        assert client.stdout
        to, source = client.stdin.fileno(), client.stdout.fileno()
        serving = threading.Thread(
            target=stream.serve, args=(lambda count: os.read(source, count), lambda data: _send(to, data), Server(tree))
        )
        serving.start()
        try:
            deadline = time.monotonic() + 60
            while not os.path.ismount(place):
                assert client.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.02)
            yield place
        finally:
            client.terminate()
            client.wait(60)
            serving.join(60)
            tree.close()
            os.umask(before)
    assert not os.path.ismount(place)


def _send(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def test_files_there_are_the_files_here(mounted: Path, root: Path) -> None:
    assert (mounted / "file").read_text() == "content"
    assert len(list((mounted / "many").iterdir())) == 500
    (mounted / "new").mkdir()
    content = os.urandom(3 << 20)
    (mounted / "new" / "big").write_bytes(content)
    assert (root / "new" / "big").read_bytes() == content
    (mounted / "new" / "big").chmod(0o640)
    os.truncate(mounted / "new" / "big", 1 << 20)
    os.utime(mounted / "new" / "big", (1000, 2000))
    found = (root / "new" / "big").stat()
    assert (found.st_mode & 0o777, found.st_size, found.st_mtime) == (0o640, 1 << 20, 2000)
    assert (mounted / "new" / "big").read_bytes() == content[: 1 << 20]
    (mounted / "new" / "big").rename(mounted / "file")
    assert (root / "file").stat().st_size == 1 << 20
    (mounted / "link").symlink_to("file")
    assert (root / "link").readlink() == Path("file")
    os.link(mounted / "file", mounted / "second")
    assert (root / "second").samefile(root / "file")
    (mounted / "second").unlink()
    (mounted / "new").rmdir()
    assert not (root / "new").exists()
    with (mounted / "file").open("ab") as log:
        log.write(b"more")
    assert (root / "file").read_bytes()[-4:] == b"more"
    assert shutil.disk_usage(mounted).total == shutil.disk_usage(root).total


def test_what_is_hidden_is_not_there(mounted: Path, root: Path) -> None:
    assert ".ssh" not in os.listdir(mounted)
    assert not (mounted / ".ssh").exists()
    assert not (mounted / "many" / ".." / ".ssh" / "key").exists()
    with pytest.raises(PermissionError):
        (mounted / ".ssh").mkdir()
    (mounted / "way").symlink_to(".ssh/key")
    assert not (mounted / "way").exists(), "the link is followed there, where there is nothing"
    with pytest.raises(OSError, match="way"):
        (mounted / "way").write_text("x")
    assert (root / ".ssh" / "key").read_text() == "secret"


def test_git_works_in_it(mounted: Path, root: Path) -> None:
    """A program that makes locks, renames, links and maps files."""
    environ = {**os.environ, "HOME": str(mounted), "GIT_CONFIG_NOSYSTEM": "1"}
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for words in (["init", "-q", "."], ["add", "many", "file"], [*who, "commit", "-q", "-m", "all"], ["gc", "-q"]):
        subprocess.run(["git", *words], cwd=mounted, env=environ, check=True)
    log = subprocess.run(["git", "fsck"], cwd=root, check=True, capture_output=True, text=True)
    assert log.returncode == 0
    status = subprocess.run(
        ["git", "status", "--porcelain", "file"], cwd=root, check=True, capture_output=True, text=True
    )
    assert status.stdout == ""
