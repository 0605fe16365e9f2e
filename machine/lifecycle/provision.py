"""Provisioning over ssh: Docker, its certificates, upgrades."""

from __future__ import annotations

import os
import shlex
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from machine import files, paths
from machine import provision as provisioning
from machine.clusters import table as clusters
from machine.drivers import registry
from machine.errors import NotSupported, WaitTimeout
from machine.lifecycle import certificates, engine_proxies, preload, running, share, waiting
from machine.lifecycle.certificates import authority_of
from machine.lifecycle.driver_record import open_driver, save_endpoint
from machine.model import Endpoint
from machine.names import hostname
from machine.provision.host_files import CLOSE_ENGINE_PORT
from machine.session import LOCK_SECONDS, Session
from machine.ssh.client import SshShell
from machine.store import Record

if TYPE_CHECKING:
    import certs
    from machine.authority import Authority


HOST_GATEWAY_SINCE = (20, 10)  # the release of Docker that brought `--add-host NAME:host-gateway`


def provision(session: Session, name: str, engine_proxy: str = "") -> None:
    """Bring a machine to what its record says; a finished one is left as it is, nothing is restarted.

    `engine_proxy` is a value of --engine-proxy: the machine's proxies are those from now on; "" keeps what it has.
    """
    with session.store.lock(f"machine-{name}", seconds=LOCK_SECONDS, what=f"provision {name}"):
        record = session.store.load(name)
        if engine_proxy:
            driver = open_driver(session, record)
            engine_proxies.keep(session, record, engine_proxies.wanted(session, driver, engine_proxy))
        endpoint, shell = log_in(session, record)
        with shell:
            outcome = apply_plan(session, record, endpoint, shell)
        finish(session, record, endpoint)
        record_ready(session, record)
        session.console.done(
            f"{name} is set up again" if outcome.changed else f"{name} is as it should be: nothing changed"
        )


def upgrade(session: Session, name: str) -> None:
    """Upgrade the engine to the newest version that its package source has; running containers go on."""
    with session.store.lock(f"machine-{name}", seconds=LOCK_SECONDS, what=f"upgrade {name}"):
        record = session.store.load(name)
        endpoint, shell = log_in(session, record)
        with shell:
            session.console.step("Upgrading Docker")
            with provisioning.names_in_errors(name, endpoint.ssh_user, endpoint.address):
                facts = provisioning.gather(shell, session.console.debug)
                env = [*engine_proxies.variables(session, record, endpoint), *record.engine_options().env]
                result = provisioning.upgrade_engine(facts, shell, session.console.info, env)
        for note in result.notes:
            session.console.warn(note)
        waiting.wait_for_engine(session, record, endpoint)
        for hooks in clusters.hooks_of(record):
            hooks.after_start(session, record, endpoint)
        if result.before == result.after:
            session.console.done(f"Docker {result.after} is already the newest available")
        else:
            session.console.done(f"Docker was upgraded from {result.before} to {result.after}")


def regenerate(session: Session, name: str) -> None:
    """Give a machine a new server certificate and a copy of the client pair; running containers go on."""
    with session.store.lock(f"machine-{name}", seconds=LOCK_SECONDS, what=f"regenerate the certificates of {name}"):
        record = session.store.load(name)
        endpoint, shell = log_in(session, record)
        with shell:
            apply_plan(session, record, endpoint, shell, new_certificate=True)
        finish(session, record, endpoint)
        record_ready(session, record)
        session.console.done(f"{name} has a new certificate")


def log_in(session: Session, record: Record) -> tuple[Endpoint, SshShell]:
    """Return the endpoint as the platform has it now, and a shell there.

    Raises NotSupported for a machine without a host.
    """
    driver = open_driver(session, record)
    if not driver.traits.has_host:
        raise NotSupported(
            f"{record.name} is only a URL (driver {record.driver_name}): there is nothing to provision",
            resolution=f"machine create -d generic --generic-ip-address ADDRESS {record.name}-2 adopts a host by ssh",
        )
    running.require(record, driver)
    endpoint = waiting.wait_for_endpoint(session, record, driver)
    save_endpoint(session, record, endpoint)
    return endpoint, waiting.wait_for_shell(session, record, driver, endpoint, driver.boot_timeout)


def apply_plan(
    session: Session, record: Record, endpoint: Endpoint, shell: SshShell, *, new_certificate: bool = False
) -> provisioning.Outcome:
    """Gather facts and apply a plan made of them: Docker is installed and listens behind TLS.

    Raises ProvisionError if a step fails.
    """
    with provisioning.names_in_errors(record.name, endpoint.ssh_user, endpoint.address):
        return _apply_plan(session, record, endpoint, shell, new_certificate=new_certificate)


def _apply_plan(
    session: Session, record: Record, endpoint: Endpoint, shell: SshShell, *, new_certificate: bool
) -> provisioning.Outcome:
    session.console.step("Gathering facts about the machine")
    preload.load(preload.CERTIFICATES, preload.PLANS)
    facts = provisioning.gather(shell, session.console.debug)
    all_hooks = clusters.hooks_of(record)
    for hooks in all_hooks:
        hooks.check_host(session, record, facts)
    pair = server_pair(session, record, endpoint, renew=new_certificate)
    ca = files.read(os.path.join(record.cert_dir(), paths.CA))
    spec = provisioning.Spec(
        hostname="" if record.keeps_hostname else hostname(record.name),
        driver_name=record.driver_name,
        engine=record.engine_options(),
        listen_port=endpoint.listen_port,
        host_gateway=host_gateway(record.driver_name, facts),
        ca=ca,
        server_cert=pair.cert,
        server_key=pair.key,
    )
    for hooks in all_hooks:
        spec = hooks.extend_spec(session, record, endpoint, spec)
    spec = engine_proxies.extend_spec(session, record, endpoint, spec)
    if facts.dockerd:  # else packages are installed first, and a share may need one as well
        share.start_early(session, record)
    session.console.step(f"Setting up Docker on {facts.distro}")
    outcome = provisioning.apply_steps(provisioning.plan(facts, spec), shell, session.console.debug)
    for note in outcome.notes:
        session.console.warn(note)
    session.console.log("info", "changed: " + (", ".join(outcome.changed) or "nothing"))
    return outcome


def host_gateway(driver_name: str, facts: provisioning.Facts) -> str:
    """Return the address by which containers reach the computer that the machine runs on.

    "" where there is none, or where the engine is too old for it; one that is not installed yet will be new enough.
    """
    too_old = facts.dockerd and facts.release < HOST_GATEWAY_SINCE
    return "" if too_old else registry.find(driver_name).traits.host_gateway


def finish(session: Session, record: Record, endpoint: Endpoint) -> None:
    """Wait until the engine answers over TLS from here, and join the machine's clusters.

    Raises WaitTimeout if the engine does not answer in time.

    After that the machine is ready, its docker context refreshed if it has one; the caller calls `record_ready`.
    """
    session.console.step("Checking the engine from here")
    try:
        waiting.wait_for_engine(session, record, endpoint)
    except WaitTimeout as error:
        remaining = f"{_remaining_changes(record, endpoint)}\nto undo that: {_undo_commands(record, endpoint)}"
        error.details = f"{error.details}\n{remaining}".strip()  # the resolution says how to go on
        raise
    join_clusters(session, record, endpoint)
    certificates.refresh_contexts(session, record.cert_dir())


def record_ready(session: Session, record: Record) -> None:
    """Record the phase "ready". The record is always written: its paths are out of date if the store was moved."""
    record.phase = "ready"
    session.store.save(record)


def join_clusters(session: Session, record: Record, endpoint: Endpoint) -> None:
    """Make the machine, whose engine answers, a member of its clusters; one that is a member stays as it is."""
    for hooks in clusters.hooks_of(record):
        hooks.join(session, record, endpoint)


def _remaining_changes(record: Record, endpoint: Endpoint) -> str:
    """Return what provisioning has changed on a host whose engine does not answer from here."""
    return (
        f"nothing was rolled back, for on {record.name} itself everything went well: its dockerd listens on port"
        f" {endpoint.listen_port} of every address, and serves only who has a client certificate of this store"
    )


def _undo_commands(record: Record, endpoint: Endpoint) -> str:
    """Return the commands that undo a `create`; a host that was there before stays when its machine is removed."""
    remove = f"machine rm {record.name}"
    if not registry.find_recorded(record.driver_name, record.name).traits.existing_host:
        return remove
    close = CLOSE_ENGINE_PORT if endpoint.ssh_user == "root" else f"sudo sh -c {shlex.quote(CLOSE_ENGINE_PORT)}"
    return f"machine ssh {record.name} {shlex.quote(close)} closes that port, then {remove}"


def server_pair(session: Session, record: Record, endpoint: Endpoint, *, renew: bool = False) -> certs.Pair:
    """Return the machine's server certificate and key, issued anew when missing, wrong, near the end, or with `renew`.

    Written to the machine's directory, together with copies of the CA and the client pair, before the
    machine sees it. A machine whose certificates are of another CA than this store's (a colleague's, imported
    with its keys) keeps them while they are good, so that the colleague is not locked out.
    """
    import certs
    from machine import authority

    directory = record.cert_dir()
    own_ca = files.read(os.path.join(directory, paths.CA))
    old = certs.Pair(
        files.read(os.path.join(directory, paths.SERVER_CERT)), files.read(os.path.join(directory, paths.SERVER_KEY))
    )
    names = server_names(record, endpoint)
    issuer = authority_of(session)
    now = datetime.now(UTC)
    reason = "asked for" if renew else authority.needs_renewal(old.cert, names, own_ca or issuer.ca, now)
    if not reason and not certs.belongs_together(old.cert, old.key):  # killed between the two files
        reason = "its key belongs to another certificate"
    if not reason:
        if own_ca in (b"", issuer.ca):  # none yet: killed between the server's certificate and the copies
            copy_client(record, issuer)
        certificates.record_expiry(session, record)
        return old
    session.console.log("info", f"new server certificate ({reason}) for {', '.join(names)}")
    if own_ca not in (b"", issuer.ca):
        session.console.warn(
            f"{record.name} gets a certificate of this store's CA instead of the CA it was made with ({reason});"
            " clients with a certificate of that one are refused from now on"
        )
    pair = issuer.issue_server(record.name, names, swarm_master=record.swarm_options().master)
    for note in issuer.notes:
        session.console.warn(note)
    files.write(os.path.join(directory, paths.SERVER_KEY), pair.key)
    files.write(os.path.join(directory, paths.SERVER_CERT), pair.cert, files.PUBLIC)
    copy_client(record, issuer)
    certificates.record_expiry(session, record)
    return pair


def server_names(record: Record, endpoint: Endpoint) -> list[str]:
    """Return the names in the server's certificate: those of --tls-san, as docker-machine does, then all addresses."""
    names = [*record.sans, *endpoint.addresses, record.name, "localhost", "127.0.0.1"]
    return list(dict.fromkeys(names))


def copy_client(record: Record, issuer: Authority) -> None:
    """Copy the CA and the client pair to the machine's directory, where docker clients read them."""
    copies = (
        (paths.CA, issuer.ca, files.PUBLIC),
        (paths.CERT, issuer.client.cert, files.PUBLIC),
        (paths.KEY, issuer.client.key, files.PRIVATE),
    )
    for name, content, mode in copies:
        target = os.path.join(record.cert_dir(), name)
        if files.read(target) != content:
            files.write(target, content, mode)
