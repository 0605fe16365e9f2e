"""Starts `python -m MODULE` as the fork of a process that has loaded what most commands load, of libraries only.

A command that connects to a machine spends more time on loading paramiko than on its work, and thousands are started.
What is not proven this way is that the interpreter starts and that the libraries are found: `Program.start` and
`Program.shell` start a real one. `python -m tests.starter FD` is the process that forks.
"""

from __future__ import annotations

import array
import atexit
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
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, TextIO, cast

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
    """The mode mask of this process, which the forking one does not hear of when a test changes it."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("Umask:"):
            return int(line.split()[1], 8)
    return 0o022


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


def serve(server: socket.socket) -> None:
    """Fork a keeper for each request, until the other side is closed."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for keepers
    for name in LOADED:
        importlib.import_module(name)
    while True:
        head, ancillary, _, _ = server.recvmsg(4, socket.CMSG_SPACE(4 * array.array("i").itemsize))
        if not head:
            return
        fds = array.array("i")
        for _, _, data in ancillary:
            fds.frombytes(data)
        request = json.loads(_exactly(server, struct.unpack("!I", head)[0]))
        _load_sdk(request["words"])
        if os.fork() == 0:
            server.close()
            _keep(request, list(fds))
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


def _keep(request: Mapping[str, Any], fds: Sequence[int]) -> NoReturn:
    """Fork the program, say its process id, wait for it, and say how it ended."""
    *streams, told = fds
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        os.close(told)
        _become(request, streams)
    for stream in streams:
        os.close(stream)
    with contextlib.suppress(OSError):  # who asked may be gone
        os.write(told, b"%d\n" % pid)
        os.write(told, b"%d\n" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    os._exit(0)


def _become(request: Mapping[str, Any], streams: Sequence[int]) -> NoReturn:
    """Be the program: its streams, directory, environment and arguments; then run the module and end as Python does."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    for stream in streams:
        if stream > 2:
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
    os._exit(_run(request["module"]))


def _opened(number: int, mode: str, buffering: int, like: TextIO) -> TextIO:
    """A stream as Python opened this one at its own start."""
    made = open(number, mode, buffering, encoding=like.encoding, errors=like.errors, closefd=False)  # noqa: SIM115
    return cast(TextIO, made)


def _run(module: str) -> int:
    """Run a module as `python -m` does; the exit status."""
    status: object = 0
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        status = ended.code
        if status is not None and not isinstance(status, int):
            print(status, file=sys.stderr)
            status = 1
    except BaseException:
        traceback.print_exc()
        status = 1
    threading._shutdown()  # type: ignore[attr-defined]  # threads that are no daemons are waited for, as at any end
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    return int(status or 0) & 0xFF  # type: ignore[call-overload,no-any-return]


@functools.cache
def starter() -> Starter:
    """The one of this process."""
    return Starter()


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
