"""A shell on a machine: many commands over ONE ssh connection (paramiko).

Only `connect` imports paramiko (0.15 s); waiting for sshd with `answering` needs none of it.
"""

from __future__ import annotations

import shlex
import socket
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol, Self

from machine.dial import dial
from machine.errors import ShellError
from machine.process import Completed

if TYPE_CHECKING:
    import paramiko

LARGEST_OUTPUT = 16 * 2**20  # bytes of each stream; the log of an installation has a few hundred thousand
_CHUNK = 32768  # the largest payload of one ssh data message that every server takes (RFC 4254 section 5.2)
_PEEK_SECONDS = 0.02  # between two looks at what has arrived


class Shell(Protocol):
    """What provisioning needs of a machine."""

    def run(self, command: str, *, stdin: bytes = b"", timeout: float | None = None) -> Completed:
        """Run a command line through the login shell; a status other than 0 is not an error here."""

    def put(self, path: str, content: bytes, mode: int) -> None:
        """Write a whole file, never visible half-written or with a wider mode."""


class SshShell:
    """A `Shell` over ssh. Close it, or use it as a context manager."""

    def __init__(self, transport: paramiko.Transport, where: str) -> None:
        self.transport = transport
        self.where = where  # "NAME (USER@HOST:PORT)", for errors
        self.alias = where.partition(" ")[0]

    @classmethod
    def connect(
        cls,
        host: str,
        port: int,
        user: str,
        *,
        key_path: str | None,
        known_hosts: str,
        alias: str,
        timeout: float,
        trust_new: bool = False,
        sock: socket.socket | None = None,
    ) -> SshShell:
        """Log in within `timeout` seconds, key exchange and all.

        `key_path` None means: the keys of the running ssh-agent. `alias` is the machine's name, under which
        its host key stands in `known_hosts`; with `trust_new` a first key is written down there. `sock`, if given, is a
        connection to that sshd already (`answering`); it belongs to the shell from here on.

        ShellError: no answer. LoginTimeout: an answer, and no login in that time. HostKeyMismatch: another key, or
        none on record. LoginRefused: no key fits.
        """
        from machine.ssh import login

        transport = login.login(
            login.Target(host, port, user, alias, known_hosts),
            key_path,
            timeout=timeout,
            trust_new=trust_new,
            sock=sock,
        )
        return cls(transport, f"{alias} ({user}@{host}:{port})")

    def open(self, timeout: float | None = None) -> paramiko.Channel:
        """A new session channel on the connection, for callers that stream or need a terminal."""
        import paramiko

        try:
            return self.transport.open_session(timeout=timeout)
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise self._broken_error(f"opening a session failed: {error}") from None

    def run(self, command: str, *, stdin: bytes = b"", timeout: float | None = None) -> Completed:
        """Run `command`. Raises ShellError after `timeout` seconds, LARGEST_OUTPUT, or if the connection breaks.

        A command that a signal ended has the status 255, as with OpenSSH's client.
        """
        import paramiko

        deadline = None if timeout is None else time.monotonic() + timeout
        channel = self.open(timeout)
        try:
            channel.exec_command(command)
            stdout, stderr = _communicate(channel, stdin, deadline)
        except TimeoutError:
            raise ShellError(
                f"a command on {self.where} did not end within {timeout:g} s",
                details=_first_line(command),
                resolution=f"it may still run there: look with machine ssh {self.alias}, then run this again",
            ) from None
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise self._broken_error(f"{_first_line(command)}\n{error}") from None
        except OverflowError:
            raise ShellError(
                f"a command on {self.where} printed more than {LARGEST_OUTPUT >> 20} MiB",
                details=_first_line(command),
                resolution="a start-up file of its login shell (.bashrc, .profile) may print without end:"
                f" see what it says with machine ssh {self.alias} true",
            ) from None
        finally:
            channel.close()
        status = channel.exit_status
        if status < 0 and not self.transport.is_active():
            raise self._broken_error(_first_line(command))
        texts = (bytes(stream).decode("utf-8", "replace") for stream in (stdout, stderr))
        return Completed(status if status >= 0 else 255, *texts)

    def put(self, path: str, content: bytes, mode: int) -> None:
        """Write `content` to `path` with `mode`, beside it first and then by a rename.

        The new file is born with no more than `mode`; it takes the old one's place only when all its bytes have
        arrived. Raises ShellError with the machine's words if that failed.
        """
        target, temporary = shlex.quote(path), shlex.quote(f"{path}.machine-new")
        script = (
            f"umask {0o777 & ~mode:03o} && rm -f {temporary} && cat >{temporary} && chmod {mode:o} {temporary}"
            f' && [ "$(wc -c <{temporary})" -eq {len(content)} ]'
            f" && mv -f {temporary} {target} || {{ rm -f {temporary}; exit 1; }}"
        )
        result = self.run(script, stdin=content, timeout=30 + len(content) / 100_000)
        if result.status != 0:
            raise ShellError(
                f"cannot write {path} on {self.where}",
                details=result.output,
                resolution=f"check the place and its disk: machine ssh {self.alias} df -h",
            )

    def close(self) -> None:
        self.transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _broken_error(self, details: str) -> ShellError:
        return ShellError(
            f"the ssh connection to {self.where} broke",
            details=details,
            resolution=f"see that it still runs (machine status {self.alias}), then run the command again",
        )


def answering(host: str, port: int, timeout: float = 3.0) -> socket.socket | None:
    """Return a connection to an sshd there, for `SshShell.connect` to go on with; None if none answers.

    Its "SSH-" line (RFC 4253 section 4.2) is looked at and left in the socket; nothing is sent. An accepted connection
    alone proves nothing: a port forward accepts before the machine behind it has booted. One connection serves both,
    for sshd starts a process for each and, since OpenSSH 9.8, counts those that leave without a login against a client.
    """
    deadline = time.monotonic() + timeout
    with ExitStack() as closed:
        try:
            sock = closed.enter_context(dial(host, port, timeout))
            if _shows_sshd(sock, deadline):
                closed.pop_all()
                return sock
        except OSError:
            return None
    return None


def _shows_sshd(sock: socket.socket, deadline: float) -> bool:
    """Whether an sshd's line is among the first that arrive, which stay to be read."""
    arrived = b""
    while len(arrived) < _CHUNK and (left := deadline - time.monotonic()) > 0:
        sock.settimeout(left)
        before, arrived = arrived, sock.recv(_CHUNK, socket.MSG_PEEK)
        if arrived.startswith(b"SSH-") or b"\nSSH-" in arrived:
            return True
        if not arrived:
            return False
        if arrived == before:  # what is only looked at comes again at once
            time.sleep(_PEEK_SECONDS)
    return False


def _seconds_left(deadline: float | None) -> float | None:
    """Seconds until `deadline`. Raises TimeoutError if it has passed."""
    if deadline is None:
        return None
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


def _communicate(channel: paramiko.Channel, stdin: bytes, deadline: float | None) -> tuple[bytearray, bytearray]:
    """Feed stdin and read stdout and stderr side by side (they share one window) until the status is there.

    OverflowError when one of them has more than LARGEST_OUTPUT.
    """
    stdout, stderr = bytearray(), bytearray()
    reader = threading.Thread(target=_drain, args=(channel, stderr), daemon=True)
    reader.start()
    if stdin:
        threading.Thread(target=_feed, args=(channel, stdin), daemon=True).start()
    else:
        channel.shutdown_write()
    while True:
        channel.settimeout(_seconds_left(deadline))
        block = channel.recv(_CHUNK * 4)
        if not block:
            break
        stdout += block
        if max(len(stdout), len(stderr)) > LARGEST_OUTPUT:
            raise OverflowError
    reader.join(_seconds_left(deadline))
    channel.status_event.wait(_seconds_left(deadline))
    _seconds_left(deadline)
    if len(stderr) > LARGEST_OUTPUT:
        raise OverflowError
    return stdout, stderr


def _drain(channel: paramiko.Channel, into: bytearray) -> None:
    """Read stderr to its end. An error here is the main stream's too, and is reported there."""
    while True:
        try:
            block = channel.recv_stderr(_CHUNK * 4)
        except TimeoutError:
            continue
        except OSError:
            return
        if not block:
            return
        into += block
        if len(into) > LARGEST_OUTPUT:
            channel.close()  # or stdout would be waited for
            return


def _feed(channel: paramiko.Channel, content: bytes) -> None:
    """Send all of stdin and close it; a command that stops reading is free to do so."""
    view = memoryview(content)
    try:
        for start in range(0, len(view), _CHUNK):
            channel.sendall(bytes(view[start : start + _CHUNK]))
        channel.shutdown_write()
    except (OSError, EOFError):
        return


def _first_line(command: str) -> str:
    """The start of a command, for an error's details: scripts are long."""
    first = command.strip().split("\n", 1)[0]
    return first if len(first) <= 100 else first[:97] + "..."
