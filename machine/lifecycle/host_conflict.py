"""Refusal to take over a host that is a machine of this store already, whatever driver made that one.

A takeover gives the host another name, other certificates and a restart of its engine: the machine that it was until
then would be broken. Machines are compared by what their records say: none of their drivers is opened and no cloud is
asked.
"""

from __future__ import annotations

import ipaddress
import os

from machine import paths
from machine.drivers import registry
from machine.drivers.base import Driver
from machine.errors import PreflightFailed
from machine.model import Endpoint
from machine.session import Session, readable_records
from machine.store import Record


def existing_endpoint(driver: Driver) -> Endpoint | None:
    """Return how the host is reached that `driver` takes over; None for drivers that make their hosts."""
    return driver.endpoint() if driver.traits.existing_host else None


def check(session: Session, record: Record, endpoint: Endpoint | None) -> None:
    """Raise PreflightFailed, with the other machine's name, if the host at `endpoint` is another machine of the store.

    `record` is the machine that the host is to be. None for `endpoint` means that no host is taken over.
    """
    if endpoint is None:
        return
    for other in readable_records(session.store):
        if other.name != record.name and not _is_without_keys(other) and _is_same_host(endpoint, other):
            maker = "" if other.driver_name == record.driver_name else f", of the driver {other.driver_name}"
            raise PreflightFailed(
                f"{endpoint.address} is already machine {other.name}{maker}"
                if other.reached("ready")
                else f"{endpoint.address} is being made into machine {other.name}{maker}, or was left incomplete",
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
    forwarded_to = other.driver_object.get("SSHPort") if other.ssh_is_forwarded() else None
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
    name, ready = other.name, other.reached("ready")
    resume = f"machine create --resume {name} goes on with that one"
    if other.is_only_url():
        return f"forget that one first (its engine stays as it is): machine rm {name}"
    if registry.traits_of(other.driver_name).existing_host:
        forget = f"forget it first (the host stays as it is): machine rm {name}"
        return f"use that one, or {forget}" if ready else f"{resume}; to have another name, {forget}"
    if not ready:
        return resume
    return f"use that one: machine env {name}; a host is one machine, and taking it over would break {name}"
