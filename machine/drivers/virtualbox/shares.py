"""Directories of this host that a machine sees, and the units that mount them there. Pure.

The file system vboxsf is in Linux itself since 5.6, so that an image needs no Guest Additions.
"""

from __future__ import annotations

from machine.drivers.virtualbox.config import Settings, split_share


def wanted(settings: Settings) -> tuple[str, str] | None:
    """(directory here, name) that was asked for; None for no share.

    docker-machine shared all home directories unasked, with the keys of all machines in them. Ours are shared by
    machine.share, which hides such.
    """
    return split_share(settings.share) if settings.share and not settings.no_share else None


def mount_unit(name: str) -> tuple[str, str]:
    """(name, text) of the systemd unit that mounts the share at /NAME (systemd.mount(5))."""
    escaped = "".join(c if c.isalnum() or c in "_." else f"\\x{ord(c):02x}" for c in name.replace("/", "\0"))
    text = (
        f"[Unit]\nDescription=Shared by the host\n[Mount]\nWhat={name}\nWhere=/{name}\nType=vboxsf\n"
        "Options=uid=1000,gid=1000\n[Install]\nWantedBy=multi-user.target\n"
    )
    return escaped.replace("\\x00", "-") + ".mount", text
