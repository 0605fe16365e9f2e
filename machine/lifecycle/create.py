"""From a command line to a Docker host, and on from wherever an earlier try ended.

A create drafts the record and the driver in memory, checks (read-only), and takes the steps of CREATE. The record is on
disk before the platform is asked for anything, and its phase is the name of the last step that was done; every step may
be repeated, so that `resume` takes the same steps again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from machine.clusters import table as clusters
from machine.drivers.base import Driver
from machine.errors import (
    CertificateError,
    Interrupted,
    LockHeld,
    MachineError,
    MachineExists,
    PreflightFailed,
    StoreError,
)
from machine.lifecycle import clone, create_steps, engine_proxies, host_conflict, ssh_keys
from machine.lifecycle.account import check_before_resume
from machine.lifecycle.certificates import check_can_issue, check_readable
from machine.lifecycle.create_steps import CreateStep, Creation, location, set_phase
from machine.lifecycle.current_context import CurrentContext, Wish
from machine.lifecycle.draft import CreateRequest, draft_machine, warn_about_clusters
from machine.lifecycle.driver_record import open_driver
from machine.lifecycle.existing import (
    already_exists_error,
    continue_resolution,
    creation_in_progress_error,
    incomplete_resolution,
    resume_resolution,
)
from machine.options import naming_variables
from machine.provision import resolutions
from machine.session import LOCK_SECONDS, Session
from machine.store import Record

RECORDED = CreateStep("recorded", create_steps.record_machine, "record {record}")
CREATE = (  # the last step joins the machine's clusters and makes its docker context, too
    RECORDED,
    CreateStep(
        "created",
        create_steps.create_machine,
        "ask for the machine",
        skip_if_reached="reachable",  # not "created": the driver's create goes on until there is an address
        on_skip=create_steps.start_machine,
    ),
    CreateStep("reachable", create_steps.find_address, "wait for its address"),
    CreateStep(
        "provisioned",
        create_steps.provision_machine,
        "wait for ssh; then in one script: Docker ({install_url} if it is missing), certificates, configuration",
    ),
    CreateStep("ready", create_steps.finish_machine, "check from here that the engine answers over TLS"),
)
CREATE_WITHOUT_HOST = (  # where there is no host
    RECORDED,
    CreateStep("ready", create_steps.point_at_url, "record the URL"),
)


def create(session: Session, name: str, request: CreateRequest) -> None:
    """Make machine `name`. Raises PreflightFailed (exit 3) if nothing was made.

    Raises MachineExists if the name is taken.
    """
    try:
        record, driver = draft_machine(session, name, request)
        warn_about_clusters(session, record)
        proxies = engine_proxies.wanted(session, driver, request.engine_proxy)
        with naming_variables(request.variables):
            check(session, record, driver)
        with _lock_new_machine(session, name):
            made = Creation(session, record, driver, request.docker_context, request.current_context, proxies=proxies)
            run_steps(made, steps_of(driver))
    except KeyboardInterrupt:  # before there was anything, or just about then
        resolution = resume_resolution(session.store, [name])
        result = f"{name} is incomplete" if resolution else f"nothing was made of {name}"
        raise Interrupted(f"interrupted; {result}", resolution=resolution) from None


def check(session: Session, record: Record, driver: Driver) -> None:
    """Raise PreflightFailed when the machine could not be made as it is drafted. Read-only."""
    session.console.step(f"Checking what driver {driver.traits.name} needs")
    try:
        check_readable(session)
        check_can_issue(session, server=driver.traits.has_host)
    except (StoreError, CertificateError) as error:
        raise PreflightFailed(error.brief, details=error.details, resolution=error.resolution) from error
    host_conflict.check(session, record, host_conflict.existing_endpoint(driver))
    driver.check()
    ssh_keys.check(driver)
    for hooks in clusters.hooks_of(record):
        hooks.check(session, record, driver)


def create_if_missing(session: Session, name: str, request: CreateRequest) -> None:
    """Make machine `name` unless it is there; if another command is making it now, wait for that one's end.

    Raises MachineExists if it is incomplete, or is a machine of another driver.
    """
    while not session.store.exists(name):
        try:
            create(session, name, request)
        except MachineExists:  # another command was faster; if that ends without a machine, try again
            _wait_for_other_create(session, name)
        else:
            return
    _wait_for_other_create(session, name)
    record = session.store.load(name)
    if not record.reached("ready"):
        raise already_exists_error(session, name)
    if record.driver_name != request.driver_name:
        raise MachineExists(
            f'Docker machine "{name}" already exists, with the driver {record.driver_name}',
            resolution=f"choose another name, or add -d {record.driver_name}",
        )
    if request.current_context.wish is Wish.ALWAYS:
        create_steps.make_context(session, record, request.current_context)
    session.console.done(f"{name} exists already, at {record.url()}: nothing to do", **location(record))


@contextmanager
def _lock_new_machine(session: Session, name: str) -> Iterator[None]:
    """Hold the lock of machine `name` while it is made.

    Raises MachineExists if another command has begun to make it.
    """
    with ExitStack() as held:
        try:
            held.enter_context(session.store.lock(f"machine-{name}", seconds=1.0, what=f"create {name}"))
        except LockHeld:
            raise creation_in_progress_error(session, name) from None
        yield


def _wait_for_other_create(session: Session, name: str) -> None:
    """Wait until no other command holds the lock of machine `name`, however long that takes."""
    with session.store.lock(f"machine-{name}", seconds=None, what=f"wait for {name}", say=session.console.info):
        return


def resume(
    session: Session,
    name: str,
    docker_context: bool = True,
    install_url: str = "",
    current_context: CurrentContext | None = None,
) -> None:
    """Finish a machine whose creation was cut short; a finished one is provisioned again, which changes nothing.

    `install_url`, if given, takes the place of the one that `create` was called with, which may be what failed.
    """
    with session.store.lock(f"machine-{name}", seconds=LOCK_SECONDS, what=f"resume {name}"):
        record = session.store.load(name)
        session.console.info(f"continuing after: {record.phase}")
        if install_url:
            record.raw["HostOptions"]["EngineOptions"]["InstallURL"] = install_url
            session.store.save(record)
        check_readable(session)
        driver = open_driver(session, record)
        current_context = current_context or CurrentContext()
        if record.reached("ready"):
            current_context = current_context.for_finished()
        else:
            check_before_resume(session, record, driver)
        steps = steps_of(driver)[1:]  # it is recorded
        run_steps(Creation(session, record, driver, docker_context, current_context, recorded=True), steps)
    clone.remove_unneeded_of(session, clone.source_of(record))


def steps_of(driver: Driver) -> tuple[CreateStep, ...]:
    """Return the steps of `create` for a machine of this driver."""
    return CREATE if driver.traits.has_host else CREATE_WITHOUT_HOST


def run_steps(creation: Creation, steps: Sequence[CreateStep]) -> None:
    """Run the steps, and record each that is done. Once there is a record, errors and Ctrl-C say how to resume."""
    record = creation.record
    try:
        for step in steps:
            skipped = step.skip_if_reached and record.reached(step.skip_if_reached)
            action = step.on_skip if skipped else step.run
            if action is not None:
                action(creation)
            set_phase(creation.session, record, step.name)
    except KeyboardInterrupt:
        if not creation.recorded:
            raise
        resolution = incomplete_resolution(record.name)
        raise Interrupted(f"interrupted; {record.name} is incomplete", resolution=resolution) from None
    except MachineError as error:
        if creation.recorded:
            _add_resume_resolution(error, record)
        raise


def _add_resume_resolution(error: MachineError, record: Record) -> None:
    """Add to the error's resolution how to continue the creation, unless it says that already.

    `--resume` repeats what `create` was given: if that may be at fault, say that it takes a new machine to change it.
    """
    name = record.name
    if f"--resume {name}" in error.resolution:
        return
    error.resolution = resolutions.without_again(error.resolution)
    resolution = incomplete_resolution(name)
    fault = error.fixed_input or ("a flag" if f"--{record.driver_name}-" in error.resolution else "")
    if fault:
        resolution = f"{continue_resolution(name)}; if {fault} is wrong: machine rm {name}, and create it again"
    error.resolution = f"{error.resolution}; then {resolution}" if error.resolution else resolution
