"""Every file of a machine of this driver, spelled once; and where its sockets may be."""

from __future__ import annotations

import hashlib
import os
import re

from machine import paths as store_paths
from machine.errors import DriverError

DISK = "disk.qcow2"  # the machine's own, over a shared base image
SEED = "seed.iso"
PID = "qemu.pid"
CONSOLE = "console.log"
FORWARDS = "forward.log"
FORWARDER_LOCK = store_paths.FORWARDER_LOCK  # shows whether the forwarder runs
FORWARDED_PORTS = store_paths.FORWARDED_PORTS  # which of the machine's ports are open on localhost
PORT_REPORT = "port-report.json"  # what the machine has said of its ports last
BASE = "base.img"  # a copy of an image that others could change
SAVED = "saved.memory"  # there while the machine is suspended
SAVING = "saved.memory.part"
RESTORING = "restoring"  # there while a machine that starts from a template has not its own identity yet
QMP = "qmp.sock"  # for the driver
QMP_FORWARD = "qmp-forward.sock"  # for the forwarder
GUEST = "guest.sock"  # the other end of the machine's serial port `machine.ports`
GUARD_OUT, GUARD_IN = "guard-out.sock", "guard-in.sock"  # of what the machine sends, for `guard`
SOCKETS = (QMP, QMP_FORWARD, GUEST, GUARD_OUT, GUARD_IN)
FILES = (
    *(SEED, PID, CONSOLE, FORWARDS, FORWARDER_LOCK, FORWARDED_PORTS, PORT_REPORT),
    *(BASE, DISK, RESTORING, SAVED, SAVING),
)

LONGEST = 100  # bytes of a unix socket's path; macOS takes 103, Linux 107


def runtime(directory: str, machine_id: str, temporary: str = "/tmp") -> str:  # noqa: S108 (made 0700, owner checked)
    """The directory of a machine's sockets: its own, unless that makes their paths too long for the system."""
    longest = max(len(os.fsencode(os.path.join(directory, name))) for name in SOCKETS)
    if longest <= LONGEST:
        return directory
    tag = hashlib.sha256(f"{machine_id} {directory}".encode()).hexdigest()[:16]
    return os.path.join(temporary, f"machine-{os.getuid()}-{tag}")


def runtime_in(word: str, temporary: str = "/tmp") -> str:  # noqa: S108
    """The directory that `runtime` names outside of the store, of the socket in an argument of qemu; "" for others."""
    start = re.escape(os.path.join(temporary, f"machine-{os.getuid()}-"))
    found = re.fullmatch(rf"(?:.*,path=)?({start}[0-9a-f]{{16}})/[a-z-]+\.sock(?:,.*)?", word)
    return found[1] if found else ""


def prepare(runtime_directory: str) -> None:
    """Make a runtime directory outside of the store, 0700. Raises DriverError if somebody else has made it."""
    try:
        os.mkdir(runtime_directory, 0o700)
    except FileExistsError:
        pass
    except OSError as error:
        raise DriverError(f"cannot make {runtime_directory}: {error.strerror}") from error
    seen = os.lstat(runtime_directory)
    if seen.st_uid != os.getuid() or seen.st_mode & 0o077 or os.path.islink(runtime_directory):
        raise DriverError(
            f"{runtime_directory} is not safe for sockets: others own it or may enter it",
            resolution="remove it, or use a store with a shorter path (--storage-path)",
        )


def remove(runtime_directory: str, name: str) -> None:
    """Remove a runtime directory outside of the store, of the machine `name`, when its sockets are gone.

    Raises DriverError if something else is in it.
    """
    try:
        os.rmdir(runtime_directory)
    except FileNotFoundError:
        return
    except OSError as error:
        raise DriverError(
            f"{runtime_directory} of {name} cannot be removed: {error.strerror}",
            resolution=f"look what is in it, remove it, then: machine rm {name}",
        ) from None
