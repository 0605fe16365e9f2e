"""What protects a home directory beside its names: links, variables, other stores, this program, the kernel."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from machine.errors import UsageError
from machine.share import credentials, kernel_files, policy, spec
from machine.share.protocol import Kind, Status, string
from tests.share.conversation import Conversation
from tests.share.shared_home import REFUSED, SECRET, home, machine, of_home

__all__ = ["home", "machine"]


def test_a_link_on_the_way_to_what_is_judged_stays(home: Path) -> None:
    """`~/.bashrc -> current/bashrc` where `current` is a link itself, which would be free to be replaced."""
    (home / "v2" / "ssh").mkdir(parents=True)
    (home / "v2" / "ssh" / "key").write_bytes(SECRET)
    (home / "v2" / "zshrc").write_bytes(b"# mine")
    (home / "current").symlink_to("v2")
    (home / ".zshrc").symlink_to("current/zshrc")
    (home / ".kube").symlink_to(f"{home}/current/ssh")
    machine = of_home(home, home)
    for path in (b"/current", b"/.zshrc", b"/v2", b"/v2/zshrc", b"/v2/ssh", b"/.kube"):
        assert machine.status(Kind.REMOVE, string(path)) in REFUSED, path
        assert machine.rename(path, b"/project/x") in REFUSED, path
        assert machine.rename(b"/project", path) in REFUSED, path
    assert machine.write(b"/v2/zshrc", b"evil") is Status.PERMISSION_DENIED
    assert machine.read(b"/v2/ssh/key") is Status.NO_SUCH_FILE
    assert machine.write(b"/v2/free", b"x") is Status.OK
    machine.close()


def test_a_link_of_a_home_directory_that_is_reached_by_a_link_stays(home: Path) -> None:
    """HOME=/home/me where /home is a link: the links in it have the name behind that link, too."""
    way = home.parent / "way"
    way.symlink_to(home)
    (home / "dotfiles" / "bashrc").write_bytes(b"# mine")
    (home / ".bashrc").unlink()
    (home / ".bashrc").symlink_to("dotfiles/bashrc")
    machine = of_home(home, way)
    for path in (b"/.bashrc", b"/.aws"):
        assert machine.rename(b"/project", path) in REFUSED
        assert machine.status(Kind.REMOVE, string(path)) in REFUSED
    assert machine.read(b"/.ssh/key") is Status.NO_SUCH_FILE
    machine.close()


def test_files_that_judged_directories_link_to_are_judged(home: Path) -> None:
    """Settings that are kept in a repository: `~/.ssh/config` and units of systemd that are links to it."""
    for place, target in ((".ssh/config", "ssh-config"), (".config/systemd/user/a.service", "a.service")):
        (home / "dotfiles" / target).write_bytes(SECRET)
        (home / place).parent.mkdir(parents=True, exist_ok=True)
        (home / place).symlink_to(home / "dotfiles" / target)
    (home / ".ssh" / "all").symlink_to(home / "project")
    machine = of_home(home, home)
    assert machine.read(b"/dotfiles/ssh-config") is Status.NO_SUCH_FILE
    assert machine.write(b"/dotfiles/a.service", b"evil") is Status.PERMISSION_DENIED
    assert machine.read(b"/dotfiles/a.service") == SECRET
    assert machine.write(b"/project/code", b"x") is Status.OK, "a directory is not hidden by a link to it"
    machine.close()


def test_another_store_is_seen_nowhere(machine: Conversation, home: Path) -> None:
    """That of another --storage-path, which nobody has a list of."""
    for name in ("certs/ca-key.pem", "machines/dev/id_ed25519"):
        (home / "project" / "second" / name).parent.mkdir(parents=True)
        (home / "project" / "second" / name).write_bytes(SECRET)
    for path in (b"/certs/ca-key.pem", b"/machines/dev/id_ed25519", b"/certs", b"/new"):
        assert machine.read(b"/project/second" + path) in REFUSED
        assert machine.write(b"/project/second" + path, b"x") in REFUSED
    assert machine.list(b"/project/second") is Status.NO_SUCH_FILE
    assert machine.rename(b"/project/second/certs", b"/project/certs") in REFUSED


def test_a_store_whose_machines_are_on_another_disk_is_hidden(home: Path) -> None:
    store = home / ".docker" / "machine"
    (home / "big").mkdir()
    os.rename(store / "machines", home / "big" / "machines")
    (store / "machines").symlink_to(home / "big" / "machines")
    machine = of_home(home, home)
    assert machine.read(b"/big/machines/key") is Status.NO_SUCH_FILE
    assert machine.write(b"/big/machines/key", b"x") in REFUSED
    machine.close()


def test_what_is_where_variables_say_counts(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {"XDG_CONFIG_HOME": f"{home}/settings", "KUBECONFIG": f"{home}/project/a:{home}/project/b"}
    hidden = credentials.hidden(str(home), "/store", environ)
    assert {f"{home}/settings/gcloud", f"{home}/.config/gcloud", f"{home}/project/b"} <= set(hidden)
    assert f"{home}/settings/systemd" in credentials.read_only(str(home), environ)
    monkeypatch.setenv("HOME", str(home))
    assert str(home) in credentials.homes("/")
    assert "/root" in credentials.homes("/root"), "whose credentials are hidden from a share that another one serves"


def test_the_program_itself_is_read_only() -> None:
    package = os.path.dirname(os.path.abspath(credentials.__file__))
    known = policy.build(os.path.dirname(os.path.dirname(package)), [], credentials.read_only("/home/me"))
    assert known.verdict([b"machine", b"share", b"server.py"]) is policy.Verdict.READ_ONLY


def test_file_systems_of_the_kernel_are_known_wherever_they_are(tmp_path: Path) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(
        "21 1 0:20 / /home/me/a\\040tree/proc rw,nosuid shared:5 - proc proc rw\n"
        "22 1 8:1 / / rw - ext4 /dev/a rw\nodd\n23 1 0:21 / /sys rw - sysfs sysfs rw\n"
    )
    assert kernel_files.places(str(table)) == ["/home/me/a tree/proc", "/sys"]
    assert kernel_files.places(str(tmp_path / "none")) == []
    with pytest.raises(UsageError, match="kernel"):
        spec.checked(spec.Share("/proc/self", True), "/store")


def test_a_link_to_credentials_does_not_name_them(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine that has the home directory makes it, for its user to share it with another machine."""
    monkeypatch.setenv("HOME", str(home))
    (home / ".config" / "autostart").mkdir()
    (home / "project" / "start").symlink_to(home / ".config" / "autostart")
    for path in (home / "project" / "to-ssh", home / "project" / "to-ssh" / "sub", home / "project" / "start"):
        (home / ".ssh" / "sub").mkdir(exist_ok=True)
        with pytest.raises(UsageError, match="is a link to"):
            spec.checked(spec.Share(str(path), True), "/store")
    assert spec.checked(spec.Share(str(home / "project" / "start"), False), "/store")
    for named in (".ssh", ".ssh/sub", ".aws", "dotfiles/aws"):
        assert spec.checked(spec.Share(str(home / named), False), "/store").target


def test_a_file_is_not_hidden_because_a_process_has_it_open(home: Path) -> None:
    """/proc/PID/fd has a link to it: one that the machine itself was reading was taken from it in the midst of that."""
    with (home / "project" / "code").open("rb"):
        known = policy.build(str(home.resolve()), [], [], of_kernel=kernel_files.places())
    assert known.verdict((b"project", b"code")) is policy.Verdict.FREE
    inside = policy.build("/a", [], [], of_kernel=["/a/tree/proc", "/sys"])
    assert inside.verdict((b"tree", b"proc", b"self")) is policy.Verdict.HIDDEN
    assert inside.verdict((b"tree",)) is policy.Verdict.PARENT
