"""What a machine printed on its serial port, in a file that its hypervisor writes; and what that tells. Only reads."""

from __future__ import annotations

import os

LONGEST = 1 << 20  # bytes that are read, from the end: a machine may print without end
SIGNS = (  # the kernel's own words (kernel/panic.c, init/do_mounts.c, systemd's emergency.service) -> what is wrong
    ("Kernel panic", "its kernel has panicked; the console log says where"),
    ("You are in emergency mode", "it has ended in emergency mode; the console log says which unit failed"),
)


def read(path: str) -> str:
    """The file, of a long one the end; "" when there is none yet. Bytes that are no UTF-8 are replaced."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - LONGEST))
            return file.read(LONGEST).decode("utf-8", "replace").replace("\r\n", "\n")
    except OSError:
        return ""


def diagnose(text: str) -> str:
    """Why a machine that printed this does not come up, one sentence; "" when nothing tells."""
    return next((what for words, what in SIGNS if words in text), "")
