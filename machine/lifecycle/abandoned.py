"""What `rm -f` still does for a machine that its driver could not remove: end its processes, say what its text shows.

A process is ended only if the machine's directory proves that it is the machine's; a platform is asked nothing.
"""

from __future__ import annotations

import os
import re

from machine import paths, process
from machine.drivers import registry
from machine.drivers.base import EndsProcesses
from machine.drivers.record_keys import TABLE
from machine.errors import MachineError
from machine.printable import in_line
from machine.session import Session
from machine.store.document import LARGEST

MOST_IDS = 20  # that one line shows
_SECRETS = {key for row in TABLE.values() for key in row.secrets}
_ID = re.compile(
    r'"(\w{0,40}(?:I[dD]|UUID|ResourceGroup|DropletName|Region|IPAddress))"\s*:\s*(?:"([^"\\]{1,200})"|(\d{1,20}))'
)
_DRIVER = re.compile(r'"DriverName"\s*:\s*"([\w.-]{1,60})"')


def end_processes(session: Session, name: str) -> None:
    """End the processes on this computer that are proven to be of machine `name`, and say which. Never raises."""
    for driver_name, row in TABLE.items():
        if not row.local_disk:
            continue
        try:
            driver_class = registry.find(driver_name)
            if not issubclass(driver_class, EndsProcesses):
                continue
            ended = driver_class.end_processes(session.store.directory(name), process.run, session.clock)
        except MachineError as error:
            session.console.warn(f"{error.brief}: {error.resolution}")
            continue
        if ended:
            session.console.info(f"ended {' and '.join(ended)} of {name}, which ran from its directory")


def show_ids(session: Session, name: str) -> None:
    """Print the ids of things on a platform that the unusable config.json of machine `name` still shows."""
    text = _text(os.path.join(session.store.directory(name), paths.CONFIG))
    driver = _DRIVER.search(text)
    shown = ids(text)
    if shown:
        where = f" of the driver {driver[1]}" if driver else ""
        session.console.warn(
            f"what {name} had on its platform may still be there; its config.json{where} shows {shown}"
        )


def ids(text: str) -> str:
    """Return the ids, names and addresses of things on a platform in a damaged record, as KEY VALUE, ...; no secrets.

    Empty where the record is of a driver whose machines are processes of this computer.
    """
    driver = _DRIVER.search(text)
    if driver and _has_nothing_elsewhere(driver[1]):
        return ""
    found = {f"{key} {in_line(word or number)}": None for key, word, number in _ID.findall(text) if key not in _SECRETS}
    return ", ".join(list(found)[:MOST_IDS])


def _has_nothing_elsewhere(driver_name: str) -> bool:
    """Whether `create` makes nothing on a platform that would outlive the machine's directory and processes."""
    if driver_name not in TABLE:
        return False
    driver_class = registry.find(driver_name)
    traits = driver_class.traits
    return traits.existing_host or not traits.has_host or issubclass(driver_class, EndsProcesses)


def _text(path: str) -> str:
    """The text of a file as far as it is text; "" if it is no file that can be read."""
    try:
        if not os.path.isfile(path):
            return ""
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(LARGEST)
    except OSError:
        return ""
