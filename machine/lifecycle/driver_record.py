"""The driver of a recorded machine: opened from the record with what it may touch, and its answers written back."""

from __future__ import annotations

import os
from typing import Any

from machine import paths, process, secrets
from machine.clusters import table as clusters
from machine.drivers import registry
from machine.drivers.base import AcceptsHostKey, Driver, DriverContext
from machine.errors import DriverError, MachineError, RecordBroken
from machine.model import Endpoint, EngineOptions
from machine.session import Session, readable_records
from machine.store import Record

_NOT_IN_SSH = " \"'/$`;|&<>()"  # characters that neither an address nor a user has


def driver_context(session: Session, record: Record, public_key: str = "") -> DriverContext:
    """Return what the driver of `record` may use of the program. Its `save` writes the record, secrets apart."""

    def save(driver: Driver) -> None:
        save_driver_state(session, record, driver)

    def siblings() -> list[dict[str, Any]]:
        return [
            dict(other.driver_object)
            for other in readable_records(session.store)
            if other.name != record.name and other.driver_name == record.driver_name
        ]

    return DriverContext(
        name=record.name,
        directory=session.store.directory(record.name),
        store=session.store.root,
        machine_id=record.machine_id,
        public_key=public_key or _stored_public_key(record),
        save=save,
        log=session.console.info,
        clock=session.clock,
        run=process.run,
        lock=lambda name: session.store.lock(name, seconds=None, what=name, say=session.console.info),
        siblings=siblings,
        cluster_ports=clusters.open_ports(record),
        in_cluster=clusters.is_member(record),
    )


def save_driver_state(session: Session, record: Record, driver: Driver) -> None:
    """Write the driver's state to disk: ids to config.json, secrets to where secrets are kept."""
    dump = driver.dump()
    clean, secret_values = secrets.split(dump, driver.secret_options(dump))
    directory = session.store.directory(record.name)
    if os.path.exists(os.path.join(directory, paths.CONFIG)):  # not the first time: what `create` was given is kept
        secret_values = secrets.exclude_env(secret_values, driver.secret_options(dump), session.environ)
    if secret_values:
        secrets.save(directory, secret_values, session.environ)
    record.driver_object.update(clean)
    session.store.save(record)


def open_driver(session: Session, record: Record) -> Driver:
    """Return the driver of a stored machine, with its secrets.

    Raises RecordBroken if the driver cannot read its config.
    """
    cls = registry.find_recorded(record.driver_name, record.name)
    options = cls.secret_options(record.driver_object)
    _hide_settings(session, record.engine_options())
    data = secrets.merge(record.driver_object, session.store.directory(record.name), options, session.environ)
    for option in options:
        if option.secret and isinstance(data.get(option.key), str):
            session.console.hide(data[option.key])
    try:
        driver = cls.load(driver_context(session, record), data)
    except (TypeError, ValueError, LookupError, AttributeError, OverflowError) as error:
        raise RecordBroken(
            f"the record of machine {record.name} is broken",
            details=f"Driver in config.json is nothing that the driver {record.driver_name} can read"
            f" ({type(error).__name__}: {session.console.mask(str(error))})",
            resolution=f"repair {paths.machine(record.root, record.name, paths.CONFIG)}, or drop the machine:"
            f" machine rm -f {record.name}",
        ) from error
    if isinstance(driver, AcceptsHostKey):
        private, public = _stored_host_key(record)
        if private:
            driver.give_host_key(private, public)
    return driver


def _hide_settings(session: Session, options: EngineOptions) -> None:
    """Have the console mask the secrets in the engine's settings: values behind "=", passwords before "@"."""
    lists = (options.env, options.flags, options.labels, options.registry_mirrors, options.insecure_registries)
    if not any("=" in item or "@" in item for items in (*lists, (options.install_url,)) for item in items):
        return
    from machine import redaction  # most machines have none of these, and `status` comes by here

    for value in redaction.secret_values(options):
        session.console.hide(value)


def save_endpoint(session: Session, record: Record, endpoint: Endpoint) -> None:
    """Cache how the machine is reached, under docker-machine's key names where it has them.

    A docker context that pointed to the old address follows. Raises DriverError for what would be something else in
    ssh's arguments and files: clouds, plugins and hypervisors are asked, and may answer anything.
    """
    _validate_endpoint(record, endpoint)
    fields = {
        "SSHUser": endpoint.ssh_user,
        "SSHPort": endpoint.ssh_port,
        "EnginePort": endpoint.engine_port,
        "PeerAddress": endpoint.peer_address,
        "ListenPort": endpoint.listen_port,
    }
    if not record.is_only_url():  # there it is host:port, as docker-machine writes it
        fields["IPAddress"] = endpoint.address
    if any(record.driver_object.get(key) != value for key, value in fields.items()):
        old_url = record.url()
        record.driver_object.update(fields)
        _update_docker_context(session, record, old_url)
        session.store.save(record)


def _validate_endpoint(record: Record, endpoint: Endpoint) -> None:
    """Raise DriverError for an address or user that ssh would take for an option, or for several arguments."""
    texts = {"address": endpoint.address, "peer address": endpoint.peer_address, "user": endpoint.ssh_user}
    for label, text in texts.items():
        if text.startswith("-") or not text.isprintable() or any(char in text for char in _NOT_IN_SSH):
            raise DriverError(
                f"the driver {record.driver_name} reports {text!r:.200} as the {label} of"
                f" {record.name}, which is not valid",
                resolution=f"see what the platform shows for {record.name} and correct it there",
            )


def _update_docker_context(session: Session, record: Record, old_url: str) -> None:
    """Give the machine's docker context its new URL. Called before the record is saved, so that a kill between the two
    does not leave the context behind.
    """
    from machine import docker_context

    if old_url in ("", record.url()):
        return
    try:
        docker_context.update_url(record.name, old_url, record.url(), record.cert_dir(), environ=session.environ)
    except MachineError as error:
        session.console.warn(f"the docker context of {record.name} still points to {old_url}: {error.brief}")


def _stored_public_key(record: Record) -> str:
    return _read(record.ssh_key_path() + ".pub").strip() if record.ssh_key_path() else ""


def _stored_host_key(record: Record) -> tuple[str, str]:
    path = os.path.join(record.cert_dir(), paths.HOST_KEY)
    return _read(path), _read(path + ".pub").strip()


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read()
    except (OSError, UnicodeDecodeError):
        return ""
