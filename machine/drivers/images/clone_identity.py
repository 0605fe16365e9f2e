"""What a clone does at its first boot, so that it is a machine of its own: `scripts/clone_identity.sh`."""

from __future__ import annotations

import os

_FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "scripts", "clone_identity.sh")


def first_boot(uuid: str) -> tuple[tuple[str, ...], ...]:
    """Return the commands that a clone runs before anything else, at its first boot only. `uuid` is its own."""
    name = "machine-clone"
    return (("cloud-init-per", "instance", name, "sh", "-c", script(), name, uuid.replace("-", "")),)


def script() -> str:
    """Return the script, whose argument is the clone's machine id."""
    with open(_FILE, encoding="utf-8") as file:
        return file.read()
