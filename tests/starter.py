"""Starts `python -m MODULE` as the fork of a process that has loaded what most commands load, of libraries only.

A command that connects to a machine spends more time on loading paramiko than on its work, and thousands are started.
What is not proven this way is that the interpreter starts and that the libraries are found: `Program.start` and
`Program.shell` start a real one. `python -m tests.starter FD` is the process that forks.
"""

from __future__ import annotations

import array
import contextlib
import functools
import importlib
import itertools
import json
import os
import runpy
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO, cast

LOADED = ("argparse", "asyncio", "concurrent.futures", "cryptography.x509", "http.client", "json", "paramiko", "ssl")
SDKS = {
    "amazonec2": ("boto3",),
    "azure": ("azure.identity", "azure.mgmt.compute", "azure.mgmt.network", "azure.mgmt.resource"),
    "digitalocean": ("libcloud.compute.providers", "libcloud.compute.drivers.digitalocean"),
    "openstack": ("openstack",),
}
MOST = 1 << 20  # bytes of a request: arguments and environment
ROOT = Path(__file__).parents[1]


class Starter:
    """The client of one forking process, which is started with the first request and ends with this one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None

    def start(self, module: str, words: Sequence[str], environ: Mapping[str, str], streams: Sequence[int]) -> Child:
        """Start a module with these arguments and environment in the directory where we are; `streams` are 0, 1, 2."""
        request: dict[str, Any] = {"module": module, "words": list(words), "environ": dict(environ)}
        request |= {"directory": os.getcwd(), "umask": _umask()}
        ours, theirs = socket.socketpair()
        with self._lock:
            server = self._server()
            data = json.dumps(request).encode()
            fds = array.array("i", [*streams, theirs.fileno()])
            server.sendmsg([struct.pack("!I", len(data))], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
            server.sendall(data)
        theirs.close()
        return Child(ours)

    def _server(self) -> socket.socket:
        if self._socket is None:
            ours, theirs = socket.socketpair()
            argv = [sys.executable, "-m", "tests.starter", str(theirs.fileno())]
            environ = {**os.environ, "PYTHONPATH": str(ROOT)}
            subprocess.Popen(argv, pass_fds=[theirs.fileno()], env=environ, cwd=ROOT)
            theirs.close()
            self._socket = ours
        return self._socket


def _umask() -> int:
    """Return the mode mask of this process, which the forking one does not hear of when a test changes it."""
    mask = os.umask(0o077)  # it can be read only by setting it
    os.umask(mask)
    return mask


class Child:
    """A program that was started; its process is the child of another one, which says how it ended."""

    def __init__(self, told: socket.socket) -> None:
        self._told = told.makefile("r")
        told.close()
        self.pid = int(self._told.readline())

    def wait(self) -> int:
        """Its exit status; the negative number of a signal that ended it."""
        with self._told:
            return int(self._told.readline())


Program = tuple[Mapping[str, Any], Sequence[int]]  # a request, and the descriptors that are to be 0, 1, 2


def serve(server: socket.socket) -> Program | None:
    """Fork for each request until the other side is closed; what is returned in a fork is what it shall be."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for keepers
    for name in LOADED:
        importlib.import_module(name)
    while True:
        head, ancillary, _, _ = server.recvmsg(4, socket.CMSG_SPACE(4 * array.array("i").itemsize))
        if not head:
            return None
        fds = array.array("i")
        for _, _, data in ancillary:
            fds.frombytes(data)
        request = json.loads(_exactly(server, struct.unpack("!I", head)[0]))
        _load_sdk(request["words"])
        if os.fork() == 0:
            server.close()
            _keep(*fds)
            return request, fds[:3]
        for fd in fds:
            os.close(fd)


def _exactly(server: socket.socket, size: int) -> bytes:
    assert size <= MOST
    data = bytearray()
    while len(data) < size:
        data += server.recv(size - len(data))
    return bytes(data)


def _load_sdk(words: Sequence[str]) -> None:
    """Load the SDK of the driver that is named, which serves the commands that follow, too."""
    for before, word in itertools.pairwise(words):
        if before in ("-d", "--driver"):
            for name in SDKS.get(word, ()):
                with contextlib.suppress(ImportError):
                    importlib.import_module(name)


def _keep(stdin: int, stdout: int, stderr: int, told: int) -> None:
    """Return in the program, a further fork; here say its process id, wait for it, say how it ended, and end."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        os.close(told)
        return
    for stream in (stdin, stdout, stderr):
        os.close(stream)
    with contextlib.suppress(OSError):  # who asked may be gone
        os.write(told, b"%d\n" % pid)
        os.write(told, b"%d\n" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    os._exit(0)


def become(request: Mapping[str, Any], streams: Sequence[int]) -> None:
    """Take the program's streams, directory, environment and arguments."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(request["directory"])
    os.umask(request["umask"])
    os.environ.clear()
    os.environ.update(request["environ"])
    sys.stdin, sys.stdout = _opened(0, "r", -1, sys.stdin), _opened(1, "w", -1, sys.stdout)
    sys.stderr = _opened(2, "w", 1, sys.stderr)
    sys.path[0] = request["directory"]
    sys.argv = [request["module"], *request["words"]]
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _opened(number: int, mode: str, buffering: int, like: TextIO) -> TextIO:
    """A stream as Python opened this one at its own start."""
    made = open(number, mode, buffering, encoding=like.encoding, errors=like.errors, closefd=False)  # noqa: SIM115
    return cast(TextIO, made)


@functools.cache
def starter() -> Starter:
    """The one of this process."""
    return Starter()


if __name__ == "__main__":
    found = serve(socket.socket(fileno=int(sys.argv[1])))
    if found is not None:
        become(*found)
        runpy.run_module(found[0]["module"], run_name="__main__", alter_sys=True)  # and end as it ends
