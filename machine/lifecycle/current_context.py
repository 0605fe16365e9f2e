"""Which of the machines that a command makes becomes the current context of the docker client."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from enum import Enum

from machine import docker_config, docker_context
from machine.errors import MachineError
from machine.session import Session
from machine.store import Record


class Wish(Enum):
    """When a machine's docker context is to become the current one."""

    NEVER = "never"
    IF_NONE = "if docker has none"
    ALWAYS = "always"


def becomes_current(wish: Wish, environ: Mapping[str, str]) -> bool:
    """Return whether a new machine's context becomes the current one, by what docker is set to use now."""
    return wish is Wish.ALWAYS or (wish is Wish.IF_NONE and docker_config.selection(environ) == ("", ""))


class CurrentContext:
    """The one choice that a command has, shared by the threads that make its machines: the first one ready gets it."""

    def __init__(self, wish: Wish = Wish.NEVER) -> None:
        self.wish = wish
        self.machine = ""  # the one whose context became the current one
        self._lock = threading.Lock()

    def for_finished(self) -> CurrentContext:
        """Return the choice for a machine that was ready before: it becomes the current one if that was asked for."""
        return self if self.wish is Wish.ALWAYS else CurrentContext()

    def offer(self, session: Session, record: Record) -> None:
        """Make the context of a machine docker's current one, if no other one of this command was, and if it is wanted.

        The machine is ready without it, so an error is a warning.
        """
        with self._lock:
            if self.machine or not becomes_current(self.wish, session.environ):
                return
            try:
                name = docker_context.use(
                    record.name,
                    cert_dir=record.cert_dir(),
                    environ=session.environ,
                    replaces=None if self.wish is Wish.ALWAYS else docker_config.NONE,
                )
            except MachineError as error:
                advice = f": {error.resolution}" if error.resolution else ""
                session.console.warn(f"docker's current context stays as it is, for {error.brief}{advice}")
                return
            if not name:  # another command was faster
                return
            self.machine = record.name
        session.console.info(f"docker's current context is now {name}; to go back: machine use --unset")
        for warning in docker_config.override_warnings(session.environ):
            session.console.warn(warning)


def remove_context(session: Session, name: str) -> None:
    """Remove the docker context of a machine that goes; docker is back at its default if it was the current one."""
    context = docker_context.context_name(name)
    was_current = docker_config.current_context(session.environ) == context
    try:
        removed = docker_context.remove(name, cert_dir=session.store.directory(name), environ=session.environ)
    except MachineError as error:
        by_hand = f"docker context use default && docker context rm {context}" if was_current else error.resolution
        session.console.warn(f"its docker context stays: {error.brief}; to remove it: {by_hand}")
        return
    if removed and was_current:
        session.console.info("docker's current context was this machine's, and is the default one again")
