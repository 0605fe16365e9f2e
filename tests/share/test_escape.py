"""Attacks: a machine that wants what is outside of the shared directory, or hidden in it."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from machine.share import credentials, policy, protocol
from machine.share.protocol import Kind, Status, string, u32, u64
from machine.share.tree import Tree
from tests.share.conversation import NOTHING, Conversation, mode, names
from tests.share.shared_home import REFUSED, SECRET, home, machine

__all__ = ["home", "machine"]


@pytest.mark.parametrize(
    "path",
    [
        b"/../outside/key",
        b"/project/../../outside/key",
        b"../outside/key",
        b"/project/./../../outside/key",
        b"/project/out/key",
        b"/project/up/key",
        b"/project/file",
        b"/project/to-ssh/key",
        b"/project/code/../../../outside/key",
        b"/proc/self/root/etc/passwd",
        b"//../outside/key",
        b"/project\0/../../outside/key",
        b"/" + b"a/" * 3000 + b"key",
        b"/" + b"a" * 300,
        b"/" + b"d/" * 300 + b"x",
    ],
)
def test_no_path_leads_out(machine: Conversation, path: bytes) -> None:
    assert machine.read(path) in REFUSED
    assert machine.write(path, b"x") in REFUSED
    assert machine.list(path) in REFUSED
    assert machine.status(Kind.MKDIR, string(path), NOTHING) in REFUSED
    assert machine.extended(b"hardlink@openssh.com", string(path), string(b"/project/stolen")) in REFUSED


def test_nothing_outside_was_touched(machine: Conversation, home: Path) -> None:
    outside = home.parent / "outside"
    for name in (b"/project/out", b"/project/up", b"/project/file"):
        machine.write(name, b"x")
        machine.write(name + b"/new", b"x")
        machine.status(Kind.SETSTAT, string(name), u32(1) + u64(0))
        machine.status(Kind.SETSTAT, string(name), mode(0o777))
        machine.status(Kind.REMOVE, string(name + b"/key"))
        machine.status(Kind.SYMLINK, string(b"x"), string(name + b"/link"))
        machine.rename(b"/project/code", name + b"/code")
    assert [path.name for path in outside.iterdir()] == ["key"]
    assert (outside / "key").read_bytes() == SECRET
    assert (outside / "key").stat().st_mode & 0o777 != 0o777
    assert outside.stat().st_mode & 0o777 != 0o777


def test_a_directory_that_becomes_a_link_leads_nowhere_else(machine: Conversation, home: Path) -> None:
    """The race of a path that is checked and then used: a directory and a link to the outside change places."""
    (home / "project" / "swap").mkdir()
    (home / "project" / "swap" / "key").write_bytes(b"harmless")
    (home / "project" / "link").symlink_to("../../outside")
    stop = threading.Event()

    def swap() -> None:
        place = home / "project"
        while not stop.is_set():
            os.rename(place / "swap", place / "other")
            os.rename(place / "link", place / "swap")
            os.rename(place / "swap", place / "link")
            os.rename(place / "other", place / "swap")

    racer = threading.Thread(target=swap)
    racer.start()
    try:
        found = {machine.read(b"/project/swap/key") for _ in range(3000)}
        for _ in range(500):
            machine.write(b"/project/swap/key", b"harmless")
            machine.status(Kind.REMOVE, string(b"/project/swap/nothing"))
    finally:
        stop.set()
        racer.join()
    assert SECRET not in found
    assert b"harmless" in found
    assert (home.parent / "outside" / "key").read_bytes() == SECRET


HIDDEN = [b"/.ssh", b"/.config/gcloud", b"/.docker", b"/.aws", b"/dotfiles/aws", b"/.netrc", b"/.docker/machine"]


@pytest.mark.parametrize("path", HIDDEN)
def test_what_is_hidden_looks_as_if_it_were_not_there(machine: Conversation, path: bytes) -> None:
    parent, _, name = path.rpartition(b"/")
    listed = machine.list(parent or b"/")
    assert listed is Status.NO_SUCH_FILE or name not in names(listed)
    assert machine.status(Kind.LSTAT, string(path)) is Status.NO_SUCH_FILE
    assert machine.status(Kind.OPENDIR, string(path)) is Status.NO_SUCH_FILE
    assert machine.status(Kind.READLINK, string(path)) is Status.NO_SUCH_FILE
    assert machine.read(path + b"/key") is Status.NO_SUCH_FILE
    assert machine.read(path) is Status.NO_SUCH_FILE


@pytest.mark.parametrize("path", HIDDEN)
def test_what_is_hidden_is_neither_moved_nor_replaced(machine: Conversation, home: Path, path: bytes) -> None:
    before = _everything(home)
    assert machine.rename(path, b"/project/stolen") in REFUSED
    assert machine.rename(b"/project", path) in REFUSED
    assert machine.rename(b"/project/code", path + b"/authorized_keys") in REFUSED
    assert machine.write(path + b"/authorized_keys", b"x") in REFUSED
    assert machine.status(Kind.REMOVE, string(path)) in REFUSED
    assert machine.status(Kind.RMDIR, string(path)) in REFUSED
    assert machine.status(Kind.SYMLINK, string(b"project"), string(path)) in REFUSED
    assert machine.status(Kind.MKDIR, string(path + b"/new"), NOTHING) in REFUSED
    assert machine.extended(b"hardlink@openssh.com", string(path + b"/key"), string(b"/project/stolen")) in REFUSED
    assert _everything(home) == before


@pytest.mark.parametrize("path", [b"/.SSH/key", b"/.Config/GCloud/key", b"/.n\xc3\xa9trc", b"/.s\xe2\x80\x8csh/key"])
def test_no_other_spelling_passes(machine: Conversation, path: bytes) -> None:
    """As on a file system that tells no cases apart, and ignores invisible characters (HFS+)."""
    assert machine.read(path) is Status.NO_SUCH_FILE
    if path != b"/.n\xc3\xa9trc":
        assert machine.write(path, b"x") in REFUSED


def test_a_parent_stays_where_it_is(machine: Conversation, home: Path) -> None:
    for parent in (b"/.config", b"/dotfiles"):
        assert machine.rename(parent, b"/project/moved") is Status.PERMISSION_DENIED
        assert machine.status(Kind.SYMLINK, string(b"project"), string(parent)) is Status.PERMISSION_DENIED
        assert machine.rename(b"/project", parent) is Status.PERMISSION_DENIED
    assert (home / ".config" / "gcloud" / "key").read_bytes() == SECRET
    assert machine.status(Kind.MKDIR, string(b"/.config/mine"), NOTHING) is Status.OK, "the rest of it is free"


def test_a_hidden_directory_is_known_under_another_name(machine: Conversation, home: Path) -> None:
    """The user moved it, or it is reached by another mount: what it is counts, too."""
    os.rename(home / ".ssh", home / "project" / "keys")
    assert machine.read(b"/project/keys/key") is Status.NO_SUCH_FILE
    assert b"keys" not in names(machine.list(b"/project"))
    assert machine.rename(b"/project/keys", b"/project/again") is Status.NO_SUCH_FILE


def test_what_is_not_there_yet_cannot_be_planted(machine: Conversation, home: Path) -> None:
    for path in (b"/.gnupg", b"/.config/openstack", b"/.kube/config", b"/.git-credentials"):
        assert machine.write(path, b"x") in REFUSED
        assert machine.status(Kind.MKDIR, string(path), NOTHING) in REFUSED
        assert machine.status(Kind.SYMLINK, string(b"/project"), string(path)) in REFUSED
    assert not (home / ".gnupg").exists()


def test_what_a_login_runs_is_read_and_not_changed(machine: Conversation, home: Path) -> None:
    assert machine.read(b"/.bashrc") == b"# mine"
    assert machine.write(b"/.bashrc", b"evil") is Status.PERMISSION_DENIED
    handle = machine.handle(b"/.bashrc", protocol.READ)
    assert machine.status(Kind.FSETSTAT, string(handle), mode(0o777)) is Status.PERMISSION_DENIED
    assert machine.status(Kind.SETSTAT, string(b"/.bashrc"), u32(1) + u64(0)) is Status.PERMISSION_DENIED
    assert machine.rename(b"/project/code", b"/.bashrc") is Status.PERMISSION_DENIED
    assert machine.status(Kind.REMOVE, string(b"/.bashrc")) is Status.PERMISSION_DENIED
    second = machine.extended(b"hardlink@openssh.com", string(b"/.bashrc"), string(b"/project/rc"))
    assert second is Status.PERMISSION_DENIED, "a second name would be writable"
    assert machine.write(b"/.config/autostart/evil.desktop", b"x") in REFUSED
    assert machine.status(Kind.MKDIR, string(b"/.config/autostart"), NOTHING) is Status.PERMISSION_DENIED
    assert machine.write(b"/.zshrc", b"evil") is Status.PERMISSION_DENIED
    assert (home / ".bashrc").read_bytes() == b"# mine"


def test_a_pipe_a_socket_and_a_device_are_not_opened(machine: Conversation, home: Path) -> None:
    os.mkfifo(home / "project" / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        os.chdir(home / "project")
        listening.bind("socket")
        for name in (b"/project/pipe", b"/project/socket"):
            for flags in (protocol.READ, protocol.WRITE, protocol.READ | protocol.WRITE | protocol.CREATE):
                assert machine.open(name, flags) is Status.PERMISSION_DENIED
            assert machine.status(Kind.SETSTAT, string(name), u32(1) + u64(0)) is Status.PERMISSION_DENIED
            assert machine.status(Kind.LSTAT, string(name)) is Status.OK
    device = Conversation(Path("/dev"), writable=True)
    assert device.open(b"/null", protocol.WRITE) is Status.PERMISSION_DENIED
    device.close()


def test_a_share_that_became_a_link_is_not_served(machine: Conversation, home: Path) -> None:
    """Of two shares one is above the other, and the machine makes a link of the lower one before it connects again."""
    lower = os.path.realpath(home / "project" / "inner")
    assert machine.status(Kind.MKDIR, string(b"/project/inner"), NOTHING) is Status.OK
    Conversation(Path(lower)).close()
    assert machine.status(Kind.RMDIR, string(b"/project/inner")) is Status.OK
    assert machine.status(Kind.SYMLINK, string(b"/etc"), string(b"/project/inner")) is Status.OK
    with pytest.raises(OSError, match="inner"):
        Tree(lower, policy.Policy)
    assert machine.rename(b"/project", b"/moved") is Status.OK
    assert machine.status(Kind.SYMLINK, string(b"/"), string(b"/project")) is Status.OK
    with pytest.raises(OSError, match="project"):
        Tree(f"{os.path.dirname(lower)}/etc", policy.Policy)


def test_the_root_stays(machine: Conversation) -> None:
    for path in (b"/", b"", b".", b"/."):
        assert machine.status(Kind.RMDIR, string(path)) in REFUSED
        assert machine.status(Kind.REMOVE, string(path)) in REFUSED
        assert machine.rename(path, b"/project/root") in REFUSED
        assert machine.rename(b"/project", path) in REFUSED
        assert machine.status(Kind.LSTAT, string(path)) is Status.OK


def test_the_modes_of_the_root_and_of_parents_stay(machine: Conversation, home: Path) -> None:
    """Writable by all, another user of this computer could put a `.bashrc` there; 0000 would lock its owner out."""
    home.chmod(0o700)
    for path in (b"/", b"/.config", b"/dotfiles"):
        before = (home / path.decode().strip("/")).stat().st_mode
        for wanted in (0o777, 0):
            assert machine.status(Kind.SETSTAT, string(path), mode(wanted)) is Status.PERMISSION_DENIED
        assert machine.status(Kind.SETSTAT, string(path), mode(before)) is Status.OK, "as cp -a and tar do"
        assert (home / path.decode().strip("/")).stat().st_mode == before
    assert machine.status(Kind.SETSTAT, string(b"/project"), mode(0o750)) is Status.OK
    before_umask = os.umask(0)  # as the service has it
    assert machine.status(Kind.MKDIR, string(b"/.local"), mode(0o777)) is Status.OK
    os.umask(before_umask)
    assert (home / ".local").stat().st_mode & 0o777 == 0o755


def test_a_folder_that_was_named_is_shared(home: Path) -> None:
    root = os.path.realpath(home / ".config" / "gcloud")
    machine = Conversation(home / ".config" / "gcloud", policy.build(root, credentials.hidden(str(home), "/store"), []))
    assert machine.read(b"/key") == SECRET
    machine.close()


def test_a_name_that_is_no_text_ends_no_conversation(machine: Conversation) -> None:
    assert machine.status(Kind.SYMLINK, string(b"x"), string(b"/project/\xff\xfe")) is Status.OK
    assert machine.open(b"/project/\xff\xfe", protocol.READ) is Status.PERMISSION_DENIED


def _everything(directory: Path) -> dict[str, bytes | str]:
    found: dict[str, bytes | str] = {}
    for path in sorted(directory.rglob("*")):
        is_link = path.is_symlink()
        found[str(path)] = str(path.readlink()) if is_link else path.read_bytes() if path.is_file() else "directory"
    return found
