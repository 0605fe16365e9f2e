"""A remote command or login shell on our own streams, for the built-in ssh client."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from machine.errors import ShellError

if TYPE_CHECKING:
    import paramiko

    from machine.ssh.client import SshShell

_CHUNK = 32768


def run_interactive(shell: SshShell, command: str, *, terminal: bool) -> int:
    """Run `command` ("" = the login shell) with our stdin, stdout and stderr; its status, 255 if a signal ended it.

    With `terminal` it gets one of its own, of our size, and ours is raw so that every key reaches it. Raises ShellError
    if the connection breaks.
    """
    import paramiko

    interactive = terminal and sys.stdin is not None and os.isatty(0)
    channel = shell.open(15)
    try:
        if interactive:
            channel.get_pty(os.environ.get("TERM", "vt100"), *os.get_terminal_size(0))
        if command:
            channel.exec_command(command)
        else:
            channel.invoke_shell()
        with _raw_terminal(channel) if interactive else contextlib.nullcontext():
            _stream(channel)
    except (paramiko.SSHException, EOFError) as error:
        raise ShellError(f"the ssh connection to {shell.where} broke", details=str(error)) from None
    finally:
        channel.close()
    if channel.exit_status < 0 and not shell.transport.is_active():
        raise ShellError(f"the ssh connection to {shell.where} broke")
    return channel.exit_status if channel.exit_status >= 0 else 255


def _stream(channel: paramiko.Channel) -> None:
    """Copy all three streams until the remote side has ended both of its own and told its status."""
    threading.Thread(target=_send, args=(channel,), daemon=True).start()
    errors = threading.Thread(target=_copy, args=(channel.recv_stderr, 2), daemon=True)
    errors.start()
    _copy(channel.recv, 1)
    errors.join()
    channel.status_event.wait()


def _send(channel: paramiko.Channel) -> None:
    """Copy our stdin to the other side until it ends. The thread stays blocked in a read if the command ends first."""
    with contextlib.suppress(OSError, EOFError):
        while data := os.read(0, _CHUNK):
            channel.sendall(data)
        channel.shutdown_write()


def _copy(receive: Callable[[int], bytes], handle: int) -> None:
    while data := receive(_CHUNK * 4):
        view = memoryview(data)
        while view:
            view = view[os.write(handle, view) :]


@contextlib.contextmanager
def _raw_terminal(channel: paramiko.Channel) -> Iterator[None]:
    """Set our terminal to raw mode and pass on changes of its size; restore it at the end, whatever happens."""
    import termios
    import tty

    def resize(*_: object) -> None:
        with contextlib.suppress(Exception):  # the channel may be closing
            channel.resize_pty(*os.get_terminal_size(0))

    old_attributes = termios.tcgetattr(0)
    old_handler = signal.signal(signal.SIGWINCH, resize)
    try:
        tty.setraw(0, termios.TCSADRAIN)  # what was typed ahead stays
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, old_attributes)
        signal.signal(signal.SIGWINCH, old_handler)
