"""One action on several machines at once; one failing does not stop the others."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping, Sequence

from machine.errors import Interrupted, MachineError
from machine.names import natural_key
from machine.session import InterruptibleClock, Session

Action = Callable[[Session, str], None]
InterruptResolution = Callable[[Sequence[str]], str]  # names of machines -> what to type for them after Ctrl-C
GRACE_SECONDS = 5.0  # after Ctrl-C, for threads to come to the end of what they are in
POLL_SECONDS = 0.2  # a blocking wait would keep Ctrl-C from the main thread on some systems


def run(
    session: Session,
    names: Sequence[str],
    action: Action,
    interrupt_resolution: InterruptResolution = lambda _: "",
) -> dict[str, BaseException]:
    """Run `action(session, NAME)` for every name, each in a thread, and return the failures by name, secrets masked.

    The session of an action prefixes what it prints with the name. One name runs in this thread. Ctrl-C raises
    Interrupted with the result of `interrupt_resolution`, unless the one action raises an error of its own. With many
    names the session's clock wakes all sleepers, and the error names the machines whose action had not ended; threads
    that are inside a system call end with the program. If all actions succeed meanwhile, that is the result.
    """
    if len(names) == 1:
        return _run_here(session, names[0], action, interrupt_resolution)
    results: queue.Queue[tuple[str, BaseException | None]] = queue.Queue()

    def work(name: str) -> None:
        machine_session = session.for_machine(name)
        failure = _attempt(machine_session, name, action)
        if failure is not None and not isinstance(failure, Interrupted):
            machine_session.console.failed(
                machine_session.console.mask(str(failure))
            )  # all of it is told when the others have ended
        results.put((name, failure))

    threads = [threading.Thread(target=work, args=(name,), daemon=True, name=name) for name in names]
    for thread in threads:
        thread.start()
    failures: dict[str, BaseException] = {}
    waiting = set(names)
    try:
        while waiting:
            try:
                name, failure = results.get(timeout=POLL_SECONDS)
            except queue.Empty:
                continue
            waiting.discard(name)
            if failure is not None:
                failures[name] = failure
    except KeyboardInterrupt:
        _stop(session, threads)
        ended = {name: error for name, error in _drain(results).items() if not isinstance(error, Interrupted)}
        failures.update({name: error for name, error in ended.items() if error})
        unfinished = sorted(waiting - ended.keys(), key=natural_key)
        if unfinished or failures:
            raise _interrupted(unfinished, failures, interrupt_resolution) from None
    return failures


def _interrupted(
    unfinished: Sequence[str], failures: Mapping[str, BaseException], interrupt_resolution: InterruptResolution
) -> Interrupted:
    brief = f"interrupted while working on {', '.join(unfinished)}" if unfinished else "interrupted"
    return Interrupted(brief, details=_failed_before(failures), resolution=interrupt_resolution(unfinished))


def _run_here(
    session: Session, name: str, action: Action, interrupt_resolution: InterruptResolution
) -> dict[str, BaseException]:
    """Run the action of a single machine in this thread.

    Raises Interrupted for a Ctrl-C that the action let through.
    """
    try:
        failure = _attempt(session.for_machine(name), name, action)
    except KeyboardInterrupt:
        raise _interrupted([name], {}, interrupt_resolution) from None
    return {name: failure} if failure else {}


def _failed_before(failures: Mapping[str, BaseException]) -> str:
    """Return what had failed before Ctrl-C, each with its own advice: nobody else will show it."""
    lines = []
    for name in sorted(failures, key=natural_key):
        lines.append(f"{name} had failed: {failures[name]}")
        resolution = getattr(failures[name], "resolution", "")
        if resolution:
            lines.append(f"    {resolution}")
    return "\n".join(lines)


def _drain(results: queue.Queue[tuple[str, BaseException | None]]) -> dict[str, BaseException | None]:
    """Return the names whose action has ended since the results were last read, each with its failure, if any."""
    ended = {}
    while not results.empty():
        name, failure = results.get()
        ended[name] = failure
    return ended


def _attempt(session: Session, name: str, action: Action) -> BaseException | None:
    """Do `action` on one machine and return its failure, secrets masked; None if it succeeded."""
    try:
        action(session, name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # handed to the caller, who prints it
        if isinstance(error, MachineError):  # a platform may repeat what it was sent
            mask = session.console.mask
            error.brief, error.details = mask(error.brief), mask(error.details)
            error.resolution = mask(error.resolution)
            error.machine = error.machine or name
        session.console.log("error", f"{type(error).__name__}: {error}\n{getattr(error, 'details', '')}")
        return error
    return None


def _stop(session: Session, threads: Sequence[threading.Thread]) -> None:
    """Wake the threads that wait for something, and give all of them GRACE_SECONDS to end."""
    if isinstance(session.clock, InterruptibleClock):
        session.clock.stop()
    for thread in threads:
        thread.join(GRACE_SECONDS / len(threads))
