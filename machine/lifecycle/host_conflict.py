"""Refusal to take over a host that is a machine of this store already, whatever driver made that one.

A takeover gives the host another name, other certificates and a restart of its engine: the machine that it was until
then would be broken. Machines of the same driver are compared by their driver, all others here, by what
their records say. No driver is opened and no cloud is asked.
"""

from __future__ import annotations

import ipaddress
import os

from machine import paths
from machine.drivers.base import Driver
from machine.errors import PreflightFailed
from machine.model import Endpoint
from machine.session import Session, readable_records
from machine.store import Record


def check(session: Session, record: Record, driver: Driver) -> None:
    """Raise PreflightFailed, with the other machine's name, if the host of `driver` is another machine of the store.

    Drivers that make their hosts are not asked.
    """
    if not driver.traits.existing_host:
        return
    endpoint = driver.endpoint()
    if endpoint is None:
        return
    for other in readable_records(session.store):
        if other.name == record.name or other.driver_name == record.driver_name or _is_without_keys(other):
            continue
        if _is_same_host(endpoint, other):
            raise PreflightFailed(
                f"{endpoint.address} is already machine {other.name}, of the driver {other.driver_name}",
                resolution=_resolution(other),
            )


def _is_same_host(endpoint: Endpoint, other: Record) -> bool:
    """Return whether `other` has the same sshd, or the same engine.

    An address alone tells nothing: 127.0.0.1 has the forwarded ports of many machines.
    """
    address = _canonical(endpoint.address)
    known = other.endpoint()
    if known is not None and _canonical(known.address) == address:
        if known.engine_port == endpoint.engine_port:
            return True
        if not other.is_only_url() and known.ssh_port == endpoint.ssh_port:
            return True
    forwarded_to = other.driver.get("SSHPort") if other.ssh_is_forwarded() else None
    return address == "127.0.0.1" and forwarded_to == endpoint.ssh_port


def _canonical(address: str) -> str:
    """Return the one spelling of an address: of an IP literal the compressed one, of a name the lower case."""
    text = address.strip("[]").lower().rstrip(".")
    if text == "localhost":
        return "127.0.0.1"
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text


def _is_without_keys(other: Record) -> bool:
    """Return whether `other` was imported without keys: it cannot be used from here, and `import` advises adoption."""
    return other.imported() and not os.path.exists(os.path.join(other.cert_dir(), paths.KEY))


def _resolution(other: Record) -> str:
    """Return what to do instead. `machine rm` is advised only where the host stays as it is."""
    if other.is_only_url():
        return f"forget that one first (its engine stays as it is): machine rm {other.name}"
    if not other.reached("ready"):
        return f"machine create --resume {other.name} goes on with that one"
    return f"use that one: machine env {other.name}; a host is one machine, and taking it over would break {other.name}"
