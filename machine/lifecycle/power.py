"""Start, stop, kill and restart. Drivers ask and return; the waiting is done here, with one deadline each."""

from __future__ import annotations

from machine import clients
from machine.clusters import table as clusters
from machine.drivers.base import Driver
from machine.errors import DriverError, HostKeyMismatch, MachineError, NotSupported, ShellError, WaitTimeout
from machine.lifecycle import provision, waiting
from machine.lifecycle.driver_record import open_driver, save_endpoint
from machine.model import State, Verb
from machine.session import LOCK_SECONDS, Session
from machine.ssh.client import Shell
from machine.store import Record
from machine.wait import NotYet, until

STOP_SECONDS = 90.0  # for an orderly end; then the power is cut
OFF_SECONDS = 20.0
REBOOT_SECONDS = 300.0
REBOOT_ASK_SECONDS = 30.0
SETTLED = {Verb.START: State.RUNNING, Verb.STOP: State.STOPPED, Verb.KILL: State.STOPPED}


def power(session: Session, name: str, verb: Verb) -> None:
    """Bring machine `name` where `verb` says; one that is there already is told so and left alone."""
    with session.store.lock(f"machine-{name}", seconds=LOCK_SECONDS, what=f"{verb} {name}"):
        record = session.store.load(name)
        driver = open_driver(session, record)
        if verb is Verb.RESTART:
            restart(session, record, driver)
            return
        state = driver.state()
        if state is SETTLED[verb]:
            session.console.done(f"{name} is already {state.lower()}")
            return
        if state is State.MISSING:
            raise missing(record)
        if verb is Verb.START:
            start(session, record, driver)
        else:
            stop(session, driver, verb)


def start(session: Session, record: Record, driver: Driver) -> None:
    """Power on, wait for the engine; a new address means a new certificate."""
    session.console.step("Starting the machine")
    waiting.switch_on(session, driver)
    wait_until_ready(session, record, driver)
    session.console.done(f"{record.name} is running at {record.url()}", url=record.url(), ip=record.address())


def wait_until_ready(session: Session, record: Record, driver: Driver) -> None:
    """After a boot: until the engine answers, repairing its certificate when the address has changed."""
    before = record.endpoint()
    endpoint = waiting.wait_for_endpoint(session, record, driver)
    save_endpoint(session, record, endpoint)
    if not driver.traits.provisions:
        return
    session.console.step("Waiting for the engine")
    if before is not None and before.addresses == endpoint.addresses and record.reached("provisioned"):
        try:
            waiting.wait_for_engine(session, record, endpoint, driver.boot_timeout)
            for extension in clusters.extensions_of(record):
                extension.started(session, record, endpoint)
        except WaitTimeout as error:
            error.details = f"{error.details}\n{waiting.diagnostics(driver)}".strip()
            raise
        return
    with waiting.wait_for_shell(session, record, driver, endpoint, driver.boot_timeout) as shell:
        provision.apply_plan(session, record, endpoint, shell)
    provision.finish(session, record, endpoint)


def stop(session: Session, driver: Driver, verb: Verb) -> None:
    """Ask for an orderly end and wait; cut the power when it does not come, and say so."""
    name = driver.ctx.name
    session.console.step("Stopping the machine" if verb is Verb.STOP else "Switching the machine off at once")
    driver.power(verb)
    try:
        waiting.wait_for_state(session, driver, State.STOPPED, STOP_SECONDS if verb is Verb.STOP else OFF_SECONDS)
    except WaitTimeout:
        if verb is Verb.KILL:
            raise
        session.console.warn(f"{name} did not shut down within {STOP_SECONDS:g} s; it is switched off")
        driver.power(Verb.KILL)
        waiting.wait_for_state(session, driver, State.STOPPED, OFF_SECONDS)
    session.console.done(f"{name} is stopped")


def restart(session: Session, record: Record, driver: Driver) -> None:
    """Off and on again; a host that only ssh reaches is asked to reboot itself."""
    if driver.traits.restart_over_ssh:
        _reboot(session, record)
    else:
        state = driver.state()
        if state is State.MISSING:
            raise missing(record)
        if state is not State.STOPPED:
            stop(session, driver, Verb.STOP)
        session.console.step("Starting the machine")
        waiting.switch_on(session, driver)
    wait_until_ready(session, record, driver)
    session.console.done(f"{record.name} is running at {record.url()}", url=record.url(), ip=record.address())


def _reboot(session: Session, record: Record) -> None:
    endpoint, shell = provision.log_in(session, record)
    boot = "cat /proc/sys/kernel/random/boot_id 2>/dev/null || sysctl -n kern.boottime"
    with shell:
        before = shell.run(boot, timeout=REBOOT_ASK_SECONDS).stdout
        session.console.step("Rebooting the host")
        ask_to_reboot(shell, record.name)

    def probe() -> None:
        try:
            with clients.connect(record, endpoint) as again:
                boot_id = again.run(boot, timeout=REBOOT_ASK_SECONDS).stdout
        except HostKeyMismatch:
            raise
        except ShellError as error:
            raise NotYet.because(error) from error
        if boot_id == before:
            raise NotYet("it answers, and has not rebooted yet")

    until(
        probe,
        what=f"{record.name} to come back",
        seconds=REBOOT_SECONDS,
        clock=session.clock,
        every=1.0,
        resolution=f"look at the host's own console; once it answers: machine provision {record.name}",
    )


def ask_to_reboot(shell: Shell, name: str) -> None:
    """Have the host reboot itself; NotSupported with its words when it does not want to.

    A connection that breaks, and a shell that a signal ends (status 255), are what a reboot looks like.
    """
    command = 'if [ "$(id -u)" = 0 ]; then S=; else S="sudo -n"; fi; $S shutdown -r now || $S reboot'
    try:
        asked = shell.run(command, timeout=REBOOT_ASK_SECONDS)
    except ShellError:
        return
    if asked.status not in (0, 255):
        raise NotSupported(
            f"{name} refused to reboot",
            details=asked.output,
            resolution="let its ssh user run shutdown as root (sudo without a password), or reboot it by other means",
        )


def missing(record: Record) -> MachineError:
    """The platform has lost the machine, another store's owner keeps it, or create has never asked for it."""
    if record.imported():
        return DriverError(
            f"machine {record.name} was imported, and its platform ({record.driver_name}) cannot be"
            " asked from this store",
            resolution="switch it on and off, and remove it, where it was made; "
            f"machine rm {record.name} only forgets it here",
        )
    if not record.reached("ready"):
        return DriverError(
            f"machine {record.name} is incomplete (it got as far as: {record.phase}), and its platform has none yet",
            resolution=f"machine create --resume {record.name} continues from here; machine rm"
            f" {record.name} removes it",
        )
    return DriverError(
        f"machine {record.name} does not exist any more on its platform ({record.driver_name})",
        resolution=f"machine rm {record.name} removes its record; machine create makes it again",
    )
