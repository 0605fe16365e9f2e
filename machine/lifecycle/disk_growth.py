"""Check that a new machine's root file system has grown to the size of its disk, which its first boot does."""

from __future__ import annotations

from machine.drivers.base import Driver, GrowsDisk
from machine.errors import DriverError
from machine.session import Session
from machine.ssh.client import Shell

GROW_SECONDS = 60.0  # for the first boot to finish growing it
POLL_SECONDS = 2.0
ASK_SECONDS = 60.0  # for one command on a slow machine
MIN_FRACTION = 0.8  # of the disk: file systems keep something for themselves
MIN_RATIO = 1.3  # of disk to image: with less between them, a file system that did not grow cannot be told
DF_COMMAND = "df -Pk / 2>/dev/null | tail -n 1"
LOG_COMMAND = (
    "journalctl -b --no-pager -o cat -u systemd-growfs-root.service -u cloud-init-local.service 2>/dev/null | tail -n 5"
)


def check(session: Session, driver: Driver, shell: Shell) -> None:
    """Raise DriverError when a new machine's root file system is still as small as the image, with the machine's log.

    One that is neither as small nor as large as the disk belongs to an image with partitions of its own.
    """
    if not isinstance(driver, GrowsDisk):
        return
    disk, image = driver.disk_megabytes()
    if disk < image * MIN_RATIO:
        return
    deadline = session.clock.now() + GROW_SECONDS
    while True:
        megabytes = megabytes_of(shell.run(DF_COMMAND, timeout=ASK_SECONDS).stdout)
        if not megabytes or megabytes > image * MIN_RATIO or megabytes > disk * MIN_FRACTION:
            return
        if session.clock.now() >= deadline:
            break
        session.clock.sleep(POLL_SECONDS)
    raise DriverError(
        f"the root file system of {driver.ctx.name} did not grow to its disk: {megabytes} MB of {disk} MB",
        details=shell.run(LOG_COMMAND, timeout=ASK_SECONDS).stdout.strip(),
        resolution=f"machine rm {driver.ctx.name}, then create it with a smaller disk, or with another image",
    )


def megabytes_of(line: str) -> int:
    """Return the size in MB of the file system in a line of `df -Pk`, 0 when the line has none."""
    fields = line.split()
    return int(fields[1]) >> 10 if len(fields) > 4 and fields[1].isdigit() and len(fields[1]) < 16 else 0
