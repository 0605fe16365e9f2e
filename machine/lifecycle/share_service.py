"""The process that serves one share to one machine: `python -m machine.lifecycle.share_service STORE NAME TAG`.

It logs in, mounts the share there and answers what the machine asks, and does that again after every break. While it
works it holds the share's lock file (machine.background); it ends when that file is gone. What comes of it is in
the share's state file, which `machine share` shows.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from machine import background, clients, paths
from machine.errors import LockHeld, MachineError
from machine.lifecycle import share_files
from machine.lifecycle.share_files import State
from machine.provision import packages
from machine.share import credentials, kernel_files, mount, nesting, policy, server, stream, tree
from machine.share.nesting import Mount
from machine.share.spec import from_record
from machine.ssh.client import SshShell
from machine.store import Record, Store

GIVE_UP = 600.0  # seconds without a connection after which the machine is taken to be off
LOGIN_SECONDS = 30.0
INSTALL_SECONDS = 600.0
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 15.0  # between two logins
LOOK_EVERY = 10.0  # seconds between two looks at the lock file, and at what is hidden
OPEN_FILES = server.MOST_HANDLES + 256
MOST_STDERR = 8192  # bytes kept of what a machine says beside the conversation


if TYPE_CHECKING:
    from paramiko import Channel


class Refused(Exception):
    """The machine cannot have this share, now or later."""


class Ended(Exception):
    """Nobody wants the share any more."""


class MountedAnew(Exception):
    """The share is to be mounted in another way. No OSError: those are answers to the machine."""


class Talk:
    """A channel to a machine, beside which `look` is called every LOOK_EVERY seconds, however busy or slow that is."""

    def __init__(self, channel: Channel, look: Callable[[], None]) -> None:
        self._channel, self._look, self._looked_at = channel, look, time.monotonic()

    def receive(self, count: int) -> bytes:
        """What comes next, b"" at the end."""
        found: bytes = self._patiently(lambda: self._channel.recv(count))
        return found

    def send(self, data: bytes) -> None:
        """Send all of it. A machine that does not read may take its time: nothing piles up here."""
        while data:
            sent = self._patiently(partial(self._channel.send, data))
            if not sent:
                raise EOFError("the connection ended")
            data = data[sent:]

    def _patiently(self, attempt: Callable[[], Any]) -> Any:
        while True:
            if time.monotonic() - self._looked_at >= LOOK_EVERY:
                self._look()
                self._looked_at = time.monotonic()
            try:
                return attempt()
            except TimeoutError:
                continue


@dataclass
class Service:
    """One share that is mounted, with those in it, and its place in the store."""

    store: Store
    name: str
    tag: str
    known_policy: policy.Policy = field(default_factory=policy.Policy)
    was_mounted: bool = False  # on the connection that has ended
    judged: Mount | None = None  # what `known_policy` was made for
    seen: tuple[int, ...] = ()  # what tells one writing of the record from another one

    def run(self) -> None:
        """Serve until nobody wants the share any more, or the machine is off or refuses it."""
        pause, lost_at = FIRST_PAUSE, time.monotonic()
        while True:
            try:
                record, found = self.wanted()
                self.serve_once(record, found)
                reason = "the connection ended"
            except Ended:
                return
            except Refused as error:
                self._say(State.FAILED, str(error))
                return
            except Exception as error:  # whatever a machine sends: the service outlives it
                reason = error.brief if isinstance(error, MachineError) else str(error)
            if self.was_mounted:
                pause, lost_at, self.was_mounted = FIRST_PAUSE, time.monotonic(), False
            if time.monotonic() - lost_at > GIVE_UP:
                self._say(State.FAILED, f"no connection for {GIVE_UP / 60:g} minutes: {reason}")
                return
            self._say(State.CONNECTING, reason)
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def wanted(self) -> tuple[Record, Mount]:
        """The record and the share with those in it. Raises Ended when it is not mounted by itself any more."""
        if not os.path.exists(share_files.lock(self.store, self.name, self.tag)):
            raise Ended
        self.seen = self._writing_of_record()
        record = self.store.load(self.name)
        for found in nesting.mounts(from_record(record.shares())):
            if found.share.tag == self.tag:
                return record, found
        raise Ended

    def _writing_of_record(self) -> tuple[int, ...]:
        try:
            found = os.stat(os.path.join(self.store.directory(self.name), paths.CONFIG))
        except OSError:
            return ()
        return found.st_ino, found.st_mtime_ns, found.st_size

    def policy(self, served: Mount) -> policy.Policy:
        """What a machine may see and change by the record as it is now: a change counts for the next request."""
        if self._writing_of_record() != self.seen:
            self._look(served, at_disk=False)
        return self.known_policy

    def serve_once(self, record: Record, found: Mount) -> None:
        """Log in, mount and serve to the end of the connection."""
        endpoint = record.endpoint()
        if endpoint is None:
            return
        root = found.share.target
        self._judge(found)
        try:
            served = tree.Tree(root, lambda: self.policy(found))
        except OSError as error:
            raise Refused(f"{root} of this computer is not the directory any more that was shared: {error}") from None
        try:
            with clients.connect(record, endpoint, LOGIN_SECONDS) as shell:
                said = self._converse(shell, found, served)
                if mount.NO_SSHFS in said:
                    self._install(shell)
                    said = self._converse(shell, found, served)
        finally:
            served.close()
        for word in said:
            if word in mount.REFUSALS:
                raise Refused(mount.REFUSALS[word][0])

    def _converse(self, shell: SshShell, found: Mount, served: tree.Tree) -> list[str]:
        """Run the mount command and answer its requests to its end; return what the script said."""
        channel = shell.open(LOGIN_SECONDS)
        said: list[str] = []
        try:
            channel.exec_command(mount.mount(found))
            reader = threading.Thread(target=self._follow, args=(channel.makefile_stderr("rb"), said), daemon=True)
            reader.start()
            channel.settimeout(LOOK_EVERY)

            talk = Talk(channel, lambda: self._look(found))
            stream.serve(talk.receive, talk.send, server.Server(served))
            reader.join(LOOK_EVERY)
        finally:
            channel.close()
        return said

    def _follow(self, lines: object, said: list[str]) -> None:
        """Note what the script says, and drop what else comes on its stderr."""
        left = MOST_STDERR
        with contextlib.suppress(OSError, EOFError):
            while line := lines.readline(256):  # type: ignore[attr-defined]  # paramiko's file
                left -= len(line)
                word = mount.said(line.decode("utf-8", "replace"))
                if left > 0 and word in (mount.MOUNTED, *mount.REFUSALS):
                    said.append(word)
                    if word == mount.MOUNTED:
                        self.was_mounted = True
                        self._say(State.MOUNTED, "")

    def _look(self, served: Mount, *, at_disk: bool = True) -> None:
        """See whether the share is still wanted, and what of it; with `at_disk` also what is to be hidden now.

        Raises Ended when it is not wanted, MountedAnew when it is to be mounted in another way.
        """
        _, found = self.wanted()
        if (found.share.target, found.writable) != (served.share.target, served.writable):
            raise MountedAnew("it is mounted anew, for it is shared in another way now")
        if at_disk or found != self.judged:
            self._judge(found)

    def _judge(self, found: Mount) -> None:
        """Find out anew what is hidden: credentials may have come or moved."""
        self.judged = found
        hidden: list[str] = []
        read_only: list[str] = []
        for home in credentials.homes(found.share.target):
            hidden += credentials.hidden(home, self.store.root)
            read_only += credentials.read_only(home)
        self.known_policy = policy.build(
            found.share.target,
            hidden,
            read_only,
            writable=found.share.writable,
            of_kernel=kernel_files.places(),
            nested=[(inner.path, inner.target, inner.writable) for inner in found.nested],
        )

    def _install(self, shell: SshShell) -> None:
        self._say(State.INSTALLING, "")
        script = "".join(
            f"if command -v {manager} >/dev/null 2>&1; then\n"
            f"{packages.install(manager, [mount.PACKAGES.get(manager, mount.PACKAGE)])}"
            "exit\nfi\n"
            for manager in packages.MANAGERS
        )
        result = shell.run(mount.as_root(script), timeout=INSTALL_SECONDS)
        if result.status != 0:
            raise Refused(f"sshfs could not be installed there: {result.output[-200:]}")

    def _say(self, state: State, text: str) -> None:
        with contextlib.suppress(OSError, MachineError):
            share_files.write_state(self.store, self.name, self.tag, state, text)


def main(argv: list[str]) -> int:
    """Serve the share of these arguments; status 1 when another process does so already, or nobody wants it."""
    root, name, tag = argv
    os.chdir("/")
    store = Store(root)
    try:
        with background.Hold(share_files.lock(store, name, tag), share_files.purpose(name), expected=True):
            background.silence()
            _raise_open_files()
            os.umask(0)  # what a machine asks for has its own umask in it already; what is ours has a mode of its own
            Service(store, name, tag).run()
    except (LockHeld, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _raise_open_files() -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < OPEN_FILES:
        wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
