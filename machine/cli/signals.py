"""SIGTERM and SIGHUP end a command as Ctrl-C does, so that it can say what exists."""

from __future__ import annotations

import contextlib
import signal
import threading

from machine.errors import Interrupted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


@contextlib.contextmanager
def interrupt_on_termination() -> Iterator[None]:
    """Inside, a SIGTERM or SIGHUP raises KeyboardInterrupt; an Interrupted that leaves then has status 128 + signal.

    A signal that is ignored (nohup) or handled already stays so. Only the main thread can do this.
    """
    caught: list[int] = []

    def stop(number: int, _: FrameType | None) -> None:
        caught.append(number)
        raise KeyboardInterrupt

    old_handlers = {}
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)  # Windows has no SIGHUP
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                old_handlers[number] = signal.signal(number, stop)
    try:
        yield
    except KeyboardInterrupt:
        raise _status(Interrupted("interrupted"), caught) from None
    except Interrupted as error:
        raise _status(error, caught) from None
    finally:
        for number, handler in old_handlers.items():
            signal.signal(number, handler)


def _status(error: Interrupted, caught: list[int]) -> Interrupted:
    if caught:
        error.exit_code = 128 + caught[0]
    return error
