"""From a command line to a Docker host, and on from wherever an earlier try ended.

configure (pure) -> check (read-only) -> record on disk -> driver.create -> address -> ssh -> provision -> verify.
The record is on disk before the platform is asked for anything, and its phase says how far the story got;
every step may be repeated, so `resume` is the same story read again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from machine import docker_context as contexts
from machine import drivers, files, names, options, paths, redaction
from machine.clusters import table as clusters
from machine.clusters.extension import MembershipRequest, PlannedMachine
from machine.console import MASK
from machine.drivers.base import AcceptsHostKey, Driver, ProvidesSshKey
from machine.errors import Interrupted, MachineError, MachineExists, RecordBroken, UsageError
from machine.lifecycle import disk_growth, provision, ssh_keys, waiting
from machine.lifecycle.account import check_before_resume, without_secret_env
from machine.lifecycle.certificates import authority_of
from machine.lifecycle.driver_record import context, open_driver, save_driver_state, save_endpoint
from machine.model import EngineOptions, State, SwarmOptions, Verb
from machine.session import LOCK_SECONDS, Session
from machine.ssh import keys
from machine.store import Record, Store


@dataclass(frozen=True)
class CreateRequest:
    """What a `create` command line asks for, the name apart. `values` are the driver's options."""

    driver_name: str
    values: Mapping[str, Any]
    engine: EngineOptions
    swarm: SwarmOptions
    sans: tuple[str, ...] = ()
    docker_context: bool = True
    swarm_mode: MembershipRequest | None = None  # Docker's own clusters
    keep_hostname: bool = False  # the host keeps its name instead of getting the machine's


def create(session: Session, name: str, wanted: CreateRequest) -> None:
    """Make machine `name`. PreflightFailed (exit 3) when nothing was made; MachineExists when the name is taken."""
    try:
        _create(session, name, wanted)
    except KeyboardInterrupt:  # before there was anything, or just about then
        advice = resume_hint(session.store, [name])
        what = f"{name} is incomplete" if advice else f"nothing was made of {name}"
        raise Interrupted(f"interrupted; {what}", resolution=advice) from None


def create_if_missing(session: Session, name: str, wanted: CreateRequest) -> None:
    """Make machine `name` unless it is there; if another command is making it now, wait for that one's end.

    MachineExists when it is incomplete, or is a machine of another driver.
    """
    if not session.store.exists(name):
        try:
            create(session, name, wanted)
        except MachineExists:  # somebody else was faster
            pass
        else:
            return
    with session.store.lock(f"machine-{name}", seconds=None, what=f"wait for {name}", say=session.console.info):
        record = session.store.load(name)
    if not record.reached("ready"):
        raise already_exists_error(session, name)
    if record.driver_name != wanted.driver_name:
        raise MachineExists(
            f'Docker machine "{name}" already exists, with the driver {record.driver_name}',
            resolution=f"choose another name, or add -d {record.driver_name}",
        )
    session.console.done(f"{name} exists already, at {record.url()}: nothing to do", **where(record))


def _create(session: Session, name: str, wanted: CreateRequest) -> None:
    record, driver = plan(session, name, wanted)
    _warn_about_clusters(session, record)
    session.console.step(f"Checking what driver {driver.traits.name} needs")
    driver.check()
    ssh_keys.check(driver)
    for extension in clusters.extensions_of(record):
        extension.check(session, record, driver)
    with session.store.lock(f"machine-{name}", seconds=1.0, what=f"create {name}"):
        _save_record(session, record, driver)
        run_remaining_steps(without_secret_env(session, driver.traits.options), record, wanted.docker_context)


def _warn_about_clusters(session: Session, record: Record) -> None:
    for extension in clusters.extensions_of(record):
        for warning in extension.warnings(session, record):
            session.console.warn(warning)


def _save_record(session: Session, record: Record, driver: Driver) -> None:
    """Put the record on disk. PreflightFailed if another machine is the same thing; no two creates ask at once."""
    with session.store.lock(f"create-{driver.traits.name}", seconds=LOCK_SECONDS, what=f"record {record.name}"):
        driver.check_unique()
        session.store.add(record.name)
        try:
            save_driver_state(session, record, driver)
        except BaseException:  # no platform was asked for anything yet: leave no half of a record
            session.store.delete(record.name)
            raise


def plan(session: Session, name: str, wanted: CreateRequest) -> tuple[Record, Driver]:
    """The record and the driver as they would be, with nothing touched. UsageError on what cannot be recorded."""
    names.check(name)
    if session.store.exists(name):
        raise already_exists_error(session, name)
    if wanted.sans:
        from machine import authority  # cryptography

        authority.check_names(wanted.sans)
    cls = drivers.find(wanted.driver_name)
    planned = PlannedMachine(
        wanted.driver_name, cls.traits.provisions, wanted.values, wanted.engine.flags, wanted.swarm, wanted.swarm_mode
    )
    extensions = clusters.requested(planned)
    for extension in extensions:
        planned = extension.configure(planned, session.environ)
    record = Record.new(
        session.store.root, name, wanted.driver_name, {}, wanted.engine, planned.swarm, wanted.sans, tls=session.tls
    )
    if wanted.keep_hostname:
        if not cls.traits.provisions:
            raise UsageError(
                f"--no-hostname has no effect with the driver {wanted.driver_name}, which has no host",
                resolution="leave it out",
            )
        record.keep_hostname()
    for extension in extensions:
        extension.write_record(planned, record)
    hide_secrets(session, cls.traits.options, wanted.values)
    for value in redaction.secret_values(wanted.engine):
        session.console.hide(value)
    driver = cls.configure(context(session, record), wanted.values)
    try:
        Record.new(session.store.root, name, wanted.driver_name, driver.dump())
    except RecordBroken as error:  # an address with a blank in it and the like: nobody could read it back
        raise UsageError(
            f"{name} cannot be recorded like this",
            details=error.details,
            resolution=f"correct that option; machine create -d {wanted.driver_name} --help explains all",
        ) from error
    return record, driver


def describe(session: Session, name: str, wanted: CreateRequest, *, script: bool = False) -> list[str]:
    """What `create` would do, in lines; asks no platform and touches nothing.

    With `script` the lines that would run on the machine follow.
    """
    record, driver = plan(session, name, wanted)
    _warn_about_clusters(session, record)
    hidden = {option.name for option in driver.traits.options if option.secret}
    shown = redaction.shown(wanted.engine, MASK)
    lines = [f"machine {name}, driver {driver.traits.name}"]
    for option in driver.traits.options:
        value = wanted.values[option.name]
        if value not in ("", 0, False, []):
            lines.append(f"  --{option.name} {MASK if option.name in hidden else value}")
    extensions = clusters.extensions_of(record)
    lines += [f"  {line}" for extension in extensions for line in extension.plan_lines(record)]
    if not driver.traits.provisions:
        return [*lines, f"would be recorded in {session.store.directory(name)}"]
    lines += [
        f"1. check, with nothing made: what the driver {driver.traits.name} needs",
        f"2. record {session.store.directory(name)}/{paths.CONFIG}, and an ssh key beside it",
        "3. ask for the machine, wait for its address and for ssh",
        f"4. on it, in one script: Docker ({shown.install_url} if it is missing), certificates, configuration",
        "5. check from here that the engine answers over TLS",
    ]
    lines += [line for extension in extensions for line in extension.join_lines(record)]
    if wanted.docker_context:
        lines.append(f"6. make the docker context {name}")
    if not script:
        return lines
    return [
        *lines,
        "",
        "# step 4 as it would be on a fresh Debian that has Docker; what is found decides:",
        *script_of(record, wanted),
    ]


def script_of(record: Record, wanted: CreateRequest) -> list[str]:
    """What would run on a fresh Debian with Docker installed, line by line; certificates are not made for it."""
    from machine import provision as steps
    from machine.provision import sample_facts

    spec = steps.Spec(
        hostname="" if record.keeps_hostname else names.hostname(record.name),
        driver_name=wanted.driver_name,
        engine=redaction.shown(wanted.engine, MASK),
        ca=b"(certificate of the CA)\n",
        server_cert=b"(certificate of the machine)\n",
        server_key=b"",
    )
    return steps.render(steps.plan(sample_facts.debian(), spec)).splitlines()


def resume(session: Session, name: str, docker_context: bool = True, install_url: str = "") -> None:
    """Finish a machine whose creation was cut short; a finished one is provisioned again, which changes nothing.

    `install_url`, if given, takes the place of the one that `create` was called with, which may be what failed.
    """
    with session.store.lock(f"machine-{name}", seconds=LOCK_SECONDS, what=f"resume {name}"):
        record = session.store.load(name)
        session.console.info(f"continuing after: {record.phase}")
        if install_url:
            record.raw["HostOptions"]["EngineOptions"]["InstallURL"] = install_url
            session.store.save(record)
        if not record.reached("ready"):
            check_before_resume(session, record, open_driver(session, record))
        run_remaining_steps(session, record, docker_context)


def run_remaining_steps(session: Session, record: Record, docker_context: bool) -> None:
    """The rest of the story, whatever its beginning was. An error says what exists and how to go on."""
    try:
        _run_remaining_steps(session, record, docker_context)
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted; {record.name} is incomplete", resolution=_resume_hint(record)) from None
    except MachineError as error:
        if f"--resume {record.name}" not in error.resolution:
            error.resolution = (
                f"{error.resolution}; then {_resume_hint(record)}" if error.resolution else _resume_hint(record)
            )
        raise


def _run_remaining_steps(session: Session, record: Record, docker_context: bool) -> None:
    driver = open_driver(session, record)
    if not driver.traits.provisions:
        driver.create()
        endpoint = driver.endpoint()
        if endpoint is not None:
            save_endpoint(session, record, endpoint)
        if not record.reached("ready"):  # later the user may have put another CA's files there, or none
            provision.copy_client(record, authority_of(session))
        if endpoint is not None:
            provision.join_clusters(session, record, endpoint)
        set_phase(session, record, "ready")
        if docker_context:
            make_context(session, record)
        session.console.done(f"{record.name} points at {record.url()}", **where(record))
        return
    if not record.reached("created"):  # later ones have their keys, maybe docker-machine's or a colleague's
        driver = _with_keys(session, record, driver)
    if not record.reached("reachable"):
        session.console.step(
            f"Taking over the host at {record.address()}"
            if driver.traits.existing_host
            else f"Creating the machine with driver {driver.traits.name}"
        )
        driver.create()
        set_phase(session, record, "created")
    elif driver.state() is State.STOPPED:
        driver.power(Verb.START)
    if not driver.traits.existing_host:  # such a host runs already: the checks have seen its sshd
        session.console.step("Waiting for the machine to boot")
    endpoint = waiting.wait_for_endpoint(session, record, driver)
    save_endpoint(session, record, endpoint)
    set_phase(session, record, "reachable")
    session.console.step("Logging in" if driver.traits.existing_host else "Waiting for ssh")
    with waiting.wait_for_shell(session, record, driver, endpoint, driver.boot_timeout) as shell:
        if not record.reached("provisioned"):
            disk_growth.check(session, driver, shell)
        provision.apply_plan(session, record, endpoint, shell)
    set_phase(session, record, "provisioned")
    provision.finish(session, record, endpoint)
    if docker_context:
        make_context(session, record)
    session.console.done(f"{record.name} is ready: Docker behind TLS at {record.url()}", **where(record))


def where(record: Record) -> dict[str, str]:
    """What the last JSON line about a machine says besides the text: where its engine and the machine are."""
    return {"url": record.url(), "ip": record.address()}


def make_context(session: Session, record: Record) -> None:
    """A docker context of the machine's name; one that somebody else made is left alone, with a word about it."""
    try:
        contexts.write(record.name, record.url(), record.cert_dir(), environ=session.environ)
    except MachineError as error:
        session.console.warn(f"no docker context was made: {error.brief}")


def set_phase(session: Session, record: Record, phase: str) -> None:
    """Write down that the story got to `phase`; never backwards."""
    if not record.reached(phase):
        record.phase = phase
        session.store.save(record)


def already_exists_error(session: Session, name: str) -> MachineError:
    """Why `name` cannot be made again, and what the user probably wants instead."""
    holder = session.store.holder(f"machine-{name}")
    try:
        record = session.store.load(name)
    except MachineError as error:  # no record yet, if somebody is at work on it: that is not to be thrown away
        if holder:
            return _being_made(name, holder)
        return MachineExists(
            f'Docker machine "{name}" already exists, and its record is broken',
            details=error.brief,
            resolution=f"machine rm -f {name} removes what is left of it",
        )
    if holder and not record.reached("ready"):
        return _being_made(name, holder)
    if not record.reached("ready"):
        return MachineExists(
            f'Docker machine "{name}" already exists and is incomplete (it got as far as: {record.phase})',
            resolution=_resume_hint(record),
        )
    return MachineExists(
        f'Docker machine "{name}" already exists',
        resolution=f"choose another name, or remove it first: machine rm {name}",
    )


def _being_made(name: str, holder: str) -> MachineError:
    return MachineExists(
        f'Docker machine "{name}" already exists: process {holder} is making it',
        resolution="choose another name, or wait until that command has ended; machine ls shows what came of it",
    )


def hide_secrets(session: Session, declared: Sequence[options.Option], values: Mapping[str, Any]) -> None:
    """No secret option's value shall appear in anything that is printed or logged."""
    for option in declared:
        if option.secret and values.get(option.name):
            session.console.hide(str(values[option.name]))


def _with_keys(session: Session, record: Record, driver: Driver) -> Driver:
    """Bring or make the keys that belong to the machine, and open the driver again so that it knows them."""
    directory = session.store.directory(record.name)
    source = driver.key_path() if isinstance(driver, ProvidesSshKey) else None
    if source is None:
        session.console.step("Making the keys")
        path = os.path.join(directory, paths.SSH_KEY)
        keys.ensure(path, f"machine-{record.name}")
        _keep_key(session, record, path)
    elif source:
        _keep_key(session, record, ssh_keys.bring(record, source, os.path.join(directory, paths.OLD_SSH_KEY)))
    if isinstance(driver, AcceptsHostKey):
        pair = keys.ensure(os.path.join(directory, paths.HOST_KEY), record.name)
        if driver.give_host_key(*pair) is not False:
            kind, blob = pair[1].split()[:2]
            files.write(os.path.join(directory, paths.KNOWN_HOSTS), f"{record.name} {kind} {blob}\n".encode())
    return open_driver(session, record)


def _keep_key(session: Session, record: Record, path: str) -> None:
    if record.driver.get("SSHKeyPath") != path:
        record.driver["SSHKeyPath"] = path
        session.store.save(record)


def resume_hint(store: Store, names: Sequence[str]) -> str:
    """What to type after several creates were cut short: for those of which there is something."""
    there = " ".join(name for name in names if store.exists(name))
    return f"machine create --resume {there} continues from here; machine rm {there} removes what there is" * bool(
        there
    )


def _resume_hint(record: Record) -> str:
    return f"machine create --resume {record.name} continues from here; machine rm {record.name} removes it"
