"""The program of a plugin: started, its first line read, its words passed on, and ended.

It gets docker-machine's two variables, says `host:port` in its first line on stdout, writes what the user may want to
know to stdout and all else to stderr. Nothing secret goes into its arguments: it has none.
"""

from __future__ import annotations

import collections
import contextlib
import errno
import ipaddress
import os
import platform
import queue
import shlex
import shutil
import subprocess
import threading
from collections.abc import Callable, Mapping
from typing import IO

from machine import files, hostport
from machine.errors import DriverError
from machine.process import PRIVATE

TOKEN = {"MACHINE_PLUGIN_TOKEN": "42"}  # what docker-machine says; a plugin started by hand has not got it
PREFIX = "docker-machine-driver-"
ADDRESS_SECONDS = 10.0
END_SECONDS = 2.0
LAST_LINES = 12  # of stderr, for errors; of a Go panic the first ones, which say what it was
LINE_LIMIT = 64 * 1024
MOST_SHOWN, LONGEST_SHOWN = 10_000, 4096  # lines passed on of one program, and letters of each


def unusable(path: str, why: str, said: str = "") -> DriverError:
    """The error for a plugin that cannot be talked with: `why` goes on from its path, `said` are its own words."""
    return DriverError(
        f"the plugin {path} {why}",
        details=said,
        resolution=f"see that {path} is a driver plugin for docker-machine, made for {platform.system()} on "
        f"{platform.machine()}, and install its newest release; or remove it from the PATH",
    )


def _reason(error: OSError, path: str) -> str:
    """Why the system does not start a program, in words that lead to the cure."""
    if error.errno == errno.ENOEXEC:
        return "it is no program for this processor and system"
    if error.errno == errno.ENOENT and os.path.exists(path):
        return "the interpreter or loader that it asks for is not there"
    return error.strerror or str(error)


class Program:
    """A running plugin. Ctrl-C at the terminal does not reach it: what it began is ours to end or wait for."""

    def __init__(self, path: str, name: str, environ: Mapping[str, str], say: Callable[[str], None]) -> None:
        """Start it. Raises DriverError if it cannot be started or says no address."""
        self._say, self._last = say, collections.deque[str](maxlen=1000)
        self._first: queue.Queue[str] = queue.Queue()
        self.path = path
        self._refuse_shared()
        try:
            self.process = subprocess.Popen(
                [path],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**environ, **TOKEN, "MACHINE_PLUGIN_DRIVER_NAME": name},
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
                process_group=0 if os.name == "posix" else None,
                umask=PRIVATE,  # what it writes into the machine's directory is the user's alone
            )
        except OSError as error:
            raise unusable(path, f"cannot be started: {_reason(error, path)}") from None
        self._guard = _guard(self.process.pid)
        self._readers = [
            threading.Thread(target=work, args=(stream,), daemon=True)
            for work, stream in ((self._read_out, self.process.stdout), (self._read_err, self.process.stderr))
        ]
        for reader in self._readers:
            reader.start()
        try:
            self.address = self._address()
        except BaseException:
            self.end()
            raise

    def _refuse_shared(self) -> None:
        """Raises DriverError for a program that any user of this host could have written: it would run as this one."""
        with contextlib.suppress(OSError):  # it is not there: starting it tells
            if not files.anybody_changes(self.path):
                return
            raise DriverError(
                f"the plugin {self.path} is not started: every user of this host can change it, or its directory",
                resolution=f"see that it is what you installed, then: chmod o-w {shlex.quote(self.path)} (and its "
                "directories)",
            )

    def _address(self) -> tuple[str, int]:
        try:
            line = self._first.get(timeout=ADDRESS_SECONDS)
        except queue.Empty:
            line = ""
        host, port = hostport.split(line.strip())
        if not (_is_here(host) and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            raise self._no_address(line.strip())
        return host, int(port)

    def _no_address(self, line: str) -> DriverError:
        said = self.last_words()
        status = self.process.poll()
        if status is not None and not line:
            end = f"with status {status}" if status >= 0 else f"by signal {-status}"
            return unusable(self.path, f"ended at once, {end}, and does not say where it listens", said)
        if not line:
            return unusable(self.path, f"does not say where it listens within {ADDRESS_SECONDS:g} s", said)
        return unusable(self.path, "does not say where it listens", f"its first line: {line[:200]}\n{said}".strip())

    def last_words(self) -> str:
        """The end of what it wrote to stderr, or what it panicked about; whole once it has ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(0.2)
            self._readers[1].join(1.0)
        lines = list(self._last)
        for at, line in enumerate(lines):
            if line.startswith(("panic: ", "fatal error: ")):
                return "\n".join(lines[at : at + LAST_LINES])
        return "\n".join(lines[-LAST_LINES:])

    def end(self, patience: float = 0.0) -> None:
        """Wait `patience` seconds for its own end, then end it."""
        for ask, seconds in ((None, patience), (self.process.terminate, END_SECONDS), (self.process.kill, END_SECONDS)):
            if ask is not None:
                ask()
            try:
                self.process.wait(seconds)
                break
            except subprocess.TimeoutExpired:
                continue
        self._dismiss()
        for reader in self._readers:
            reader.join(1.0)

    def _dismiss(self) -> None:
        """Let the guard go: there is nothing to be ended any more, or soon."""
        if self._guard is not None and self._guard.stdin is not None:
            self._guard.kill()
            self._guard.wait()
            self._guard.stdin.close()

    def _read_out(self, stream: IO[bytes]) -> None:
        first, shown = True, 0
        while line := stream.readline(LINE_LIMIT):
            text = line.decode("utf-8", "replace").rstrip()
            if first:
                self._first.put(text)
                first = False
            elif text:
                shown += 1
                if shown <= MOST_SHOWN:
                    self._say(text[:LONGEST_SHOWN])
                elif shown == MOST_SHOWN + 1:
                    self._say(f"{self.path} says more than {MOST_SHOWN} lines: the rest is not shown")
        if first:
            self._first.put("")
        stream.close()
        self._dismiss()

    def _read_err(self, stream: IO[bytes]) -> None:
        while line := stream.readline(LINE_LIMIT):
            self._last.append(line[:LONGEST_SHOWN].decode("utf-8", "replace").rstrip())
        stream.close()


def _is_here(host: str) -> bool:
    """Whether a host is this computer, without asking anybody: a name such as 127.example.com may be anywhere."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _guard(pid: int) -> subprocess.Popen[bytes] | None:
    """A shell that ends the plugin `pid` once this process is gone, however that came about.

    By itself the plugin would go on for ten seconds, and nobody would write down what it makes.
    """
    if os.name != "posix":
        return None
    with contextlib.suppress(OSError):
        return subprocess.Popen(
            ["/bin/sh", "-c", 'read -r _; kill -KILL "$0"', str(pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )
    return None


def find(name: str) -> str:
    """The path of the plugin for driver `name` on PATH, "" if there is none."""
    if not name or not all(character.isalnum() or character in "-_." for character in name):
        return ""
    return shutil.which(PREFIX + name, path=os.pathsep.join(_directories())) or ""


def names() -> list[str]:
    """The drivers that have a plugin on PATH."""
    found = set()
    for directory in _directories():
        with contextlib.suppress(OSError):
            found |= {entry.removesuffix(".exe") for entry in os.listdir(directory) if entry.startswith(PREFIX)}
    return sorted(entry.removeprefix(PREFIX) for entry in found)


def _directories() -> list[str]:
    """Those of the PATH that are the same wherever one is: a plugin is not taken from the directory at hand."""
    return [directory for directory in os.get_exec_path() if os.path.isabs(directory)]
