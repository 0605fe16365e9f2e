"""The real names in errors of provisioning: a plan does not know what the machine and its login are called.

Texts in this package say NAME for the machine, USER for the login and ADDRESS for the host; the caller fills them in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from machine.errors import ProvisionError


def fill_in(text: str, machine: str, user: str, address: str) -> str:
    """Return `text` with the machine's name for NAME, the login's for USER, and the host's address for ADDRESS."""
    names = {"NAME": machine, "USER": user, "ADDRESS": address}
    return re.sub(r"\b(?:NAME|USER|ADDRESS)\b", lambda found: names[found[0]] or found[0], text)


@contextmanager
def names_in_errors(machine: str, user: str, address: str) -> Iterator[None]:
    """Have every ProvisionError from within name the machine, its login and its address."""
    try:
        yield
    except ProvisionError as error:
        error.brief = fill_in(error.brief, machine, user, address)
        error.args = (error.brief,)
        error.resolution = fill_in(error.resolution, machine, user, address)
        raise
