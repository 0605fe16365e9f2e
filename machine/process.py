"""Local programs: an argument list in, a Completed out. Never a shell string.

Drivers see this module whether or not they run anything, so what runs programs is imported when one is run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from machine.errors import CommandFailed, CommandTimeout

PRIVATE = 0o077  # umask: nothing for anybody else

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from types import FrameType


@dataclass(frozen=True, slots=True)
class Completed:
    """What a program left behind. Output is text, bad bytes replaced."""

    status: int
    stdout: str = ""
    stderr: str = ""

    @property
    def output(self) -> str:
        """Both streams, for an error's details."""
        return "\n".join(part.strip() for part in (self.stdout, self.stderr) if part.strip())


def run(
    argv: Sequence[str],
    *,
    stdin: bytes = b"",
    timeout: float | None = None,
    cwd: str | None = None,
    env: Mapping[str, str] | None = None,
    check: bool = True,
    umask: int = PRIVATE,
) -> Completed:
    """Run `argv` to its end.

    Raises CommandFailed if it is missing or (with `check`) ends non-zero, CommandTimeout if late.

    What the program makes (disks, sockets, logs) is the user's alone unless `umask` says otherwise: the caller's own
    umask decides nothing. Without effect on Windows.
    """
    import shlex
    import subprocess

    command_line = shlex.join(argv)
    try:
        completed = subprocess.run(
            argv, input=stdin, capture_output=True, timeout=timeout, cwd=cwd, env=env, umask=umask, check=False
        )
    except FileNotFoundError:
        raise CommandFailed(f"the program {argv[0]} is not installed") from None
    except PermissionError:
        raise CommandFailed(f"the program {argv[0]} may not be executed") from None
    except OSError as error:  # made for another processor, no memory left to fork, ...
        raise CommandFailed(f"the program {argv[0]} cannot be run: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise CommandTimeout(f"{argv[0]} did not end within {timeout:g} s", details=command_line) from None
    result = Completed(
        completed.returncode, completed.stdout.decode("utf-8", "replace"), completed.stderr.decode("utf-8", "replace")
    )
    if check and result.status != 0:
        raise CommandFailed(
            f"{argv[0]} ended with status {result.status}", details=f"{command_line}\n{result.output}".strip()
        )
    return result


def foreground(argv: Sequence[str], *, stdout: int | None = None, stderr: int | None = None) -> int:
    """Run `argv` on our own terminal and streams; its status, or 128 + the number of the signal that ended it.

    `stdout` and `stderr` are file descriptors to take the place of ours.

    Ctrl-C and Ctrl-\\ are the program's business while it runs; a SIGTERM or SIGHUP to us is passed on to it. Call it
    from the main thread only. Raises CommandFailed if the program is missing.
    """
    import signal
    import subprocess

    try:
        child = subprocess.Popen(argv, stdout=stdout, stderr=stderr)
    except FileNotFoundError:
        raise CommandFailed(f"the program {argv[0]} is not installed") from None
    except PermissionError:
        raise CommandFailed(f"the program {argv[0]} may not be executed") from None
    except OSError as error:
        raise CommandFailed(f"the program {argv[0]} cannot be run: {error.strerror}") from None
    old_handlers = {}
    for name in ("SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None:
            passed_on = name in ("SIGTERM", "SIGHUP")
            old_handlers[number] = signal.signal(number, _forward_to(child) if passed_on else signal.SIG_IGN)
    try:
        status = child.wait()
    finally:
        for number, handler in old_handlers.items():
            signal.signal(number, handler)
    return status if status >= 0 else 128 - status


def spawn(
    argv: Sequence[str], log: str, env: Mapping[str, str] | None = None, cwd: str = "/"
) -> subprocess.Popen[bytes]:
    """Start `argv` in a session of its own, where it outlives us; it prints to the file `log`, emptied before, 0600.

    See machine.background_control for one that is to be found again.
    """
    import os
    import subprocess

    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            cwd=cwd,
            start_new_session=True,
            env=env,
        )
    finally:
        os.close(descriptor)


def _forward_to(child: subprocess.Popen[bytes]) -> Callable[[int, FrameType | None], None]:
    return lambda number, _frame: child.send_signal(number)
