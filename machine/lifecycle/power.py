"""Start, stop, kill and restart. Drivers do not wait: that is done here, with one deadline for each."""

from __future__ import annotations

from machine import clients
from machine.clusters import table as clusters
from machine.drivers.base import Driver
from machine.errors import DriverError, HostKeyMismatch, MachineError, NotSupported, ShellError, WaitTimeout
from machine.lifecycle import guest_clock, pending_changes, provision, share, waiting
from machine.lifecycle.driver_record import open_driver, save_endpoint
from machine.model import State, Verb
from machine.session import LOCK_SECONDS, Session
from machine.ssh.client import Shell
from machine.store import Record
from machine.wait import NotYet, until

OFF_SECONDS = 20.0
REBOOT_SECONDS = 300.0
REBOOT_ASK_SECONDS = 30.0
TARGET_STATE = {Verb.START: State.RUNNING, Verb.STOP: State.STOPPED, Verb.KILL: State.STOPPED}


def power(session: Session, name: str, verb: Verb) -> None:
    """Do `verb` with machine `name`; one that is in the state it leads to already is left alone."""
    with session.store.lock(f"machine-{name}", seconds=LOCK_SECONDS, what=f"{verb} {name}"):
        record = session.store.load(name)
        driver = open_driver(session, record)
        if verb is Verb.RESTART:
            restart(session, record, driver)
            return
        state = driver.state()
        if state is TARGET_STATE[verb]:
            if verb is Verb.START:
                share.resume(session, record)
                pending_changes.grow_root(session, record, driver)
            session.console.done(f"{name} is already {state.lower()}")
            return
        if state is State.MISSING:
            raise missing_error(record)
        if state is State.SAVED and verb is Verb.STOP:
            session.console.done(
                f"{name} is suspended, so it is off already (machine kill {name} gives its saved memory up)"
            )
            return
        if verb is Verb.START:
            start(session, record, driver, suspended=state is State.SAVED)
        else:
            stop(session, driver, verb)


def start(session: Session, record: Record, driver: Driver, *, suspended: bool = False) -> None:
    """Power the machine on and wait for its engine; a new address means a new certificate.

    `suspended`: it goes on with its saved memory, and its clock with the time at which it was suspended, so that is set
    before anybody looks at a certificate. Raises DriverError, once it runs, if what was changed of it was refused.
    """
    session.console.step("Resuming the machine" if suspended else "Starting the machine")
    refused = None if suspended else pending_changes.apply_before_start(session, record, driver)
    waiting.switch_on(session, driver)
    if suspended and driver.traits.has_host:
        guest_clock.set_now(session, record, driver)
    _finish_start(session, record, driver, refused)


def _finish_start(session: Session, record: Record, driver: Driver, refused: DriverError | None) -> None:
    """Wait for the engine, grow the root file system if the disk was changed, and raise what was refused before."""
    wait_until_ready(session, record, driver)
    if refused is None:
        pending_changes.grow_root(session, record, driver)
    session.console.done(f"{record.name} is running at {record.url()}", url=record.url(), ip=record.address())
    if refused is not None:
        raise refused


def wait_until_ready(session: Session, record: Record, driver: Driver) -> None:
    """Wait after a boot until the engine answers; where the address has changed, give it a new certificate."""
    old_endpoint = record.endpoint()
    endpoint = waiting.wait_for_endpoint(session, record, driver)
    save_endpoint(session, record, endpoint)
    if not driver.traits.has_host:
        return
    session.console.step("Waiting for the engine")
    if old_endpoint is not None and old_endpoint.addresses == endpoint.addresses and record.reached("provisioned"):
        try:
            waiting.wait_for_engine(session, record, endpoint, driver.boot_timeout, driver)
            for hooks in clusters.hooks_of(record):
                hooks.after_start(session, record, endpoint)
        except WaitTimeout as error:
            error.details = f"{error.details}\n{waiting.diagnostics(driver)}".strip()
            raise
        share.resume(session, record)
        return
    with waiting.wait_for_shell(session, record, driver, endpoint, driver.boot_timeout) as shell:
        provision.apply_plan(session, record, endpoint, shell)
    provision.finish(session, record, endpoint)
    share.resume(session, record)
    provision.record_ready(session, record)


def stop(session: Session, driver: Driver, verb: Verb) -> None:
    """Shut the machine down, or switch it off for Verb.KILL; one that does not shut down is switched off, too."""
    name = driver.ctx.name
    share.pause(session, name)
    session.console.step("Stopping the machine" if verb is Verb.STOP else "Switching the machine off at once")
    driver.power(verb)
    seconds = driver.shutdown_timeout() if verb is Verb.STOP else OFF_SECONDS
    try:
        waiting.wait_for_state(session, driver, State.STOPPED, seconds)
    except WaitTimeout:
        if verb is Verb.KILL:
            raise
        session.console.warn(f"{name} did not shut down within {seconds:g} s; it is switched off")
        driver.power(Verb.KILL)
        waiting.wait_for_state(session, driver, State.STOPPED, OFF_SECONDS)
    session.console.done(f"{name} is stopped")


def restart(session: Session, record: Record, driver: Driver) -> None:
    """Switch the machine off and on again; a host that only ssh reaches is asked to reboot itself.

    Raises DriverError, once it runs, if what was changed of it was refused.
    """
    refused = None
    if driver.traits.restart_over_ssh:
        _reboot(session, record)
    else:
        state = driver.state()
        if state is State.MISSING:
            raise missing_error(record)
        if state is State.SAVED:
            start(session, record, driver, suspended=True)
        if state is not State.STOPPED:
            stop(session, driver, Verb.STOP)
        session.console.step("Starting the machine")
        refused = pending_changes.apply_before_start(session, record, driver)
        waiting.switch_on(session, driver)
    _finish_start(session, record, driver, refused)


def _reboot(session: Session, record: Record) -> None:
    """Have a host reboot itself over ssh and wait until it answers with another boot id.

    Raises WaitTimeout if it does not in time.
    """
    endpoint, shell = provision.log_in(session, record)
    boot = "cat /proc/sys/kernel/random/boot_id 2>/dev/null || sysctl -n kern.boottime"
    with shell:
        old_boot_id = shell.run(boot, timeout=REBOOT_ASK_SECONDS).stdout
        session.console.step("Rebooting the host")
        ask_to_reboot(shell, record.name)

    def probe() -> None:
        try:
            with clients.connect(record, endpoint) as shell_again:
                boot_id = shell_again.run(boot, timeout=REBOOT_ASK_SECONDS).stdout
        except HostKeyMismatch:
            raise
        except ShellError as error:
            raise NotYet.because(error) from error
        if boot_id == old_boot_id:
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
    """Have the host reboot itself. Raises NotSupported with its output if it refuses.

    A connection that breaks, and a shell that a signal ends (status 255), are what a reboot looks like.
    """
    command = 'if [ "$(id -u)" = 0 ]; then S=; else S="sudo -n"; fi; $S shutdown -r now || $S reboot'
    try:
        result = shell.run(command, timeout=REBOOT_ASK_SECONDS)
    except ShellError:
        return
    if result.status not in (0, 255):
        raise NotSupported(
            f"{name} refused to reboot",
            details=result.output,
            resolution="let its ssh user run shutdown as root (sudo without a password), or reboot it by other means",
        )


def missing_error(record: Record) -> MachineError:
    """Return the error for a machine that its platform does not have.

    It is gone, or it was imported from another store, or `create` has not come to the point of making it.
    """
    if record.imported():
        return DriverError(
            f"machine {record.name} was imported, and its platform ({record.driver_name}) cannot be"
            " asked from this store",
            resolution="switch it on and off, and remove it, where it was made; "
            f"machine rm {record.name} only forgets it here",
        )
    if not record.reached("ready"):
        return DriverError(
            f"machine {record.name} is incomplete (create got as far as '{record.phase}'), and its platform has"
            " none yet",
            resolution=f"machine create --resume {record.name} continues from here; machine rm"
            f" {record.name} removes it",
        )
    return DriverError(
        f"machine {record.name} does not exist any more on its platform ({record.driver_name})",
        resolution=f"machine rm {record.name} removes its record; machine create makes it again",
    )
