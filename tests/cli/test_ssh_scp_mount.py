"""ssh, scp and mount as typed, against real sshds."""

from __future__ import annotations

import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from machine.store import Record, Store
from tests.sshd import Sshd, keygen

BOTH = pytest.mark.parametrize("native", [False, True], ids=["system", "native"])


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    server = Sshd(tmp_path_factory.mktemp("sshd"))
    yield server
    server.stop()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    root = tmp_path / "a store"  # the space has to survive every quoting
    monkeypatch.setenv("MACHINE_STORAGE_PATH", str(root))
    return Store(str(root))


def enrol(store: Store, name: str, sshd: Sshd, *, host_key: bool = True) -> Path:
    """A generic machine that is `sshd`; its directory."""
    store.add(name)
    directory = Path(store.directory(name))
    shutil.copy(sshd.key, directory / "id_ed25519")
    if host_key:
        (directory / "known_hosts").write_text(sshd.host_line(name))
    driver = {
        "IPAddress": sshd.address, "SSHPort": sshd.port, "SSHUser": sshd.user,
        "SSHKeyPath": str(directory / "id_ed25519"), "EnginePort": 2376,
    }  # fmt: skip
    record = Record.new(store.root, name, "generic", driver)
    record.phase = "ready"
    store.save(record)
    return directory


def machine(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "machine", *words]
    options = {"stdin": subprocess.DEVNULL, "capture_output": True, "timeout": 60} | options
    done: subprocess.CompletedProcess[str] = subprocess.run(argv, text=True, check=False, **options)
    return done


@BOTH
def test_status_and_streams_pass_through(store: Store, sshd: Sshd, native: bool) -> None:
    enrol(store, "dev", sshd)
    flags = ["--native-ssh"] if native else []
    done = machine(*flags, "ssh", "dev", "exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, "", "")
    done = machine("ssh", *flags, "dev", "echo", "out;", "echo err >&2")
    assert (done.returncode, done.stdout, done.stderr) == (0, "out\n", "err\n")


@BOTH
def test_stdin_streams_both_ways(store: Store, sshd: Sshd, native: bool) -> None:
    enrol(store, "dev", sshd)
    flags = ["--native-ssh"] if native else []
    content = "0123456789abcdef" * 200_000
    done = machine("ssh", *flags, "dev", "cat", stdin=None, input=content)
    assert done.stdout == content
    done = machine("ssh", "dev", *flags, "head -c 4 >&2; exit 9", stdin=None, input=content)
    assert (done.returncode, done.stderr) == (9, "0123")


@BOTH
def test_no_name_is_the_machine_called_default(store: Store, sshd: Sshd, native: bool) -> None:
    flags = ["--native-ssh"] if native else []
    done = machine("ssh", *flags)
    assert done.returncode == 4
    assert "no machine called default" in done.stderr
    enrol(store, "default", sshd)
    done = machine("ssh", *flags, stdin=None, input="echo here\nexit 5\n")
    assert done.returncode == 5
    assert "here\n" in done.stdout


def test_a_missing_machine(store: Store) -> None:
    done = machine("ssh", "nope", "true")
    assert done.returncode == 4
    assert "nope" in done.stderr


def test_words_after_the_name_are_ssh_options_up_to_the_command(store: Store, sshd: Sshd) -> None:
    enrol(store, "dev", sshd)
    done = machine("ssh", "dev", "-o", "SetEnv=X=1", "-v", "echo", "-n", "-L")
    assert done.stdout == "-L"
    assert "debug1: Reading configuration" in done.stderr
    assert machine("ssh", "-q", "dev", "--", "exit 3").returncode == 3
    assert machine("ssh", "nobody-of-that-name@dev", "true").returncode == 255


def test_a_port_is_forwarded(store: Store, sshd: Sshd) -> None:
    from machine.ssh.client import answering
    from tests.sshd import free_port

    enrol(store, "dev", sshd)
    port = free_port()
    forward = f"127.0.0.1:{port}:{sshd.address}:{sshd.port}"
    argv = [sys.executable, "-m", "machine", "ssh", "dev", "-L", forward, "-N"]
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while not (answered := answering("127.0.0.1", port, 1)):
            assert child.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        child.terminate()  # passed on to ssh, which ends
        assert child.wait(60) in (0, 128 + signal.SIGTERM, 255)
    answered.close()
    assert answering("127.0.0.1", port, 1) is None


@BOTH
def test_another_host_key_is_refused_until_it_is_forgotten(
    store: Store, sshd: Sshd, native: bool, tmp_path: Path
) -> None:
    directory = enrol(store, "dev", sshd)
    flags = ["--native-ssh"] if native else []
    other = Path(f"{keygen(tmp_path / 'other')}.pub").read_text().split()
    (directory / "known_hosts").write_text(f"dev {other[0]} {other[1]}\n")
    done = machine("ssh", *flags, "dev", "echo no")
    assert (done.returncode, done.stdout) == (255, "")
    assert "host key" in done.stderr.lower()
    done = machine("ssh", "--forget-host-key", "dev")
    assert (done.returncode, done.stdout) == (0, "")
    assert machine("ssh", *flags, "dev", "echo yes").stdout == "yes\n"
    assert (directory / "known_hosts").read_text() == sshd.host_line("dev")


@BOTH
def test_a_store_of_docker_machine_has_no_host_keys_and_gets_them(store: Store, sshd: Sshd, native: bool) -> None:
    directory = enrol(store, "old", sshd, host_key=False)
    done = machine("ssh", *(["--native-ssh"] if native else []), "old", "echo in")
    assert (done.returncode, done.stdout, done.stderr) == (0, "in\n", "")
    assert (directory / "known_hosts").read_text() == sshd.host_line("old")


@BOTH
def test_a_machine_that_is_down_is_said_to_be_down(store: Store, tmp_path: Path, native: bool) -> None:
    server = Sshd(tmp_path / "own")
    enrol(store, "dev", server)
    server.stop()
    done = machine("ssh", *(["--native-ssh"] if native else []), "dev", "true")
    assert done.returncode == 255
    assert "Error: dev is not running: its state is Stopped" in done.stderr


def test_a_url_has_no_shell(store: Store) -> None:
    store.add("far")
    record = Record.new(store.root, "far", "none", {"URL": "tcp://192.0.2.1:2376"})
    record.phase = "ready"
    store.save(record)
    done = machine("ssh", "far")
    assert done.returncode == 1
    assert "no host to log in to" in done.stderr


def test_the_built_in_client_says_which_option_it_lacks(store: Store, sshd: Sshd) -> None:
    enrol(store, "dev", sshd)
    done = machine("--native-ssh", "ssh", "dev", "-L", "1:localhost:2")
    assert done.returncode == 2
    assert "no option -L" in done.stderr


def test_without_ssh_on_the_path_the_built_in_client_is_used(
    store: Store, sshd: Sshd, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    enrol(store, "dev", sshd)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine("ssh", "dev", "echo built in").stdout == "built in\n"


@BOTH
def test_a_terminal_here_is_a_terminal_there(store: Store, sshd: Sshd, native: bool) -> None:
    enrol(store, "dev", sshd)
    flags = ["--native-ssh"] if native else []
    child, master = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-m", "machine", "ssh", *flags, "dev"])  # noqa: S606
    import fcntl
    import struct
    import termios

    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 31, 97, 0, 0))
    os.write(master, b"tty; stty size; exit 6\n")
    seen = b""
    try:
        while data := os.read(master, 4096):
            seen += data
    except OSError:
        pass  # Linux's way to say that the other side has closed
    _, status = os.waitpid(child, 0)
    os.close(master)
    assert os.waitstatus_to_exitcode(status) == 6
    assert b"/dev/pts/" in seen
    assert b"31 97" in seen


def test_ctrl_c_goes_to_the_command(store: Store, sshd: Sshd) -> None:
    """SIGINT to the whole group, as a terminal sends it: ssh ends by it, we report it and show no traceback."""
    enrol(store, "dev", sshd)
    argv = [sys.executable, "-m", "machine", "ssh", "dev", "echo up; sleep 30"]
    child = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "up\n"
    os.killpg(child.pid, signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert child.returncode in (128 + signal.SIGINT, 255)
    assert "Traceback" not in err


def test_scp_there_and_back(store: Store, sshd: Sshd, tmp_path: Path) -> None:
    enrol(store, "dev", sshd)
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "sub" / "file").write_bytes(os.urandom(100_000))
    there, back = tmp_path / "there", tmp_path / "back"
    done = machine("scp", "-q", "-r", str(tree), f"dev:{there}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert machine("scp", f"{sshd.user}@dev:{there}/sub/file", str(back), "-q").returncode == 0
    assert back.read_bytes() == (tree / "sub" / "file").read_bytes()
    assert machine("scp", f"localhost:{back}", f"dev:{tmp_path}/third").returncode == 0
    assert (tmp_path / "third").read_bytes() == back.read_bytes()


def test_scp_passes_the_status_through(store: Store, sshd: Sshd, tmp_path: Path) -> None:
    enrol(store, "dev", sshd)
    done = machine("scp", f"dev:{tmp_path}/nothing", str(tmp_path))
    assert done.returncode == 1
    assert "No such file" in done.stderr


def test_scp_between_machines_with_different_keys(store: Store, tmp_path: Path) -> None:
    one, two = Sshd(tmp_path / "one"), Sshd(tmp_path / "two", address="127.0.0.2")
    try:
        first = enrol(store, "one", one)
        enrol(store, "Two", two)
        (tmp_path / "file").write_text("over two hops")
        done = machine("scp", "-q", f"one:{tmp_path}/file", f"Two:{tmp_path}/copy")
        assert (done.returncode, done.stderr) == (0, "")
        assert (tmp_path / "copy").read_text() == "over two hops"
        assert (one.logins(), two.logins()) == (1, 1)
        assert list(first.glob(".scp-*")) == []
    finally:
        one.stop()
        two.stop()


@pytest.mark.skipif(shutil.which("rsync") is None, reason="needs rsync")
def test_scp_delta_sends_only_what_differs(store: Store, sshd: Sshd, tmp_path: Path) -> None:
    enrol(store, "dev", sshd)
    source = tmp_path / "source"
    source.mkdir()
    (source / "a b").write_text("1")
    assert machine("scp", "-d", "-r", f"{source}/", f"dev:{tmp_path}/target").returncode == 0
    assert (tmp_path / "target" / "a b").read_text() == "1"
    (source / "c").write_text("2")
    done = machine("scp", "--delta", "-r", f"{source}/", f"dev:{tmp_path}/target")
    assert "c" in done.stdout.split()
    assert "a b" not in done.stdout
    done = machine("scp", "-d", "dev:/a", "dev:/b")
    assert done.returncode == 2
    assert "rsync cannot copy from machine to machine" in done.stderr


def test_scp_needs_two_sides_and_one_of_them_far(store: Store) -> None:
    assert machine("scp", "a").returncode == 2
    done = machine("scp", "a", "b")
    assert done.returncode == 2
    assert "neither side is on a machine" in done.stderr
    assert machine("scp", "a", "nope:b").returncode == 4


@pytest.mark.lab
@pytest.mark.skipif(
    shutil.which("sshfs") is None or not os.access("/dev/fuse", os.R_OK | os.W_OK), reason="needs sshfs and /dev/fuse"
)
def test_mount_and_unmount(store: Store, sshd: Sshd, tmp_path: Path) -> None:
    enrol(store, "default", sshd)
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    done = machine("mount", f"default:{there}", str(here))
    assert done.returncode == 1
    assert "mkdir" in done.stderr
    here.mkdir()
    for source in (f"default:{there}", str(there)):  # without a colon: the machine called default
        done = machine("mount", source, str(here))
        assert (done.returncode, done.stderr) == (0, "")
        try:
            (here / "file").write_text("through ssh")
            assert (there / "file").read_text() == "through ssh"
        finally:
            done = machine("mount", "-u", source, str(here))
        assert (done.returncode, done.stderr) == (0, "")
        assert list(here.iterdir()) == []
