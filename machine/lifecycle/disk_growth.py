"""Whether a machine's root file system has grown to its disk: what did not is no machine of the wanted size."""

from __future__ import annotations

from machine.drivers.base import Driver, GrowsDisk
from machine.errors import DriverError
from machine.session import Session
from machine.ssh.client import Shell

SECONDS = 60.0  # for the first boot to finish growing it
EVERY = 2.0
ASK_SECONDS = 60.0  # for one command on a slow machine
MIN_FRACTION = 0.8  # of the disk: file systems keep something for themselves
WORTH = 1.3  # a disk that is larger than the image by less says nothing
DF_COMMAND = "df -Pk / 2>/dev/null | tail -n 1"
LOG = (
    "journalctl -b --no-pager -o cat -u systemd-growfs-root.service -u cloud-init-local.service 2>/dev/null | tail -n 5"
)


def check(session: Session, driver: Driver, shell: Shell) -> None:
    """DriverError when a new machine's root file system is still as small as the image, with what the machine says.

    One that is neither as small nor as large as the disk belongs to an image with partitions of its own.
    """
    if not isinstance(driver, GrowsDisk):
        return
    disk, image = driver.disk_megabytes()
    if disk < image * WORTH:
        return
    deadline = session.clock.now() + SECONDS
    while True:
        found = size(shell.run(DF_COMMAND, timeout=ASK_SECONDS).stdout)
        if not found or found > image * WORTH or found > disk * MIN_FRACTION:
            return
        if session.clock.now() >= deadline:
            break
        session.clock.sleep(EVERY)
    raise DriverError(
        f"the root file system of {driver.ctx.name} did not grow to its disk: {found} MB of {disk} MB",
        details=shell.run(LOG, timeout=ASK_SECONDS).stdout.strip(),
        resolution=f"machine rm {driver.ctx.name}, then create it with a smaller disk, or with another image",
    )


def size(line: str) -> int:
    """MB of a file system in a line of `df -Pk`, 0 when it says nothing."""
    fields = line.split()
    return int(fields[1]) >> 10 if len(fields) > 4 and fields[1].isdigit() and len(fields[1]) < 16 else 0
