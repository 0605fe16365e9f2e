"""What a machine sees and does in a shared directory, over the protocol that it speaks."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from machine.share import protocol
from machine.share.protocol import BadPacket, Kind, Status, string, u32, u64
from machine.share.server import MOST_HANDLES, NAMES_AT_ONCE
from tests.share.conversation import NOTHING, Conversation, mode


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "root"
    made.mkdir()
    (made / "file").write_bytes(b"content")
    (made / "sub").mkdir()
    return made


@pytest.fixture
def machine(root: Path) -> Iterator[Conversation]:
    before = os.umask(0)
    made = Conversation(root)
    yield made
    made.close()
    os.umask(before)


def test_a_file_is_read_written_and_cut(machine: Conversation, root: Path) -> None:
    assert machine.read(b"/file") == b"content"
    handle = machine.handle(b"/new", protocol.READ | protocol.WRITE | protocol.CREATE, mode(0o640))
    assert machine.status(Kind.WRITE, string(handle), u64(3), string(b"abc")) is Status.OK
    assert (root / "new").read_bytes() == b"\0\0\0abc"
    assert stat.S_IMODE((root / "new").stat().st_mode) == 0o640
    assert machine.status(Kind.FSETSTAT, string(handle), u32(1), u64(4)) is Status.OK
    assert machine.status(Kind.READ, string(handle), u64(4), u32(10)) is Status.EOF
    assert machine.status(Kind.CLOSE, string(handle)) is Status.OK
    assert machine.status(Kind.CLOSE, string(handle)) is Status.BAD_MESSAGE
    assert (root / "new").read_bytes() == b"\0\0\0a"
    assert machine.write(b"/new", b"") is Status.OK
    assert machine.read(b"/new") is Status.EOF


def test_an_exclusive_open_takes_no_file_that_is_there(machine: Conversation) -> None:
    assert machine.open(b"/file", protocol.WRITE | protocol.CREATE | protocol.EXCLUSIVE) is Status.FAILURE


def test_appending_goes_to_the_end(machine: Conversation, root: Path) -> None:
    handle = machine.handle(b"/file", protocol.WRITE | protocol.APPEND)
    machine.status(Kind.WRITE, string(handle), u64(0), string(b"+"))
    assert (root / "file").read_bytes() == b"content+"


def test_a_long_listing_comes_in_parts(machine: Conversation, root: Path) -> None:
    for number in range(NAMES_AT_ONCE * 2 + 1):
        (root / "sub" / str(number)).touch()
    assert machine.list(b"/sub") == {str(number).encode() for number in range(NAMES_AT_ONCE * 2 + 1)}
    assert machine.list(b"/") == {b"file", b"sub"}


def test_the_names_of_a_listing_are_bytes(machine: Conversation, root: Path) -> None:
    (Path(os.fsdecode(os.fsencode(root) + b"/\xff\xfe\n"))).touch()
    assert machine.list(b"/") == {b"file", b"sub", b"\xff\xfe\n"}
    assert machine.read(b"/\xff\xfe\n") is Status.EOF


def test_directories_are_made_moved_and_removed(machine: Conversation, root: Path) -> None:
    assert machine.status(Kind.MKDIR, string(b"/sub/a"), mode(0o750)) is Status.OK
    assert stat.S_IMODE((root / "sub" / "a").stat().st_mode) == 0o750
    assert machine.rename(b"/sub/a", b"/b") is Status.OK
    assert machine.status(Kind.RMDIR, string(b"/b")) is Status.OK
    assert machine.status(Kind.RMDIR, string(b"/b")) is Status.NO_SUCH_FILE
    assert machine.status(Kind.REMOVE, string(b"/file")) is Status.OK
    assert list(root.iterdir()) == [root / "sub"]


def test_only_posix_rename_replaces(machine: Conversation, root: Path) -> None:
    machine.write(b"/other", b"other")
    assert machine.status(Kind.RENAME, string(b"/other"), string(b"/file")) is Status.FAILURE
    assert machine.rename(b"/other", b"/file") is Status.OK
    assert (root / "file").read_bytes() == b"other"
    assert machine.status(Kind.RENAME, string(b"/file"), string(b"/moved")) is Status.OK


def test_modes_and_times_are_set_by_path(machine: Conversation, root: Path) -> None:
    (root / "file").chmod(0o200)
    assert machine.status(Kind.SETSTAT, string(b"/file"), mode(0o100604)) is Status.OK
    assert machine.status(Kind.SETSTAT, string(b"/file"), u32(8) + u32(5) + u32(6)) is Status.OK
    assert machine.status(Kind.SETSTAT, string(b"/file"), u32(1) + u64(2)) is Status.OK
    machine.status(Kind.SETSTAT, string(b"/sub"), mode(0o700))
    found = (root / "file").stat()
    assert (stat.S_IMODE(found.st_mode), found.st_size) == (0o604, 2)
    assert machine.status(Kind.SETSTAT, string(b"/file"), u32(8) + u32(5) + u32(6)) is Status.OK
    assert int((root / "file").stat().st_mtime) == 6


def test_links_are_given_out_as_links(machine: Conversation, root: Path) -> None:
    assert machine.status(Kind.SYMLINK, string(b"../anywhere"), string(b"/sub/link")) is Status.OK
    assert (root / "sub" / "link").readlink() == Path("../anywhere")
    found, reader = machine.ask(Kind.READLINK, string(b"/sub/link"))
    assert (found, reader.u32(), reader.string()) == (Kind.NAME, 1, b"../anywhere")
    for kind in (Kind.LSTAT, Kind.STAT):
        _, reader = machine.ask(kind, string(b"/sub/link"))
        assert stat.S_ISLNK(reader.attributes().mode or 0)


def test_a_second_name_and_the_room_are_to_be_had(machine: Conversation, root: Path) -> None:
    assert machine.extended(b"hardlink@openssh.com", string(b"/file"), string(b"/again")) is Status.OK
    assert (root / "again").samefile(root / "file")
    found, reader = machine.ask(Kind.EXTENDED, string(b"statvfs@openssh.com"), string(b"/"))
    assert (found, reader.u64()) == (Kind.EXTENDED_REPLY, os.statvfs(root).f_bsize)
    handle = machine.handle(b"/file", protocol.READ)
    assert machine.extended(b"fsync@openssh.com", string(handle)) is Status.OK
    assert machine.extended(b"check-file", string(b"/file")) is Status.OP_UNSUPPORTED


def test_a_read_only_share_changes_nothing(root: Path) -> None:
    machine = Conversation(root, writable=False)
    assert machine.read(b"/file") == b"content"
    for flags in (protocol.WRITE, protocol.READ | protocol.CREATE, protocol.READ | protocol.TRUNCATE):
        assert machine.open(b"/file", flags) is Status.PERMISSION_DENIED
    handle = machine.handle(b"/file", protocol.READ)
    assert machine.status(Kind.WRITE, string(handle), u64(0), string(b"x")) is Status.FAILURE
    assert machine.status(Kind.FSETSTAT, string(handle), mode(0)) is Status.PERMISSION_DENIED
    assert machine.status(Kind.SETSTAT, string(b"/file"), mode(0)) is Status.PERMISSION_DENIED
    assert machine.status(Kind.MKDIR, string(b"/new"), NOTHING) is Status.PERMISSION_DENIED
    assert machine.status(Kind.RMDIR, string(b"/sub")) is Status.PERMISSION_DENIED
    assert machine.status(Kind.REMOVE, string(b"/file")) is Status.PERMISSION_DENIED
    assert machine.status(Kind.SYMLINK, string(b"a"), string(b"/link")) is Status.PERMISSION_DENIED
    assert machine.rename(b"/file", b"/moved") is Status.PERMISSION_DENIED
    assert machine.extended(b"hardlink@openssh.com", string(b"/file"), string(b"/b")) is Status.PERMISSION_DENIED
    assert sorted(path.name for path in root.iterdir()) == ["file", "sub"]
    machine.close()


def test_a_machine_changes_no_owner_and_sets_no_bits_of_other_identities(machine: Conversation, root: Path) -> None:
    found = (root / "file").stat()
    same = u32(2) + u32(found.st_uid) + u32(found.st_gid)
    assert machine.status(Kind.SETSTAT, string(b"/file"), same) is Status.OK
    other = u32(2) + u32(found.st_uid + 1) + u32(found.st_gid)
    assert machine.status(Kind.SETSTAT, string(b"/file"), other) is Status.PERMISSION_DENIED
    machine.status(Kind.SETSTAT, string(b"/file"), mode(0o107755))
    machine.status(Kind.MKDIR, string(b"/made"), mode(0o7777))
    machine.handle(b"/set", protocol.WRITE | protocol.CREATE, mode(0o104755))
    for name in ("file", "made", "set"):
        assert not (root / name).stat().st_mode & 0o7000, name


def test_handles_have_a_bound(machine: Conversation) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, MOST_HANDLES + 500), hard))
    try:
        for _ in range(MOST_HANDLES):
            machine.handle(b"/file", protocol.READ)
        assert machine.open(b"/file", protocol.READ) is Status.FAILURE
        assert machine.status(Kind.OPENDIR, string(b"/")) is Status.FAILURE
    finally:
        machine.server.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_closing_the_conversation_closes_all_files(machine: Conversation) -> None:
    before = len(os.listdir("/dev/fd"))
    for _ in range(20):
        machine.handle(b"/file", protocol.READ)
        machine.ask(Kind.OPENDIR, string(b"/"))
    machine.server.close()
    assert len(os.listdir("/dev/fd")) == before


@pytest.mark.parametrize(
    "request_bytes",
    [
        bytes((Kind.OPEN,)) + u32(7),
        bytes((Kind.OPEN,)) + u32(7) + u32(0xFFFFFFFF) + b"/file",
        bytes((Kind.OPEN,)) + u32(7) + string(b"/file") + u32(1) + u32(0x80000000) + u32(0xFFFFFFFF),
        bytes((Kind.WRITE,)) + u32(7) + string(b"1") + u64(0) + string(b"x"),
        bytes((Kind.READDIR,)) + u32(7) + string(b"no handle"),
        bytes((Kind.EXTENDED,)) + u32(7),
    ],
)
def test_a_packet_that_is_cut_or_lies_is_refused(machine: Conversation, request_bytes: bytes) -> None:
    answer = protocol.Reader(machine.server.answer(request_bytes)[4:])
    assert (answer.byte(), answer.u32(), answer.u32()) == (Kind.STATUS, 7, Status.BAD_MESSAGE)


def test_numbers_that_no_file_has_are_refused(machine: Conversation) -> None:
    handle = machine.handle(b"/file", protocol.READ | protocol.WRITE)
    assert machine.status(Kind.READ, string(handle), u64(2**64 - 1), u32(1)) is Status.FAILURE
    assert machine.status(Kind.WRITE, string(handle), u64(2**64 - 1), string(b"x")) is Status.FAILURE
    assert machine.status(Kind.FSETSTAT, string(handle), u32(1), u64(2**64 - 1)) is Status.FAILURE
    assert machine.status(99) is Status.OP_UNSUPPORTED


def test_an_answer_is_no_longer_than_its_bound(machine: Conversation, root: Path) -> None:
    (root / "file").write_bytes(bytes(1 << 20))
    handle = machine.handle(b"/file", protocol.READ)
    _, reader = machine.ask(Kind.READ, string(handle), u64(0), u32(0xFFFFFFFF))
    assert len(reader.string()) == protocol.LARGEST_READ


def test_what_is_not_even_numbered_ends_the_conversation(machine: Conversation) -> None:
    with pytest.raises(BadPacket):
        machine.server.answer(b"\x03\0")
    with pytest.raises(BadPacket):
        machine.server.answer(b"")
