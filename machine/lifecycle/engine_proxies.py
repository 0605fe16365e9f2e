"""The proxies of a machine's engine: kept with its secrets, and given to the host as the host reaches them."""

from __future__ import annotations

from dataclasses import replace

from machine import engine_proxy, secrets
from machine.clusters import table as clusters
from machine.drivers.base import Driver
from machine.engine_proxy import Proxies
from machine.lifecycle.driver_record import open_driver
from machine.model import Endpoint
from machine.provision import Spec
from machine.session import Session, readable_records
from machine.store import Record


def wanted(session: Session, driver: Driver, flag: str) -> Proxies:
    """Return the proxies that --engine-proxy `flag` means for the machine of a driver; warn of those without effect.

    Passwords in them are masked in all that is printed from now on.
    """
    if not driver.traits.has_host:
        return {}
    found, warnings = engine_proxy.wanted(flag, session.environ, local=driver.traits.behind_nat)
    _hide(session, found)
    for warning in warnings:
        session.console.warn(warning)
    _, unreachable = engine_proxy.seen_from_machine(found, driver.host_gateway())
    for name in unreachable:
        session.console.warn(
            f"the proxy of {name} listens on this computer's loopback, which {driver.ctx.name} does not reach:"
            " it does without it"
        )
    return found


def keep(session: Session, record: Record, proxies: Proxies) -> None:
    """Keep the proxies with the machine's secrets; none forgets those that were kept."""
    directory = session.store.directory(record.name)
    if proxies or secrets.find(directory, engine_proxy.SECRET, session.environ):
        secrets.save(directory, {engine_proxy.SECRET: engine_proxy.dump(proxies)}, session.environ)


def variables(session: Session, record: Record, endpoint: Endpoint) -> list[str]:
    """Return "K=V" of the proxies for the machine's engine, as the machine reaches them."""
    directory = session.store.directory(record.name)
    kept = engine_proxy.load(secrets.find(directory, engine_proxy.SECRET, session.environ))
    _hide(session, kept)
    if not kept:
        return []
    reachable, _ = engine_proxy.seen_from_machine(kept, open_driver(session, record).host_gateway())
    addresses = [*endpoint.addresses, *_members(session, record)]
    return engine_proxy.variables(reachable, addresses, record.engine_options().env)


def extend_spec(session: Session, record: Record, endpoint: Endpoint, spec: Spec) -> Spec:
    """Return the spec with the machine's proxies for engine and package manager."""
    pairs = tuple(variables(session, record, endpoint))
    return replace(spec, engine=replace(spec.engine, env=(*pairs, *spec.engine.env)), package_proxies=pairs)


def _members(session: Session, record: Record) -> list[str]:
    """Return the addresses of the store's other members of clusters, if the machine is a member of one."""
    if not any(kind.is_member(record) for kind in clusters.TABLE):
        return []
    others = [
        endpoint
        for other in readable_records(session.store)
        if other.name != record.name and any(kind.is_member(other) for kind in clusters.TABLE)
        for endpoint in [other.endpoint()]
        if endpoint is not None
    ]
    return sorted({address for endpoint in others for address in endpoint.addresses})


def _hide(session: Session, proxies: Proxies) -> None:
    for password in engine_proxy.passwords(proxies):
        session.console.hide(password)
