"""Shares in other ones: what is mounted, and what a machine may do where a share is inside another one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from machine.errors import UsageError
from machine.share import credentials, nesting, policy
from machine.share.policy import Verdict
from machine.share.protocol import READ, WRITE, Kind, Status, string, u64
from machine.share.spec import Share
from tests.share.conversation import NOTHING, Conversation, mode, names
from tests.share.shared_home import REFUSED, SECRET, home

__all__ = ["home"]
Inner = tuple[str, bool]  # a path below the home directory, and whether it may be changed


def served(home: Path, *inner: Inner, writable: bool = True) -> Conversation:
    """The home directory with shares in it, as a machine sees it."""
    root = os.path.realpath(home)
    hidden = credentials.hidden(str(home), str(home / ".docker" / "machine"), {})
    nested = [(f"{root}/{path}", os.path.realpath(f"{root}/{path}"), change) for path, change in inner]
    known = policy.build(root, hidden, credentials.read_only(str(home)), writable=writable, nested=nested)
    return Conversation(home, known)


def test_a_directory_can_be_read_only_in_one_that_is_not(home: Path) -> None:
    machine = served(home, ("project", False))
    assert machine.read(b"/project/code") == b"code"
    assert machine.write(b"/project/code", b"x") is Status.PERMISSION_DENIED
    assert machine.write(b"/project/new", b"x") is Status.PERMISSION_DENIED
    assert machine.write(b"/new", b"x") is Status.OK
    for path in (b"/project", b"/project/code"):
        assert machine.rename(path, b"/moved") is Status.PERMISSION_DENIED
        assert machine.rename(b"/new", path) is Status.PERMISSION_DENIED
        assert machine.status(Kind.SETSTAT, string(path), mode(0o777)) is Status.PERMISSION_DENIED
        assert machine.extended(b"hardlink@openssh.com", string(path), string(b"/stolen")) in REFUSED
    assert machine.status(Kind.SYMLINK, string(b"x"), string(b"/project/x")) is Status.PERMISSION_DENIED
    machine.close()


def test_a_directory_can_be_changed_in_one_that_is_read_only(home: Path) -> None:
    machine = served(home, ("project", True), writable=False)
    assert machine.write(b"/project/new", b"x") is Status.OK
    assert machine.status(Kind.MKDIR, string(b"/project/sub"), NOTHING) is Status.OK
    assert machine.rename(b"/project/new", b"/project/sub/new") is Status.OK
    for path in (b"/new", b"/Project/new", b"/PROJECT"):
        assert machine.write(path, b"x") in REFUSED
        assert machine.rename(b"/project/code", path) is Status.PERMISSION_DENIED
    assert machine.rename(b"/project", b"/project2") in REFUSED
    assert machine.status(Kind.RMDIR, string(b"/project")) in REFUSED
    machine.close()


def test_another_spelling_is_another_directory_and_no_way_in(home: Path) -> None:
    """Where cases are told apart, `Project` beside `project` was not shared read-write."""
    (home / "Project").mkdir()
    machine = served(home, ("project", True), writable=False)
    assert machine.write(b"/Project/new", b"x") is Status.PERMISSION_DENIED
    machine.close()
    machine = served(home, ("project", False))
    assert machine.write(b"/Project/new", b"x") is Status.PERMISSION_DENIED
    machine.close()


def test_credentials_that_are_named_are_seen_and_their_neighbours_are_not(home: Path) -> None:
    (home / ".config" / "gcloud" / "sub").mkdir()
    (home / ".config" / "gcloud" / "sub" / "file").write_bytes(b"named")
    machine = served(home, (".ssh", False), (".config/gcloud/sub", True), (".aws", False))
    assert machine.read(b"/.ssh/key") == SECRET
    assert machine.write(b"/.ssh/key", b"x") is Status.PERMISSION_DENIED
    assert ".ssh" in {name.decode() for name in names(machine.list(b"/"))}
    assert machine.list(b"/.config/gcloud") == {b"sub"}
    assert machine.read(b"/.config/gcloud/key") is Status.NO_SUCH_FILE
    assert machine.read(b"/.config/gcloud/sub/file") == b"named"
    assert machine.write(b"/.config/gcloud/sub/file", b"x") is Status.OK
    assert machine.write(b"/.config/gcloud/new", b"x") in REFUSED
    assert machine.rename(b"/.config/gcloud", b"/project/g") in REFUSED
    assert machine.status(Kind.READLINK, string(b"/.aws")) is Status.OK
    assert machine.read(b"/dotfiles/aws/key") == SECRET
    assert machine.rename(b"/project", b"/.aws") in REFUSED
    assert machine.read(b"/.netrc") is Status.NO_SUCH_FILE
    machine.close()


def test_a_named_directory_does_not_open_what_is_hidden_in_it(home: Path) -> None:
    (home / ".config" / "git").mkdir()
    (home / ".config" / "git" / "credentials").write_bytes(SECRET)
    machine = served(home, (".config", True), (".docker", True))
    assert machine.write(b"/.config/new", b"x") is Status.OK
    assert machine.read(b"/.config/gcloud/key") is Status.NO_SUCH_FILE
    assert machine.read(b"/.config/git/credentials") is Status.NO_SUCH_FILE
    assert machine.list(b"/.docker") == set(), "the store is never shared"
    assert machine.write(b"/.docker/machine/x", b"x") in REFUSED
    machine.close()


def test_what_is_hidden_in_what_is_read_only_is_hidden_before_it_is_there() -> None:
    known = policy.build("/home/me", ["/home/me/.config/git/credentials"], ["/home/me/.config/git"])
    assert known.verdict((b".config", b"git", b"credentials")) is Verdict.HIDDEN
    assert known.verdict((b".config", b"git", b"config")) is Verdict.READ_ONLY


def test_hidden_things_are_known_in_a_nested_share_by_what_they_are(home: Path) -> None:
    """The user moved it there; and what was named is no name for it elsewhere."""
    os.rename(home / ".netrc", home / "project" / "netrc")
    os.link(home / "project" / "netrc", home / ".netrc")
    machine = served(home, ("project", True))
    assert machine.read(b"/project/netrc") == SECRET, "a nested share has the rules of a share of its own"
    assert machine.read(b"/.netrc") is Status.NO_SUCH_FILE
    machine.close()


@pytest.mark.parametrize(
    ("path", "writable", "outer"),
    [
        ("a", False, True),
        ("a/b", True, True),
        ("a/b/c", True, True),
        ("a/b/c/d", False, True),
        ("a/b/c/d/e", False, True),
    ],
)
def test_the_innermost_share_counts(home: Path, path: str, writable: bool, outer: bool) -> None:
    (home / "a/b/c/d/e").mkdir(parents=True)
    machine = served(home, ("a", False), ("a/b/c/d", False), ("a/b", True), writable=outer)
    assert (machine.write(os.fsencode(f"/{path}/new"), b"x") is Status.OK) is writable
    assert machine.rename(os.fsencode(f"/{path}"), b"/moved") in REFUSED or path == "a/b/c/d/e"
    machine.close()


def test_what_is_open_ends_when_it_is_not_allowed_any_more(home: Path) -> None:
    root = os.path.realpath(home)
    known = [policy.build(root, [], [])]
    machine = Conversation(home)
    machine.tree.policy = lambda: known[-1]
    changed, stays = machine.handle(b"/project/code", READ | WRITE), machine.handle(b"/.bashrc", READ | WRITE)
    read = machine.handle(b"/project/code", READ)
    known.append(policy.build(root, [], [], nested=[(f"{root}/project", f"{root}/project", False)]))
    assert machine.status(Kind.WRITE, string(changed), u64(0), string(b"x")) is Status.BAD_MESSAGE
    assert machine.status(Kind.WRITE, string(stays), u64(0), string(b"x")) is Status.OK
    assert machine.status(Kind.FSTAT, string(read)) is Status.OK
    assert (home / "project" / "code").read_bytes() == b"code"
    machine.close()


HOME, PROJECT, OTHER = Share("/h", True, "/h"), Share("/h/p", False, "/h/p"), Share("/o", False, "/o")


def test_a_machine_mounts_the_outermost_share() -> None:
    deep = Share("/h/p/deep", True, "/h/p/deep")
    assert nesting.mounts([deep, PROJECT, HOME, OTHER]) == [
        nesting.Mount(HOME, (deep, PROJECT)),
        nesting.Mount(OTHER),
    ]
    assert nesting.mount_of(deep, [HOME, PROJECT, deep]).share == HOME
    assert nesting.mount_of(deep, [PROJECT, deep]).writable, "the kernel is to let through what the policy allows"
    assert not nesting.mount_of(OTHER, [HOME, OTHER]).writable
    assert nesting.around(deep, [HOME, PROJECT, deep]) == PROJECT
    assert nesting.around(HOME, [HOME, PROJECT]) is None
    assert nesting.mounts([Share("/h", True, "/h"), Share("/hh", True, "/hh")])[1].nested == ()


@pytest.mark.parametrize("target", ["/elsewhere", "/h", "/"])
def test_a_link_that_leads_out_is_no_share_in_another_one(target: str) -> None:
    inner = Share("/h/p", False, target)
    with pytest.raises(UsageError) as found:
        nesting.check([HOME, inner], "dev")
    assert f"machine share dev {target}:ro" in (found.value.resolution or "")
    assert nesting.mounts([HOME, inner]) == [nesting.Mount(HOME), nesting.Mount(inner)], "a record may say so"
    nesting.check([HOME, PROJECT, OTHER], "dev")


def test_a_link_inside_leads_to_where_it_counts(home: Path) -> None:
    (home / "short").symlink_to("project")
    machine = served(home, ("short", False))
    assert machine.write(b"/project/new", b"x") is Status.PERMISSION_DENIED
    assert machine.rename(b"/short", b"/long") in REFUSED
    assert machine.status(Kind.READLINK, string(b"/short")) is Status.OK
    machine.close()
