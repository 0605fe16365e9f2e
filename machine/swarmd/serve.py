"""Run a pipeline of backends until stopped: `swarmd 'dockerserver tcp://localhost:4567' 'debug' 'dockerclient'`."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from machine.errors import UsageError
from machine.swarm.pipeline import not_implemented
from machine.swarm.printable import printable_log
from machine.swarmd.backends.registry import TABLE, BackendContext, BackendFactory, open_pipeline, split_words


async def serve(
    specs: Sequence[str],
    *,
    environ: Mapping[str, str],
    log: Callable[[str], None],
    registry: str = "",
    extra: Mapping[str, Any] | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """Open the pipeline of `specs`, serve until SIGINT, SIGTERM or `stop`, close it.

    `registry` is the file of the registry of tokens, `extra` what the caller adds to the backends by name. Raises
    MachineError if it does not open.
    """
    extra = extra or {}
    if specs and split_words(specs[-1])[0] == "dockerserver":
        raise UsageError(
            "the pipeline ends in dockerserver, which answers nothing",
            resolution="add a backend that does, such as 'dockerclient tcp://HOST:2375', swarm, aggregate or simulator",
        )
    _check_listener(specs, extra)
    log = printable_log(log)
    stop = stop or asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, stop.set)  # not on Windows, not outside the main thread
    async with contextlib.AsyncExitStack() as stack:
        await open_pipeline(specs, BackendContext(not_implemented, environ, log, registry, extra), stack)
        await stop.wait()


def _check_listener(specs: Sequence[str], extra: Mapping[str, Any]) -> None:
    """Raise UsageError if nobody could call this pipeline."""
    if not any(_may_listen(split_words(spec)[0], extra) for spec in specs):
        raise UsageError(
            "nothing listens: there is no dockerserver in this pipeline",
            resolution=f"put it first: 'dockerserver tcp://127.0.0.1:2375' {' '.join(map(shlex.quote, specs))}",
        )


def _may_listen(name: str, extra: Mapping[str, Any]) -> bool:
    """Whether clients can call the backend; a backend of others may have a listener of its own."""
    backend = extra.get(name)
    if isinstance(backend, BackendFactory):
        return backend.listens
    return name == "dockerserver" or name not in TABLE
