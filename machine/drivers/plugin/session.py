"""A plugin at work for one machine: its program, the connection, and the heartbeat without which it ends itself.

Plugins keep what they were told in memory and write only a part of it down, so one machine's calls go to one program
as long as this process lives.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

from machine.drivers.plugin import gob, rpc
from machine.drivers.plugin.program import Program, unusable
from machine.errors import DriverError

VERSION = 1  # of the API
SERVICES = ("RPCServerDriver", "RpcServerDriver")  # today's name, and the one before docker-machine 0.5.1
BEAT_SECONDS = 0.25  # plugins wait 10 s for a beat, those of 2015 half a second
ANSWER_SECONDS = 60.0  # for questions; work takes as long as it takes while the program lives
GREET_SECONDS = 15.0  # for its first answer
CLOSE_SECONDS = 2.0
IDLE_SECONDS = 60.0  # at our end, for the work that nobody else would write down

_open: dict[tuple[str, str], Session] = {}
_guard = threading.Lock()


class Session:
    """One plugin, until `close` or the end of this process."""

    def __init__(self, path: str, name: str, say: Callable[[str], None] = lambda _: None) -> None:
        """Start the program at `path` for driver `name`; `say` gets its lines.

        Raises DriverError if it is no plugin.
        """
        self.say = say
        self.path, self.name = path, name
        self.configured = False  # whether it has been told the flags
        self.idle = threading.Event()
        self.idle.set()
        self._stop = threading.Event()
        self.program = Program(path, name, os.environ, self._relay)
        try:
            try:
                self.connection = rpc.Connection(*self.program.address)
            except rpc.Lost as error:
                raise unusable(path, error.brief, self.program.last_words()) from None
            self._greet()
        except BaseException:
            self.program.end()
            raise
        threading.Thread(target=self._beat, daemon=True, name=f"heartbeat of {name}").start()

    def _relay(self, line: str) -> None:
        self.say(line)

    def _greet(self) -> None:
        for self.service in SERVICES:
            try:
                version = self.ask("GetVersion", seconds=GREET_SECONDS)
                break
            except rpc.PluginRefused as error:
                refusal = error
        else:
            raise unusable(self.path, "is no plugin for docker-machine", refusal.brief)
        if version != VERSION:
            raise DriverError(
                f"the plugin {self.path} speaks version {version} of the protocol, not {VERSION}",
                resolution="install a release of it that was made for docker-machine 0.16",
            )

    def ask(
        self, method: str, kind: gob.Type = rpc.NOTHING, argument: Any = None, seconds: float = ANSWER_SECONDS
    ) -> Any:
        """A call that is answered soon. Refused with the plugin's words. Raises DriverError if no answer comes."""
        call = self.start(method, kind, argument)
        if not call.wait(seconds):
            raise unusable(self.path, f"did not answer {method} within {seconds:g} s", self.program.last_words())
        return self.result(call)

    def start(self, method: str, kind: gob.Type = rpc.NOTHING, argument: Any = None) -> rpc.Call:
        """A call that may take long; its end is to be waited for."""
        return self.connection.start(f"{self.service}.{method}", kind, argument)

    def result(self, call: rpc.Call) -> Any:
        """The answer of a call that has ended; when the program is gone, with its last words."""
        try:
            return call.result()
        except rpc.Lost as error:
            said = self.program.last_words()
            alive = self.program.process.poll() is None
            why = f"broke off in the middle of its work: {error.brief}" if alive else "ended in the middle of its work"
            told = unusable(self.path, why, said)
            error.brief, error.details, error.resolution = told.brief, told.details, told.resolution
            raise

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Inside, the plugin is at something that must not be cut off lightly."""
        self.idle.clear()
        try:
            yield
        finally:
            self.idle.set()

    @property
    def alive(self) -> bool:
        return not self.connection.lost and self.program.process.poll() is None and not self._stop.is_set()

    def close(self) -> None:
        """Say goodbye and see that it ends."""
        self._stop.set()
        self.start("Close").wait(CLOSE_SECONDS)
        self.program.end(CLOSE_SECONDS)
        self.connection.close()

    def _beat(self) -> None:
        while not self._stop.wait(BEAT_SECONDS):
            call = self.start("Heartbeat")
            with contextlib.suppress(DriverError):
                if call.wait(ANSWER_SECONDS):
                    call.result()
                    continue
            return


def session_for(path: str, name: str, directory: str, say: Callable[[str], None]) -> Session:
    """The session of the machine in `directory`; `say` gets its lines from now on. It lasts until `drop` or our end."""
    key = (path, directory)
    with _guard:
        found = _open.get(key)
    if found is not None and found.alive:
        found.say = say
        return found
    if found is not None:
        found.close()  # the connection may be lost while the program lives
    made = Session(path, name, say)
    with _guard:
        atexit.unregister(close_all)
        atexit.register(close_all)
        _open[key] = made
    return made


def drop(session: Session) -> None:
    """End one plugin; the next question about its machine starts it anew."""
    with _guard:
        for key in [key for key, found in _open.items() if found is session]:
            del _open[key]
    session.close()


def close_all() -> None:
    """End every plugin that this process has started; one at work may finish that, unless Ctrl-C comes again."""
    with _guard:
        sessions = list(_open.values())
        _open.clear()
    with contextlib.suppress(KeyboardInterrupt):
        for session in sessions:
            session.idle.wait(IDLE_SECONDS)
    for session in sessions:
        with contextlib.suppress(Exception, KeyboardInterrupt):
            session.close()
