"""create DRIVER [--name NAME] [--rm] [FLAG...]: a machine made on first use, with the flags of `machine create`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence

from machine import names
from machine.clusters.store_backends.machine import open_machine
from machine.errors import UsageError
from machine.own_command import own_command
from machine.store import Store
from machine.swarm.pipeline import ApiError, Backend, CallNext, Reply, Request
from machine.swarmd.backends.registry import BackendContext, BackendFactory


class CreateBackend(BackendFactory):
    """The backend `create DRIVER ...` over one store."""

    summary = "a machine made on first use"

    def __init__(self, store: Store) -> None:
        self._store = store

    def __call__(self, args: Sequence[str], context: BackendContext) -> contextlib.AbstractAsyncContextManager[Backend]:
        """Return the backend; the machine is made by the first call that comes.

        Raises UsageError if the arguments make no machine.
        """
        return _open_created(self._store, args, context)


@contextlib.asynccontextmanager
async def _open_created(store: Store, arguments: Sequence[str], context: BackendContext) -> AsyncIterator[Backend]:
    """Give the engine of a machine that is made on first use; one of that name that exists already is used.

    `--rm` removes, at the end, a machine that was made here. Raises UsageError if the arguments make no machine.
    """
    requested = _RequestedMachine(store, arguments, context)
    await requested.check()
    async with contextlib.AsyncExitStack() as stack:
        creation: asyncio.Task[Backend] | None = None

        async def begin() -> Backend:
            await requested.make()
            return await stack.enter_async_context(open_machine(store, [requested.name], context))

        async def call(request: Request, call_next: CallNext) -> Reply:
            nonlocal creation
            if creation is None or (creation.done() and (creation.cancelled() or creation.exception())):
                creation = asyncio.ensure_future(begin())
            backend = await asyncio.shield(creation)  # a caller that gives up does not stop it for the others
            return await backend(request, call_next)

        try:
            yield call
        finally:
            if creation is not None and not creation.done():
                creation.cancel()
                await asyncio.gather(creation, return_exceptions=True)
            await requested.unmake()


class _RequestedMachine:
    """The machine that the arguments of the backend ask for."""

    def __init__(self, store: Store, arguments: Sequence[str], context: BackendContext) -> None:
        if not arguments or arguments[0].startswith("-"):
            raise UsageError("create needs a driver", resolution="'create qemu --name dev --rm'")
        self.driver_name = arguments[0]
        self.name = f"swarmd-{self.driver_name}"
        self.remove = False
        self.made = False
        self.flags: list[str] = []
        self.store = store
        self.context = context
        rest = list(arguments[1:])
        while rest:
            word = rest.pop(0)
            if word == "--rm":
                self.remove = True
            elif word == "--name" and rest:
                self.name = rest.pop(0)
            elif word.startswith("--name="):
                self.name = word.partition("=")[2]
            else:
                self.flags.append(word)

    async def check(self) -> None:
        """Raise UsageError if there can be no such machine, before any call comes."""
        if self.store.exists(names.check(self.name)):
            return
        status, last = await self._machine("drivers", self.driver_name, log=lambda _: None)
        if status != 0:
            brief, _, resolution = last.removeprefix("Error: ").partition("Try: ")
            raise UsageError(
                f"create: {' '.join(brief.split())}", resolution=resolution or "machine drivers lists them"
            )

    async def make(self) -> None:
        """Create the machine unless it is there; finish an incomplete one.

        Raises ApiError(502) with the error of create.
        """
        exists = self.store.exists(self.name)
        if exists and self.store.load(self.name).reached("ready"):
            return
        self.made = self.made or not exists
        self.context.log(f"creating {self.name} with the driver {self.driver_name}; calls wait for it")
        flags = ("--resume",) if exists else ("-d", self.driver_name, *self.flags)
        status, last = await self._machine("create", *flags, self.name)
        if status != 0:
            await self.unmake()
            raise ApiError(502, f"{self.name} could not be created: {last}")

    async def unmake(self) -> None:
        """Remove the machine if it was made here and `--rm` was given."""
        if self.made and self.remove:
            self.made = False
            await self._machine("rm", "-f", "-y", self.name)

    async def _machine(self, *arguments: str, log: Callable[[str], None] | None = None) -> tuple[int, str]:
        """Run this program once more, its progress to `log`; return its status and the lines of its error."""
        log = log or self.context.log
        argv = [*own_command(), "--storage-path", self.store.root, *arguments]
        pipe, none = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=none, stdout=none, stderr=pipe, env=dict(self.context.environ), start_new_session=True
        )
        lines: list[str] = []
        try:
            assert process.stderr is not None  # noqa: S101
            async for line in process.stderr:
                text = line.decode("utf-8", "replace").rstrip()
                lines = [text] if text.startswith("Error:") or not lines else [*lines, text]
                log(text)
            return await process.wait(), " ".join(lines[:3])
        finally:
            if process.returncode is None:
                process.terminate()
                await process.wait()
