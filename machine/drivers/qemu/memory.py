"""A virtual machine's memory and devices, saved to a file and restored from it, through a program that packs.

The program is started here and qemu has one end of a pipe, because qemu says that a machine is saved when its last
byte is in the pipe, which is before the program has written it down.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

from machine.drivers.qemu.qmp import Client, QmpError
from machine.errors import DriverError

PIPE = "memory"  # how qemu calls its end
_END_SECONDS = 5.0  # for the program to end once qemu has failed


def save(client: Client, packer: Sequence[str], path: str, seconds: float) -> None:
    """Save the stopped machine to the file `path`, which is there already; it is whole when this returns.

    Raises DriverError, with the words of qemu and of the packer, if that fails or takes longer than `seconds`.
    """
    deadline = time.monotonic() + seconds
    with open(path, "wb") as file, _program(packer, stdin=subprocess.PIPE, stdout=file) as program:
        _give(client, program.stdin)
        client.migrate("migrate", f"fd:{PIPE}", seconds)
        try:
            status = program.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise DriverError(f"{packer[0]} did not write {path} within {seconds:g} s") from None
        os.fsync(file.fileno())
        if status != 0:
            raise DriverError(f"{packer[0]} did not write {path}", resolution="make room on that disk")


def restore(client: Client, unpacker: Sequence[str], path: str, seconds: float) -> None:
    """Restore the machine from the file `path` into a qemu that waits for it.

    Raises DriverError, with the words of qemu and of the unpacker, if that fails or takes longer than `seconds`.
    """
    with open(path, "rb") as file, _program(unpacker, stdin=file, stdout=subprocess.PIPE) as program:
        _give(client, program.stdout)
        client.migrate("migrate-incoming", f"fd:{PIPE}", seconds)


def _give(client: Client, pipe: IO[bytes] | None) -> None:
    """Give qemu our end of a program's pipe."""
    if pipe is not None:
        with pipe:
            client.give_file(PIPE, pipe.fileno())


@contextmanager
def _program(words: Sequence[str], **streams: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program beside the body; it has ended after it. What it complains of goes into the body's DriverError."""
    with tempfile.TemporaryFile() as complaints:
        try:
            program = subprocess.Popen(words, stderr=complaints, **streams)
        except OSError as error:
            raise DriverError(f"the program {words[0]} cannot be run: {error.strerror}") from error
        try:
            yield program
        except DriverError as error:
            _end(program, _END_SECONDS if isinstance(error, QmpError) else 0)
            complaints.seek(0)
            said = complaints.read(2000).decode("utf-8", "replace")
            error.details = "\n".join(part for part in (error.details.strip(), said.strip()) if part)
            raise
        finally:
            _end(program, 0)


def _end(program: subprocess.Popen[bytes], seconds: float) -> None:
    """Wait `seconds` for the program, then end it."""
    try:
        program.wait(seconds)
    except subprocess.TimeoutExpired:
        program.kill()
        program.wait()
