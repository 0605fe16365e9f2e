"""Creating a machine and waiting for its states: made, reachable, logged in, engine up."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from machine import clients
from machine.drivers.base import ConsoleLog, Diagnosable, Driver
from machine.errors import (
    DriverError,
    EngineError,
    EngineUntrusted,
    HostKeyMismatch,
    InProgress,
    LoginRefused,
    LoginTimeout,
    MachineError,
    ShellError,
)
from machine.model import Endpoint, State, Verb
from machine.session import Session
from machine.ssh import client
from machine.ssh.client import SshShell
from machine.store import Record
from machine.wait import NotYet, until

_ENDED = (State.ERROR, State.MISSING, State.STOPPED)  # nobody comes to answer there
CONSOLE_LINES = 15  # of the boot log, shown when a machine does not come up
ENGINE_SECONDS = 60.0
ENGINE_REPLY_SECONDS = 5.0  # for one reply
POWER_CHECK_SECONDS = 5.0  # between two questions to a platform whether a machine that is waited for still runs
LOGIN_SECONDS = 60.0  # for a login to be accepted where it was before
LONGEST_LOGIN_SECONDS = 40.0  # for one try on a slow host, after shorter ones

T = TypeVar("T")


def wait_for_state(session: Session, driver: Driver, target: State, seconds: float) -> None:
    """Wait until the platform says `target`. WaitTimeout has the last state."""

    def probe() -> None:
        state = driver.state()
        if state is not target:
            raise _last_state(state)

    until(
        probe,
        what=f"{driver.ctx.name} to be {target}",
        seconds=seconds,
        clock=session.clock,
        every=0.1,  # a process on this computer needs no longer
        longest=2.0,
        resolution=f"machine status {driver.ctx.name} shows what it does; then run this command again",
    )


def switch_on(session: Session, driver: Driver) -> None:
    """Ask the platform to switch the machine on, again while something there has to end first.

    Raises WaitTimeout if it does not end in time.
    """
    repeat(session, driver, lambda: driver.power(Verb.START), f"the platform to switch {driver.ctx.name} on")


def repeat(session: Session, driver: Driver, action: Callable[[], T], what: str, every: float = 0.1) -> T:
    """Call `action` until it does not raise InProgress any more, and return what it returns.

    Raises WaitTimeout, which names `what` was waited for, when the time of a boot is over.
    """

    def attempt() -> T:
        try:
            return action()
        except InProgress as error:
            raise NotYet.because(error) from error

    return until(
        attempt,
        what=what,
        seconds=driver.boot_timeout,
        clock=session.clock,
        every=every,
        resolution=f"machine status {driver.ctx.name} shows what it does; then run this command again",
    )


def create_and_wait(session: Session, record: Record, driver: Driver) -> float:
    """Call `create` until it has nothing more to wait for; return the seconds that are left to become reachable.

    The first call has the time that it needs: it may fetch an image. Raises WaitTimeout with what the driver waits for.
    """

    def attempt() -> None:
        try:
            driver.create()
        except InProgress as error:
            raise NotYet.because(error) from error

    in_progress = False
    try:
        attempt()
    except NotYet:
        in_progress = True
    started_at = session.clock.now()
    if in_progress:
        until(
            attempt,
            what=f"the platform to make {driver.ctx.name}",
            seconds=driver.boot_timeout,
            clock=session.clock,
            diagnose=lambda: diagnostics(driver),
            resolution=_resolution_for(record, driver),
        )
    return max(driver.boot_timeout - (session.clock.now() - started_at), 0.0)


def wait_for_endpoint(session: Session, record: Record, driver: Driver, seconds: float | None = None) -> Endpoint:
    """Wait until the machine runs, and return its endpoint. Raises DriverError at once if it never will.

    Raises WaitTimeout if it does not run in time.

    `seconds` are the driver's own for a boot if they are not given.
    """

    def probe() -> Endpoint:
        state = driver.state()
        if state in _ENDED:
            raise DriverError(
                f"{driver.ctx.name} is {state} instead of Running",
                details=diagnostics(driver),
                resolution=_resolution_for(record, driver, state),
            )
        endpoint = driver.endpoint() if state is State.RUNNING else None
        if endpoint is None:
            raise _last_state(state)
        return endpoint

    return until(
        probe,
        what=f"an address of {driver.ctx.name}",
        seconds=driver.boot_timeout if seconds is None else seconds,
        clock=session.clock,
        diagnose=lambda: diagnostics(driver),
        resolution=_resolution_for(record, driver),
    )


def unless_it_ended(session: Session, record: Record, driver: Driver, probe: Callable[[], T]) -> Callable[[], T]:
    """Return `probe` for a machine that was seen running: it raises DriverError instead of NotYet once that has ended.

    The platform is asked every few seconds at most; where it does not answer, the wait goes on.
    """
    asked_at = session.clock.now()

    def checked() -> T:
        nonlocal asked_at
        try:
            return probe()
        except NotYet:
            if driver.traits.can_power and session.clock.now() - asked_at >= POWER_CHECK_SECONDS:
                _check_it_runs(record, driver)
                asked_at = session.clock.now()
            raise

    return checked


def _check_it_runs(record: Record, driver: Driver) -> None:
    try:
        state = driver.state()
    except MachineError:
        return
    if state in _ENDED:
        raise DriverError(
            f"the virtual machine of {record.name} ended while it booted: it is {state}",
            details=diagnostics(driver),
            resolution=_resolution_for(record, driver, state),
        )


def _last_state(state: State) -> NotYet:
    return NotYet(f"the last state was {state or 'unknown'}")


def wait_for_shell(session: Session, record: Record, driver: Driver, endpoint: Endpoint, seconds: float) -> SshShell:
    """Return a shell on the machine as soon as its sshd answers and lets us in.

    Raises WaitTimeout if nobody answers in time, LoginTimeout if sshd does and takes too long where one has answered
    before, LoginRefused if it does not let us in, DriverError if the machine ends meanwhile.

    A login that is refused is tried again: without limit on a machine that is being made, whose first boot puts our key
    there; for a minute on one that was ready once, since sshd refuses users while a system comes up; not at all on a
    host that was there before. A login that took too long gets twice the time at the next try.
    """
    retry_seconds = float("inf")  # how long a refused login is tried again
    if driver.traits.existing_host:
        retry_seconds = 0.0
    elif record.reached("ready"):
        retry_seconds = LOGIN_SECONDS
    started_at = session.clock.now()
    answered_before = driver.traits.existing_host or record.reached("ready")
    login_seconds = clients.CONNECT_SECONDS

    def probe() -> SshShell:
        nonlocal login_seconds
        sock = None if answered_before else client.answering(endpoint.address, endpoint.ssh_port, 3.0)
        if not sock and not answered_before:
            raise NotYet("nothing answered on that port")
        try:
            return clients.connect(record, endpoint, login_seconds, sock)
        except LoginRefused as error:
            if session.clock.now() - started_at >= retry_seconds:
                raise
            raise NotYet.because(error) from error
        except LoginTimeout as error:
            if answered_before and session.clock.now() - started_at >= seconds:
                raise
            login_seconds = min(login_seconds * 2, LONGEST_LOGIN_SECONDS)
            raise NotYet.because(error) from error
        except HostKeyMismatch:
            raise
        except ShellError as error:
            raise NotYet.because(error) from error

    return until(
        unless_it_ended(session, record, driver, probe),
        what=f"ssh at {endpoint.address} port {endpoint.ssh_port}",
        seconds=seconds,
        clock=session.clock,
        every=0.25,
        diagnose=lambda: diagnostics(driver),
        resolution=_resolution_for(record, driver),
    )


def wait_for_engine(
    session: Session,
    record: Record,
    endpoint: Endpoint,
    seconds: float = ENGINE_SECONDS,
    booting: Driver | None = None,
) -> str:
    """Return the engine's API version once it answers over TLS from here. Raises WaitTimeout if it does not in time.

    EngineUntrusted is final. `booting` is the driver of a machine that has just been switched on: DriverError is raised
    if that ends meanwhile.
    """
    engine = clients.engine_at(record, endpoint.address, endpoint.engine_port, ENGINE_REPLY_SECONDS)

    def probe() -> str:
        try:
            return engine.ping()
        except EngineUntrusted:
            raise
        except EngineError as error:
            raise NotYet.because(error) from error

    return until(
        probe if booting is None else unless_it_ended(session, record, booting, probe),
        what=f"the engine at {endpoint.address} port {endpoint.engine_port}",
        seconds=seconds,
        clock=session.clock,
        every=0.2,
        resolution=f"let port {endpoint.engine_port} through any firewall, then: machine provision {record.name}",
    )


def strip_ansi(text: str) -> str:
    """Return the text as a terminal would show it line by line, without control sequences (ECMA-48)."""
    import re

    plain = re.sub(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-Z\\^-~])", "", text)
    plain = plain.replace("\r\n", "\n").replace("\N{REPLACEMENT CHARACTER}", "")
    return "".join(char for char in plain if char in "\n\t" or char.isprintable())


def diagnostics(driver: Driver) -> str:
    """Return what the platform tells of a machine that does not come up: the end of its console, and what is wrong."""
    found, explanation = [], ""
    try:
        if isinstance(driver, Diagnosable):
            explanation = driver.explain()
        if isinstance(driver, ConsoleLog):
            tail = strip_ansi(driver.console_log()).rstrip().splitlines()[-CONSOLE_LINES:]
            if tail:
                found += ["the end of its console:", *(f"  {line}" for line in tail)]
    except MachineError as error:
        found.append(f"(no more is known: {error.brief})")
    if explanation:
        found.append(explanation)
    return "\n".join(found)


def _resolution_for(record: Record, driver: Driver, state: State = State.NONE) -> str:
    """Return what to type next. A machine that was ready once is not to be removed because it is off."""
    name = record.name
    if not record.reached("ready"):
        return f"machine create --resume {name} continues from here; machine rm {name} removes it"
    if state is State.MISSING:
        return f"machine rm {name} removes its record; machine create makes it again"
    if not driver.traits.can_power:
        return "switch the host on, see that its sshd listens, then run this command again"
    if state is State.STOPPED:
        return f"machine start {name}"
    return f"it may only be slow: machine status {name} shows its state; last, machine restart {name} boots it again"
