"""The same act on several machines at once; one failing does not stop the others."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping, Sequence

from machine.errors import Interrupted, MachineError
from machine.names import natural_key
from machine.session import InterruptibleClock, Session

Act = Callable[[Session, str], None]
GRACE_SECONDS = 5.0  # after Ctrl-C, for threads to come to the end of what they are in
POLL_SECONDS = 0.2  # a blocking wait would keep Ctrl-C from the main thread on some systems


def run(
    session: Session, names: Sequence[str], act: Act, after: Callable[[Sequence[str]], str] = lambda _: ""
) -> dict[str, BaseException]:
    """Run `act(session about NAME, NAME)` for every name, each in a thread; the failures by name, secrets masked.

    One name runs in this thread. After Ctrl-C the session's clock wakes all sleepers and Interrupted is
    raised here, naming those that had not ended, with the advice `after` has for them; threads that are inside
    a system call end with the program. If all come to a good end meanwhile, that is the result.
    """
    if len(names) == 1:
        failure = _attempt(session.for_machine(names[0]), names[0], act)
        return {names[0]: failure} if failure else {}
    results: queue.Queue[tuple[str, BaseException | None]] = queue.Queue()

    def work(name: str) -> None:
        about = session.for_machine(name)
        failure = _attempt(about, name, act)
        if failure is not None and not isinstance(failure, Interrupted):
            about.console.failed(about.console.mask(str(failure)))  # all of it is told when the others have ended
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
        cut = sorted(waiting - _drain_successes(results), key=natural_key)
        if cut or failures:
            what = f"interrupted while working on {', '.join(cut)}" if cut else "interrupted"
            raise Interrupted(what, details=_failed_before(failures), resolution=after(cut)) from None
    return failures


def _failed_before(failures: Mapping[str, BaseException]) -> str:
    """What had failed before Ctrl-C came, each with its own advice: nobody else will show it."""
    lines = []
    for name in sorted(failures, key=natural_key):
        lines.append(f"{name} had failed: {failures[name]}")
        lines += [f"    {cure}" for cure in [getattr(failures[name], "resolution", "")] if cure]
    return "\n".join(lines)


def _drain_successes(results: queue.Queue[tuple[str, BaseException | None]]) -> set[str]:
    """The names that came to their end without a failure since results were last looked at."""
    found = set()
    while not results.empty():
        name, failure = results.get()
        if failure is None:
            found.add(name)
    return found


def _attempt(session: Session, name: str, act: Act) -> BaseException | None:
    try:
        act(session, name)
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
    if isinstance(session.clock, InterruptibleClock):
        session.clock.stop()
    for thread in threads:
        thread.join(GRACE_SECONDS / len(threads))
