"""Directories of real hosts and engines in memory: each of their writes is brought down to the disk, for nothing here.

Half of what a container's start takes is that. What is in such a directory is gone with its mount.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

FREE = 6 << 30  # bytes of memory that must be available; a lab's hosts and engines take some hundred MB
MOST = "40%"  # of all memory, for one directory


def keep_in_memory(directory: Path) -> bool:
    """Mount memory on an empty directory, if this computer has enough of it; unmounting is the caller's."""
    if available() < FREE or os.geteuid() != 0:
        return False
    argv = ["mount", "-t", "tmpfs", "-o", f"size={MOST},mode=0755", "machine-tests", str(directory)]
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0


def available() -> int:
    """Bytes of memory that programs could have; 0 where the kernel does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:")), 0)
