"""The one ssh connection to a machine: channels to its ports, and none while the link is lost."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from machine.ssh.client import SshShell

if TYPE_CHECKING:
    import paramiko

OPEN_SECONDS = 15.0
MOST_CHANNELS = 256  # of one machine, each with two threads here
WINDOW = 256 << 10  # bytes that may be on their way in a channel before they are taken


class Tunnel:
    """Opens channels over the newest connection. `name` is the machine's."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._shell: SshShell | None = None
        self._free = threading.BoundedSemaphore(MOST_CHANNELS)

    def use(self, shell: SshShell | None) -> None:
        """Take another connection, None while there is none."""
        self._shell = shell

    @property
    def alive(self) -> bool:
        """Whether there is a connection, as far as is known."""
        return self._shell is not None and self._shell.transport.is_active()

    def open(self, host: str, port: int) -> paramiko.Channel:
        """Return a channel to `port` of `host` as the machine sees it. Raises ConnectionError if there is none."""
        import paramiko

        shell = self._shell
        if shell is None:
            raise ConnectionRefusedError(f"there is no connection to {self.name}")
        try:
            return shell.transport.open_channel(
                "direct-tcpip", (host, port), ("127.0.0.1", 0), window_size=WINDOW, timeout=OPEN_SECONDS
            )
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise ConnectionRefusedError(f"port {port} of {self.name}: {error}") from error

    def run(self, command: str) -> paramiko.Channel:
        """Start a command on the machine and return its channel. Raises ConnectionError."""
        import paramiko

        shell = self._shell
        if shell is None:
            raise ConnectionRefusedError(f"there is no connection to {self.name}")
        try:
            channel = shell.transport.open_session(timeout=OPEN_SECONDS)
            channel.exec_command(command)
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise ConnectionRefusedError(f"a command on {self.name}: {error}") from error
        return channel

    def begin(self) -> bool:
        """Count one more connection of a client; False if there are too many."""
        return self._free.acquire(blocking=False)

    def end(self) -> None:
        """Count one less."""
        self._free.release()
