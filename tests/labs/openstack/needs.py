"""What this computer must have for a real OpenStack, looked at before minutes are spent."""

from __future__ import annotations

import os
import shutil

from tests.labs import image
from tests.labs.memory import available

TOOLS = ("nsenter", "debugfs", "qemu-img")
MEMORY = 6 << 30  # bytes: 4 GB of the cloud, and two servers of 1 GB at a time
DISK = 5 << 30  # bytes: packages, the configured cloud, and what a run writes


def missing() -> list[str]:
    """What is not there of all that a cloud cannot do without; empty where one can be started."""
    try:
        image.check()
    except image.LabUnavailable as why:
        return [str(why)]
    found = [f"a cloud needs {tool}" for tool in TOOLS if not shutil.which(tool)]
    if not os.path.exists("/dev/net/tun"):
        found.append("a cloud needs /dev/net/tun")
    return found


def scarce() -> list[str]:
    """What there is too little of: memory for the cloud and its servers, room on the disk for its two layers."""
    found = []
    if available() < MEMORY:
        found.append(f"a cloud needs {MEMORY >> 30} GB of memory that is available; {available() >> 30} are")
    place = image.cache()
    place.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(place).free
    if free < DISK:
        found.append(
            f"a cloud needs {DISK >> 30} GB of disk at {place} (or MACHINE_TEST_LAB_CACHE); {free >> 30} are free"
        )
    return found
