"""Private keys during a real create: looked for all the time in argument lists, logs and open files, on both sides."""

from __future__ import annotations

import os
import stat
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from tests.e2e.hosts import generic, key_lines, private_keys
from tests.labs.image import USER
from tests.labs.nspawn import Host
from tests.program import Program
from tests.provision.hosts import Boot

pytestmark = pytest.mark.lab
WORD = "hunter2-in-the-environment"  # a secret that is in no key file


class Watch:
    """Looks at all processes, and at the files below some directories, until it is left.

    The hosts' processes and files are visible from here: they are containers.
    """

    def __init__(self, *places: Path) -> None:
        self.places = places
        self.lines: set[bytes] = set()  # argument lists
        self.open_files: set[str] = set()  # private keys that others than the owner may touch
        self.closed_files: set[str] = set()
        self.looks = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._end.is_set() or not self.looks:
            for entry in os.scandir("/proc"):
                if entry.name.isdigit():
                    self._note_arguments(entry.path + "/cmdline")
            for path in self._files():
                self._note_file(path)
            self.looks += 1

    def _files(self) -> Iterator[str]:
        for place in self.places:
            for directory, _, names in os.walk(place):
                yield from (os.path.join(directory, name) for name in names)

    def _note_arguments(self, path: str) -> None:
        try:
            with open(path, "rb") as file:
                self.lines.add(file.read())
        except OSError:
            return  # it has ended

    def _note_file(self, path: str) -> None:
        try:
            facts = os.lstat(path)
            if not stat.S_ISREG(facts.st_mode) or facts.st_size > 100_000:
                return
            with open(path, "rb") as file:
                secret = private_keys(content := file.read()) or WORD.encode() in content
        except OSError:
            return  # it has gone
        if secret:
            (self.open_files if facts.st_mode & 0o077 else self.closed_files).add(path)


def test_the_watch_sees_what_it_should(tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_text("-----BEGIN PRIVATE KEY-----\n")
    key.chmod(0o640)
    with Watch(tmp_path) as watch:
        subprocess.run(["sleep", "0.4", "0.1234"], check=True)
    assert b"sleep\x000.4\x000.1234\0" in watch.lines
    assert watch.open_files == {str(key)}
    assert watch.closed_files == set()


@pytest.mark.parametrize("engine", ["running", "missing"])
def test_no_secret_is_ever_seen(boot: Boot, program: Program, tmp_path: Path, engine: str) -> None:
    host = boot(f"discreet-{engine}", engine=engine)
    with Watch(program.place, *host_places(host)) as watch:
        process = program.start("--debug", *generic(host, "--engine-install-url", "distro", user=USER), "dev")
        out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert watch.looks > 10
    assert watch.open_files == set()
    assert {Path(path).name for path in watch.closed_files} >= {"ca-key.pem", "key.pem", "server-key.pem", "id_rsa"}
    machine = program.store / "machines" / "dev"
    keys = key_lines(
        *(machine / name for name in ("key.pem", "server-key.pem", "id_rsa")), program.store / "certs/ca-key.pem"
    )
    assert len(keys) >= 8
    log = (machine / "machine.log").read_bytes()
    journal = host.run("journalctl --no-pager -o verbose --all").encode()
    assert b"sudo" in journal
    assert len(log) > 500
    for line in keys:
        assert [arguments for arguments in watch.lines if line in arguments] == []
        for seen in (out.encode(), err.encode(), log, journal):
            assert line not in seen
    assert not private_keys(out + err)
    assert not (program.store / "bug.log").exists()


def test_secrets_of_the_engine_stay_out_of_arguments_and_logs(boot: Boot, program: Program) -> None:
    """A password for a proxy, given by a file so that our own argument list is not what is found."""
    host = boot("proxied", engine="running")
    line = [*generic(host, "--engine-env", f"HTTPS_PROXY=http://me:{WORD}@10.0.0.1:3128", user=USER), "dev"]
    with Watch(program.place, *host_places(host)) as watch:
        process = program.start("--debug", *line)
        _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert watch.open_files == set()
    theirs = [arguments for arguments in watch.lines if WORD.encode() in arguments and b"-m\0machine" not in arguments]
    assert theirs == []
    assert WORD not in err
    assert WORD not in (program.store / "machines/dev/machine.log").read_text()
    assert WORD not in host.run("journalctl --no-pager -o verbose --all")


def test_every_file_and_directory_of_a_store_is_private(boot: Boot, program: Program) -> None:
    host = boot("modes", engine="running")
    before = os.umask(0)
    try:
        program(*generic(host), "dev").fine()
    finally:
        os.umask(before)
    public = {"ca.pem", "cert.pem", "server.pem", "id_rsa.pub"}
    for path in [program.store, *program.store.rglob("*")]:  # the umask was of no help
        wanted = 0o700 if path.is_dir() else 0o644 if path.name in public else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path


def host_places(host: Host) -> list[Path]:
    """Where a host keeps what provisioning writes: its disk as mounted here, its /run and /tmp by its first process."""
    inside = next(
        Path("/proc", name, "root")
        for name in os.listdir("/proc")
        if name.isdigit() and _comm(name) == "systemd" and _hostname(name) == host.name
    )
    return [
        *(host.root / part for part in ("etc/docker", "etc/systemd", "root", "home")),
        inside / "run",
        inside / "tmp",
    ]


def _comm(pid: str) -> str:
    try:
        return Path("/proc", pid, "comm").read_text().strip()
    except OSError:
        return ""


def _hostname(pid: str) -> str:
    try:
        return Path("/proc", pid, "root/etc/hostname").read_text().strip()
    except OSError:
        return ""
