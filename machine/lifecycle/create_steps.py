"""The steps of `create`, one function for each. Every one may be repeated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from machine import docker_context
from machine.drivers.base import Driver
from machine.engine_proxy import Proxies
from machine.errors import DriverError, MachineError
from machine.lifecycle import (
    disk_growth,
    engine_proxies,
    guest_clock,
    host_conflict,
    pending_changes,
    provision,
    share,
    ssh_keys,
    waiting,
)
from machine.lifecycle.account import without_secret_env
from machine.lifecycle.certificates import authority_of
from machine.lifecycle.current_context import CurrentContext
from machine.lifecycle.driver_record import open_driver, save_driver_state, save_endpoint
from machine.model import Endpoint, State
from machine.session import LOCK_SECONDS, Session
from machine.store import Record


@dataclass
class Creation:
    """A machine that is being made: what one step hands to the next."""

    session: Session
    record: Record
    driver: Driver
    docker_context: bool
    current_context: CurrentContext = field(default_factory=CurrentContext)
    recorded: bool = False  # whether the record is on disk: from there on there is something to resume
    boot_seconds: float | None = None  # what is left of the time to boot; None: all of it (the driver's `boot_timeout`)
    proxies: Proxies = field(default_factory=dict)  # of the engine
    endpoint: Endpoint | None = None  # known once the machine is reachable


@dataclass(frozen=True, slots=True)
class CreateStep:
    """One step of `create`."""

    name: str  # the phase that the record has afterwards
    run: Callable[[Creation], None]
    description: str  # what --dry-run says of it
    # A resumed create skips the step if the record has this phase or a later one; "": it is never skipped.
    skip_if_reached: str = ""
    on_skip: Callable[[Creation], None] | None = None  # what is done where it is skipped


def record_machine(creation: Creation) -> None:
    """Put the record on disk, under a lock of all creates.

    Raises PreflightFailed if the host is another machine already.

    The secrets are kept from here on, and the later steps use these, not those of the environment.
    """
    session, record, driver = creation.session, creation.record, creation.driver
    existing = host_conflict.existing_endpoint(driver)
    with session.store.lock("create", seconds=LOCK_SECONDS, what=f"record {record.name}"):
        host_conflict.check(session, record, existing)
        session.store.add(record.name)
        try:
            engine_proxies.keep(session, record, creation.proxies)
            save_driver_state(session, record, driver)
        except BaseException:  # no platform was asked for anything yet, so nothing is lost with the record
            session.store.delete(record.name)
            raise
    creation.recorded = True
    creation.session = without_secret_env(session, driver.traits.options)
    creation.driver = open_driver(creation.session, record)


def create_machine(creation: Creation) -> None:
    """Have the platform make the machine, with its keys."""
    session, record, driver = creation.session, creation.record, creation.driver
    if not record.reached("created"):  # from that phase on it has keys, maybe docker-machine's or a colleague's
        driver = creation.driver = ssh_keys.ensure_keys(session, record, driver)
    session.console.step(
        f"Taking over the host at {record.address()}"
        if driver.traits.existing_host
        else f"Creating the machine with driver {driver.traits.name}"
    )
    creation.boot_seconds = waiting.create_and_wait(session, record, driver)


def start_machine(creation: Creation) -> None:
    """Switch a machine on that was made before and is off, or suspended."""
    session, record, driver = creation.session, creation.record, creation.driver
    state = driver.state()
    if state is State.STOPPED:
        pending_changes.apply(session, record, driver)
    if state in (State.STOPPED, State.SAVED):
        waiting.switch_on(session, driver)
    if state is State.SAVED:
        guest_clock.set_now(session, record, driver)


def find_address(creation: Creation) -> None:
    """Wait until the machine runs and its address is known, and record that."""
    session, record, driver = creation.session, creation.record, creation.driver
    if not driver.traits.existing_host:  # such a host runs already: the checks have seen its sshd
        session.console.step("Waiting for the machine to boot")
    creation.endpoint = waiting.wait_for_endpoint(session, record, driver, creation.boot_seconds)
    save_endpoint(session, record, creation.endpoint)


def provision_machine(creation: Creation) -> None:
    """Log in and bring the host to what the record says: Docker behind TLS, and what the machine's clusters need."""
    session, record, driver, endpoint = creation.session, creation.record, creation.driver, _endpoint_of(creation)
    session.console.step("Logging in" if driver.traits.existing_host else "Waiting for ssh")
    with waiting.wait_for_shell(session, record, driver, endpoint, driver.boot_timeout) as shell:
        if not record.reached("provisioned"):
            disk_growth.check(session, driver, shell)
        provision.apply_plan(session, record, endpoint, shell)


def finish_machine(creation: Creation) -> None:
    """Wait until the engine answers from here, join the machine's clusters, and make the docker context.

    The phase comes last: a machine that is ready on record is not looked at again by `create --if-missing`.
    """
    session, record = creation.session, creation.record
    provision.finish(session, record, _endpoint_of(creation))
    share.resume(session, record)
    _make_context(creation)
    provision.record_ready(session, record)  # before the last line, which scripts wait for
    session.console.done(f"{record.name} is ready: Docker behind TLS at {record.url()}", **location(record))


def point_at_url(creation: Creation) -> None:
    """Record where an engine is that needs no host of ours, and give its clients this store's certificates."""
    session, record, driver = creation.session, creation.record, creation.driver
    driver.create()
    endpoint = driver.endpoint()
    if endpoint is not None:
        save_endpoint(session, record, endpoint)
    if not record.reached("ready"):  # later the user may have put another CA's files there, or none
        provision.copy_client(record, authority_of(session))
    if endpoint is not None:
        provision.join_clusters(session, record, endpoint)
    _make_context(creation)
    set_phase(session, record, "ready")
    session.console.done(f"{record.name} points at {record.url()}", **location(record))


def set_phase(session: Session, record: Record, phase: str) -> None:
    """Write down that the machine has come to `phase`; never backwards."""
    if not record.reached(phase):
        record.phase = phase
        session.store.save(record)


def location(record: Record) -> dict[str, str]:
    """Return what the last JSON line about a machine says besides the text: the engine's URL and the address."""
    return {"url": record.url(), "ip": record.address()}


def _endpoint_of(creation: Creation) -> Endpoint:
    if creation.endpoint is None:
        raise DriverError(f"the address of {creation.record.name} is not known")
    return creation.endpoint


def _make_context(creation: Creation) -> None:
    if creation.docker_context:
        make_context(creation.session, creation.record, creation.current_context)


def make_context(session: Session, record: Record, current_context: CurrentContext) -> None:
    """Make a docker context of the machine's name, if one is wanted; one that somebody else made is left alone.

    It becomes docker's current one if it is the first of this command and nothing speaks against it.
    """
    try:
        docker_context.write(record.name, record.url(), record.cert_dir(), environ=session.environ)
    except MachineError as error:
        session.console.warn(f"no docker context was made: {error.brief}")
        return
    current_context.offer(session, record)
