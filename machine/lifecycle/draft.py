"""What a `create` command line asks for, and the record and the driver made of it in memory; nothing is touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from machine import names, options, redaction
from machine.clusters import table as clusters
from machine.clusters.hooks import MachineDraft, MembershipRequest
from machine.drivers import registry
from machine.drivers.base import Driver
from machine.errors import RecordBroken, UsageError
from machine.lifecycle import clone
from machine.lifecycle.clone import CloneRequest
from machine.lifecycle.current_context import CurrentContext
from machine.lifecycle.driver_record import driver_context
from machine.lifecycle.existing import already_exists_error
from machine.model import EngineOptions, SwarmOptions
from machine.session import Session
from machine.share import nesting
from machine.share.spec import Share, checked, to_record
from machine.store import Record


@dataclass(frozen=True)
class CreateRequest:
    """What a `create` command line asks for, the name apart.

    `values` are the driver's options; `variables` names the variables that values are from, by the options' names.
    """

    driver_name: str
    values: Mapping[str, Any]
    engine: EngineOptions
    swarm: SwarmOptions
    sans: tuple[str, ...] = ()
    docker_context: bool = True
    current_context: CurrentContext = field(default_factory=CurrentContext)  # one for all machines of the command
    swarm_mode: MembershipRequest | None = None  # Docker's own clusters
    variables: Mapping[str, str] = field(default_factory=dict)
    clone: CloneRequest | None = None
    engine_proxy: str = ""  # --engine-proxy
    shares: tuple[Share, ...] = ()  # directories of this computer
    keep_hostname: bool = False  # the host keeps its name instead of getting the machine's


def draft_machine(session: Session, name: str, request: CreateRequest) -> tuple[Record, Driver]:
    """Return the record and the driver as they would be.

    Raises UsageError for what cannot be recorded, MachineExists.
    """
    names.check(name)
    if session.store.exists(name):
        raise already_exists_error(session, name)
    if request.sans:
        from machine import authority  # cryptography

        authority.check_names(request.sans)
    cls = registry.find(request.driver_name)
    draft = MachineDraft(
        request.driver_name,
        cls.traits.has_host,
        request.values,
        request.engine.flags,
        request.swarm,
        request.swarm_mode,
    )
    all_hooks = clusters.requested(draft)
    for hooks in all_hooks:
        draft = hooks.configure(draft, session.environ)
    record = Record.new(
        session.store.root, name, request.driver_name, {}, request.engine, draft.swarm, request.sans, tls=session.tls
    )
    if request.keep_hostname:
        if not cls.traits.has_host:
            raise UsageError(
                f"--no-hostname has no effect with the driver {request.driver_name}, which has no host",
                resolution="leave it out",
            )
        record.keep_hostname()
    _write_shares(session, record, request.shares, has_host=cls.traits.has_host)
    for hooks in all_hooks:
        hooks.write_record(draft, record)
    hide_secrets(session, cls.traits.options, request.values)
    for value in redaction.secret_values(request.engine):
        session.console.hide(value)
    driver = _configure(session, record, cls, request)
    try:
        Record.new(session.store.root, name, request.driver_name, driver.dump())
    except RecordBroken as error:  # an address with a blank in it and the like: nobody could read it back
        raise UsageError(
            f"{name} cannot be recorded like this",
            details=error.details,
            resolution=f"correct that option; machine create -d {request.driver_name} --help explains all",
        ) from error
    return record, driver


def _configure(session: Session, record: Record, cls: type[Driver], request: CreateRequest) -> Driver:
    """Return the driver of the machine. Raises UsageError for values that make no machine, or no clone."""
    with options.naming_variables(request.variables):
        driver = cls.configure(driver_context(session, record), request.values)
        if request.clone:
            clone.take_over(session, driver, request.clone)
    return driver


def _write_shares(session: Session, record: Record, shares: Sequence[Share], *, has_host: bool) -> None:
    """Write the directories into the record that the machine shall have. Raises UsageError for one it cannot have."""
    if shares and not has_host:
        raise UsageError(
            f"--share has no effect with the driver {record.driver_name}, which has no host", resolution="leave it out"
        )
    found = [checked(share, session.store.root) for share in shares]
    nesting.check(found, record.name)
    record.set_shares(to_record(found))


def warn_about_clusters(session: Session, record: Record) -> None:
    """Say what the user should know of the machine's clusters before anything is made."""
    for hooks in clusters.hooks_of(record):
        for warning in hooks.warnings(session, record):
            session.console.warn(warning)


def hide_secrets(session: Session, declared: Sequence[options.Option], values: Mapping[str, Any]) -> None:
    """Keep the values of secret options out of everything that is printed or logged."""
    for option in declared:
        if option.secret and values.get(option.name):
            session.console.hide(str(values[option.name]))
