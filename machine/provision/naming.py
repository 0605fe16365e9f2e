"""Advice about a machine with its real name: the plan does not know what the machine and its login are called.

Texts in this package say NAME for the machine and USER for the login; who knows them puts them in here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from machine.errors import ProvisionError


def put_in(text: str, machine: str, user: str, address: str) -> str:
    """`text` with the machine's name for NAME, the login's for USER, and the host's address for ADDRESS."""
    words = {"NAME": machine, "USER": user, "ADDRESS": address}
    return re.sub(r"\b(?:NAME|USER|ADDRESS)\b", lambda found: words[found[0]] or found[0], text)


@contextmanager
def naming(machine: str, user: str, address: str) -> Iterator[None]:
    """Every ProvisionError from within names the machine, its login and its address."""
    try:
        yield
    except ProvisionError as error:
        error.brief = put_in(error.brief, machine, user, address)
        error.args = (error.brief,)
        error.resolution = put_in(error.resolution, machine, user, address)
        raise
