"""The backends that come with this package, by name; others are found by their entry point, `machine.backends`.

The caller may add more by name (`extra`): machine/cli/swarmd.py adds those that know the machine store.
A backend is one of two things:

    async def NAME(request: Request, call_next: CallNext, *args: str) -> Reply
        one function; `args` is what stood after its name on the command line

    def NAME(args: Sequence[str], context: BackendContext) -> AbstractAsyncContextManager[Backend]
        for what has to be opened and closed: a listener, a connection, a program
"""

from __future__ import annotations

import contextlib
import inspect
import shlex
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, ClassVar, NamedTuple

from machine.errors import UsageError
from machine.swarm.cli_flags import did_you_mean
from machine.swarm.http.address import Address
from machine.swarm.pipeline import Backend, CallNext, link, not_implemented

BackendManager = contextlib.AbstractAsyncContextManager[Backend]
GROUP = "machine.backends"  # entry points of third parties

# name -> (module, attribute, one line for the list)
TABLE: Mapping[str, tuple[str, str, str]] = {
    "aggregate": ("machine.swarmd.backends.aggregate", "aggregate", "several backends as one engine"),
    "debug": ("machine.swarmd.backends.debug", "debug", "show every call on stderr"),
    "dockerclient": ("machine.swarmd.backends.dockerclient", "dockerclient", "a Docker Engine at an address"),
    "dockerserver": ("machine.swarmd.backends.dockerserver", "dockerserver", "listen for Docker clients"),
    "exec": ("machine.swarmd.backends.exec", "exec_", "let a program of any language see, change or answer calls"),
    "swarm": (
        "machine.swarmd.backends.swarm",
        "swarm",
        "all engines of a discovery as one, scheduled as classic Swarm",
    ),
    "simulator": ("machine.swarmd.simulator.backend", "simulator", "a simulated engine in memory"),
}


class BackendContext(NamedTuple):
    """Where a backend stands: what comes after it, and what it may use of the world."""

    call_next: CallNext
    environ: Mapping[str, str]
    log: Callable[[str], None]  # one line for the user, on stderr
    registry: str = ""  # the file of the registry that a token without a service is looked up in; "": there is none
    extra: Mapping[str, Any] = {}  # backends that the caller adds: name -> function or BackendFactory

    async def open(self, stack: contextlib.AsyncExitStack, specs: Sequence[str]) -> CallNext:
        """Open a pipeline inside a backend, each spec a string as on the command line; closed with `stack`."""
        return await open_pipeline(specs, self._replace(call_next=not_implemented), stack)


class BackendFactory(ABC):
    """Opens one backend. The caller hands it in under a name, with whatever it was made from (such as a store)."""

    summary: ClassVar[str]  # one line for the list of backends
    listens: ClassVar[bool] = False  # whether clients can call it, so that it may be the first of a pipeline

    @abstractmethod
    def __call__(self, args: Sequence[str], context: BackendContext) -> BackendManager:
        """Return what opens and closes the backend; `args` is what stood after its name.

        Raises UsageError if the arguments make no backend.
        """

    def engine_address(self, args: Sequence[str]) -> Address | None:
        """Return where the one engine behind the backend is; None if it is not one engine, or not known yet."""
        del args
        return None


def names(extra: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Every backend there is, with a line about it, sorted."""
    from importlib.metadata import entry_points

    found = {name: line for name, (_, _, line) in TABLE.items()}
    found.update({name: _summary(item) for name, item in (extra or {}).items()})
    for entry in entry_points(group=GROUP):
        found.setdefault(entry.name, f"from {entry.value}")
    return dict(sorted(found.items()))


def _summary(backend: Any) -> str:
    if isinstance(backend, BackendFactory):
        return backend.summary
    return (inspect.getdoc(backend) or "").partition("\n")[0]


def find(name: str, extra: Mapping[str, Any]) -> Any:
    """The backend of that name. Raises UsageError with the names there are."""
    if name in extra:
        return extra[name]
    if name in TABLE:
        module, attribute, _ = TABLE[name]
        return getattr(import_module(module), attribute)
    from importlib.metadata import entry_points

    for entry in entry_points(group=GROUP, name=name):
        return entry.load()
    known = names(extra)
    resolution = did_you_mean(name, known) or "use one of: " + " ".join(known)
    if "://" in name or name.startswith("-"):
        resolution = "quote a backend with its arguments: 'dockerserver tcp://localhost:4567'"
    raise UsageError(f"there is no backend {name!r}", resolution=resolution)


def split_words(spec: str) -> list[str]:
    r"""One spec cut as a shell would, lines that end in \ joined.

    Raises UsageError if a quote is open or nothing is in it.
    """
    try:
        words = shlex.split(spec.replace("\\\r\n", "").replace("\\\n", ""))
    except ValueError as error:
        raise UsageError(
            f"cannot read the backend {spec!r}: {error}",
            resolution="""quote as in 'aggregate "dockerclient tcp://a:2375" "dockerclient tcp://b:2375"'""",
        ) from error
    if not words:
        raise UsageError("a backend without a name", resolution="machine swarmd lists the backends")
    return words


async def open_pipeline(specs: Sequence[str], context: BackendContext, stack: contextlib.AsyncExitStack) -> CallNext:
    """Open the backends of `specs`, last first, and link them; all are closed with `stack`.

    UsageError, CertificateError and the other errors of the program for what does not open.
    """
    pipeline = context.call_next
    for spec in reversed(specs):
        name, *args = split_words(spec)
        own_context = context._replace(call_next=pipeline)
        backend = await stack.enter_async_context(_open_backend(find(name, context.extra), name, args, own_context))
        pipeline = link(backend, pipeline)
    return pipeline


def _open_backend(backend: Any, name: str, args: Sequence[str], context: BackendContext) -> BackendManager:
    if not inspect.iscoroutinefunction(backend):
        manager: BackendManager = backend(args, context)
        return manager
    try:
        inspect.signature(backend).bind(None, None, *args)
    except TypeError as error:
        raise UsageError(f"the backend {name} does not take these arguments: {error}") from error
    return _ready(lambda request, rest: backend(request, rest, *args))


@contextlib.asynccontextmanager
async def _ready(backend: Backend) -> AsyncIterator[Backend]:
    yield backend
