"""ssh and scp on our terminal, tried again where sshd drops a connection before a login.

An sshd that has many connections without a login drops new ones at random (MaxStartups in sshd_config(5)). ssh then
prints one line, before it has sent who it is: nothing can have run on the machine, and the same command may be run
again. Any other message of ssh is passed on as it comes.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from machine import process
from machine.errors import ConnectionDropped, ShellError

TRIES = 12  # an sshd with MaxStartups 2:30:3 lets twelve clients in that begin at the same time, with room to spare
FIRST_PAUSE = 0.2  # seconds, at most; each next one may be half as long again: about 20 s in all
LONGEST_PAUSE = 3.0
DROPPED = (b"kex_exchange_identification:", b"ssh_exchange_identification:")  # how ssh begins that line
END = b"\0machine: end\0"  # written into the pipe by us after the program has ended; no message holds a NUL
KEPT = 64 * 1024  # bytes that are held back at most

_T = TypeVar("_T")


class Relay:
    """Passes on what a program writes to a pipe, and holds it back when it begins with one of DROPPED."""

    def __init__(self, source: int, target: int = 2) -> None:
        self._source, self._target = source, target
        self._held_output = b""
        self._passing = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> bool:
        """Whether the first line of the output is that sshd dropped the connection."""
        return not self._passing and self._held_output.startswith(DROPPED)

    def _read(self) -> None:
        while block := os.read(self._source, 8192):
            end = block.endswith(END)
            self._receive(block.removesuffix(END))
            if end:
                return

    def _receive(self, block: bytes) -> None:
        if not self._passing:
            self._held_output += block
            hold = self._held_output.startswith(DROPPED) or any(
                start.startswith(self._held_output) for start in DROPPED
            )
            if hold and len(self._held_output) < KEPT:
                return
            block, self._held_output, self._passing = self._held_output, b"", True
        os.write(self._target, block)

    def finish(self) -> None:
        """Wait until all has been read that was written before the mark END."""
        self._thread.join(5)

    def show(self) -> None:
        """Pass on the output that was held back."""
        if self._held_output:
            os.write(self._target, self._held_output)
            self._held_output = b""


def run(argv: Sequence[str], name: str, *, pause: Callable[[float], None] = time.sleep) -> int:
    """Run ssh, scp or rsync as process.foreground does, and return its status. `name` is the machine, for errors.

    Raises ShellError if sshd still drops the connection after TRIES.
    """
    relays: list[Relay] = []

    def attempt() -> int:
        status, relay = run_once(argv)
        relays[:] = [relay]
        if status and relay.dropped:
            raise ConnectionDropped("")
        return status

    try:
        return retry(attempt, name, pause=pause)
    finally:
        for relay in relays:
            relay.show()


def retry(attempt: Callable[[], _T], name: str, *, pause: Callable[[float], None] = time.sleep) -> _T:
    """Return what `attempt` returns; it is called again while sshd of the machine `name` drops it (ConnectionDropped).

    Raises ShellError if sshd still drops the connection after TRIES.
    """
    longest_pause = FIRST_PAUSE
    started_at = time.monotonic()
    for number in range(1, TRIES + 1):
        try:
            return attempt()
        except ConnectionDropped:
            if number < TRIES:
                pause(random.uniform(longest_pause / 4, longest_pause))  # noqa: S311 (so that clients do not come together again)
                longest_pause = min(longest_pause * 1.5, LONGEST_PAUSE)
    seconds = time.monotonic() - started_at
    raise ShellError(
        f"sshd of {name} dropped the connection {TRIES} times in {seconds:.0f} s, before any login",
        details="Nothing was run there. An sshd with many connections at once does so (MaxStartups in its sshd_config);"
        " so does one that was told to refuse this computer.",
        resolution="start fewer at the same time, or raise MaxStartups in /etc/ssh/sshd_config of the machine",
    )


def run_once(argv: Sequence[str]) -> tuple[int, Relay]:
    """Run the program once; return its status and the relay of its messages.

    ssh keeps its own messages apart from the remote command's by -E; scp and rsync have stderr for both.
    """
    if argv[0] == "ssh":
        return _run_with_log(argv)
    flags = argv[: argv.index("--")] if "--" in argv else []
    quiet = argv[0] == "scp" and "-q" in flags
    if quiet:  # it would keep ssh quiet about errors too; all that scp has for stdout is its progress
        at = flags.index("-q")
        argv = [*argv[:at], *argv[at + 1 :]]
    source, writer = os.pipe()
    relay = Relay(source)
    try:
        with open(os.devnull, "wb") as nowhere:
            status = process.foreground(argv, stderr=writer, stdout=nowhere.fileno() if quiet else None)
    finally:
        _finish_relay(relay, source, writer)
    return status, relay


def _run_with_log(argv: Sequence[str]) -> tuple[int, Relay]:
    """Run ssh once with its log in a named pipe, for it closes the files that it inherits."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="machine-ssh-") as directory:
        path = os.path.join(directory, "log")
        os.mkfifo(path, 0o600)
        source = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # an ordinary open would wait for a writer
        writer = os.open(path, os.O_WRONLY)
        os.set_blocking(source, True)
        relay = Relay(source)
        try:
            status = process.foreground([argv[0], "-E", path, *argv[1:]])
        finally:
            _finish_relay(relay, source, writer)
    return status, relay


def _finish_relay(relay: Relay, source: int, writer: int) -> None:
    try:
        os.write(writer, END)
    finally:
        os.close(writer)
        relay.finish()
        os.close(source)
